import asyncio
import re
from pathlib import Path

import pytest

from rotator.remedies import UNPROVEN
from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import Answer, problem
from tests.unit.operator_cli.small_app import FOREVER, SmallApp
from tests.unit.operator_cli.small_records import VAULT, Secret, batch_account

BATCH_KEY = f"{VAULT}/secrets/batch-key"


@pytest.fixture
def secret(app: SmallApp) -> Secret:
    """
    Return the one secret that the app manages.
    """
    app.secrets = [Secret("batch-key")]
    return app.secrets[0]


async def test_a_rotation_is_followed_to_its_end(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    It is asked for without waiting, looked at where the answer says, and shown when it has ended.
    """
    result = await run("rotate", secret.id)

    (asked,) = app.asked("POST")
    assert asked.headers["Prefer"] == "respond-async"
    assert asked.headers["Idempotency-Key"]
    assert asked.body == {"secret": secret.id}
    (rotation_id,) = app.rotations
    assert len(app.asked("GET", f"/api/rotations/{rotation_id}")) == app.looks
    assert result.exit_code == 0
    shown = result.stdout
    assert shown.startswith("Completed  kv-prod/batch-key\n")
    for line in (
        rf"  rotation   {rotation_id}",
        rf"  target     {re.escape(secret.target)}",
        r"  key        Primary -> Secondary",
        rf"  secret     {BATCH_KEY}",
        r"  version    0{31}1 -> 0{31}2",
        r"  expires    \d{4}-\d\d-\d\d, in 90 days",
        r"  started    2026-11-22 04:17:01 UTC, took 2\.3 s",
        r"  trigger    Http",
    ):
        assert re.search(f"^{line}$", shown, re.MULTILINE), line
    assert result.stderr.splitlines() == [
        "kv-prod/batch-key: Accepted",
        "kv-prod/batch-key: Regenerating",
        "kv-prod/batch-key: Completed (Primary -> Secondary)",
    ]


async def test_json_holds_the_records_of_the_app_unchanged(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    With fields that this version does not know.
    """
    code, document = await run.json("rotate", secret.id)

    (record,) = app.rotations.values()
    assert (code, document) == (0, {"rotations": [record], "problems": []})
    assert record["state"] == "Completed"
    assert record["aFieldOfALaterVersion"] == "kept"


async def test_output_json_is_the_same_as_json(secret: Secret, run: Command) -> None:
    """
    One document on standard output either way.
    """
    result = await run("rotate", secret.id, "--output", "json")

    assert result.stdout.startswith('{\n  "rotations": [')


async def test_a_failed_rotation_is_told_with_its_remedy(secret: Secret, run: Command) -> None:
    """
    Code, message, what to do, and exit code 1.
    """
    secret.ends = ("Failed", "drift")

    result = await run("rotate", secret.id)

    assert result.exit_code == 1
    assert result.stdout.startswith("Failed  kv-prod/batch-key\n")
    assert "  error      drift: this is what happened\n          -> somebody regenerated a key by hand" in result.stdout


@pytest.mark.parametrize(
    ("why", "code", "remedy"),
    [
        ("superseded", 0, ""),
        ("paused", 0, "          -> `rotator resume SECRET` ends the pause"),
        ("busy", 1, "          -> `rotator history` shows the one that was running; ask again"),
        ("unmanaged", 0, "          -> put the tag ProviderAddress on it"),
    ],
)
async def test_a_skipped_rotation_says_why_and_what_to_do(
    app: SmallApp, secret: Secret, run: Command, why: str, code: int, remedy: str
) -> None:
    """
    Nothing to do is no failure; but to find the target busy is, as it is for a caller that waits.
    """
    secret.ends = ("Skipped", why)

    result = await run("rotate", secret.id)

    assert result.exit_code == code
    assert f"  skipped    {why}\n{remedy}" in result.stdout
    assert result.stderr.endswith(f"kv-prod/batch-key: Skipped ({why})\n")
    app.secrets.append(Secret("other", target=batch_account("other")))
    several = await run("rotate", secret.id, "other")
    assert (f"kv-prod/batch-key: {why}\n{remedy}" in several.stdout) is bool(remedy)


async def test_a_misconfigured_secret_may_have_a_wrong_tag_or_a_wrong_value(secret: Secret, run: Command) -> None:
    """
    The message names which.
    """
    secret.ends = ("Failed", "misconfigured")

    assert "-> correct the tag or the value that it names" in (await run("rotate", secret.id)).stdout


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"proven": True}, "  proven     yes\n"),
        (
            {"proven": False},
            (
                "  proven     no: nobody has seen the new key work\n"
                "          -> docs/how-to/a-failed-rotation.md#a-key-that-is-not-proven says what to do\n"
            ),
        ),
        (
            {"proven": False, "error": {"code": "key_refused", "message": "it does not work", "retryable": True}},
            "  proven     no: its account refused the new key\n  error      key_refused: it does not work\n",
        ),
        ({"proven": None}, "  proven     not asked: its target has no proof, or ROTATION_PROVE_KEYS is false\n"),
        ({"proven": None, "secret": None}, "  proven     not asked: the new value goes nowhere\n"),
    ],
    ids=["yes", "no", "refused", "not asked", "of a target"],
)
async def test_a_rotation_says_whether_its_key_was_proven(
    app: SmallApp, secret: Secret, run: Command, fields: dict[str, object], shown: str
) -> None:
    """
    Yes, no with the next step, or that nobody asked and why.
    """
    record = app.begin(secret, looks=1)
    await run("watch", record["id"])
    record |= fields

    assert shown in (await run("show", record["id"])).stdout


async def test_what_has_no_new_key_yet_says_nothing_of_its_proof(secret: Secret, run: Command) -> None:
    """
    A rotation that was skipped, and a dry run.
    """
    secret.ends = ("Skipped", "paused")

    assert "proven" not in (await run("rotate", secret.id)).stdout
    assert "proven" not in (await run("rotate", secret.id, "--dry-run")).stdout


async def test_the_page_about_a_key_that_is_not_proven_is_there() -> None:
    """
    The next step names a heading of it.
    """
    page = (Path(__file__).parents[3] / "docs/how-to/a-failed-rotation.md").read_text(encoding="utf-8")

    assert UNPROVEN.startswith("docs/how-to/a-failed-rotation.md#a-key-that-is-not-proven ")
    assert "\n## A key that is not proven\n" in page


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "remedy"),
    [
        (409, "active_key", 1, "rotate the secret without --key"),
        (409, "busy", 1, "`rotator watch 5c1f` shows it"),
        (403, "forbidden", 1, "ROTATION_ALLOWED_SCOPES"),
        (404, "secret_not_found", 1, "`rotator status`"),
        (424, "provider_refused", 1, "docs/deploy.md"),
        (400, "malformed", 2, None),
        (422, "idempotency_conflict", 2, "another --idempotency-key"),
        (503, "settings", 3, "`rotator health`"),
        (409, "a_code_of_a_later_version", 1, None),
    ],
)
async def test_a_refusal_is_told_as_code_and_detail_with_a_remedy(
    app: SmallApp, secret: Secret, run: Command, status: int, code: str, exit_code: int, remedy: str | None
) -> None:
    """
    On standard error, while JSON output holds the problem as the app has told it.
    """
    answer = problem(status, code, "the\x1b[2J detail", rotationId="5c1f")
    app.answers.append(answer)
    result = await run("rotate", secret.id)

    assert result.exit_code == exit_code
    assert result.stdout == ""
    first, *others = result.stderr.splitlines()
    assert first == f"Error: kv-prod/batch-key: {code}: the [2J detail"
    assert (remedy in others[0]) if remedy else not others

    app.answers.append(answer)
    again, document = await run.json("rotate", secret.id)
    assert (again, document) == (exit_code, {"rotations": [], "problems": [{"secret": secret.id, **answer.body}]})


async def test_every_option_reaches_the_app(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    And nothing that was not asked for does.
    """
    options = ["--key", "secondary", "--force", "--ignore-grace", "--reason", "a leak"]
    options += ["--revoke-previous-after", "1h", "--yes"]

    result = await run("rotate", secret.id, *options)

    assert result.exit_code == 0
    assert app.asked("POST")[0].body == {
        "secret": secret.id,
        "key": "Secondary",
        "force": True,
        "ignoreGrace": True,
        "reason": "a leak",
        "revokePreviousAfter": "PT1H",
    }


async def test_what_only_some_records_hold_is_shown(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    The gap of a rotation in place, the revocation to come, an adopted key, the attempts it took.
    """
    revocation = {"id": "77aa", "dueOn": "2026-11-22T05:17:03Z"}
    record = app.begin(secret, proven=False, gapSeconds=1.25, revocation=revocation)
    record |= {"adopted": True, "attempts": 3}

    result = await run("watch", record["id"])

    assert "  proven     no: nobody has seen the new key work\n" in result.stdout
    assert "  gap        1.25 s in which the secret held a dead key\n" in result.stdout
    assert "  revocation 77aa, due 2026-11-22 05:17:03 UTC\n" in result.stdout
    assert "  key        Primary -> Secondary, adopted from another secret\n" in result.stdout
    assert ", took 2.3 s, 3 attempts\n" in result.stdout


async def test_a_dry_run_shows_the_steps_and_changes_nothing(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    The app is asked to answer at once, and has no rotation afterwards.
    """
    result = await run("rotate", secret.id, "--dry-run", "--reason", "what if")

    (asked,) = app.asked("POST")
    assert asked.body == {"secret": secret.id, "reason": "what if", "dryRun": True}
    assert not {"Prefer", "Idempotency-Key"} & set(asked.headers)
    assert not app.rotations
    assert result.exit_code == 0
    assert result.stdout.startswith("Planned  kv-prod/batch-key\n")
    assert "  1.  claim       claim /subscriptions/" in result.stdout
    assert "  2.  regenerate  regenerate Secondary\n" in result.stdout


async def test_an_observed_rotation_shows_its_steps(app: SmallApp, run: Command) -> None:
    """
    In full also where several were asked for: the steps are what an observing app has to tell.
    """
    app.secrets = [Secret("batch-key", ends=("Skipped", "observing")), Secret("other", target=batch_account("other"))]

    for names in (["batch-key"], ["batch-key", "other"]):
        result = await run("rotate", *names)

        assert result.exit_code == 0
        assert "kv-prod/batch-key: Skipped (observing)\n" in result.stderr
        assert "Skipped  kv-prod/batch-key\n" in result.stdout
        assert "  skipped    observing\n          -> the app changes nothing" in result.stdout
        assert "\n  2.  regenerate  regenerate Secondary\n" in result.stdout


async def test_a_dry_run_of_what_would_fail_fails(secret: Secret, run: Command) -> None:
    """
    With the error that the rotation would end with.
    """
    secret.ends = ("Failed", "active_key")

    result = await run("rotate", secret.id, "--dry-run")

    assert result.exit_code == 1
    assert "  error      active_key: this is what would happen\n" in result.stdout


async def test_a_dry_run_that_is_refused_is_an_error(app: SmallApp, run: Command) -> None:
    """
    As the rotation would be.
    """
    result = await run("rotate", BATCH_KEY, "--dry-run")

    assert result.exit_code == 1
    assert f"Error: kv-prod/batch-key: secret_not_found: there is no secret {BATCH_KEY}" in result.stderr


async def test_a_dry_run_of_several_shows_the_steps_of_each(app: SmallApp, run: Command) -> None:
    """
    And how many would do what.
    """
    app.secrets = [Secret("one"), Secret("two", ends=("Failed", "drift"))]

    result = await run("rotate", "--all", "--dry-run")

    assert result.exit_code == 1
    assert result.stdout.count("regenerate Secondary") == 2
    assert result.stdout.endswith("1 planned, 1 would fail\n")
    assert not app.rotations


async def test_a_key_of_a_target_is_regenerated_without_a_secret(app: SmallApp, run: Command) -> None:
    """
    The request names target and key.
    """
    target = batch_account("spare")

    result = await run("rotate", "--target", target, "--key", "Primary", "--reason", "unused", "--yes")

    assert result.exit_code == 0
    assert app.asked("POST")[0].body == {"target": target, "key": "Primary", "reason": "unused"}
    assert result.stdout.startswith("Completed  batchAccounts/spare\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what to rotate"),
        ([BATCH_KEY, "--all"], "say what to rotate, in one way"),
        (["--all", "--target", "/subscriptions/x", "--key", "Primary"], "say what to rotate, in one way"),
        (["--target", "/subscriptions/x"], "--target needs --key"),
        (["--target", "/x", "--key", "Primary", "--revoke-previous-after", "PT1H"], "is about a secret"),
        ([BATCH_KEY, "--revoke-previous-after", "soon"], "write it as 30m, 1h or 7d"),
        ([BATCH_KEY, "--revoke-previous-after", "P"], "write it as 30m, 1h or 7d"),
        ([BATCH_KEY, "--key", "Tertiary"], "Tertiary"),
        ([BATCH_KEY, "--parallel", "0"], "--parallel"),
        ([BATCH_KEY, "--timeout", "-1"], "--timeout"),
        ([BATCH_KEY, "--output", "yaml"], "--output"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    app: SmallApp, run: Command, arguments: list[str], said: str
) -> None:
    """
    Exit code 2 and what to write instead.
    """
    result = await run("rotate", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert not app.requests


@pytest.mark.parametrize("name", ["batch-key", "BATCH-KEY", "kv-prod/batch-key"])
async def test_a_secret_goes_by_the_name_that_status_shows(
    app: SmallApp, secret: Secret, run: Command, name: str
) -> None:
    """
    The app is sent the whole id.
    """
    result = await run("rotate", name)

    assert result.exit_code == 0
    assert app.asked("POST")[0].body == {"secret": secret.id}


async def test_a_name_that_is_new_is_looked_for_in_the_vaults(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    What the app remembers of its vaults may be a day old.
    """
    secret.is_new = True

    result = await run("rotate", "batch-key")

    assert result.exit_code == 0
    assert [one.query.get("refresh") for one in app.asked("GET", "/api/secrets")] == [None, "true"]


async def test_a_name_that_is_new_is_looked_for_in_the_vaults_that_are_known(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    Each is asked for that one secret: to look through all of them takes minutes.
    """
    app.secrets += [
        Secret("new", vault="https://kv-test.vault.azure.net", is_new=True),
        Secret("other", vault="https://kv-test.vault.azure.net"),
    ]

    result = await run("rotate", "NEW")

    assert result.exit_code == 0
    assert not [one for one in app.requests if "refresh" in one.query]
    looked_up = [one.path for one in app.requests if one.path.startswith("/api/secrets/")]
    assert sorted(looked_up) == [f"/api/secrets/kv-{vault}.vault.azure.net/new" for vault in ("prod", "test")]
    assert app.asked("POST")[0].body == {"secret": "https://kv-test.vault.azure.net/secrets/new"}


async def test_a_name_with_a_vault_is_looked_for_in_that_vault_alone(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    The others have nothing to do with it.
    """
    app.secrets += [Secret("other", vault="https://kv-test.vault.azure.net"), Secret("new", is_new=True)]

    found, missing = await run("rotate", "KV-prod/new"), await run("rotate", "kv-test/new")

    assert (found.exit_code, missing.exit_code) == (0, 2)
    looked_up = [one.path for one in app.requests if one.path.startswith("/api/secrets/")]
    assert looked_up == [f"/api/secrets/kv-{vault}.vault.azure.net/new" for vault in ("prod", "test")]


@pytest.mark.parametrize("name", ["batch-kay", "batch_kay", "batch key?", "kv-prod/"])
async def test_a_misspelt_name_lets_no_vault_be_looked_through(
    app: SmallApp, secret: Secret, run: Command, name: str
) -> None:
    """
    It is told at once that there is no such secret.
    """
    result = await run("rotate", name)

    assert result.exit_code == 2
    assert f"the app manages no secret called {name!r}" in result.stderr
    assert not [one for one in app.requests if "refresh" in one.query]
    assert not app.asked("POST")


async def test_a_vault_that_cannot_be_asked_is_an_error_and_not_an_unknown_name(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    The secret may be there.
    """
    listed = {"secrets": [{"secret": {"vault": secret.vault, "name": "x"}, "status": "UpToDate"}], "asOf": None}
    app.answers += [Answer(200, listed), problem(424, "vault_refused", "403 Forbidden")]

    result = await run("rotate", "batch-key")

    assert result.exit_code == 1
    assert "vault_refused: 403 Forbidden" in result.stderr


async def test_a_secret_whose_tags_were_put_right_since_is_rotated_by_its_name(app: SmallApp, run: Command) -> None:
    """
    It is read again, alone: what the app remembers of its tags may be a day old.
    """
    app.secrets = [Secret("typo", status="NearlyManaged", why="its tag must be named", becomes="UpToDate")]

    result = await run("rotate", "typo")

    assert result.exit_code == 0
    assert app.asked("POST")[0].body == {"secret": app.secrets[0].id}
    assert len(app.asked("POST", "/api/secrets/kv-prod.vault.azure.net/typo/verify")) == 1
    assert not [one for one in app.requests if "refresh" in one.query]


async def test_an_unknown_name_is_an_error(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Nothing is rotated, not even what is known beside it.
    """
    result = await run("rotate", "batch-key", "batch-kay")

    assert result.exit_code == 2
    assert "the app manages no secret called 'batch-kay'" in result.stderr
    assert not app.asked("POST")


async def test_a_name_of_a_secret_that_only_looks_managed_is_an_error(app: SmallApp, run: Command) -> None:
    """
    It says what is wrong with the tags; the app is not asked to rotate it.
    """
    app.secrets = [Secret("typo", status="NearlyManaged", why="its tag 'Provider' must be named ProviderAddress")]

    result = await run("rotate", "typo")

    assert result.exit_code == 2
    assert "the app does not manage 'typo': its tag 'Provider' must be named ProviderAddress" in result.stderr
    assert not app.asked("POST")


async def test_a_name_of_two_secrets_is_an_error(app: SmallApp, run: Command) -> None:
    """
    Both ids are told.
    """
    app.secrets = [Secret("key"), Secret("key", vault="https://kv-test.vault.azure.net")]

    result = await run("rotate", "key")

    assert result.exit_code == 2
    assert f"give one of {VAULT}/secrets/key, https://kv-test.vault.azure.net/secrets/key" in result.stderr


async def test_the_same_idempotency_key_is_the_same_rotation(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Run again, the command shows what has been done already.
    """
    first = await run("rotate", secret.id, "--idempotency-key", "run-17")
    second = await run("rotate", secret.id, "--idempotency-key", "run-17")

    assert [one.headers["Idempotency-Key"] for one in app.asked("POST")] == ["run-17", "run-17"]
    assert len(app.rotations) == 1
    assert first.stdout == second.stdout


async def test_several_secrets_have_a_key_each_that_is_the_same_the_next_time(app: SmallApp, run: Command) -> None:
    """
    A job that is run again rotates nothing twice.
    """
    app.secrets = [Secret("one"), Secret("two")]
    for _ in range(2):
        assert (await run("rotate", "one", "two", "--idempotency-key", "run-17")).exit_code == 0

    keys = [one.headers["Idempotency-Key"] for one in app.asked("POST")]
    assert keys[:2] == keys[2:]
    assert len(set(keys)) == 2
    assert len(app.rotations) == 2


async def test_without_a_key_every_run_is_a_rotation(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Each request has a key all the same, so that it can be repeated when its answer is lost.
    """
    for _ in range(2):
        assert (await run("rotate", secret.id)).exit_code == 0

    assert len({one.headers["Idempotency-Key"] for one in app.asked("POST")}) == len(app.rotations) == 2


async def test_a_secret_that_is_named_twice_is_rotated_once(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    In whatever spelling.
    """
    result = await run("rotate", secret.id, secret.id.upper().replace("HTTPS", "https"), "batch-key")

    assert result.exit_code == 0
    assert len(app.asked("POST")) == 1


async def test_no_watch_leaves_when_the_app_has_accepted(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    With the record as it is then.
    """
    result = await run("rotate", secret.id, "--no-watch")

    (rotation_id,) = app.rotations
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Accepted  kv-prod/batch-key\n  rotation   {rotation_id}\n")
    assert not app.asked("GET", f"/api/rotations/{rotation_id}")


async def test_a_rotation_that_takes_too_long_is_late_and_goes_on(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Exit code 1, and the command that watches it further.
    """
    app.looks = FOREVER

    result = await run("rotate", secret.id, "--timeout", "0.001")

    (rotation_id,) = app.rotations
    assert result.exit_code == 1
    assert f"still_running: rotation {rotation_id} is still Regenerating" in result.stderr
    assert f"`rotator watch {rotation_id}`" in result.stderr
    assert result.stdout.startswith("Regenerating  kv-prod/batch-key\n")


async def test_a_rotation_that_can_no_longer_be_watched_is_shown_as_it_was(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    Here the key has been changed meanwhile; JSON holds both the record and the problem.
    """
    app.looks, app.admits = FOREVER, 2

    code, document = await run.json("rotate", secret.id)

    assert code == 3
    assert [record["state"] for record in document["rotations"]] == ["Accepted"]
    assert [(one["secret"], one["code"]) for one in document["problems"]] == [(secret.id, "not_admitted")]


async def test_all_rotates_every_secret_after_asking(app: SmallApp, run: Command) -> None:
    """
    The question says how much it is about; what the vaults hold is looked up now.
    """
    app.secrets = [
        Secret("one"),
        Secret("two"),
        Secret("three", target=batch_account("other")),
        Secret("four", status="Paused", ends=("Skipped", "paused"), is_new=True),
    ]

    result = await run("rotate", "--all", answer="y\n")

    assert result.exit_code == 0
    assert "Rotate 4 secrets on 2 targets (1 paused: the app will skip them)?" in result.stderr
    assert {one.body["secret"] for one in app.asked("POST")} == {secret.id for secret in app.secrets}
    assert result.stdout.endswith("3 completed, 1 skipped\n")
    for rotation_id, record in app.rotations.items():
        row = next(line for line in result.stdout.splitlines() if rotation_id in line)
        assert record["state"] in row
        assert f"kv-prod/{record['secret']['name']} " in row


async def test_all_leaves_out_what_is_not_managed_and_says_so(app: SmallApp, run: Command) -> None:
    """
    A secret whose tags only look like the app's is named with the reason; a drifted one is asked for as ever.
    """
    app.secrets = [
        Secret("drifted", status="Drifted", ends=("Failed", "drift")),
        Secret(
            "typo", status="NearlyManaged", target="", key="", why="its tag 'Provider' must be named ProviderAddress"
        ),
    ]

    result = await run("rotate", "--all", "--yes")

    assert result.exit_code == 1
    assert [one.body["secret"] for one in app.asked("POST")] == [f"{VAULT}/secrets/drifted"]
    assert (
        "left out: kv-prod/typo is NearlyManaged: its tag 'Provider' must be named ProviderAddress\n" in result.stderr
    )
    assert "drift: this is what happened" in result.stdout


@pytest.mark.parametrize(("answer", "said"), [("n\n", "nothing was rotated"), ("", "--yes does not ask")])
async def test_all_rotates_nothing_without_a_yes(
    app: SmallApp, secret: Secret, run: Command, answer: str, said: str
) -> None:
    """
    Nobody at the keyboard is no yes.
    """
    result = await run("rotate", "--all", answer=answer)

    assert result.exit_code == 2
    assert said in result.stderr
    assert not app.asked("POST")


@pytest.mark.parametrize("answer", ["y\n", "n\n", ""])
@pytest.mark.parametrize(
    ("options", "question"),
    [
        (["batch-key", "--force"], "they fail until they read the secret again. Rotate kv-prod/batch-key? [y/N]"),
        (["batch-key", "--ignore-grace"], "clients may have cached: they fail until they read again. Rotate "),
        (["batch-key", "--revoke-previous-after", "1h"], "is reported as leaked, and dies: "),
        (["--all", "--force"], "they fail until they read the secret again. Rotate 1 secret on 1 target? [y/N]"),
        (["--target", batch_account("spare"), "--key", "Primary"], "Regenerate Primary of batchAccounts/spare? [y/N]"),
    ],
)
async def test_what_may_lock_somebody_out_is_asked_first(
    app: SmallApp, secret: Secret, run: Command, options: list[str], question: str, answer: str
) -> None:
    """
    Without a yes, exit code 2 and nothing is rotated; a dry run asks nothing.
    """
    result = await run("rotate", *options, answer=answer)

    assert question in result.stderr
    assert result.exit_code == (0 if answer == "y\n" else 2)
    assert len(app.asked("POST")) == (1 if answer == "y\n" else 0)
    assert "[y/N]" not in (await run("rotate", *options, "--dry-run", answer=answer)).stderr


async def test_secrets_of_one_target_are_rotated_one_after_another(app: SmallApp, run: Command) -> None:
    """
    While other targets are rotated at the same time, as many as allowed.
    """
    targets = [batch_account(f"account{number}") for number in range(4)]
    app.secrets = [Secret(f"secret-{number}", target=targets[number % 4]) for number in range(8)]
    app.secrets[5].target = targets[1].upper()
    app.looks = 3

    result = await run("rotate", "--all", "--yes", "--parallel", "3")

    assert result.exit_code == 0
    assert len(app.rotations) == 8
    assert app.overlaps == []
    assert app.most_at_once == 3


async def test_named_secrets_of_one_target_are_rotated_one_after_another(app: SmallApp, run: Command) -> None:
    """
    Also those of targets that the app has not named, and also without watching the last one.
    """
    app.secrets = [Secret("one"), Secret("two"), Secret("three", is_new=True), Secret("four", is_new=True)]
    app.secrets[2].target = app.secrets[3].target = batch_account("other")
    app.looks = 3

    result = await run("rotate", *(secret.id for secret in app.secrets), "--no-watch")

    assert result.exit_code == 0
    assert len(app.rotations) == 4
    assert app.overlaps == []
    assert result.stdout.endswith("2 accepted, 2 completed\n")


async def test_one_failure_of_many_fails_the_command_and_stops_no_other(app: SmallApp, run: Command) -> None:
    """
    The sum says how many; each failure is told with its secret.
    """
    app.secrets = [
        Secret("one"),
        Secret("two", ends=("Failed", "drift")),
        Secret("three"),
        Secret("", vault="https://kv-shut.vault.azure.net", status="Misconfigured", why="403 Forbidden"),
    ]

    code, document = await run.json("rotate", "--all", "--yes")

    assert code == 1
    assert [record["state"] for record in document["rotations"]] == ["Completed", "Failed", "Completed"]
    assert document["problems"] == [
        {"vault": "https://kv-shut.vault.azure.net", "code": "vault_not_listed", "detail": "403 Forbidden"}
    ]

    result = await run("rotate", "--all", "--yes")
    assert result.exit_code == 1
    assert result.stdout.endswith("2 completed, 1 failed, 1 refused\n")
    assert "Error: kv-shut: vault_not_listed: 403 Forbidden" in result.stderr
    assert "kv-prod/two: drift: this is what happened\n          -> somebody regenerated a key by hand" in result.stdout


async def test_all_of_nothing_is_nothing(run: Command) -> None:
    """
    No question, no failure.
    """
    assert await run.json("rotate", "--all") == (0, {"rotations": [], "problems": []})


async def test_the_rotation_is_looked_at_where_the_answer_says(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    As long as that is below the address that the credential was given for.
    """
    app.location = "/api/elsewhere/{id}"
    assert (await run("rotate", secret.id)).exit_code == 0
    (rotation_id,) = app.rotations
    assert app.asked("GET", f"/api/elsewhere/{rotation_id}")


@pytest.mark.parametrize("place", ["{other}/api/rotations/{{id}}", "/elsewhere/{{id}}", "http://[/{{id}}"])
async def test_the_credential_goes_nowhere_else(app: SmallApp, secret: Secret, run: Command, place: str) -> None:
    """
    Another address in Location is not followed: the rotation is found by its id.
    """
    async with SmallApp() as other:
        app.location = place.format(other=other.url)
        result = await run("rotate", secret.id)

        (rotation_id,) = app.rotations
        assert result.exit_code == 0
        assert not other.requests
        assert {one.path for one in app.requests} == {"/api/rotations", f"/api/rotations/{rotation_id}"}


async def test_a_long_rotation_is_watched_with_pauses_of_its_own(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Where the app does not say how long to wait.
    """
    app.wait, app.looks = None, 1

    started = asyncio.get_running_loop().time()
    assert (await run("rotate", secret.id)).exit_code == 0
    assert asyncio.get_running_loop().time() - started >= 0.5


async def test_a_secret_that_moved_with_a_reported_one_is_done(app: SmallApp, run: Command) -> None:
    """
    By its turn it holds the other key, whose report the app refuses: that is no failure of the breach that is reported.
    """
    app.secrets, app.moves_after = [Secret("batch-key"), Secret("twin")], 0

    code, document = await run.json("rotate", "--all", "--revoke-previous-after", "1h", "--yes")

    assert (code, document["problems"]) == (0, [])
    assert [one["secret"]["name"] for one in document["rotations"]] == ["batch-key", "twin"]
    assert len({one["revocation"]["id"] for one in document["rotations"]}) == 1

    code, document = await run.json("rotate", "--all", "--revoke-previous-after", "1h", "--yes")

    assert code == 1
    assert {one["code"] for one in document["problems"]} == {"revocation_pending"}
