import re
from datetime import UTC, datetime

import pytest

from rotator.errors import Misuse
from rotator.moments import since
from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import Answer
from tests.unit.operator_cli.small_app import FOREVER, SmallApp
from tests.unit.operator_cli.small_records import Secret, batch_account

NOW = datetime(2026, 11, 22, 4, 17, 1, tzinfo=UTC)


@pytest.fixture
def secret(app: SmallApp) -> Secret:
    """
    Return the one secret that the app manages.
    """
    app.secrets = [Secret("batch-key")]
    return app.secrets[0]


async def test_rotations_are_listed_newest_first(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    A row for each, over all pages.
    """
    records = [app.begin(secret, reason=f"number {number}", trigger="Sweep") for number in range(5)]

    result = await run("history")

    heading, *rows = (re.split(r"\s{2,}", line.rstrip()) for line in result.stdout.splitlines())
    headings = ["when", "started", "state", "trigger", "secret or target", "key", "seconds", "why", "rotation"]
    assert heading == headings
    assert [row[-1] for row in rows] == [record["id"] for record in reversed(records)]
    assert rows[0][1:-1] == ["2026-11-22 04:17", "Accepted", "Sweep", "kv-prod/batch-key", "-", "-", "number 4"]
    assert (result.exit_code, result.stderr) == (0, "")


async def test_a_limit_is_kept_over_pages_and_says_that_there_are_more(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    JSON holds what continues the list.
    """
    records = [app.begin(secret) for _ in range(5)]

    code, document = await run.json("history", "--limit", "3")

    assert (code, document) == (0, {"rotations": records[:1:-1], "continuation": "3"})
    assert [one.query["top"] for one in app.requests] == ["3", "1"]
    assert "3 rotations shown, there are more" in (await run("history", "--limit", "3")).stderr


async def test_every_filter_reaches_the_app(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    A secret also by its name, and a time also as long ago.
    """
    options = ["--target", secret.target, "kv-prod/batch-key", "--state", "failed", "--since", "2026-11-01"]

    result = await run("history", *options)

    assert (result.exit_code, result.stdout) == (0, "no rotations\n")
    assert app.asked("GET")[0].query == {
        "target": batch_account("mybatch"),
        "secret": secret.id,
        "state": "Failed",
        "since": "2026-11-01T00:00:00Z",
        "top": "20",
    }


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22", "2026-11-22T00:00:00Z"),
        ("2026-11-22T04:17:01Z", "2026-11-22T04:17:01Z"),
        ("2026-11-22T05:17+01:00", "2026-11-22T04:17:00Z"),
        ("30m", "2026-11-22T03:47:01Z"),
        ("12h", "2026-11-21T16:17:01Z"),
        ("7d", "2026-11-15T04:17:01Z"),
    ],
)
def test_a_time_is_a_date_a_moment_or_how_long_ago(text: str, moment: str) -> None:
    """
    The app gets RFC 3339 in UTC.
    """
    assert since(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "7w", "-1d", "", "2026-13-01", "0001-01-01T00:00+23:00"])
def test_another_time_is_refused(text: str) -> None:
    """
    With examples.
    """
    with pytest.raises(Misuse) as refused:
        since(text, NOW)

    assert refused.value.exit_code == 2
    assert "7d" in str(refused.value.remedy)


async def test_show_tells_everything_about_one(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    As the app knows it now, and failed or not: to show it succeeds.
    """
    secret.ends = ("Failed", "single_key")
    record = app.begin(secret, looks=1, attempts=2)

    result = await run("show", record["id"])

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Failed  kv-prod/batch-key\n  rotation   {record['id']}\n")
    assert "-> set the secret's tag RotationStrategy=InPlace" in result.stdout
    assert await run.json("show", record["id"]) == (0, record)


@pytest.mark.parametrize(
    ("asked_by", "shown"),
    [
        ({"name": "ada@example.com", "objectId": "o", "appId": None}, "  asked by   ada@example.com\n"),
        ({"name": None, "objectId": "o", "appId": "a"}, "  asked by   application a\n"),
        ({"name": None, "objectId": "o", "appId": None}, "  asked by   object o\n"),
    ],
)
async def test_show_names_who_asked(
    app: SmallApp, secret: Secret, run: Command, asked_by: dict[str, str | None], shown: str
) -> None:
    """
    Where that is known: a person by name, a machine by its application.
    """
    unknown, record = app.begin(secret, looks=1), app.begin(secret, looks=1, requestedBy=asked_by)

    assert "asked by" not in (await run("show", unknown["id"])).stdout
    assert shown in (await run("show", record["id"])).stdout


@pytest.mark.parametrize("command", ["show", "watch"])
async def test_a_rotation_that_is_not_known_is_an_error(app: SmallApp, run: Command, command: str) -> None:
    """
    Exit code 2; whatever is given as an id stays one segment of the path.
    """
    result = await run(command, "../secrets?x")

    assert result.exit_code == 2
    assert "rotation_not_found: there is no rotation ../secrets?x" in result.stderr
    assert "`rotator history`" in result.stderr
    assert app.requests[0].path == "/api/rotations/../secrets?x"


async def test_several_rotations_are_watched_until_all_have_ended(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    One that is named twice is watched once; the sum tells how they ended.
    """
    app.secrets.append(Secret("other", target=batch_account("other"), ends=("Failed", "drift")))
    one, two = app.begin(secret, looks=3), app.begin(app.secrets[1])

    result = await run("watch", one["id"], two["id"], one["id"])

    assert result.exit_code == 1
    assert result.stdout.endswith("1 completed, 1 failed\n")
    assert f"kv-prod/other {two['id']}: Failed (drift)" in result.stderr.splitlines()
    assert f"kv-prod/batch-key {one['id']}: Completed (Primary -> Secondary)" in result.stderr.splitlines()


async def test_a_watch_of_known_and_unknown_rotations_tells_of_both(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    JSON holds the record of one and the problem of the other.
    """
    record = app.begin(secret, looks=1)

    code, document = await run.json("watch", record["id"], "unknown")

    assert code == 2
    assert document["rotations"] == [app.rotations[record["id"]]]
    (problem,) = document["problems"]
    assert (problem["rotationId"], problem["code"]) == ("unknown", "rotation_not_found")


async def test_a_watch_has_an_end(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Exit code 1: it has not completed.
    """
    record = app.begin(secret, looks=FOREVER)

    result = await run("watch", record["id"], "--timeout", "0")

    assert result.exit_code == 1
    assert "still_running: " in result.stderr


async def test_health_needs_no_key(app: SmallApp, run: Command) -> None:
    """
    Exit code 0, and a line for each check.
    """
    result = await run("health", environment={"KEY_ROTATOR_FUNCTION_KEY": None})

    assert (result.exit_code, result.stdout) == (0, "Healthy\n  ledger  ok\n  vaults  ok\n")


async def test_an_app_that_observes_says_so(app: SmallApp, run: Command) -> None:
    """
    It is healthy.
    """
    app.answers.append(Answer(200, {"status": "Healthy", "checks": {"ledger": "ok", "mode": "observing"}}))

    result = await run("health")

    assert (result.exit_code, result.stdout) == (0, "Healthy\n  ledger  ok\n  mode    observing\n")


async def test_an_unhealthy_app_is_shown_and_exits_with_3(app: SmallApp, run: Command) -> None:
    """
    The answer 503 is the health itself, and is not asked for again.
    """
    app.is_healthy = False

    result = await run("health")

    assert result.exit_code == 3
    assert "  vaults  no_answer\n" in result.stdout
    assert len(app.requests) == 1
    code, document = await run.json("health")
    assert (code, document["status"]) == (3, "Unhealthy")
