"""
Metrics as a collector and Application Insights get them, and what a process does to send them.
"""

import asyncio
import gzip
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from adapters.telemetry import Telemetry
from adapters.telemetry_export import open_metrics
from adapters.telemetry_settings import read_telemetry_settings
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.vault import Vault
from localcloud.kinds.batch import add_batch_account
from rotation.vocabulary.log_lines import report_poisoned, report_standing, report_sweep
from rotation.vocabulary.record import State
from tests.twins.world import VAULT, TwinWorld
from wiring.parts import Wiring

ROOT = Path(__file__).parents[2]
BATCH = "Microsoft.Batch/batchAccounts"
COUNTED = ("key_rotator.counts", "key_rotator.secrets")
INSTRUMENTATION_KEY = "5f0a6f1e-0b0e-4a70-9d4e-0d3f5e0c7a11"


class Station:
    """
    A collector, an Application Insights, and the identity endpoint of an App Service, on one port with TLS.
    """

    def __init__(self, ca: CertificateAuthority) -> None:
        self.collected: asyncio.Queue[ExportMetricsServiceRequest] = asyncio.Queue()
        self.tracked: list[dict[str, Any]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.uri = ""
        self._ca = ca
        self._tokens: set[str] = set()
        app = web.Application()
        app.router.add_post("/v1/metrics", self._collect)
        app.router.add_post("/{slash:/?}v2.1/track", self._track)
        app.router.add_get("/msi/token", self._issue)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def open(self) -> None:
        """
        Listen.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, "localhost", 0, ssl_context=self._ca.server_context)
        await site.start()
        self.uri = f"https://localhost:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """
        Stop listening.
        """
        self.answers.set()
        await self._runner.cleanup()

    def collector(self) -> dict[str, str]:
        """
        Return the settings that send metrics to the collector.
        """
        return {"SSL_CERT_FILE": str(self._ca.bundle), "OTEL_EXPORTER_OTLP_ENDPOINT": self.uri}

    def insights(self) -> dict[str, str]:
        """
        Return the settings that send metrics to Application Insights, with a token of the app's identity.
        """
        return {
            "SSL_CERT_FILE": str(self._ca.bundle),
            "APPLICATIONINSIGHTS_CONNECTION_STRING": (
                f"InstrumentationKey={INSTRUMENTATION_KEY};IngestionEndpoint={self.uri}/;AADAudience={self.uri}"
            ),
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD;ClientId=c1",
            "IDENTITY_ENDPOINT": f"{self.uri}/msi/token",
            "IDENTITY_HEADER": "h1",
        }

    async def _collect(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.answers.is_set():
            await self.answers.wait()
        await self.collected.put(ExportMetricsServiceRequest.FromString(body))
        return web.Response()

    async def _track(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            return web.Response(status=401)
        body = await request.read()
        items = json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
        self.tracked += items
        return web.json_response({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []})

    async def _issue(self, request: web.Request) -> web.Response:
        if (request.headers.get("X-IDENTITY-HEADER"), request.query.get("client_id")) != ("h1", "c1"):
            return web.Response(status=400)
        token = f"token{len(self._tokens)}"
        self._tokens.add(token)
        return web.json_response(
            {"access_token": token, "expires_on": "4102444800", "resource": request.query["resource"]}
        )


@pytest.fixture(autouse=True)
def no_other_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let SSL_CERT_FILE decide: where a machine has these, requests obeys them whatever it is told.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def station(ca: CertificateAuthority) -> AsyncIterator[Station]:
    """
    Yield a station that listens.
    """
    made = Station(ca)
    await made.open()
    yield made
    await made.close()


def attributes(pairs: Any) -> dict[str, str]:
    """
    Return attributes as a mapping.
    """

    def text(pair: KeyValue) -> str:
        return pair.value.string_value

    return {pair.key: text(pair) for pair in pairs}


def metrics_of(request: ExportMetricsServiceRequest) -> dict[str, Metric]:
    """
    Return the metrics of an export, by name.
    """
    (resource,) = request.resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "key_rotator"
    return {metric.name: metric for metric in scope.metrics}


def telemetry_for(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    """
    Return the telemetry of these settings, without the wait for quiet.
    """
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Telemetry(lambda: open_metrics(read_telemetry_settings(environment)), quiet=0)


async def rotate_a_while(telemetry: Telemetry) -> None:
    """
    Rotate one key, and let everything else be told that is measured.
    """
    telemetry.attach()
    try:
        world = TwinWorld()
        world.faults.before("regenerate", lambda: world.clock.sleep(7))
        assert (await world.rotate(world.manual(reason="leaked"))).state is State.COMPLETED
        report_sweep(VAULT, secrets=1, due=0, misconfigured=0, nearest_expiry=86_400.0, seconds=0.5, problem=None)
        report_standing(VAULT, {"UpToDate": 1, "Drifted": 0})
        report_poisoned("m1", None)
    finally:
        # It waits for answers of a server on this loop.
        await asyncio.to_thread(telemetry.close)


async def test_a_collector_gets_what_a_rotation_logs(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Every metric with its unit, and nothing that names what was rotated, at the latest when the process ends.
    """
    await rotate_a_while(telemetry_for(station.collector(), monkeypatch))

    request = station.collected.get_nowait()
    found = metrics_of(request)
    assert {name: metric.unit for name, metric in found.items()} == {
        "key_rotator.rotations": "{rotation}",
        "key_rotator.poisoned": "{message}",
        "key_rotator.step.duration": "s",
        "key_rotator.expiry.nearest": "s",
        "key_rotator.sweeps": "{sweep}",
        "key_rotator.secrets": "{secret}",
        "key_rotator.counts": "{count}",
    }
    (rotations,) = found["key_rotator.rotations"].sum.data_points
    assert rotations.as_int == 1
    assert attributes(rotations.attributes) == {"outcome": "Completed", "trigger": "Http", "provider": BATCH}
    assert found["key_rotator.rotations"].sum.is_monotonic
    (expiry,) = found["key_rotator.expiry.nearest"].gauge.data_points
    assert attributes(expiry.attributes) == {"vault": VAULT}
    assert 86_000 < expiry.as_double <= 86_400
    secrets = found["key_rotator.secrets"].gauge.data_points
    assert [(attributes(point.attributes), point.as_int) for point in secrets] == [
        ({"vault": VAULT, "status": "UpToDate"}, 1),
        ({"vault": VAULT, "status": "Drifted"}, 0),
    ]
    durations = found["key_rotator.step.duration"].histogram
    assert durations.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    slow = {attributes(point.attributes)["step"]: point for point in durations.data_points}["regenerated"]
    assert (slow.count, slow.sum, slow.explicit_bounds[0]) == (1, 7.0, 0.005)
    for unwanted in (b"account1", b"leaked", b"/secrets/"):
        assert unwanted not in request.SerializeToString()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "azure-key-rotator"),
        ({"WEBSITE_SITE_NAME": "func-rotator"}, "func-rotator"),
        ({"WEBSITE_SITE_NAME": "func-rotator", "OTEL_SERVICE_NAME": "keys"}, "keys"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=keys,team=identity"}, "keys"),
    ],
)
async def test_a_collector_is_told_which_service_it_is(
    station: Station, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], name: str
) -> None:
    """
    The standard settings come first, then the site's name; each process is an instance of its own.
    """
    await rotate_a_while(telemetry_for(station.collector() | settings, monkeypatch))

    resource = attributes(station.collected.get_nowait().resource_metrics[0].resource.attributes)
    assert resource["service.name"] == name
    assert len(resource["service.instance.id"]) == 36
    assert resource.get("cloud.platform") == ("azure.functions" if "WEBSITE_SITE_NAME" in settings else None)
    assert resource.get("team") == ("identity" if "OTEL_RESOURCE_ATTRIBUTES" in settings else None)


async def test_application_insights_gets_it_too_with_a_token(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Of the identity that the setting names, beside the collector, under the name that the host's telemetry has.
    """
    settings = station.collector() | station.insights() | {"WEBSITE_SITE_NAME": "func-rotator"}

    await rotate_a_while(telemetry_for(settings, monkeypatch))

    assert "key_rotator.rotations" in metrics_of(station.collected.get_nowait())
    points = {item["data"]["baseData"]["metrics"][0]["name"]: item for item in station.tracked}
    assert points.keys() == {
        "key_rotator.rotations",
        "key_rotator.poisoned",
        "key_rotator.step.duration",
        "key_rotator.expiry.nearest",
        "key_rotator.sweeps",
        "key_rotator.secrets",
        "key_rotator.counts",
    }
    # By this the alerts find the instance that counted last.
    counted, shown = (points[name]["tags"]["ai.cloud.roleInstance"] for name in COUNTED)
    assert counted == shown != ""
    rotations = points["key_rotator.rotations"]
    assert rotations["iKey"] == INSTRUMENTATION_KEY
    assert rotations["tags"]["ai.cloud.role"] == "func-rotator"
    assert rotations["data"]["baseData"]["metrics"][0]["value"] == 1
    assert rotations["data"]["baseData"]["properties"] == {
        "outcome": "Completed",
        "trigger": "Http",
        "provider": BATCH,
    }


async def test_as_wired_it_sends_by_itself_when_it_has_become_quiet(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nothing has to end for it, and OpenTelemetry's own setting says how often.
    """
    settings = station.collector() | {"OTEL_METRIC_EXPORT_INTERVAL": "50"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    telemetry = Wiring(settings).telemetry
    telemetry.attach()
    try:
        await TwinWorld().rotate()
        async with asyncio.timeout(30):
            request = await station.collected.get()
    finally:
        await asyncio.to_thread(telemetry.close)

    assert "key_rotator.rotations" in metrics_of(request)


async def run(program: str, environment: dict[str, str]) -> Any:
    """
    Return what a Python process tells, as JSON in its last line, with these settings and no others of this kind.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "APPLICATIONINSIGHTS_"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=ROOT, env=inherited | environment, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(60):
        told, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")
    return json.loads(told.splitlines()[-1])


# It tells when all else is over: what is registered first is called last, also after logging has closed its handlers.
ROTATES_AND_ENDS = """
import atexit, json, sys, time

hosts, directories, ended_at = set(), set(), []

def witness(event, arguments):
    if event == "socket.getaddrinfo":
        hosts.add(str(arguments[0]))
    if event == "os.mkdir":
        directories.add(str(arguments[0]))

@atexit.register
def tell():
    seconds = time.monotonic() - ended_at[0]
    print(json.dumps({"hosts": sorted(hosts), "directories": sorted(directories), "seconds": seconds}))

import asyncio, os, threading
from adapters.telemetry import Telemetry
from adapters.telemetry_settings import read_telemetry_settings
from tests.twins.world import TwinWorld

sys.addaudithook(witness)
is_open = threading.Event()

def open_metrics():
    from adapters import telemetry_export
    opened = telemetry_export.open_metrics(read_telemetry_settings(os.environ))
    is_open.set()
    return opened

Telemetry(open_metrics, quiet=0).attach()
asyncio.run(TwinWorld().rotate())
assert is_open.wait(30)
ended_at.append(time.monotonic())
"""


async def test_a_process_that_ends_sends_what_is_left_and_speaks_to_nobody_else(station: Station) -> None:
    """
    No statistics for the makers of an exporter, no instructions from them, nothing kept on disk.
    """
    told = await run(ROTATES_AND_ENDS, station.collector() | station.insights())

    assert "key_rotator.rotations" in metrics_of(station.collected.get_nowait())
    assert "key_rotator.rotations" in {item["data"]["baseData"]["metrics"][0]["name"] for item in station.tracked}
    assert told["hosts"] == ["localhost"]
    assert told["directories"] == []


async def test_a_destination_that_does_not_answer_keeps_no_process_from_ending(station: Station) -> None:
    """
    It is waited for, but for seconds.
    """
    station.answers.clear()

    told = await run(ROTATES_AND_ENDS, station.collector())

    assert told["hosts"] == ["localhost"]
    assert 1 < told["seconds"] < 5


ENDS_AMID_THE_SET_UP = """
import asyncio, os, threading
from adapters.telemetry import Telemetry
from adapters.telemetry_settings import read_telemetry_settings
from tests.twins.world import TwinWorld

def open_metrics():
    threading.main_thread().join()
    from adapters import telemetry_export
    return telemetry_export.open_metrics(read_telemetry_settings(os.environ))

Telemetry(open_metrics, quiet=0).attach()
asyncio.run(TwinWorld().rotate())
print("null")
"""


async def test_a_process_that_ends_amid_the_set_up_ends_quietly(station: Station) -> None:
    """
    Python lets it start no thread any more; nobody needs to read that in a log.
    """
    await run(ENDS_AMID_THE_SET_UP, station.collector() | station.insights())

    assert station.collected.empty()


FIRST_ROTATION = """
import asyncio, json, os, sys, threading
from wiring.parts import Wiring
from tests.twins.world import TwinWorld

Wiring(os.environ).telemetry.attach()
rotation = asyncio.run(TwinWorld().rotate())
imported = [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]
print(json.dumps({
    "state": rotation.state,
    "imported": imported,
    "threads": [thread.name for thread in threading.enumerate()],
}))
"""


async def test_the_first_rotation_does_not_wait_for_opentelemetry(station: Station) -> None:
    """
    When it has ended, a thread is waiting to import it; a process that ends before needs none of it.
    """
    assert await run(FIRST_ROTATION, station.collector() | station.insights()) == {
        "state": "Completed",
        "imported": [],
        "threads": ["MainThread", "telemetry"],
    }


REAL_ROTATION = """
import asyncio, json, os, sys, threading
import function_app
from wiring import wired
from rotation.run.acceptance import accept
from rotation.vocabulary.secret import parse_secret_id

async def rotate():
    wiring = wired()
    wiring.telemetry.attach()
    rotation = await wiring.rotator.rotate(await accept(wiring.world, parse_secret_id(os.environ["SECRET"])))
    await wiring.close()
    return rotation

rotation = asyncio.run(rotate())
sdks = {"azure.data.tables.aio", "azure.keyvault.secrets.aio", "azure.mgmt.batch.aio", "azure.eventgrid.aio"}
print(json.dumps({
    "state": rotation.state,
    "imported": [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"],
    "sdks": len(sdks & sys.modules.keys()),
    "threads": [thread.name for thread in threading.enumerate() if thread.name == "telemetry"],
}))
"""


async def test_without_settings_nothing_of_opentelemetry_is_imported(
    azure: LocalAzure, vault: Vault, wiring: Wiring
) -> None:
    """
    Neither by the app nor by an SDK, though it is installed: not with the app, and not by a whole rotation.
    """
    account = await add_batch_account(azure, "account1")
    tags = {"ProviderAddress": account.arm_id, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
    vault.set("one", account.value("Primary"), tags=tags)

    told = await run(REAL_ROTATION, {"SECRET": f"{vault.uri}/secrets/one"})

    assert told == {"state": "Completed", "imported": [], "sdks": 4, "threads": []}


BORROWED = """
import asyncio, json, os
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

reader = InMemoryMetricReader()
provider = MeterProvider([reader])
set_meter_provider(provider)

from adapters.telemetry import Telemetry
from adapters.telemetry_export import open_metrics
from adapters.telemetry_settings import read_telemetry_settings
from wiring.parts import Wiring
from tests.twins.world import TwinWorld

wired = Wiring({}).telemetry
wired.attach()
is_heard = bool(wired._logger.handlers)
wired.close()
telemetry = Telemetry(lambda: open_metrics(read_telemetry_settings(os.environ)), quiet=0)
telemetry.attach()
asyncio.run(TwinWorld().rotate())
telemetry.close()
scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics
print(json.dumps({
    "is_heard": is_heard,
    "names": sorted(metric.name for scope in scopes for metric in scope.metrics),
    "still_open": bool(provider.get_meter("another").create_counter("works")),
}))
"""


async def test_a_process_that_is_set_up_already_sends_them_its_own_way(station: Station) -> None:
    """
    As with the distribution of Azure Monitor in Azure's worker: no second exporter, and the provider stays open.
    """
    told = await run(BORROWED, station.collector() | station.insights())

    assert told == {
        "is_heard": True,
        "names": ["key_rotator.rotations", "key_rotator.step.duration"],
        "still_open": True,
    }
    assert station.collected.empty()
    assert not station.tracked
