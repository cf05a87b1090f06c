import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.storage.queue.aio import QueueServiceClient

from localcloud.functions_host.process import FunctionsHost
from tests.unit.functions_host.conftest import Serve

APP = """
import typing

@app.route("send/{queue}", auth_level="anonymous")
@app.queue_output("out", "sent", "AzureWebJobsStorage")
async def send(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set(req.get_json())
    if "fail" in req.params:
        raise ValueError
    return func.HttpResponse()

@app.route("send-list", auth_level="anonymous")
@app.queue_output("out", "%TARGET%", "AzureWebJobsStorage")
def send_list(req: func.HttpRequest, out: func.Out[typing.List[str]]) -> func.HttpResponse:
    out.set(req.get_json())
    return func.HttpResponse()
"""


@pytest.fixture(scope="module")
async def host(serve: Serve) -> AsyncIterator[FunctionsHost]:
    """
    Yield a host of the app above.
    """
    async with serve(APP, TARGET="sent") as running:
        yield running


@pytest.fixture(autouse=True)
async def sent(queues: QueueServiceClient) -> AsyncIterator[None]:
    """
    Leave the queue empty for the next test.
    """
    yield
    await queues.delete_queue("sent")


async def messages(queues: QueueServiceClient) -> list[str]:
    """
    Take all that was sent.
    """
    received = queues.get_queue_client("sent").receive_messages(messages_per_page=32)
    return [base64.b64decode(message.content).decode() async for message in received]


@pytest.mark.parametrize("path", ["send/any", "send-list"])
async def test_a_list_becomes_one_message_an_element_and_leaves_text_as_it_is(
    host: FunctionsHost, http: aiohttp.ClientSession, queues: QueueServiceClient, path: str
) -> None:
    """
    So it is with func.Out[str] and with a list as the annotation.
    """
    async with http.post(f"{host.url}/api/{path}", json=["one", '{"two":2}']) as response:
        assert response.status == 200
    assert sorted(await messages(queues)) == ["one", '{"two":2}']


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain text", ["plain text"]),
        ('["a", "b"]', ["a", "b"]),
        ('{"laid":"out"}', [json.dumps({"laid": "out"}, indent=2)]),
    ],
)
async def test_text_that_is_json_is_read_as_json_as_in_azure(
    host: FunctionsHost, http: aiohttp.ClientSession, queues: QueueServiceClient, value: Any, expected: list[str]
) -> None:
    """
    An array is divided, and an object is formatted again, as by Azure's host.
    """
    async with http.post(f"{host.url}/api/send/any", json=value) as response:
        assert response.status == 200
    assert sorted(await messages(queues)) == expected


async def test_a_function_that_fails_sends_nothing(
    host: FunctionsHost, http: aiohttp.ClientSession, queues: QueueServiceClient
) -> None:
    """
    Messages leave only after the function has returned.
    """
    async with http.post(f"{host.url}/api/send/any?fail=1", json=["lost"]) as response:
        assert response.status == 500
    async with http.post(f"{host.url}/api/send/any", json=["sent"]) as response:
        assert response.status == 200
    assert await messages(queues) == ["sent"]
