import base64
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from azure.storage.queue.aio import QueueServiceClient

from localcloud.functions_host.invocation import Counts
from localcloud.functions_host.process import FunctionsHost
from tests.unit.functions_host.conftest import Eventually, Serve

APP = """
@app.queue_trigger("message", "letters", "AzureWebJobsStorage")
async def read(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    logging.getLogger("app").info("read %s", body, extra={
        "count": message.dequeue_count, "queued": message.insertion_time, "id": message.id,
    })
    if body.startswith("bad"):
        raise ValueError(body)
"""

WAITING = """
gate = asyncio.Event()
running = most = 0

@app.queue_trigger("message", "%QUEUE%", "AzureWebJobsStorage")
async def wait(message: func.QueueMessage) -> None:
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

BURYING = """
@app.queue_trigger("message", "%QUEUE%", "AzureWebJobsStorage")
async def bury(message: func.QueueMessage) -> None:
    raise ValueError
"""


@pytest.fixture(scope="module")
async def host(serve: Serve, queues: QueueServiceClient) -> AsyncIterator[FunctionsHost]:
    """
    Yield a host of the app above.
    """
    await queues.create_queue("letters")
    await queues.create_queue("letters-poison")
    async with serve(APP, host_json={"extensions": {"queues": {"maxDequeueCount": 3}}}) as running:
        yield running


def encoded(text: str) -> str:
    """
    Encode a message as the queue holds it.
    """
    return base64.b64encode(text.encode()).decode()


async def messages_in(queues: QueueServiceClient, name: str) -> int:
    """
    Count a queue's messages, the hidden ones too.
    """
    properties = await queues.get_queue_client(name).get_queue_properties()
    return properties.approximate_message_count or 0


async def is_running(host: FunctionsHost, function: str) -> bool:
    """
    Tell whether the function has begun and not ended.
    """
    return (await host.counts(function)).running == 1


async def test_a_message_runs_the_function_once_and_is_deleted(
    host: FunctionsHost, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    The function gets the text and what the queue knows of the message.
    """
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
    """
    It runs maxDequeueCount times, and moves unchanged.
    """
    await queues.get_queue_client("letters").send_message(encoded("bad letter"))
    poison = queues.get_queue_client("letters-poison")

    async def moved() -> bool:
        return len(await poison.peek_messages()) == 1

    await eventually(moved)
    attempts = [line["count"] for line in host.log_lines() if line["message"] == "read bad letter"]
    assert attempts == [1, 2, 3]
    assert (await poison.peek_messages())[0].content == encoded("bad letter")


async def test_a_message_that_fails_in_a_poison_queue_is_tried_again_without_a_last_time(
    serve: Serve, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    There is no poison queue of a poison queue.
    """
    await queues.create_queue("failed-poison")
    await queues.get_queue_client("failed-poison").send_message(encoded("x"))
    options = {"extensions": {"queues": {"maxDequeueCount": 2}}}
    async with serve(BURYING, host_json=options, QUEUE="failed-poison", LOCAL_QUEUE_HIDDEN_SECONDS="1") as host:

        async def failed() -> bool:
            return (await host.counts("bury")).failed >= 3

        await eventually(failed)
    assert await messages_in(queues, "failed-poison") == 1


async def test_a_message_that_fails_in_a_poison_queue_stays_hidden_until_its_time_is_over(
    serve: Serve, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    It is not put back, as it would be in another queue: ten minutes pass before the next try.
    """
    await queues.create_queue("hidden-poison")
    await queues.get_queue_client("hidden-poison").send_message(encoded("x"))
    async with serve(BURYING, QUEUE="hidden-poison") as host:

        async def failed() -> bool:
            return (await host.counts("bury")).failed == 1

        await eventually(failed)
    assert await messages_in(queues, "hidden-poison") == 1
    assert await queues.get_queue_client("hidden-poison").peek_messages() == []


async def test_a_message_that_is_not_base64_goes_straight_to_the_poison_queue(
    host: FunctionsHost, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    It would not get better by trying again.
    """
    await queues.get_queue_client("letters").send_message("this is not base64!")
    poison = queues.get_queue_client("letters-poison")

    async def moved() -> bool:
        return "this is not base64!" in [message.content for message in await poison.peek_messages(32)]

    await eventually(moved)
    assert len([line for line in host.log_lines() if "is not base64" in line["message"]]) == 1


async def test_a_message_that_is_no_text_is_tried_to_the_end(
    host: FunctionsHost, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    Base64 of what is not UTF-8 cannot be bound; it is moved as it is stored, to be delivered as if for the first time.
    """
    content = base64.b64encode(b"\xff\xfe").decode()
    await queues.get_queue_client("letters").send_message(content)
    poison = queues.get_queue_client("letters-poison")

    async def moved() -> bool:
        return content in [message.content for message in await poison.peek_messages(32)]

    await eventually(moved)
    assert len([line for line in host.log_lines() if "Exception binding parameter" in line["message"]]) == 3
    (message,) = [message for message in await poison.peek_messages(32) if message.content == content]
    assert message.dequeue_count == 0
    assert message.inserted_on is not None
    assert message.expires_on is not None
    assert (message.expires_on - message.inserted_on).days == 7


@pytest.mark.parametrize("content", ["", f"  {encoded('hello again')}\n"], ids=["empty", "with blanks around it"])
async def test_a_message_may_be_empty_or_have_blanks_around_it(
    host: FunctionsHost, queues: QueueServiceClient, eventually: Eventually, content: str
) -> None:
    """
    The function runs with the text that is left.
    """
    await queues.get_queue_client("letters").send_message(content)
    text = base64.b64decode(content).decode()

    async def read() -> bool:
        return f"read {text}" in [line["message"] for line in host.log_lines()]

    await eventually(read)


async def test_no_more_run_at_a_time_than_a_batch_and_the_threshold_and_each_stays_hidden(
    serve: Serve, queues: QueueServiceClient, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    """
    Seven messages run four at a time, each once, though they take longer than a message is hidden.
    """
    crowd = await queues.create_queue("crowd")
    for number in range(7):
        await crowd.send_message(encoded(str(number)))
    options = {"extensions": {"queues": {"batchSize": 2, "newBatchThreshold": 2}}}
    async with serve(WAITING, host_json=options, QUEUE="crowd", LOCAL_QUEUE_HIDDEN_SECONDS="4") as host:
        hidden_until = time.monotonic() + 6  # Hidden for 4 s at a time: without renewal they would be taken again.

        async def full_for_a_while() -> bool:
            return (await host.counts("wait")).running == 4 and time.monotonic() > hidden_until

        await eventually(full_for_a_while)
        async with http.get(f"{host.url}/api/open") as response:
            assert await response.text() == "4"

        async def done() -> bool:
            return await messages_in(queues, "crowd") == 0 and (await host.counts("wait")).running == 0

        await eventually(done)
        assert await host.counts("wait") == Counts(running=0, succeeded=7, failed=0)


async def test_a_message_outlives_the_host_that_was_killed_over_it(
    serve: Serve, queues: QueueServiceClient, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    """
    Another host finds it once its time in hiding is over.
    """
    await queues.create_queue("survivors")
    async with serve(WAITING, QUEUE="survivors", LOCAL_QUEUE_HIDDEN_SECONDS="1") as first:
        await queues.get_queue_client("survivors").send_message(encoded("x"))
        await eventually(lambda: is_running(first, "wait"))
        await first.kill()
    async with serve(WAITING, QUEUE="survivors") as second, http.get(f"{second.url}/api/open"):

        async def done() -> bool:
            return (await second.counts("wait")).succeeded == 1

        await eventually(done)


async def test_a_host_that_the_platform_kills_gives_nothing_back(
    serve: Serve, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    The stop waits for the function and cancels nothing; the message stays hidden from the next host.
    """
    await queues.create_queue("unfinished")
    async with serve(WAITING, QUEUE="unfinished", LOCAL_GRACE_SECONDS="0.1") as host:
        await queues.get_queue_client("unfinished").send_message(encoded("x"))
        await eventually(lambda: is_running(host, "wait"))
    assert not [line for line in host.log_lines() if line["message"].startswith("Executed 'wait'")]
    assert await queues.get_queue_client("unfinished").peek_messages() == []
    assert await messages_in(queues, "unfinished") == 1


async def test_a_stopped_host_finishes_what_it_runs(
    serve: Serve, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    SIGTERM lets the function end and deletes its message.
    """
    source = """
import signal

@app.queue_trigger("message", "last-orders", "AzureWebJobsStorage")
async def serve_last(message: func.QueueMessage) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.3)
"""
    await queues.create_queue("last-orders")
    async with serve(source) as host:
        await queues.get_queue_client("last-orders").send_message(encoded("x"))

        async def ended() -> bool:
            return host.has_ended

        await eventually(ended)
    assert host.log_lines()[-1]["message"].startswith("Executed 'serve_last' (Succeeded")
    assert await messages_in(queues, "last-orders") == 0


async def test_a_listener_waits_for_a_queue_that_is_missing(
    host: FunctionsHost, serve: Serve, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    It does not create the queue; once a sender has, its messages are found.
    """
    assert host.url
    async with serve(WAITING, QUEUE="missing") as late:
        assert "missing" not in [queue.name async for queue in queues.list_queues()]
        await queues.create_queue("missing")
        await queues.get_queue_client("missing").send_message(encoded("x"))
        await eventually(lambda: is_running(late, "wait"))
        await late.kill()
