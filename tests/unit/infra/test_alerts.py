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
from adapters.telemetry_lines import ROTATIONS, Count, measure
from rotation.overview.attention import LEAKED_KEY
from rotation.overview.review import review
from rotation.overview.standing import NEEDS_ATTENTION
from rotation.overview.sweep import look, sweep
from rotation.ports.inventory import Status
from rotation.vocabulary.log_lines import report_poisoned, report_sweep
from rotation.vocabulary.request import Trigger, request_for_event
from tests.twins.world import TwinWorld
from tests.unit.infra.deployment import INFRA, deployment

MODULES = INFRA / "modules"
LEAD = timedelta(days=10)
MINUTE = timedelta(minutes=1)
VAULT = "https://kv.vault.azure.net"
RULES = "Microsoft.Insights/scheduledQueryRules"

# The rules that are made of counts.
ABOUT_STATUSES = ("dead-key", "leaked-key", "secret-needs-attention")

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
    name = re.findall(r"^\| where Name == '([^']+)'", query, re.MULTILINE)[-1]
    wanted = dict(re.findall(r"tostring\(Properties\.(\w+)\) == '([^']+)'", query))
    unwanted = dict(re.findall(r"tostring\(Properties\.(\w+)\) != '([^']+)'", query))
    return [
        row
        for row in rows
        if row["Name"] == name
        and all(row["Properties"].get(key) == value for key, value in wanted.items())
        and all(row["Properties"].get(key) != value for key, value in unwanted.items())
    ]


def counted_by(query: str, lines: list[logging.LogRecord]) -> dict[tuple[str, str], int]:
    """
    Return the rows that an alert about statuses chooses, by vault and status.
    """
    (wanted,) = re.findall(r"^\| where Status in \((.*)\)\n\| where Secrets > 0\n", query, re.MULTILINE)
    statuses = re.findall(r"'(\w+)'", wanted)
    found = [(row["Properties"]["vault"], row["Properties"]["status"], row["Sum"]) for row in chosen_by(query, lines)]
    return {(vault, status): number for vault, status, number in found if status in statuses and number > 0}


async def count(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """
    Look through the vaults, compare every secret with its target and count, as a refresh does; return its lines.
    """
    caplog.clear()
    with caplog.at_level(logging.INFO):
        looks = await look(world.ports, LEAD, within=MINUTE)
        await review(world.ports, LEAD, looks, before=world.clock.now(), within=MINUTE)
    return list(caplog.records)


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
    for column in re.findall(r"= tostring\(Properties\.(\w+)\)", query("failed-rotation")):
        assert column in row["Properties"], column


async def test_a_failure_that_its_caller_hears_of_raises_none(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A caller's own mistake wakes nobody up; what was accepted, and the report of a leak, does.
    """
    world.put("one", value="regenerated-by-hand")
    with caplog.at_level(logging.DEBUG):
        assert (await world.rotate(world.manual())).error is not None
    assert not chosen_by(query("failed-rotation"), caplog.records)

    with caplog.at_level(logging.DEBUG):
        await world.rotate(await world.promise())
        await world.report()
    assert [row["Sum"] for row in chosen_by(query("failed-rotation"), caplog.records)] == [2]


async def test_a_completed_rotation_raises_none(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    What went well is not among the rows.
    """
    current = world.put("one")
    with caplog.at_level(logging.DEBUG):
        await world.rotator.rotate(request_for_event(current, Trigger.SECRET_NEAR_EXPIRY, world.clock.now()))

    assert not chosen_by(query("failed-rotation"), caplog.records)


async def test_an_observed_rotation_raises_none(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    It is counted, with its reason, and is no failure.
    """
    world.observes = True
    with caplog.at_level(logging.DEBUG):
        await world.worker().rotate(world.event())

    counted = [count for line in caplog.records for count in measure(line) if isinstance(count, Count)]
    assert [(count.counter, count.attributes["reason"]) for count in counted] == [(ROTATIONS, "observing")]
    assert not any(chosen_by(query(name), caplog.records) for name in ("failed-rotation", "poisoned-message"))


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


async def test_a_secret_that_drifts_raises_an_alert_until_it_is_well(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A key that somebody regenerated by hand is seen at the next count, and so is its repair.
    """
    world.put("one")
    assert not counted_by(query("dead-key"), await count(world, caplog))

    world.clock.advance(MINUTE)
    world.put("one", value="regenerated-by-hand")
    drifted = await count(world, caplog)
    assert counted_by(query("dead-key"), drifted) == {(VAULT, "Drifted"): 1}
    assert not counted_by(query("secret-needs-attention"), drifted)

    world.clock.advance(MINUTE)
    world.put("one")
    assert not counted_by(query("dead-key"), await count(world, caplog))


async def test_a_secret_whose_tags_are_wrong_raises_the_other_alert(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Its key works, so that it must not wake anybody up, nor hide that the key of another is dead.
    """
    world.put("wrong", {"ValidityPeriodDays": "7"})

    counted = await count(world, caplog)
    assert counted_by(query("secret-needs-attention"), counted) == {(VAULT, "Misconfigured"): 1}
    assert not counted_by(query("dead-key"), counted)


async def test_a_leaked_key_that_a_secret_holds_raises_an_alert_until_it_is_dead(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Of the secret that could not be moved away from it; the others have left it.
    """
    world.put("two", {"RotationPaused": "true"})
    await world.report()
    assert counted_by(query("leaked-key"), await count(world, caplog)) == {(VAULT, "LeakedKey"): 1}

    world.put("two")
    for _ in range(3):
        await world.resume(after=timedelta(hours=1))
    assert not counted_by(query("leaked-key"), await count(world, caplog))


@pytest.mark.parametrize(("days", "status"), [(15, "Overdue"), (25, "Expired")])
async def test_a_secret_that_was_not_rotated_in_time_raises_the_same(
    world: TwinWorld, caplog: pytest.LogCaptureFixture, days: int, status: str
) -> None:
    """
    It expires in 20 days, is due ten days before, and overdue two days after that.
    """
    assert not counted_by(query("secret-needs-attention"), await count(world, caplog))

    world.clock.advance(timedelta(days=days))
    assert counted_by(query("secret-needs-attention"), await count(world, caplog)) == {(VAULT, status): 1}


def test_each_status_that_needs_a_person_raises_one_alert() -> None:
    """
    That of a dead key is the more severe; an alert that is raised for one status or vault hides no other.
    """
    named = {name: re.findall(r"'(\w+)'", re.findall(r"Status in \((.*)\)", query(name))[0]) for name in ABOUT_STATUSES}
    rules = {name: deployment("public").one(RULES, f"-{name}")["properties"] for name in ABOUT_STATUSES}

    assert named["dead-key"] == [Status.DRIFTED, Status.TARGET_MISSING]
    assert named["leaked-key"] == [LEAKED_KEY]
    assert sorted(named["dead-key"] + named["secret-needs-attention"]) == sorted(NEEDS_ATTENTION)
    assert [rules[name]["severity"] for name in ABOUT_STATUSES] == [1, 1, 2]
    for name, rule in rules.items():
        assert rule["overrideQueryTimeRange"] == "P2D"
        (condition,) = rule["criteria"]["allOf"]
        assert [one["name"] for one in condition["dimensions"]] == ["Vault", "Status"]
        assert {(one["operator"], *one["values"]) for one in condition["dimensions"]} == {("Include", "*")}
        for status in named[name]:
            shown = "leakedKey" if status == LEAKED_KEY else f"status={status}"
            assert shown in rule["description"]


async def test_the_count_of_the_instance_that_counted_last_is_the_one_that_counts(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    One that counted a day before still tells what it saw then: its zero must not hide what has drifted since.
    """
    lines = await count(world, caplog)

    for written in (*map(query, ABOUT_STATUSES), workbook()["secrets-by-status"]):
        told, shown = re.split(r"(?<=;)\n", written, maxsplit=1)
        (row,) = chosen_by(told, lines)
        assert (row["Sum"], row["Properties"]) == (1, {"vault": VAULT})
        assert "| summarize arg_max(TimeGenerated, AppRoleInstance) by Vault = tostring(Properties.vault)\n" in told
        assert {row["Properties"]["status"] for row in chosen_by(shown, lines)} == {*Status, LEAKED_KEY}
        assert "\n| join kind=inner last on Vault, AppRoleInstance\n" in shown
        assert "\n| summarize arg_max(TimeGenerated, Sum) by Vault, Status\n" in shown


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
    names = ("failed-rotation", "poisoned-message", "near-expiry", *ABOUT_STATUSES, "no-sweep")
    queries = [query(name) for name in names]

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

    assert len(named) == 7
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
