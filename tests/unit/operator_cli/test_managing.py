from typing import Any

import pytest

from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import Answer, problem
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import VAULT, Secret, batch_account

TARGET = batch_account("mybatch")
PLACE = "/api/secrets/kv-prod.vault.azure.net/batch-key"
OPTIONS = ["--target", TARGET, "--validity-days", "90"]


@pytest.fixture
def secret(app: SmallApp) -> Secret:
    """
    Return a secret that holds a live key, beside one that is managed.
    """
    app.secrets = [Secret("batch-key", status="Unmanaged", is_new=True), Secret("other")]
    return app.secrets[0]


@pytest.mark.parametrize("written", [f"{VAULT}/secrets/batch-key", "kv-prod/batch-key", "batch-key"])
async def test_a_secret_is_put_under_management(app: SmallApp, secret: Secret, run: Command, written: str) -> None:
    """
    By its id, or by its name in a vault that the app knows; it shows how the secret stands then.
    """
    result = await run("manage", written, *OPTIONS, "--key", "secondary", "--strategy", "alternate")

    assert result.exit_code == 0
    (asked,) = app.asked("PUT", PLACE)
    assert asked.body == {"target": TARGET, "validityPeriodDays": 90, "key": "Secondary", "strategy": "Alternate"}
    assert asked.headers["X-Rotator"] == "1"
    assert result.stdout.startswith("UpToDate  kv-prod/batch-key\n")


async def test_what_is_not_asked_for_is_left_to_the_app(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    No key and no strategy is named; JSON is what the app answers.
    """
    code, document = await run.json("manage", "batch-key", *OPTIONS)

    assert (code, document["status"]) == (0, "UpToDate")
    assert app.asked("PUT", PLACE)[0].body == {"target": TARGET, "validityPeriodDays": 90}


async def test_a_secret_is_created_of_a_key_that_nobody_sees(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    The request asks for it, and what is shown is a record without a value.
    """
    result = await run("create", "kv-prod/made", *OPTIONS)
    again = await run("create", "kv-prod/made", *OPTIONS)

    assert (result.exit_code, again.exit_code) == (0, 0)
    asked = app.asked("PUT", "/api/secrets/kv-prod.vault.azure.net/made")
    assert asked[0].body == {"target": TARGET, "validityPeriodDays": 90, "create": True}
    assert result.stdout.startswith("UpToDate  kv-prod/made\n")


@pytest.mark.parametrize("written", ["nowhere/batch-key", "kv-prod/", "a b", "kv-prod/a/b"])
async def test_a_place_that_is_not_clear_is_refused(app: SmallApp, secret: Secret, run: Command, written: str) -> None:
    """
    Exit code 2, with the vaults that the app knows; nothing is written anywhere.
    """
    result = await run("create", written, *OPTIONS)

    assert result.exit_code == 2
    assert "does not say which secret of which vault is meant" in result.stderr
    assert "the app knows kv-prod" in result.stderr
    assert not app.asked("PUT", PLACE)


async def test_a_name_alone_stands_for_nothing_where_there_are_two_vaults(app: SmallApp, run: Command) -> None:
    """
    Also where only one of them has such a secret.
    """
    app.secrets = [Secret("one"), Secret("two", vault="https://kv-test.vault.azure.net")]

    result = await run("create", "made", *OPTIONS)

    assert result.exit_code == 2
    assert "the app knows kv-prod, kv-test" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "fields", "code", "remedy"),
    [
        (
            ["manage", "batch-key", *OPTIONS],
            {"status": "UpToDate", "target": "/x"},
            "already_managed",
            "rotator unmanage",
        ),
        (["manage", "batch-key", *OPTIONS], {"finds": ("Drift", "x")}, "drift", "a key of that target as it is now"),
        (["manage", "kv-prod/none", *OPTIONS], {}, "secret_not_found", "`rotator create`"),
        (["create", "kv-prod/deleted-1", *OPTIONS], {}, "name_deleted", "az keyvault secret recover"),
        (["manage", "batch-key", *OPTIONS[2:], "--target", "/elsewhere"], {}, "forbidden", "ROTATION_ALLOWED_SCOPES"),
    ],
)
async def test_what_the_app_refuses_is_told_with_the_next_step(
    app: SmallApp,
    secret: Secret,
    run: Command,
    arguments: list[str],
    fields: dict[str, Any],
    code: str,
    remedy: str,
) -> None:
    """
    Exit code 1, and the same as JSON on standard output.
    """
    for name, value in fields.items():
        setattr(secret, name, value)

    result = await run(*arguments)
    exit_code, document = await run.json(*arguments)

    assert (result.exit_code, exit_code, result.stdout) == (1, 1, "")
    first, second = result.stderr.splitlines()
    assert first.startswith(f"Error: {code}: ")
    assert remedy in second
    assert (document["error"]["code"], document["error"]["rotationId"]) == (code, None)
    assert remedy in document["error"]["remedy"]


@pytest.mark.parametrize(
    ("arguments", "body", "status"),
    [
        (["pause", "other"], {"paused": True}, "Paused"),
        (["resume", "other"], {"paused": False}, "UpToDate"),
        (["set", "other", "--validity-days", "60"], {"validityPeriodDays": 60}, "UpToDate"),
        (
            ["set", "other", "--strategy", "inplace", "--validity-days", "31", "--yes"],
            {"validityPeriodDays": 31, "strategy": "InPlace"},
            "UpToDate",
        ),
    ],
)
async def test_how_a_secret_is_managed_is_changed(
    app: SmallApp, secret: Secret, run: Command, arguments: list[str], body: dict[str, Any], status: str
) -> None:
    """
    Only what is named is sent; it shows how the secret stands then.
    """
    result = await run(*arguments)

    assert result.exit_code == 0
    (asked,) = app.asked("PATCH", "/api/secrets/kv-prod.vault.azure.net/other")
    assert (asked.body, asked.headers["X-Rotator"]) == (body, "1")
    assert result.stdout.startswith(f"{status}  kv-prod/other\n")


@pytest.mark.parametrize("answer", ["y\n", "n\n", ""])
@pytest.mark.parametrize(
    ("arguments", "method", "question"),
    [
        (["unmanage", "other"], "PATCH", "Nobody will rotate other any more."),
        (["set", "other", "--strategy", "InPlace"], "PATCH", "will lock its clients out until they read"),
        (["manage", "other", *OPTIONS, "--strategy", "InPlace"], "PUT", "will lock its clients out until they read"),
        (
            ["create", "kv-prod/x", *OPTIONS, "--strategy", "InPlace"],
            "PUT",
            "will lock its clients out until they read",
        ),
    ],
)
async def test_what_can_hurt_is_asked_first(
    app: SmallApp, secret: Secret, run: Command, arguments: list[str], method: str, question: str, answer: str
) -> None:
    """
    Without a yes, exit code 2 and nothing is sent.
    """
    result = await run(*arguments, answer=answer)

    assert question in result.stderr
    assert result.exit_code == (0 if answer == "y\n" else 2)
    assert bool([one for one in app.requests if one.method == method]) is (answer == "y\n")


async def test_a_secret_that_is_managed_no_more_is_told_so(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    The request takes the tags away.
    """
    result = await run("unmanage", "other", "--yes")

    assert (result.exit_code, result.stdout) == (
        0,
        "kv-prod/other is not managed any more; its value is as it was\n",
    )
    assert app.asked("PATCH", "/api/secrets/kv-prod.vault.azure.net/other")[0].body == {"managed": False}


async def test_a_secret_whose_key_waits_to_be_revoked_stays_managed(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    The error names the rotation that has to end first, also as JSON.
    """
    app.secrets[1].leaked = {"revocation": "77aa", "dueOn": None}

    result = await run("unmanage", "other", "--yes")
    _, document = await run.json("unmanage", "other", "--yes")

    assert result.exit_code == 1
    assert "revocation_pending: its key is to be revoked\n" in result.stderr
    assert "to its end, or cancel it, first" in result.stderr
    assert document["error"]["rotationId"] == "77aa"


@pytest.mark.parametrize("command", ["pause", "resume", "unmanage"])
async def test_a_target_that_is_being_rotated_is_busy(
    app: SmallApp, secret: Secret, run: Command, command: str
) -> None:
    """
    Exit code 1, and the rotation to watch before it is asked again.
    """
    record = app.begin(app.secrets[1])

    result = await run(command, "other", *(["--yes"] if command == "unmanage" else []))

    assert result.exit_code == 1
    assert f"`rotator watch {record['id']}` shows it; then ask again" in result.stderr


@pytest.mark.parametrize("arguments", [["pause", "other"], ["manage", "other", *OPTIONS]])
async def test_an_app_that_observes_changes_no_tag(
    app: SmallApp, secret: Secret, run: Command, arguments: list[str]
) -> None:
    """
    Exit code 1, with the setting that lets it.
    """
    app.observes = True

    result = await run(*arguments)

    assert result.exit_code == 1
    assert "observing: the app only observes\n" in result.stderr
    assert "ROTATION_MODE=rotate" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "other"], "say what to set"),
        (["set", "other", "--validity-days", "30"], "--validity-days"),
        (["set", "other", "--validity-days", "3651"], "--validity-days"),
        (["set", "other", "--strategy", "Both"], "--strategy"),
        (["manage", "batch-key", "--validity-days", "90"], "--target"),
        (["manage", "batch-key", "--target", TARGET], "--validity-days"),
        (["create"], "SECRET"),
    ],
)
async def test_what_cannot_be_set_is_refused_before_anything_is_sent(
    app: SmallApp, run: Command, arguments: list[str], said: str
) -> None:
    """
    Exit code 2.
    """
    result = await run(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr
    assert not app.requests


@pytest.mark.parametrize("status", [404, 405])
async def test_an_app_of_an_older_version_is_told_as_such(
    app: SmallApp, secret: Secret, run: Command, status: int
) -> None:
    """
    The address is right, and the call is not known there.
    """
    app.answers.append(Answer(status, ""))

    result = await run("manage", f"{VAULT}/secrets/batch-key", *OPTIONS)

    assert result.exit_code == 3
    assert f"does not know this call ({status})" in result.stderr
    assert "deploy the app in the version of this command line" in result.stderr


async def test_a_lost_answer_is_asked_for_again(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Managing twice is managing once, and so is every other change.
    """
    app.answers += [Answer(None), problem(503, "unavailable", "Key Vault throttles")]
    app.answers[1].headers["Retry-After"] = "0"

    result = await run("manage", f"{VAULT}/secrets/batch-key", *OPTIONS)

    assert result.exit_code == 0
    assert len(app.asked("PUT", PLACE)) == 3
