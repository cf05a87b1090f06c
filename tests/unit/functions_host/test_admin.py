import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from localcloud.functions_host.invocation import Counts
from localcloud.functions_host.process import FunctionsHost, HostError
from tests.unit.functions_host.conftest import Eventually, Serve

APP = """
@app.queue_trigger("message", "admin-queue", "AzureWebJobsStorage")
async def work(message: func.QueueMessage) -> None:
    logging.getLogger("app").info("worked on %s", message.get_body().decode())
    if message.get_body() == b"fail":
        raise ValueError("as told")

@app.event_grid_trigger("event")
async def on_event(event: func.EventGridEvent) -> None:
    logging.getLogger("app").info("event %s", event.id)

@app.route("page")
async def page(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse()
"""


@pytest.fixture(scope="module")
async def host(serve: Serve) -> AsyncIterator[FunctionsHost]:
    """
    Yield a host of the app above.
    """
    async with serve(APP) as running:
        yield running


async def test_a_run_hands_its_input_to_the_trigger(host: FunctionsHost) -> None:
    """
    It is the message of a queue trigger and the event of an Event Grid trigger.
    """
    await host.run("work", "a message")
    await host.run("on_event", '{"id": "an event"}')
    logged = [line["message"] for line in host.log_lines()]
    assert {"worked on a message", "event an event"} <= set(logged)


async def test_a_run_that_fails_says_so_and_is_counted(host: FunctionsHost) -> None:
    """
    The caller that waits for the run learns why.
    """
    before = await host.counts("work")
    with pytest.raises(HostError, match="work failed: as told"):
        await host.run("work", "fail")
    assert await host.counts("work") == Counts(running=0, succeeded=before.succeeded, failed=before.failed + 1)


async def test_the_admin_api_takes_the_master_key_only(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A function key neither runs a function nor shows the status.
    """
    headers = {"x-functions-key": host.function_key}
    async with http.post(f"{host.url}/admin/functions/work", json={"input": "x"}, headers=headers) as response:
        assert response.status == 401
    async with http.get(f"{host.url}/admin/host/status", headers=headers) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    ("function", "text", "status"), [("unknown", "", 404), ("on_event", "{", 400), ("page", "", 400)]
)
async def test_what_cannot_be_run_is_refused(host: FunctionsHost, function: str, text: str, status: int) -> None:
    """
    Unknown names are 404; input that is no event, and functions with a route, are 400.
    """
    with pytest.raises(HostError, match=f"function {function} cannot be run: {status}"):
        await host.run(function, text)


async def test_a_function_that_runs_too_long_fails_and_restarts_the_worker_with_all_that_it_runs(
    serve: Serve, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    """
    What functionTimeout says holds; nothing is cancelled, and what comes next finds a new process at the same address.
    """
    source = """
started = 0

@app.timer_trigger("timer", "0 0 0 29 2 *")
async def forever(timer: func.TimerRequest) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        logging.getLogger("app").info("cancelled")

@app.route("wait", auth_level="anonymous")
async def wait(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.Event().wait()

@app.route("count", auth_level="anonymous")
async def count(req: func.HttpRequest) -> func.HttpResponse:
    global started
    started += 1
    return func.HttpResponse(str(started))
"""
    async with serve(source, host_json={"functionTimeout": "00:00:01"}) as host:

        async def status(path: str) -> tuple[int, str]:
            async with http.get(f"{host.url}/api/{path}") as response:
                return response.status, await response.text()

        assert await status("count") == (200, "1")
        beside = asyncio.create_task(status("wait"))
        await eventually(lambda: is_running(host, "wait"))
        with pytest.raises(HostError, match=r"it ran longer than functionTimeout, 1\.0 s|and its worker is restarted"):
            await host.run("forever")
        assert (await beside)[0] == 500

        async def is_new() -> bool:
            try:
                return await status("count") == (200, "1")
            except aiohttp.ClientConnectionError:
                return False

        await eventually(is_new)
        messages = [line["message"] for line in host.log_lines()]
    assert "cancelled" not in messages
    assert [message for message in messages if "Timeout value of 1.0 s exceeded" in message]
    assert host.has_ended


async def is_running(host: FunctionsHost, function: str) -> bool:
    """
    Tell whether the function has begun and not ended.
    """
    return (await host.counts(function)).running == 1
