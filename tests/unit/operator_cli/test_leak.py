import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator import leaks
from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import problem
from tests.unit.operator_cli.small_app import FOREVER, SmallApp
from tests.unit.operator_cli.small_records import VAULT, Secret


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let the command look again at once.
    """
    monkeypatch.setattr(leaks, "_PAUSE", 0.01)


@pytest.fixture
def secrets(app: SmallApp) -> list[Secret]:
    """
    Return three secrets of one target, of which two hold the same key.
    """
    twin = {
        "secret": {"vault": VAULT, "name": "twin"},
        "keyName": "Primary",
        "heldKey": "Primary",
        "status": "UpToDate",
    }
    other = {**twin, "secret": {"vault": VAULT, "name": "other"}, "keyName": "Secondary", "heldKey": "Secondary"}
    app.secrets = [
        Secret("batch-key", held="Primary", verified=("Live", None), neighbours=[twin, other]),
        Secret("twin"),
        Secret("other", key="Secondary"),
    ]
    return app.secrets


def revocation_of(app: SmallApp) -> dict[str, Any]:
    """
    Return the record of the revocation.
    """
    (found,) = [one for one in app.rotations.values() if one["secret"] is None]
    return found


async def test_a_leaked_key_is_explained_before_anything_is_reported(
    app: SmallApp, secrets: list[Secret], run: Command
) -> None:
    """
    Who holds it, who moves, when it dies, and who is locked out; a no leaves everything as it is.
    """
    result = await run("leak", "batch-key", "--after", "2h", answer="n\n")

    assert result.exit_code == 2
    told = result.stderr
    assert "kv-prod/batch-key holds a key of batchAccounts/mybatch. Reported as leaked:\n" in told
    assert "  2. 2 hours after the last secret has moved, the key is regenerated. From then on\n" in told
    assert (
        "  kv-prod/batch-key: Primary, Live 2h ago\n  kv-prod/twin: Primary, -\n  kv-prod/other: Secondary, -\n" in told
    )
    assert f"The app has looked: rotate at once what holds Primary too: {VAULT}/secrets/twin\n" in told
    assert "Report the key as leaked? [y/N]: " in told
    assert "Error: nothing was reported\n" in told
    assert [one.body.get("dryRun") for one in app.asked("POST")] == [True]


async def test_a_report_is_followed_until_every_holder_has_moved(
    app: SmallApp, secrets: list[Secret], run: Command
) -> None:
    """
    It shows the moves, the revocation with its time, and how to stop it; exit code 0.
    """
    app.moves_after = 4

    result = await run("leak", "batch-key", "--reason", "in a log", answer="y\n")

    assert result.exit_code == 0
    report = app.asked("POST")[-1]
    assert report.body == {"secret": secrets[0].id, "revokePreviousAfter": "PT1H", "reason": "in a log"}
    assert report.headers["Prefer"] == "respond-async"
    revocation = revocation_of(app)["id"]
    assert "waiting until they have moved: kv-prod/twin\n" in result.stderr
    assert result.stdout.startswith("Completed  kv-prod/batch-key\n")
    assert f"\n  revocation {revocation}, due " in result.stdout
    assert re.search(r"Completed .* kv-prod/twin ", result.stdout)
    assert re.search(
        r"\nThe leaked key dies at the earliest .* UTC, in 1h, within five minutes of then\.\n", result.stdout
    )
    assert f"  to stop it  rotator cancel {revocation}\n" in result.stdout
    assert [one.key for one in secrets] == ["Secondary"] * 3


async def test_json_holds_the_report_the_moves_and_the_revocation(
    app: SmallApp, secrets: list[Secret], run: Command
) -> None:
    """
    Each as the app tells it.
    """
    code, document = await run.json("leak", "batch-key", "--yes")

    assert code == 0
    assert document["revocation"] == revocation_of(app)
    assert [one["secret"]["name"] for one in document["rotations"]] == ["batch-key", "twin"]
    assert (document["holders"], document["problems"]) == ([], [])


@pytest.mark.parametrize(("status", "ends"), [("Paused", ("Skipped", "paused")), ("Misconfigured", ("Failed", "x"))])
async def test_a_holder_that_cannot_be_moved_is_named_at_once(
    app: SmallApp, secrets: list[Secret], run: Command, status: str, ends: tuple[str, str]
) -> None:
    """
    Exit code 1, with what to do: the revocation would wait for it a day and fail.
    """
    secrets[1].status, secrets[1].ends, secrets[1].why = status, ends, "its tag says so"

    result = await run("leak", "batch-key", "--yes", "--wait")

    assert result.exit_code == 1
    told = f"still_held: the leaked key is still held by 1 secret: kv-prod/twin is {status}: its tag says so\n"
    assert told in result.stderr
    assert "the app tries again every five minutes" in result.stderr
    assert "The leaked key dies at the earliest " in result.stdout


async def test_a_paused_secret_is_reported_and_keeps_its_key_alive_until_it_is_resumed(
    app: SmallApp, secrets: list[Secret], run: Command
) -> None:
    """
    The key is revoked once all have moved: to say that nothing is revoked would be wrong.
    """
    secrets[0].status, secrets[0].ends = "Paused", ("Skipped", "paused")

    result = await run("leak", "batch-key", "--yes")

    assert result.exit_code == 1
    assert "still_held: the leaked key is still held by 1 secret: kv-prod/batch-key is Paused\n" in result.stderr
    assert "`rotator resume kv-prod/batch-key`: the app tries again every five minutes" in result.stderr
    assert "not_revoked" not in result.stderr
    assert revocation_of(app)["state"] == "Scheduled"


async def test_patience_with_a_holder_ends(app: SmallApp, secrets: list[Secret], run: Command) -> None:
    """
    Exit code 1; JSON names the holder.
    """
    app.moves_after = FOREVER

    code, document = await run.json("leak", "batch-key", "--yes", "--timeout", "0.005")

    assert code == 1
    assert [one["secret"]["name"] for one in document["holders"]] == ["twin"]
    assert [one["code"] for one in document["problems"]] == ["still_held"]


async def test_wait_sees_the_key_die(app: SmallApp, secrets: list[Secret], run: Command) -> None:
    """
    However long that takes: a revocation is no rotation that is too soon.
    """
    app.revocation_looks = 4

    result = await run("leak", "batch-key", "--yes", "--wait")

    assert result.exit_code == 0
    assert "The leaked key is dead.\n" in result.stdout
    assert "too_soon" not in result.stderr


@pytest.mark.parametrize(
    ("end", "exit_code", "told"),
    [
        (("Skipped", "revoked"), 0, "The leaked key is dead."),
        (("Skipped", "cancelled"), 1, "The leaked key is alive: its revocation ended Skipped (cancelled)."),
        (("Failed", "active_key"), 1, "The leaked key is alive: its revocation ended Failed (this is what happened)."),
    ],
)
async def test_a_revocation_that_leaves_the_key_alive_is_a_failure(
    app: SmallApp, secrets: list[Secret], run: Command, end: tuple[str, str], exit_code: int, told: str
) -> None:
    """
    And one that finds it dead is none.
    """
    app.revocation_looks, app.revocation_ends = 2, end

    result = await run("leak", "batch-key", "--yes", "--wait")

    assert result.exit_code == exit_code
    assert told in result.stdout
    assert ("not_revoked" in result.stderr) is bool(exit_code)


@pytest.mark.parametrize("why", ["observing", "unmanaged", "disabled"])
async def test_a_report_that_revokes_nothing_is_a_failure(
    app: SmallApp, secrets: list[Secret], run: Command, why: str
) -> None:
    """
    A script must not take it for done.
    """
    secrets[0].ends = ("Skipped", why)

    result = await run("leak", "batch-key", "--yes")

    assert result.exit_code == 1
    assert f"not_revoked: the rotation ended Skipped ({why}), and nothing is revoked\n" in result.stderr


async def test_another_leaked_key_of_the_target_is_told_before_anybody_is_asked(
    app: SmallApp, secrets: list[Secret], run: Command
) -> None:
    """
    With the rotation that has to end first.
    """
    listed = await run("show", "batch-key")
    assert listed.exit_code == 0
    app.requests.clear()
    app.refuses_plans = problem(409, "revocation_pending", "the other key was reported before", rotationId="5c1f")

    result = await run("leak", "batch-key")

    assert result.exit_code == 1
    assert "revocation_pending: the other key was reported before\n" in result.stderr
    assert "report it again then" in result.stderr
    assert "[y/N]" not in result.stderr


async def test_a_dry_run_explains_and_reports_nothing(app: SmallApp, secrets: list[Secret], run: Command) -> None:
    """
    On standard output, with the steps.
    """
    result = await run("leak", "batch-key", "--dry-run")

    assert result.exit_code == 0
    assert result.stdout.startswith("kv-prod/batch-key holds a key of ")
    assert "\n  4.  move        rotate at once" in result.stdout
    assert not app.rotations


@pytest.mark.parametrize(
    ("written", "sent"), [("30m", "PT30M"), ("1h", "PT1H"), ("PT1H", "PT1H"), ("pt90m", "PT1H30M"), ("2d", "P2D")]
)
async def test_the_delay_is_written_as_people_do_or_as_iso_8601_does(
    app: SmallApp, secrets: list[Secret], run: Command, written: str, sent: str
) -> None:
    """
    The app is sent the latter.
    """
    await run("leak", "batch-key", "--after", written, "--dry-run")

    assert app.asked("POST")[0].body["revokePreviousAfter"] == sent


@pytest.mark.parametrize("written", ["1", "soon", "P", "PT", "-1h", "1w", "P999999999DT999999999H"])
async def test_another_delay_is_refused_before_anything_is_sent(app: SmallApp, run: Command, written: str) -> None:
    """
    Exit code 2, with examples.
    """
    result = await run("leak", "batch-key", "--after", written)

    assert result.exit_code == 2
    assert "write it as 30m, 1h or 7d" in result.stderr
    assert not app.requests


async def test_a_leaked_key_is_the_first_thing_that_status_shows(
    app: SmallApp, secrets: list[Secret], run: Command
) -> None:
    """
    Above what has drifted, with a warning; the secret says when the key dies, and by which rotation.
    """
    due = (datetime.now(UTC) + timedelta(minutes=59, seconds=30)).isoformat()
    secrets[2].leaked = {"revocation": "77aa", "dueOn": due}
    secrets[0].status = "Drifted"

    status, shown = await run("status"), await run("show", "other")

    assert status.stderr.startswith("LEAKED: 1 secret holds a key that was reported as leaked and is alive\n")
    assert status.stdout.splitlines()[1].startswith("kv-prod/other ")
    assert re.search(r"\n  leaked     it dies at the earliest .* UTC, in 59m, by rotation 77aa\n", shown.stdout)
    secrets[2].leaked["dueOn"] = None
    assert "nothing is due any more; rotator show 77aa says why" in (await run("show", "other")).stdout


async def test_an_app_that_observes_says_so_above_its_secrets(
    app: SmallApp, secrets: list[Secret], run: Command
) -> None:
    """
    Due secrets stay due there, which would look like a fault.
    """
    app.observes = True

    result = await run("status")

    assert result.stderr.startswith("OBSERVING: the app changes nothing, and rotates nothing")


@pytest.mark.parametrize("answer", ["y\n", "Yes\n", "what?\ny\n"])
async def test_a_revocation_is_cancelled_after_asking(
    app: SmallApp, secrets: list[Secret], run: Command, answer: str
) -> None:
    """
    The question says what that means; the secrets go on showing the leak.
    """
    await run("leak", "batch-key", "--yes")
    revocation = revocation_of(app)["id"]

    result = await run("cancel", revocation, answer=answer)

    assert result.exit_code == 0
    assert (
        "The leaked key of batchAccounts/mybatch stays alive for good. Cancel its revocation, due 20" in result.stderr
    )
    assert result.stdout.startswith("Skipped  batchAccounts/mybatch\n")
    assert "  skipped    cancelled\n" in result.stdout
    (asked,) = app.asked("DELETE", f"/api/rotations/{revocation}")
    assert asked.headers["X-Rotator"] == "1"
    assert (await run("cancel", revocation)).exit_code == 0


@pytest.mark.parametrize(
    ("answer", "said"), [("n\n", "nothing was cancelled"), ("\n", "nothing was cancelled"), ("", "--yes does not ask")]
)
async def test_without_a_yes_nothing_is_cancelled(
    app: SmallApp, secrets: list[Secret], run: Command, answer: str, said: str
) -> None:
    """
    Also not where nobody is there to answer.
    """
    await run("leak", "batch-key", "--yes")

    result = await run("cancel", revocation_of(app)["id"], answer=answer)

    assert result.exit_code == 2
    assert said in result.stderr
    assert revocation_of(app)["state"] == "Scheduled"


async def test_what_has_begun_or_ended_cannot_be_cancelled(app: SmallApp, secrets: list[Secret], run: Command) -> None:
    """
    Nobody is asked for nothing; the app says why, and the command where to look.
    """
    record = app.begin(secrets[0])

    result = await run("cancel", record["id"])
    code, document = await run.json("cancel", record["id"])

    assert (result.exit_code, code) == (1, 1)
    assert f"not_cancellable: rotation {record['id']} cannot be cancelled" in result.stderr
    assert "`rotator history --state Scheduled`" in result.stderr
    assert document["error"]["code"] == "not_cancellable"
    assert document["error"]["rotationId"] == record["id"]
