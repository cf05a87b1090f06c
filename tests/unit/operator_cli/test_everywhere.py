"""
What holds for every command: JSON, exit codes, colours, completion, time zones.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from rotator.app import app as command_line
from rotator.errors import ExitCode
from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import Answer, problem
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import VAULT, Secret

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
# Enough for each command to be asked of an app.
ARGUMENTS = {
    "status": [],
    "show": ["batch-key"],
    "verify": ["batch-key"],
    "rotate": ["--all", "--yes"],
    "history": [],
    "leak": ["batch-key", "--yes"],
    "cancel": ["5c1f", "--yes"],
    "manage": [f"{VAULT}/secrets/x", "--target", "/x", "--validity-days", "90"],
    "create": [f"{VAULT}/secrets/x", "--target", "/x", "--validity-days", "90"],
    "pause": ["batch-key"],
    "resume": ["batch-key"],
    "set": ["batch-key", "--validity-days", "90"],
    "unmanage": ["batch-key", "--yes"],
    "health": [],
}


def commands() -> list[str]:
    """
    Return the names of all commands.
    """
    named = [one.name or getattr(one.callback, "__name__", "") for one in command_line.registered_commands]
    assert len(named) == len(set(named))
    return named


@pytest.mark.parametrize("command", sorted(ARGUMENTS))
async def test_an_error_is_one_json_object_on_standard_output(app: SmallApp, run: Command, command: str) -> None:
    """
    With code, detail, rotation, remedy and exit code; people read the same on standard error.
    """
    app.secrets = [Secret("batch-key")]
    app.answers.append(problem(503, "settings", "ROTATION_VAULTS is missing", rotationId="5c1f"))

    result = await run(command, *ARGUMENTS[command], "--json")

    assert result.exit_code == 3
    told = json.loads(result.stdout)["error"]
    assert (told["code"], told["detail"]) == ("settings", "ROTATION_VAULTS is missing")
    assert (told["rotationId"], told["exitCode"]) == ("5c1f", 3)
    assert "`rotator health`" in told["remedy"]
    assert "Error: settings: ROTATION_VAULTS is missing\n" in result.stderr


def test_every_command_is_tried() -> None:
    """
    `watch` shows several rotations and `doctor` all that is wrong, in documents of their own.
    """
    assert set(ARGUMENTS) | {"watch", "doctor"} == set(commands())


@pytest.mark.parametrize("flags", [["--json"], ["--output", "json"], ["--output=json"]])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
        (["cancel"], "ID"),
        (["leak", "batch-key", "--after", "soon"], "--after 'soon' is no duration"),
        (["status", "--url", "nowhere"], "the URL cannot be read"),
    ],
)
async def test_a_wrong_command_line_is_told_as_json_too(
    app: SmallApp, run: Command, arguments: list[str], said: str, flags: list[str]
) -> None:
    """
    Exit code 2, where the command finds the mistake and where the reader of its arguments does.
    """
    result = await run(*arguments, *flags)

    told = json.loads(result.stdout)["error"]
    assert (result.exit_code, told["code"], told["exitCode"], told["rotationId"]) == (2, "usage", 2, None)
    assert said in told["detail"]
    assert not app.requests


async def test_help_and_version_are_words_whatever_the_output(run: Command) -> None:
    """
    Nobody parses them.
    """
    result = await run("status", "--json", "--help")

    assert (result.exit_code, result.stdout.split()[0]) == (0, "Usage:")


async def test_what_nobody_agreed_to_is_told_as_json_too(app: SmallApp, run: Command) -> None:
    """
    The question stands on standard error.
    """
    app.secrets = [Secret("batch-key")]

    result = await run("rotate", "--all", "--json", answer="n\n")

    assert json.loads(result.stdout)["error"]["detail"] == "nothing was rotated"
    assert "Rotate 1 secret on 1 target? [y/N]" in result.stderr


def test_the_exit_codes_are_those_of_the_page() -> None:
    """
    Scripts rely on them.
    """
    section = PAGE.partition("\n## Exit codes\n")[2].partition("\n## ")[0]

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == list(ExitCode)


def test_every_command_is_on_the_page() -> None:
    """
    In a section of its own, or in that of its relatives.
    """
    headings = " ".join(re.findall(r"^## (.*)$", PAGE, re.MULTILINE))

    assert not [command for command in commands() if not re.search(rf"\b{command}\b", headings)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(shell: str) -> None:
    """
    As `rotator --install-completion` sets it up.
    """
    words = {"COMP_WORDS": "rotator un", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "rotator un"}
    variables = {"_ROTATOR_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **words}
    program = Path(sys.executable).parent / "rotator"

    told = subprocess.run(  # noqa: S603 - ours
        [program], env=os.environ | variables, capture_output=True, text=True, check=True
    )

    assert "unmanage" in told.stdout
    assert "status" not in told.stdout


@pytest.mark.parametrize(
    ("settings", "is_coloured"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)],
)
async def test_colours_are_for_terminals_and_can_be_switched_off(
    app: SmallApp, run: Command, settings: dict[str, str | None], is_coloured: bool
) -> None:
    """
    `NO_COLOR` counts, and a pipe has none.
    """
    app.secrets = [Secret("batch-key", status="Drifted", verified=("Drift", None))]

    result = await run("status", environment={"TERM": "xterm", **settings})

    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", result.stdout)) is is_coloured


async def test_times_are_those_of_this_machine(app: SmallApp, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With the time zone, and with how far they are from now; JSON has the API's own.
    """
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    app.secrets = [Secret("batch-key")]
    record = app.begin(app.secrets[0], looks=1)

    shown = await run("show", record["id"])
    listed = await run("history")
    _, document = await run.json("show", record["id"])

    assert "  started    2026-11-22 13:17:01 JST, " in shown.stdout
    assert re.search(r"\n\d+[dhm] ago +2026-11-22 13:17 ", listed.stdout) or "\nin " in listed.stdout
    assert document["startedOn"] == "2026-11-22T04:17:01Z"


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    "command", [["status"], ["history"], ["show", "batch-key"], ["doctor"], ["rotate", "--all", "--yes"]]
)
async def test_no_line_is_wider_than_the_terminal_but_for_an_id(
    app: SmallApp, run: Command, command: list[str], width: int
) -> None:
    """
    What has no room is left out or stands below, and ids stay whole, so that they can be copied.
    """
    app.secrets = [
        Secret("batch-key", status="Due", verified=("Live", None), ends=("Failed", "provider_refused")),
        Secret(
            "workflow-url-of-the-shop", status="Overdue", why="it has been due for two days", ends=("Skipped", "paused")
        ),
    ]
    for secret in app.secrets:
        app.begin(secret, looks=1, trigger="SecretNearExpiry", reason="a reason of some length, for the record")
    environment: dict[str, str | None] = {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": str(width), "LINES": "50"}

    result = await run(*command, environment=environment)

    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in result.stdout.splitlines()]
    wide = [line for line in lines if len(line) > width]
    assert lines
    assert not [line for line in wide if "  -> " not in line and "/providers/" not in line]


async def test_an_answer_that_is_no_json_is_an_error_as_json(app: SmallApp, run: Command) -> None:
    """
    Also where the app is not what answers.
    """
    app.answers.append(Answer(404, "<html>"))

    code, document = await run.json("status")

    assert (code, document["error"]["code"]) == (3, "unreachable")


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{path.relative_to(ROOT / 'docs')}" for path in (ROOT / "docs").rglob("*.md"))]
)
def test_a_page_names_commands_and_options_that_there_are(page: str) -> None:
    """
    In a sentence as in a block: people copy from both.
    """
    group = get_command(command_line)
    assert isinstance(group, TyperGroup)
    text = (ROOT / page).read_text(encoding="utf-8")
    for command, arguments in re.findall(r"(?:`|^ {4}(?:\$ )?)rotator ([a-z]+)([^`\n|#$]*)", text, re.MULTILINE):
        known = {option for one in group.commands[command].params for option in (*one.opts, *one.secondary_opts)}
        assert set(re.findall(r"(?<= )--[\w-]+", arguments)) - known == set(), command
