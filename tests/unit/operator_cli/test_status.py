import re

import pytest

from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import VAULT, Secret, batch_account


def rows(text: str) -> list[list[str]]:
    """
    Return the cells of a table.
    """
    return [re.split(r"\s{2,}", line.rstrip()) for line in text.splitlines()]


async def test_the_most_urgent_secret_comes_first(app: SmallApp, run: Command) -> None:
    """
    By status, then by expiry: an outage before what is merely due, and last what is not managed.
    """
    app.secrets = [
        Secret("typo", status="NearlyManaged", days=None, target="", key=""),
        Secret("paused", status="Paused", days=3),
        Secret("gone", status="TargetMissing", days=70),
        Secret("drifted", status="Drifted", days=80),
        Secret("fine", days=60),
        Secret("due-later", status="Due", days=29),
        Secret("wrong", status="Misconfigured", days=None),
        Secret("due", status="Due", days=20),
        Secret("overdue", status="Overdue", days=10),
        Secret("", vault="https://kv-shut.vault.azure.net", status="Misconfigured", days=None, target="", key=""),
        Secret("expired", status="Expired", days=-2),
    ]

    result = await run("status")

    assert result.exit_code == 0
    assert [row[0].removeprefix("kv-prod/") for row in rows(result.stdout)] == [
        "secret",
        "drifted",
        "gone",
        "expired",
        "overdue",
        "wrong",
        "kv-shut",
        "due",
        "due-later",
        "fine",
        "paused",
        "typo",
    ]
    assert not any(line.endswith(" ") for line in result.stdout.splitlines())
    assert result.stderr == (
        "10 secrets as of 2026-11-22 03:00:00 UTC: 1 Drifted, 1 TargetMissing, 1 Expired, 1 Overdue, 1 Misconfigured, "
        "2 Due, 1 UpToDate, 1 Paused, 1 NearlyManaged; --refresh looks again now\n"
    )


async def test_a_row_says_everything_about_a_secret(app: SmallApp, run: Command) -> None:
    """
    Target, key, expiry, days left, status, when its key was compared, who shares the target, the last rotation, why.
    """
    app.secrets = [
        Secret(
            "batch-key",
            status="Misconfigured",
            why="tag ValidityPeriodDays is '7'",
            days=12,
            shares=[f"{VAULT}/secrets/other", f"{VAULT}/secrets/third"],
            last={"id": "x", "state": "Failed", "completedOn": "2026-11-20T01:02:03Z", "error": "drift"},
            verified=("Live", None),
        )
    ]

    heading, row = rows((await run("status")).stdout)

    assert heading == [
        *("secret", "target", "key", "expires", "in days", "status"),
        *("verified", "shares target with", "last rotation", "why"),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row.pop(3))
    assert row == [
        *("kv-prod/batch-key", "batchAccounts/mybatch", "Primary", "12", "Misconfigured", "Live 2h ago"),
        *("kv-prod/other, kv-prod/third", "Failed (drift) 2026-11-20", "tag ValidityPeriodDays is '7'"),
    ]


async def test_what_no_secret_has_takes_no_room(app: SmallApp, run: Command) -> None:
    """
    Nor does a workflow hide behind its ARM id.
    """
    target = batch_account("x").replace("Microsoft.Batch/batchAccounts/x", "Microsoft.Web/sites/shop/workflows/orders")
    app.secrets = [Secret("url", target=target, days=-1)]

    heading, row = rows((await run("status")).stdout)

    assert heading == ["secret", "target", "key", "expires", "in days", "status"]
    assert row[1] == "sites/shop/workflows/orders"
    assert row[4] == "-1"


async def test_json_holds_every_page_most_urgent_first(app: SmallApp, run: Command) -> None:
    """
    One document, with the records of the app.
    """
    app.secrets = [Secret(f"secret-{number}", days=90 - number) for number in range(5)]

    code, document = await run.json("status")

    assert code == 0
    assert [one["secret"]["name"] for one in document["secrets"]] == [f"secret-{number}" for number in (4, 3, 2, 1, 0)]
    assert document["secrets"][0]["seenOn"] == "2026-11-22T03:00:00Z"
    assert (document["asOf"], document["continuation"]) == ("2026-11-22T03:00:00Z", None)
    assert len(app.requests) == 3


async def test_filters_reach_the_app_with_every_page(app: SmallApp, run: Command) -> None:
    """
    The vaults are read once, before the first page.
    """
    app.secrets = [Secret(f"secret-{number}", status="Due") for number in range(3)]

    result = await run("status", "--status", "due", "--target", batch_account("mybatch"), "--refresh")

    assert result.exit_code == 0
    assert [one.query for one in app.asked("GET", "/api/secrets")] == [
        {"status": "Due", "target": batch_account("mybatch"), "refresh": "true"},
        {"status": "Due", "target": batch_account("mybatch"), "continuation": "2"},
    ]


@pytest.mark.parametrize("status", ["Drifted", "TargetMissing", "NearlyManaged"])
async def test_every_status_can_be_asked_for(app: SmallApp, run: Command, status: str) -> None:
    """
    In any case, as the app spells it.
    """
    app.secrets = [Secret("fine"), Secret("odd", status=status)]

    code, document = await run.json("status", "--status", status.lower())

    assert code == 0
    assert [one["secret"]["name"] for one in document["secrets"]] == ["odd"]


async def test_json_holds_what_the_app_says_of_the_key(app: SmallApp, run: Command) -> None:
    """
    Null where it was not compared.
    """
    app.secrets = [Secret("old"), Secret("shut", verified=("Refused", "403"))]

    _, document = await run.json("status")

    old, shut = document["secrets"]
    assert old["verified"] is None
    assert {**shut["verified"], "on": ""} == {"on": "", "result": "Refused", "why": "403"}


async def test_the_sum_tells_apart_what_is_not_seen_to_work(app: SmallApp, run: Command) -> None:
    """
    UpToDate is about the expiry; only together with Live is it an all-clear.
    """
    app.secrets = [
        Secret("fine", verified=("Live", None)),
        Secret("new"),
        Secret("shut", verified=("Refused", "403")),
        Secret("due", status="Due"),
    ]

    result = await run("status")

    assert ": 1 Due, 3 UpToDate (2 not seen Live); " in result.stderr


async def test_vaults_that_have_not_been_read_are_told(app: SmallApp, run: Command) -> None:
    """
    An empty list would look like no secrets at all.
    """
    app.has_looked = False

    result = await run("status")

    assert result.stdout == "no secrets\n"
    assert "the vaults have not been read yet: --refresh reads them now" in result.stderr


@pytest.mark.parametrize("arguments", [["--status", "Fine"], ["--state", "Due"], ["surplus"]])
async def test_what_status_does_not_know_is_refused(app: SmallApp, run: Command, arguments: list[str]) -> None:
    """
    Exit code 2, and nothing is sent.
    """
    result = await run("status", *arguments)

    assert result.exit_code == 2
    assert not app.requests
