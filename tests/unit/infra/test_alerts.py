import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest

from rotation.request import Trigger, request_for_event
from rotation.story import report_poisoned
from rotation.sweep import sweep
from tests.twins.world import TwinWorld
from tests.unit.infra.templates import INFRA, module, only

MODULES = INFRA / "modules"


def queries() -> dict[str, str]:
    """
    Return the query of each alert rule by the rule's name.
    """
    variables = module("alerts").variables
    return {rule["name"]: variables[rule["query"]] for rule in variables["rules"]}


def workbook() -> dict[str, str]:
    """
    Return the queries of the workbook by their names.
    """
    items = json.loads((MODULES / "workbook.json").read_text())["items"]
    return {item["name"]: item["content"]["query"] for item in items if "query" in item["content"]}


def filter_of(query: str) -> re.Pattern[str]:
    """
    Return the regular expression by which a query chooses lines; `startswith` is one too.
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


@pytest.mark.parametrize(
    "query", [queries()["failed-rotation"], workbook()["failed-rotations"]], ids=["alert", "workbook"]
)
async def test_a_failed_rotation_is_found(world: TwinWorld, caplog: pytest.LogCaptureFixture, query: str) -> None:
    """
    The query finds the one line that a failure leaves at ERROR, its rotation and its code.
    """
    with caplog.at_level(logging.INFO):
        rotation, (message,) = await failed(world, caplog)

    found = {name: expression.search(message) for name, expression in extracts_of(query).items()}
    assert filter_of(query).search(message)
    assert {name: match and match.group(1) for name, match in found.items()} == {"Rotation": rotation, "Code": "drift"}


async def test_a_failed_rotation_is_counted_once(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    None of the other lines that the same rotation writes is taken for one more failure.
    """
    with caplog.at_level(logging.DEBUG):
        await failed(world, caplog)

    lines = [line.getMessage() for line in caplog.records]
    assert len(lines) > 3
    assert sum(bool(filter_of(queries()["failed-rotation"]).search(line)) for line in lines) == 1


@pytest.mark.parametrize("rotation", ["0b112d10-c79f-56c4-a589-e94e094e8418", None])
def test_a_poisoned_message_is_found(caplog: pytest.LogCaptureFixture, rotation: str | None) -> None:
    """
    Also one whose rotation cannot be read.
    """
    report_poisoned("some-message", rotation)

    assert filter_of(queries()["poisoned-message"]).search(caplog.records[0].getMessage())


@pytest.mark.parametrize(
    ("name", "query"),
    [("near-expiry", queries()["near-expiry"]), ("vaults", workbook()["vaults"])],
    ids=["alert", "workbook"],
)
async def test_the_nearest_expiry_is_read(
    world: TwinWorld, caplog: pytest.LogCaptureFixture, name: str, query: str
) -> None:
    """
    What a sweep says of a vault is read in full: the vault, the days left, and what the workbook shows besides.
    """
    with caplog.at_level(logging.INFO):
        await sweep(world.ports, timedelta(days=10), lambda _: None, within=timedelta(minutes=1))

    (message,) = (line.getMessage() for line in caplog.records if filter_of(query).search(line.getMessage()))
    found = {column: expression.search(message) for column, expression in extracts_of(query).items()}
    read = {column: match and match.group(1) for column, match in found.items()}
    days = read.pop("NearestExpiryInDays" if name == "vaults" else "Days")
    assert float(days or "nan") == pytest.approx(20, abs=0.1)
    assert read.pop("Vault") == "https://kv.vault.azure.net"
    assert read == ({"Secrets": "1", "Due": "0", "Misconfigured": "0"} if name == "vaults" else {})


async def test_an_expired_secret_is_read_as_less_than_ten_days(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Past its expiry the days are negative, and the alert goes on.
    """
    world.clock.advance(timedelta(days=25))
    with caplog.at_level(logging.INFO):
        await sweep(world.ports, timedelta(days=10), lambda _: None, within=timedelta(minutes=1))

    query = queries()["near-expiry"]
    (message,) = (line.getMessage() for line in caplog.records if filter_of(query).search(line.getMessage()))
    days = extracts_of(query)["Days"].search(message)
    assert days
    assert float(days.group(1)) == pytest.approx(-5, abs=0.1)
    assert "| where Days < 10" in query


def test_silence_raises_an_alert() -> None:
    """
    A count is always one row: of none, when no sweep has written a line.
    """
    query = queries()["no-sweep"]

    assert query.rstrip().endswith("| summarize Sweeps = count()\n| where Sweeps == 0")
    assert filter_of(query) == filter_of(queries()["near-expiry"])


def test_every_alert_tells_the_action_group() -> None:
    """
    One line in the window is enough, and a rule looks at least as far back as it is apart from the next time.
    """
    rule = only("Microsoft.Insights/scheduledQueryRules").properties
    (condition,) = rule["criteria"]["allOf"]

    assert (condition["operator"], condition["threshold"], condition["timeAggregation"]) == ("GreaterThan", 0, "Count")
    assert rule["actions"]["actionGroups"]
    assert set(queries()) == {"failed-rotation", "poisoned-message", "near-expiry", "no-sweep"}


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


def test_the_workbook_can_be_deployed() -> None:
    """
    The file is a notebook whose queries all read the workspace that the template puts in.
    """
    notebook: dict[str, Any] = json.loads((MODULES / "workbook.json").read_text())

    assert notebook["version"] == "Notebook/1.0"
    assert notebook["fallbackResourceIds"] == ["{workspace}"]
    for item in notebook["items"]:
        if item["type"] == 3:
            assert item["content"]["crossComponentResources"] == ["{workspace}"], item["name"]
    assert "replace(loadTextContent('workbook.json'), '{workspace}', workspaceId)" in module("workbook").text
