import base64
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from azure.storage.queue.aio import QueueServiceClient

from localcloud.functions_host.process import Counts, FunctionsHost
from tests.unit.functions_host.conftest import Eventually, Serve

APP = """
gate = asyncio.Event()
running = most = 0

@app.queue_trigger("message", "letters", "AzureWebJobsStorage")
async def read(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    logging.getLogger("app").info("read %s", body, extra={
        "count": message.dequeue_count, "queued": message.insertion_time, "id": message.id,
    })
    if body.startswith("bad"):
        raise ValueError(body)

@app.queue_trigger("message", "crowd", "AzureWebJobsStorage")
async def crowd(message: func.QueueMessage) -> None:
    global running, most
    running += 1
    most = max(most, running)
    await gate.wait()
    running -= 1

@app.route("open", auth_level="anonymous")
async def open_gate(req: func.HttpRequest) -> func.HttpResponse:
    gate.set()
    return func.HttpResponse(str(most))
"""
HOST_JSON = {"extensions": {"queues": {"maxDequeueCount": 3, "batchSize": 2, "newBatchThreshold": 1}}}


@pytest.fixture(scope="module")
async def host(serve: Serve) -> AsyncIterator[FunctionsHost]:
    async with serve(APP, host_json=HOST_JSON, LOCAL_QUEUE_HIDDEN_SECONDS="1") as running:
        yield running


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def messages_in(queues: QueueServiceClient, name: str) -> int:
    properties = await queues.get_queue_client(name).get_queue_properties()
    return properties.approximate_message_count or 0


async def test_a_message_runs_the_function_once_and_is_deleted(
    host: FunctionsHost, queues: QueueServiceClient, eventually: Eventually
) -> None:
    await queues.get_queue_client("letters").send_message(encoded("hello"))

    async def deleted() -> bool:
        return await messages_in(queues, "letters") == 0

    await eventually(deleted)
    (record,) = [line for line in host.log_lines() if line["message"] == "read hello"]
    assert record["count"] == 1
    assert record["queued"].endswith("+00:00")


async def test_a_message_that_keeps_failing_ends_in_the_poison_queue(
    host: FunctionsHost, queues: QueueServiceClient, eventually: Eventually
) -> None:
    await queues.get_queue_client("letters").send_message(encoded("bad letter"))
    poison = queues.get_queue_client("letters-poison")

    async def moved() -> bool:
        return any([name.name == "letters-poison" async for name in queues.list_queues()]) and bool(
            await poison.peek_messages()
        )

    await eventually(moved)
    attempts = [line["count"] for line in host.log_lines() if line["message"] == "read bad letter"]
    assert attempts == [1, 2, 3]
    message = await poison.receive_message()
    assert message is not None
    assert message.content == encoded("bad letter")
    await poison.delete_message(message)


async def test_a_message_that_cannot_be_decoded_goes_straight_to_the_poison_queue(
    host: FunctionsHost, queues: QueueServiceClient, eventually: Eventually
) -> None:
    await queues.get_queue_client("letters").send_message("this is not base64!")
    poison = queues.get_queue_client("letters-poison")
    contents: list[str] = []

    async def moved() -> bool:
        try:
            message = await poison.receive_message()
        except Exception:  # noqa: BLE001 - the queue may not be there yet
            return False
        if message is not None:
            contents.append(message.content)
            await poison.delete_message(message)
        return bool(contents)

    await eventually(moved)
    assert contents == ["this is not base64!"]


async def test_no_more_run_at_a_time_than_a_batch_and_the_threshold_and_each_stays_hidden(
    host: FunctionsHost, queues: QueueServiceClient, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    for number in range(7):
        await queues.get_queue_client("crowd").send_message(encoded(str(number)))
    hidden_until = time.monotonic() + 2.5  # Hidden for 1 s at a time: without renewal they would be taken again.

    async def full_for_a_while() -> bool:
        return (await host.counts("crowd")).running == 3 and time.monotonic() > hidden_until

    await eventually(full_for_a_while)
    async with http.get(f"{host.url}/api/open") as response:
        assert await response.text() == "3"

    async def done() -> bool:
        return await messages_in(queues, "crowd") == 0 and (await host.counts("crowd")).running == 0

    await eventually(done)
    assert await host.counts("crowd") == Counts(running=0, succeeded=7, failed=0)


async def test_a_message_outlives_the_host_that_was_killed_over_it(
    serve: Serve, queues: QueueServiceClient, eventually: Eventually
) -> None:
    source = """
@app.queue_trigger("message", "survivors", "AzureWebJobsStorage")
async def work(message: func.QueueMessage) -> None:
    if os.environ["HANG"] == "true":
        await asyncio.Event().wait()
"""
    async with serve(source, HANG="true", LOCAL_QUEUE_HIDDEN_SECONDS="1") as first:
        await queues.get_queue_client("survivors").send_message(encoded("x"))

        async def taken() -> bool:
            return (await first.counts("work")).running == 1

        await eventually(taken)
        await first.kill()
    async with serve(source, HANG="false") as second:

        async def done() -> bool:
            return (await second.counts("work")).succeeded == 1

        await eventually(done)


async def test_a_stopped_host_finishes_what_it_runs(
    serve: Serve, queues: QueueServiceClient, eventually: Eventually
) -> None:
    source = """
import signal
stopping = asyncio.Event()

@app.queue_trigger("message", "last-orders", "AzureWebJobsStorage")
async def serve_last(message: func.QueueMessage) -> None:
    while not stopping.is_set():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    logging.info("served")

@app.route("stop", auth_level="anonymous")
async def stop(req: func.HttpRequest) -> func.HttpResponse:
    stopping.set()
    os.kill(os.getpid(), signal.SIGTERM)
    return func.HttpResponse()
"""
    async with serve(source) as host, aiohttp.ClientSession() as http:
        await queues.get_queue_client("last-orders").send_message(encoded("x"))

        async def taken() -> bool:
            return (await host.counts("serve_last")).running == 1

        await eventually(taken)
        async with http.get(f"{host.url}/api/stop"):
            pass
        await host.stop()
    assert "served" in [line["message"] for line in host.log_lines()]
    assert await messages_in(queues, "last-orders") == 0
