import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from adapters.telemetry_instruments import Instruments
from adapters.telemetry_lines import measure
from rotation.overview.sweep import sweep
from rotation.vocabulary.log_lines import report_poisoned, report_sweep
from rotation.vocabulary.request import Trigger, request_for_event
from tests.twins.world import TwinWorld
from tests.unit.infra.deployment import INFRA, deployment

MODULES = INFRA / "modules"
RULES = "Microsoft.Insights/scheduledQueryRules"

# A row of AppMetrics: what the exporter of Application Insights makes of one data point.
Row = dict[str, Any]


def query(name: str) -> str:
    """
    Return the query of an alert rule.
    """
    (condition,) = deployment("public").one(RULES, f"-{name}")["properties"]["criteria"]["allOf"]
    return str(condition["query"])


def workbook() -> dict[str, str]:
    """
    Return the queries of the workbook by their names.
    """
    items = json.loads((MODULES / "workbook.json").read_text())["items"]
    return {item["name"]: item["content"]["query"] for item in items if "query" in item["content"]}


def filter_of(query: str) -> re.Pattern[str]:
    """
    Return the regular expression by which a query of the workbook chooses lines; `startswith` is one too.
    """
    found = re.search(r"matches regex @'(.*)'", query)
    if found:
        return re.compile(found.group(1))
    (start,) = re.findall(r"startswith '(.*)'", query)
    return re.compile("^" + re.escape(start))


def extracts_of(query: str) -> dict[str, re.Pattern[str]]:
    """
    Return by which regular expression each column is taken from a line.
    """
    found = re.findall(r"(\w+) = (?:\w+\()?extract\(@'(.*?)', 1, Message\)", query)
    return {name: re.compile(expression) for name, expression in found}


def chosen_by(query: str, lines: list[logging.LogRecord], now: Callable[[], float] = lambda: 0.0) -> list[Row]:
    """
    Return the rows that the conditions of an alert's query choose, of the metrics that the app makes of its lines.
    """
    reader = InMemoryMetricReader()
    instruments = Instruments(MeterProvider([reader]), now)
    for measurement in (measurement for line in lines for measurement in measure(line)):
        instruments.record(measurement)
    data = reader.get_metrics_data()
    rows: list[Row] = [
        {"Name": metric.name, "Sum": point.value, "Min": point.value, "Properties": dict(point.attributes or {})}
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    ]
    (name,) = re.findall(r"^\| where Name == '([^']+)'", query, re.MULTILINE)
    wanted = dict(re.findall(r"tostring\(Properties\.(\w+)\) == '([^']+)'", query))
    return [
        row
        for row in rows
        if row["Name"] == name and all(row["Properties"].get(key) == value for key, value in wanted.items())
    ]


@pytest.fixture
def world() -> TwinWorld:
    """
    Return a world whose secret expires in 20 days.
    """
    return TwinWorld()


async def failed(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> tuple[str, list[str]]:
    """
    Return the id of a rotation that has failed, and what was logged at ERROR.
    """
    current = world.put("one", value="regenerated-by-hand")
    request = request_for_event(current, Trigger.SECRET_NEAR_EXPIRY, world.clock.now())
    rotation = await world.rotator.rotate(request)
    return rotation.id, [line.getMessage() for line in caplog.records if line.levelno == logging.ERROR]


async def test_a_failed_rotation_raises_an_alert(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    Once, with its code; the other lines that the same rotation writes are no further failures.
    """
    with caplog.at_level(logging.DEBUG):
        await failed(world, caplog)

    (row,) = chosen_by(query("failed-rotation"), caplog.records)
    assert row["Sum"] == 1
    assert row["Properties"]["reason"] == "drift"
    for column in re.findall(r"tostring\(Properties\.(\w+)\)", query("failed-rotation")):
        assert column in row["Properties"], column


async def test_a_completed_rotation_raises_none(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    What went well is not among the rows.
    """
    current = world.put("one")
    with caplog.at_level(logging.DEBUG):
        await world.rotator.rotate(request_for_event(current, Trigger.SECRET_NEAR_EXPIRY, world.clock.now()))

    assert not chosen_by(query("failed-rotation"), caplog.records)


@pytest.mark.parametrize("rotation", ["0b112d10-c79f-56c4-a589-e94e094e8418", None])
def test_a_poisoned_message_raises_an_alert(caplog: pytest.LogCaptureFixture, rotation: str | None) -> None:
    """
    Also one whose rotation cannot be read.
    """
    report_poisoned("some-message", rotation)

    (row,) = chosen_by(query("poisoned-message"), caplog.records)
    assert row["Sum"] == 1


async def test_a_secret_that_expires_soon_raises_an_alert(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    The days are counted from what a sweep saw, and negative past the expiry.
    """
    world.put("one")
    with caplog.at_level(logging.INFO):
        await sweep(world.ports, timedelta(days=10), lambda _: None, within=timedelta(minutes=1))
    swept = caplog.records[0].created

    (row,) = chosen_by(query("near-expiry"), caplog.records, lambda: swept + 86_400)
    assert row["Properties"] == {"vault": "https://kv.vault.azure.net"}
    assert row["Min"] / 86_400 == pytest.approx(19, abs=0.1)
    assert "| extend Days = Min / 86400\n| where Days < 10" in query("near-expiry")


async def test_a_whole_sweep_of_a_vault_is_counted(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    Of each vault, also where nothing expires.
    """
    with caplog.at_level(logging.INFO):
        await sweep(world.ports, timedelta(days=10), lambda _: None, within=timedelta(minutes=1))

    (row,) = chosen_by(query("no-sweep"), caplog.records)
    assert row["Sum"] == 1
    assert row["Properties"]["vault"] == "https://kv.vault.azure.net"


def test_a_vault_that_cannot_be_read_counts_as_not_swept(caplog: pytest.LogCaptureFixture) -> None:
    """
    Its secrets could all expire unannounced.
    """
    vault = "https://kv.vault.azure.net"
    with caplog.at_level(logging.INFO):
        report_sweep(vault, secrets=0, due=0, misconfigured=0, nearest_expiry=None, seconds=0.5, problem="403")

    assert not chosen_by(query("no-sweep"), caplog.records)


def test_silence_about_any_vault_raises_an_alert_but_not_before_the_first_sweep() -> None:
    """
    A row for each vault that no whole sweep was counted of. A new deployment is given a day and two hours.
    """
    written = query("no-sweep")

    vaults = deployment("public").settings()["ROTATION_VAULTS"].split(",")
    assert f"datatable(Vault: string) [{', '.join(json.dumps(vault) for vault in vaults)}];" in written
    assert "vaults\n| join kind=leftanti swept on Vault\n" in written
    assert written.rstrip().endswith("| where now() > datetime(2026-11-28T03:00:00Z) + 26h")


def test_alerts_look_at_metrics_alone() -> None:
    """
    A log line may be dropped where a trace is sampled; a metric is not.
    """
    queries = [query(name) for name in ("failed-rotation", "poisoned-message", "near-expiry", "no-sweep")]

    assert len(deployment("public").of(RULES)) == len(queries)
    assert all("AppMetrics\n" in written and "AppTraces" not in written for written in queries)


def test_every_alert_tells_the_action_group() -> None:
    """
    One row in the window is enough, and the group has the address that was given.
    """
    made = deployment("public")
    (group,) = made.of("Microsoft.Insights/actionGroups")

    assert [receiver["emailAddress"] for receiver in group["properties"]["emailReceivers"]] == ["oncall@example.com"]
    for rule in made.of(RULES):
        (condition,) = rule["properties"]["criteria"]["allOf"]
        assert (condition["operator"], condition["threshold"]) == ("GreaterThan", 0)
        assert condition["timeAggregation"] == "Count"
        assert rule["properties"]["actions"]["actionGroups"] == [group["id"]]


async def test_the_workbook_finds_a_failed_rotation(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    The one line that a failure leaves at ERROR, its rotation and its code.
    """
    with caplog.at_level(logging.INFO):
        rotation, (message,) = await failed(world, caplog)

    written = workbook()["failed-rotations"]
    found = {name: expression.search(message) for name, expression in extracts_of(written).items()}
    assert filter_of(written).search(message)
    assert {name: match and match.group(1) for name, match in found.items()} == {"Rotation": rotation, "Code": "drift"}


async def test_the_workbook_reads_what_a_sweep_says(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    In full: the vault, the days left, and what else it shows.
    """
    world.put("one")
    with caplog.at_level(logging.INFO):
        await sweep(world.ports, timedelta(days=10), lambda _: None, within=timedelta(minutes=1))

    written = workbook()["vaults"]
    (message,) = (line.getMessage() for line in caplog.records if filter_of(written).search(line.getMessage()))
    found = {column: expression.search(message) for column, expression in extracts_of(written).items()}
    read = {column: match and match.group(1) for column, match in found.items()}
    assert float(read.pop("NearestExpiryInDays") or "nan") == pytest.approx(20, abs=0.1)
    assert read == {"Vault": "https://kv.vault.azure.net", "Secrets": "1", "Due": "0", "Misconfigured": "0"}


def test_the_workbook_reads_metrics_that_the_app_sends() -> None:
    """
    Each metric that a query names is an instrument of the app, and so is each of its attributes.
    """
    source = "".join(path.read_text() for path in (INFRA.parent / "adapters").glob("telemetry*.py"))
    named = {name for query in workbook().values() for name in re.findall(r"'(key_rotator\.[\w.]+)'", query)}
    attributes = {name for query in workbook().values() for name in re.findall(r"Properties\.(\w+)", query)}

    assert len(named) == 5
    for name in named | attributes:
        assert f'"{name}"' in source, name


def test_the_workbook_reads_the_workspace_that_is_made() -> None:
    """
    Every query of it.
    """
    made = deployment("public")
    workspace = made.one("Microsoft.OperationalInsights/workspaces")["id"]
    notebook = json.loads(made.one("Microsoft.Insights/workbooks")["properties"]["serializedData"])

    assert notebook["version"] == "Notebook/1.0"
    assert notebook["fallbackResourceIds"] == [workspace]
    for item in notebook["items"]:
        if item["type"] == 3:
            assert item["content"]["crossComponentResources"] == [workspace], item["name"]
