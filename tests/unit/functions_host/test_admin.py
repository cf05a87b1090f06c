from collections.abc import AsyncIterator

import aiohttp
import pytest

from localcloud.functions_host.process import Counts, FunctionsHost, HostError
from tests.unit.functions_host.conftest import Serve

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
    Whoever waits for the run learns why.
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


async def test_a_function_that_runs_too_long_is_cancelled_and_fails(serve: Serve) -> None:
    """
    What functionTimeout says holds.
    """
    source = """
@app.timer_trigger("timer", "0 0 0 29 2 *")
async def forever(timer: func.TimerRequest) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        logging.getLogger("app").info("cancelled")
        raise
"""
    async with serve(source, host_json={"functionTimeout": "00:00:01"}) as host:
        with pytest.raises(HostError, match=r"it ran longer than functionTimeout, 1\.0 s"):
            await host.run("forever")
        assert "cancelled" in [line["message"] for line in host.log_lines()]
