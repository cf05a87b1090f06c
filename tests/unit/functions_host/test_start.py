import asyncio
import json
import os
import signal
import sys
import textwrap
from pathlib import Path

import aiohttp
import pytest

from localcloud.functions_host.keys import Keys
from localcloud.functions_host.process import FunctionsHost, HostError
from tests.unit.functions_host.conftest import PREAMBLE, Eventually, Serve, write_app

PAGE = """
@app.route("page")
async def page(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(os.environ.get("GREETING"))
"""


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("del app", "there must be exactly one FunctionApp in its namespace, there are 0"),
        ("second = func.FunctionApp()", "there must be exactly one FunctionApp in its namespace, there are 2"),
        (
            """
            @app.blob_trigger("blob", "path", "AzureWebJobsStorage")
            def f(blob: func.InputStream): ...
            """,
            "function f: this host serves HTTP, Event Grid, queues and timers; .*blobTrigger",
        ),
        (
            """
            @app.event_grid_trigger("event")
            def f(event: func.EventGridEvent | func.CloudEvent): ...
            """,
            "function f: event is annotated .*Azure's worker loads only",
        ),
        (
            """
            @app.event_grid_trigger("event")
            def f(event: func.QueueMessage): ...
            """,
            "function f: event is annotated .*which a binding of type eventGridTrigger cannot be",
        ),
        (
            """
            @app.event_grid_trigger("event")
            @app.queue_output("out", "q", "AzureWebJobsStorage")
            def f(event: func.EventGridEvent, out: func.Out[list[str]]): ...
            """,
            "function f: out is annotated .*which a binding of type queue cannot be; .* knows typing.List, not list",
        ),
        (
            """
            @app.event_grid_trigger("event")
            def f(event, other): ...
            """,
            r"function f: no binding is declared for the parameters \['other'\]",
        ),
        (
            """
            @app.queue_trigger("message", "q", "OtherStorage")
            def f(message: func.QueueMessage): ...
            """,
            "function f: the app setting OtherStorage is not set; it must be a storage connection string",
        ),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
async def test_an_app_that_azure_would_not_load_is_refused_with_the_reason(
    serve: Serve, source: str, complaint: str
) -> None:
    """
    What Azure's worker, or this host, cannot run is found at the start.
    """
    with pytest.raises(HostError, match=complaint):
        async with serve(textwrap.dedent(source)):
            pass


@pytest.mark.parametrize(
    ("host_json", "complaint"),
    [
        ({"version": "1.0"}, r"host\.json: Invalid enum value '1\.0'"),
        ({"functionTimeout": "5 minutes"}, r"host\.json: '5 minutes' is not a time span such as '00:05:00'"),
    ],
)
async def test_a_host_json_that_is_wrong_is_refused_with_the_reason(
    serve: Serve, host_json: dict[str, str], complaint: str
) -> None:
    """
    The host does not guess.
    """
    with pytest.raises(HostError, match=complaint):
        async with serve(PAGE, host_json=host_json):
            pass


async def test_an_app_setting_outdoes_host_json(serve: Serve, http: aiohttp.ClientSession) -> None:
    """
    AzureFunctionsJobHost__section__name takes the place of what the file says.
    """
    settings = {"AzureFunctionsJobHost__extensions__http__routePrefix": "v1", "AzureFunctionsJobHost__version": "2.0"}
    async with (
        serve(PAGE, host_json={"extensions": {"queues": {"batchSize": 4}}}, GREETING="hello", **settings) as host,
        http.get(f"{host.url}/v1/page?code={host.function_key}") as response,
    ):
        assert await response.text() == "hello"


async def test_keys_can_be_chosen(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """
    The host takes them from its settings instead of making them up.
    """
    keys = Keys(function="f-key", master="m-key", eventgrid="e-key")
    write_app(tmp_path, PREAMBLE + PAGE, {})
    async with FunctionsHost(app=tmp_path, environment={}, log=tmp_path / "log", keys=keys) as host:
        assert (host.keys, host.functions) == (keys, ["page"])
        async with http.get(f"{host.url}/api/page?code=f-key") as response:
            assert response.status == 200


async def test_the_route_prefix_can_be_left_out(serve: Serve, http: aiohttp.ClientSession) -> None:
    """
    An empty prefix leaves the route alone.
    """
    async with (
        serve(PAGE, host_json={"extensions": {"http": {"routePrefix": ""}}}, GREETING="hello") as host,
        http.get(f"{host.url}/page?code={host.function_key}") as response,
    ):
        assert await response.text() == "hello"


async def test_what_an_app_prints_does_not_hold_the_host_up(serve: Serve, http: aiohttp.ClientSession) -> None:
    """
    Standard output is the host's; prints join the log, however long.
    """
    source = """
print("x" * 100_000)

@app.route("print", auth_level="anonymous")
def speak(req: func.HttpRequest) -> func.HttpResponse:
    print("y" * 1_000_000)
    return func.HttpResponse()
"""
    async with serve(source) as host, http.get(f"{host.url}/api/print") as response:
        assert response.status == 200


async def test_the_command_line_takes_settings_and_a_log_file(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """
    A local.settings.json serves as the environment, and SIGINT ends it with exit code 0.
    """
    write_app(tmp_path, PREAMBLE + PAGE, {})
    settings = tmp_path / "local.settings.json"
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": {"GREETING": "hi", "LOCAL_FUNCTION_KEY": "key"}}))
    log = tmp_path / "host.log"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localcloud.functions_host"),
        *("--app", tmp_path, "--settings", settings, "--log", log),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    async with http.get(f"{ready['url']}/api/page?code=key") as response:
        assert await response.text() == "hi"
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    assert [record["function"] for record in map(json.loads, log.read_text().splitlines()) if "function" in record]


@pytest.mark.parametrize("prepare", ["pass", "fork_hosts()"])
async def test_no_process_outlives_its_parent(tmp_path: Path, eventually: Eventually, prepare: str) -> None:
    """
    A parent that is killed leaves neither a host nor an Azurite behind, also where its hosts are forks of another one.
    """
    write_app(tmp_path, PREAMBLE + PAGE, {})
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c"),
        f"""
import asyncio
from pathlib import Path
from localcloud.azurite import Azurite
from localcloud.functions_host.forking import fork_hosts
from localcloud.functions_host.process import FunctionsHost

async def main():
    {prepare}
    folder = Path({str(tmp_path)!r})
    async with Azurite(folder) as azurite, FunctionsHost(app=folder, environment={{}}, log=folder / "log") as host:
        table = azurite.connection_string.partition("TableEndpoint=")[2].split("/")[2]
        print(host.url.removeprefix("http://"), table, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
""",
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    ports = [int(address.rpartition(":")[2]) for address in (await parent.stdout.readline()).decode().split()]
    assert [await is_listening(port) for port in ports] == [True, True]
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()

    async def all_gone() -> bool:
        return not any([await is_listening(port) for port in ports])

    await eventually(all_gone)


async def is_listening(port: int) -> bool:
    """
    Tell whether somebody listens there; who ends in the middle of it may refuse, or hang up.
    """
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True
