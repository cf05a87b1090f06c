import base64
import os
import signal
from collections.abc import AsyncIterator

import pytest
from azure.storage.queue.aio import QueueServiceClient

from localcloud.azure.faults import Fault
from localcloud.azurite import Azurite
from localcloud.functions_host.process import FunctionsHost
from localcloud.storage_tap import StorageTap
from tests.unit.functions_host.conftest import Eventually, Serve

APP = """
@app.queue_trigger("message", "orders", "AzureWebJobsStorage")
async def serve_one(message: func.QueueMessage) -> None:
    if message.get_body() == b"bad":
        raise ValueError
    if message.get_body() == b"slow":
        await asyncio.Event().wait()
"""
QUEUES = ("orders", "orders-poison")
OPTIONS = {"extensions": {"queues": {"maxDequeueCount": 2}}}


@pytest.fixture
async def tap(azurite: Azurite, queues: QueueServiceClient) -> AsyncIterator[StorageTap]:
    """
    Yield a way to the storage on which requests fail, with both queues made and empty.
    """
    for name in QUEUES:
        await queues.create_queue(name)
    async with StorageTap(azurite) as running:
        yield running
    for name in QUEUES:
        await queues.delete_queue(name)


async def send(queues: QueueServiceClient, text: str) -> None:
    """
    Put a message into the queue.
    """
    await queues.get_queue_client("orders").send_message(base64.b64encode(text.encode()).decode())


@pytest.mark.parametrize(
    ("text", "operation", "queue"),
    [
        ("good", "Queue.Delete", "orders"),
        ("bad", "Queue.Update", "orders"),
        ("slow", "Queue.Update", "orders"),
        ("bad", "Queue.Send", "orders-poison"),
    ],
    ids=["deleted", "released", "renewed", "poisoned"],
)
async def test_storage_that_fails_while_a_message_is_settled_ends_the_host(
    serve: Serve,
    tap: StorageTap,
    queues: QueueServiceClient,
    eventually: Eventually,
    text: str,
    operation: str,
    queue: str,
) -> None:
    """
    A 5xx is an exception that nobody handles; the message comes back when its time in hiding is over.
    """
    fault = tap.faults.add(Fault(operation=operation, kind="answer", target=queue))
    await send(queues, text)
    host = serve(APP, host_json=OPTIONS, AzureWebJobsStorage=tap.connection_string, LOCAL_QUEUE_HIDDEN_SECONDS="1")
    async with host:
        await eventually(lambda: has_ended(host))
    assert fault.fired == 1
    (record,) = [line for line in host.log_lines() if "Host is shutting down" in line["message"]]
    assert record["level"] == "CRITICAL"
    assert "ServerBusy" in record["exception"]


async def test_storage_that_fails_while_messages_are_received_is_asked_again(
    serve: Serve, tap: StorageTap, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    The host goes on.
    """
    tap.faults.add(Fault(operation="Queue.Receive", kind="answer", target="orders"))
    await send(queues, "good")
    async with serve(APP, AzureWebJobsStorage=tap.connection_string) as host:

        async def done() -> bool:
            return (await host.counts("serve_one")).succeeded == 1

        await eventually(done)


async def test_a_message_that_is_handed_out_during_the_stop_stays_hidden(
    serve: Serve, tap: StorageTap, queues: QueueServiceClient, eventually: Eventually
) -> None:
    """
    Nothing runs, and the try counts.
    """
    await send(queues, "good")
    fault = tap.faults.add(Fault(operation="Queue.Receive", kind="hang", when="after", target="orders"))
    async with serve(APP, AzureWebJobsStorage=tap.connection_string) as host:
        await fault.reached()
        os.kill(host.pid, signal.SIGTERM)

        async def stops() -> bool:
            return "Stopping JobHost" in [line["message"] for line in host.log_lines()]

        await eventually(stops)
        fault.release()
    assert not [line for line in host.log_lines() if line["message"].startswith("Executing")]
    assert await queues.get_queue_client("orders").peek_messages() == []
    properties = await queues.get_queue_client("orders").get_queue_properties()
    assert properties.approximate_message_count == 1


async def has_ended(host: FunctionsHost) -> bool:
    """
    Tell whether the process is gone.
    """
    return host.has_ended
