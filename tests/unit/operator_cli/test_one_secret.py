from datetime import timedelta
from typing import Any

import pytest

from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import problem
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import VAULT, Secret, batch_account

PLACE = "/api/secrets/kv-prod.vault.azure.net/batch-key"
ROTATION = "0b112d10-c79f-56c4-a589-e94e094e8418"


def neighbour(name: str, tag: str | None, held: str | None, **more: Any) -> dict[str, Any]:
    """
    Return a secret of the same target as the app tells it.
    """
    told = {"secret": {"vault": VAULT, "name": name}, "keyName": tag, "heldKey": held, "status": "UpToDate"}
    return told | {"verified": None} | more


@pytest.fixture
def secret(app: SmallApp) -> Secret:
    """
    Return a secret that is well, of a target that it shares with four others.
    """
    live = {"on": "2026-11-22T03:00:00Z", "result": "Live", "why": None}
    app.secrets = [
        Secret(
            "batch-key",
            verified=("Live", None),
            held="Primary",
            next_rotation=timedelta(days=30, hours=1),
            last={"id": ROTATION, "state": "Completed", "completedOn": "2026-11-20T01:02:03Z", "error": None},
            neighbours=[
                neighbour("same", "Secondary", "Secondary", verified=live),
                neighbour("liar", "Primary", "Secondary", verified=live),
                neighbour("unseen", "Primary", None),
                neighbour("moved", None, None, status=None),
            ],
        )
    ]
    return app.secrets[0]


@pytest.mark.parametrize("written", ["batch-key", "kv-prod/batch-key", f"{VAULT}/secrets/batch-key/{'a' * 32}"])
async def test_show_tells_everything_about_a_secret(app: SmallApp, secret: Secret, run: Command, written: str) -> None:
    """
    By its name or its id: what was seen, what is next, and the others of its target.
    """
    result = await run("show", written)

    assert result.exit_code == 0
    block, _, others = result.stdout.partition("\n\n")
    lines = block.splitlines()
    assert lines[:4] == [
        "UpToDate  kv-prod/batch-key",
        f"  secret     {secret.id}",
        f"  target     {batch_account('mybatch')}",
        "  key        Primary",
    ]
    assert lines[4].startswith("  verified   Live 2h ago, ")
    assert lines[5].endswith(", in 60 days")
    assert lines[6].startswith("  next       ")
    assert lines[6].endswith(", in 30 days")
    assert lines[7] == f"  last       Completed 2026-11-20, rotation {ROTATION}"
    rows = [[cell for cell in map(str.strip, line.split("  ")) if cell] for line in others.splitlines()]
    assert [row[:2] for row in rows] == [
        ["shares the target", "key"],
        ["kv-prod/same", "Secondary"],
        ["kv-prod/liar", "Secondary (tag: Primary)"],
        ["kv-prod/unseen", "- (tag: Primary)"],
        ["kv-prod/moved", "-"],
    ]


async def test_show_as_json_is_what_the_app_has_told(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    With every member, and with one request where the id is given.
    """
    code, document = await run.json("show", secret.id)

    assert (code, document["heldKey"], len(document["neighbours"])) == (0, "Primary", 4)
    assert [one.path for one in app.requests] == [PLACE]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"next_rotation": None}, "next       never by itself, as it stands"),
        ({"next_rotation": timedelta()}, "next       due: the next sweep asks for it"),
        ({"held": None, "verified": None}, "key        - (tag: Primary)"),
        ({"held": None, "verified": None}, "verified   never, since its current version was stored"),
        ({"held": "Secondary"}, "key        Secondary (tag: Primary)"),
        ({"key": "", "held": "Secondary"}, "key        Secondary (no tag)"),
        ({"status": "Drifted", "why": "it holds neither key"}, "why        it holds neither key"),
        ({"verified": ("Refused", "403 AuthorizationFailed")}, "why        Refused: 403 AuthorizationFailed"),
    ],
)
async def test_a_claim_is_never_shown_as_what_was_seen(
    app: SmallApp, secret: Secret, run: Command, told: dict[str, Any], said: str
) -> None:
    """
    What the tag says stands in brackets; what is not known is said to be so.
    """
    for member, value in told.items():
        setattr(secret, member, value)

    result = await run("show", "batch-key")

    assert f"  {said}\n" in result.stdout


async def test_show_takes_a_secret_that_only_looks_managed(app: SmallApp, run: Command) -> None:
    """
    It says which tag is wrong, and nothing of a key.
    """
    app.secrets = [Secret("typo", status="NearlyManaged", why="its tag must be named", target="", key="", days=None)]

    result = await run("show", "typo")

    assert result.exit_code == 0
    assert result.stdout.startswith("NearlyManaged  kv-prod/typo\n")
    assert "  why        its tag must be named\n" in result.stdout
    assert "\n  key " not in result.stdout


async def test_no_line_of_a_secret_is_wider_than_80_columns_but_for_an_id(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    On a terminal.
    """
    terminal: dict[str, str | None] = {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "80", "LINES": "50"}

    result = await run("show", "batch-key", environment=terminal)

    wide = [line.split()[0] for line in result.stdout.splitlines() if len(line) > 80]
    assert set(wide) <= {"target"}
    assert "shares the target" in result.stdout


@pytest.mark.parametrize("command", ["show", "verify"])
@pytest.mark.parametrize("written", ["nothing", "kv-prod/nothing"])
async def test_a_secret_that_is_not_there_is_an_error(
    app: SmallApp, secret: Secret, run: Command, command: str, written: str
) -> None:
    """
    Exit code 2, without a look through the vaults.
    """
    result = await run(command, written)

    assert result.exit_code == 2
    assert f"the app manages no secret called {written!r}" in result.stderr
    assert not [one for one in app.requests if "refresh" in one.query]


@pytest.mark.parametrize("command", ["show", "verify"])
async def test_an_id_that_the_app_does_not_know_is_told_with_its_words(
    app: SmallApp, secret: Secret, run: Command, command: str
) -> None:
    """
    And with where to look.
    """
    unknown = await run(command, f"{VAULT}/secrets/nothing")
    unreadable = await run(command, "https://kv-prod.vault.azure.net/keys/one")

    assert unknown.exit_code == 1
    assert "secret_not_found: there is no secret nothing" in unknown.stderr
    assert "`rotator status` lists the managed secrets" in unknown.stderr
    assert unreadable.exit_code == 2
    assert "it must look like https://my-vault.vault.azure.net/secrets/name" in unreadable.stderr


@pytest.mark.parametrize("command", ["show", "verify"])
async def test_a_name_of_two_secrets_stands_for_neither(app: SmallApp, run: Command, command: str) -> None:
    """
    Both ids are told.
    """
    app.secrets = [Secret("key"), Secret("key", vault="https://kv-test.vault.azure.net")]

    result = await run(command, "key")

    assert result.exit_code == 2
    assert all(secret.id in result.stderr for secret in app.secrets)


@pytest.mark.parametrize("written", [ROTATION, ROTATION.upper(), ROTATION[:-1], ROTATION.replace("-", "")])
async def test_what_looks_like_the_id_of_a_rotation_is_one(app: SmallApp, run: Command, written: str) -> None:
    """
    Also where a piece of it is missing: nobody calls a secret that.
    """
    result = await run("show", written)

    assert result.exit_code == 2
    assert "rotation_not_found" in result.stderr
    assert app.requests[0].path == f"/api/rotations/{written}"


async def test_verify_compares_one_secret_and_shows_how_it_stands(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    A live key: exit code 0.
    """
    secret.verified = None

    result = await run("verify", "batch-key")

    assert result.exit_code == 0
    assert result.stdout.startswith("UpToDate  kv-prod/batch-key\n")
    assert "  verified   Live " in result.stdout
    assert len(app.asked("POST", f"{PLACE}/verify")) == 1


@pytest.mark.parametrize(
    "finds", [("Drift", "neither key"), ("TargetMissing", "404"), ("Refused", "403"), ("Unreachable", "503"), None]
)
async def test_verify_fails_where_nobody_saw_a_live_key(
    app: SmallApp, secret: Secret, run: Command, finds: tuple[str, str] | None
) -> None:
    """
    Exit code 1 and the result, also as JSON.
    """
    secret.finds = finds

    result, (code, document) = await run("verify", secret.id), await run.json("verify", secret.id)

    assert (result.exit_code, code) == (1, 1)
    assert (document["verified"] and document["verified"]["result"]) == (finds and finds[0])


async def test_verify_of_a_target_that_is_being_rotated_says_which_rotation_to_watch(
    app: SmallApp, secret: Secret, run: Command
) -> None:
    """
    Exit code 1; nothing on standard output.
    """
    record = app.begin(secret)

    result = await run("verify", "batch-key")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "busy: another rotation is running" in result.stderr
    assert f"`rotator watch {record['id']}`" in result.stderr


async def test_verify_waits_while_the_app_is_busy(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    It may be sent again: it changes nothing.
    """
    busy = problem(503, "unavailable", "rotations need all")
    busy.headers["Retry-After"] = "0"
    app.answers.append(busy)

    result = await run("verify", secret.id)

    assert result.exit_code == 0
    assert len(app.asked("POST", f"{PLACE}/verify")) == 2
