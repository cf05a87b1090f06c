import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import problem
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import Secret, batch_account

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
EARLIER = LATER - timedelta(days=2)
UNTIL = f"{LATER:%Y-%m-%d %H:%M:%S} UTC"
UNTIL_MINUTE = f"{LATER:%Y-%m-%d %H:%M}"


@pytest.fixture
def secret(app: SmallApp) -> Secret:
    """
    Return the one secret that the app manages, whose clients may go on with both keys until tomorrow.
    """
    app.secrets = [Secret("batch-key", ends=("Scheduled", LATER.isoformat()))]
    return app.secrets[0]


async def test_a_rotation_that_is_too_soon_is_watched_no_further(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Exit code 1, until when it waits in the app, and what to do if that is too long.
    """
    result = await run("rotate", secret.id)

    (rotation_id,) = app.rotations
    assert result.exit_code == 1
    assert len(app.asked("GET", f"/api/rotations/{rotation_id}")) == app.looks
    assert result.stdout.startswith("Scheduled  kv-prod/batch-key\n")
    assert f"  allowed    {UNTIL}; until then clients may go on with the key\n" in result.stdout
    *_, told, error, remedy = result.stderr.splitlines()
    assert told == f"kv-prod/batch-key: Scheduled (too_soon until {UNTIL_MINUTE})"
    assert error == (
        f"Error: kv-prod/batch-key: too_soon: rotation {rotation_id} waits: "
        f"clients may go on with the key until {UNTIL}"
    )
    assert "it begins by itself then; --ignore-grace rotates now" in remedy
    assert "another --idempotency-key" in remedy


async def test_json_holds_the_record_that_waits_and_a_problem(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    The record is the app's own, the code the same as for a caller that waits for the answer.
    """
    code, document = await run.json("rotate", secret.id)

    (record,) = app.rotations.values()
    assert (code, document["rotations"]) == (1, [record])
    assert record["allowedOn"] == LATER.isoformat()
    assert [(one["secret"], one["code"]) for one in document["problems"]] == [(secret.id, "too_soon")]


async def test_a_watch_ends_at_a_rotation_that_is_too_soon(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    At the first look, whatever has asked for it.
    """
    record = app.begin(secret, state="Scheduled", trigger="Sweep", allowedOn=LATER.isoformat())

    result = await run("watch", record["id"])

    assert result.exit_code == 1
    assert len(app.requests) == 1
    assert f"too_soon: rotation {record['id']} waits" in result.stderr


@pytest.mark.parametrize("fields", [{}, {"allowedOn": EARLIER.isoformat()}])
async def test_what_is_scheduled_and_not_too_soon_is_watched_to_its_end(
    app: SmallApp, secret: Secret, run: Command, fields: dict[str, str]
) -> None:
    """
    A revocation, and a rotation whose time has come.
    """
    secret.ends = ("Completed", None)
    record = app.begin(secret, state="Scheduled", looks=3, **fields)

    result = await run("watch", record["id"])

    assert result.exit_code == 0
    assert len(app.requests) == 3
    assert result.stdout.startswith("Completed  kv-prod/batch-key\n")


async def test_a_rotation_whose_time_has_come_waits_for_its_turn(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    In the list, when it is shown, and while it is watched: no time that has passed is one to wait for.
    """
    secret.ends = ("Completed", None)
    record = app.begin(secret, state="Scheduled", looks=3, allowedOn=EARLIER.isoformat())

    listed = await run("history")
    shown = await run("show", record["id"])
    watched = await run("watch", record["id"])

    assert "  waits for its turn  " in listed.stdout
    assert (
        f"  allowed    {EARLIER:%Y-%m-%d %H:%M:%S} UTC; it waits for its turn, and begins within five minutes\n"
        in shown.stdout
    )
    assert f"kv-prod/batch-key {record['id']}: Scheduled (waits for its turn)\n" in watched.stderr
    assert "until" not in listed.stdout + shown.stdout + watched.stderr


async def test_what_waits_already_is_too_soon_without_watching(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    The same Idempotency-Key is the same rotation, which goes on waiting.
    """
    await run("rotate", secret.id, "--idempotency-key", "run-17")
    result = await run("rotate", secret.id, "--idempotency-key", "run-17", "--no-watch")

    assert result.exit_code == 1
    assert "too_soon: " in result.stderr
    assert len(app.rotations) == 1


@pytest.mark.parametrize("what", [["batch-key"], ["--all"], ["--target", batch_account("spare")]])
async def test_ignore_grace_rotates_now(app: SmallApp, secret: Secret, run: Command, what: list[str]) -> None:
    """
    The request says so, whatever is to be rotated.
    """
    result = await run("rotate", *what, "--key", "Secondary", "--ignore-grace", "--yes")

    assert result.exit_code == 0
    assert app.asked("POST")[0].body["ignoreGrace"] is True
    assert result.stdout.startswith("Completed  ")


async def test_of_several_the_sum_says_how_many_wait(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    One that waits does not keep the next one of its target waiting; the table says until when.
    """
    app.secrets.append(Secret("other"))

    result = await run("rotate", "--all", "--yes")

    assert result.exit_code == 1
    assert result.stdout.endswith("1 completed, 1 waiting\n")
    row = next(line for line in result.stdout.splitlines() if "kv-prod/batch-key" in line)
    assert re.search(rf"  Scheduled  .*  Primary +-  too_soon until {UNTIL_MINUTE}  ", row)
    assert "Error: kv-prod/batch-key: too_soon: " in result.stderr


async def test_a_dry_run_says_that_it_would_wait(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    As one that would fail, it makes the exit code 1; the record is all there is to tell.
    """
    result = await run("rotate", secret.id, "--dry-run")

    assert result.exit_code == 1
    assert f"  allowed    {UNTIL}; until then clients may go on with the key\n" in result.stdout
    assert "  2.  end         Skipped: too_soon. " in result.stdout
    assert result.stderr == ""
    assert (await run("rotate", secret.id, "--dry-run", "--ignore-grace")).exit_code == 0
    app.secrets.append(Secret("other"))
    assert (await run("rotate", "--all", "--dry-run")).stdout.endswith("1 planned, 1 would wait\n")


async def test_a_rotation_that_was_skipped_as_too_soon_is_a_failure(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    Its caller waited for the answer, so it never begins by itself.
    """
    secret.ends = ("Skipped", "too_soon")
    record = app.begin(secret, allowedOn=LATER.isoformat())

    result = await run("watch", record["id"])

    assert result.exit_code == 1
    assert "  skipped    too_soon\n" in result.stdout
    assert f"Skipped (too_soon until {UNTIL_MINUTE})\n" in result.stderr


async def test_a_refusal_as_too_soon_says_to_ask_again(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    The Idempotency-Key is that of a request whose caller waited for the answer.
    """
    app.answers.append(problem(409, "too_soon", "clients may go on with it", allowedOn=LATER.isoformat()))

    result = await run("rotate", secret.id, "--idempotency-key", "run-17")

    assert result.exit_code == 1
    error, remedy = result.stderr.splitlines()
    assert error == "Error: kv-prod/batch-key: too_soon: clients may go on with it"
    assert remedy.startswith("  -> ask again then, or with --ignore-grace")
