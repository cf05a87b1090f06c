import asyncio
import json
import os
import pty
import select
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.unit.operator_cli.conftest import NOT_SET
from tests.unit.operator_cli.small_app import FOREVER, SmallApp
from tests.unit.operator_cli.small_records import Secret, batch_account

ROOT = Path(__file__).parents[3]
PATIENCE = 30  # seconds


@asynccontextmanager
async def command(
    app: SmallApp,
    *arguments: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stderr: int = asyncio.subprocess.PIPE,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """
    Yield the command line in a process of its own.
    """
    environment = {name: value for name, value in os.environ.items() if name not in NOT_SET}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "rotator", *arguments),
        cwd=ROOT,
        env=environment
        | {"KEY_ROTATOR_URL": app.url, "KEY_ROTATOR_FUNCTION_KEY": app.function_key, "TERM": "xterm", "COLUMNS": "100"}
        | dict(settings or {}),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def told(process: asyncio.subprocess.Process, text: str) -> None:
    """
    Read standard error up to the next line with a text.
    """
    assert process.stderr
    while text not in (line := (await process.stderr.readline()).decode()):
        assert line, f"it ended without telling {text!r}"


async def outcome(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """
    Return exit code, standard output and standard error.
    """
    stdout, stderr = await process.communicate()
    return process.returncode, stdout.decode(), (stderr or b"").decode()


async def test_an_interruption_says_how_to_watch_what_goes_on(app: SmallApp) -> None:
    """
    Ctrl-C ends the command, not the rotations: those that run, and those that were not asked for, are told.
    """
    app.looks = FOREVER
    app.secrets = [Secret("one"), Secret("two"), Secret("three", target=batch_account("other"))]

    async with command(app, "rotate", "--all", "--yes") as process:
        await told(process, "Accepted")
        await told(process, "Accepted")
        process.send_signal(signal.SIGINT)
        code, stdout, stderr = await outcome(process)

    assert (code, stdout) == (130, "")
    assert "stopped\n2 rotations will go on in the app without this command. To watch:\n" in stderr
    watch = next(line for line in stderr.splitlines() if line.startswith("  rotator watch "))
    assert set(watch.split()[2:]) == set(app.rotations)
    assert stderr.endswith("1 rotation had not been asked for\n")


async def test_an_interruption_before_an_answer_says_that_nothing_is_certain(app: SmallApp) -> None:
    """
    The app may have read the request.
    """
    app.is_silent = True
    async with command(app, "rotate", Secret("one").id) as process:
        await app.arrived.wait()
        process.send_signal(signal.SIGINT)
        code, stdout, stderr = await outcome(process)

    assert (code, stdout) == (130, "")
    assert stderr == (
        "\nstopped\n1 request had no answer yet and may still be carried out. To see:\n  rotator history --since 10m\n"
    )


async def test_an_interruption_while_reading_has_nothing_to_tell(app: SmallApp) -> None:
    """
    One line, no traceback.
    """
    app.is_silent = True
    async with command(app, "status") as process:
        await app.arrived.wait()
        process.send_signal(signal.SIGINT)
        assert await outcome(process) == (130, "", "\nstopped\n")


async def test_an_interruption_is_an_error_as_json_with_what_goes_on(app: SmallApp) -> None:
    """
    A script can watch it further.
    """
    app.looks = FOREVER
    app.secrets = [Secret("one")]

    async with command(app, "rotate", "one", "--json") as process:
        await told(process, "Accepted")
        process.send_signal(signal.SIGINT)
        code, stdout, _ = await outcome(process)

    error = json.loads(stdout)["error"]
    assert (code, error["code"], error["exitCode"]) == (130, "interrupted", 130)
    assert error["rotations"] == list(app.rotations)


async def test_an_interruption_of_a_leak_says_how_to_follow_it(app: SmallApp) -> None:
    """
    The secrets move on, and the key dies.
    """
    app.moves_after = FOREVER
    app.secrets = [Secret("one"), Secret("two")]

    async with command(app, "leak", "one", "--yes") as process:
        await told(process, "waiting until they have moved: kv-prod/two")
        process.send_signal(signal.SIGINT)
        code, stdout, stderr = await outcome(process)

    (revocation,) = [one["id"] for one in app.rotations.values() if one["secret"] is None]
    assert (code, stdout) == (130, "")
    assert f"it goes on in the app without this command. To follow it:\n  rotator watch {revocation}\n" in stderr


async def test_an_interruption_is_no_answer_to_a_question(app: SmallApp) -> None:
    """
    Exit code 130, and nothing was sent.
    """
    app.secrets = [Secret("one")]
    terminal, end = pty.openpty()
    try:
        async with command(app, "unmanage", "one", stdin=end) as process:
            assert process.stderr
            await process.stderr.readuntil(b"[y/N]: ")
            process.send_signal(signal.SIGINT)
            code, stdout, stderr = await outcome(process)
    finally:
        os.close(end)
        os.close(terminal)

    assert (code, stdout) == (130, "")
    assert stderr.endswith("\nstopped\n")
    assert not app.requests


async def test_an_interruption_while_az_looks_is_one_too(app: SmallApp, tmp_path: Path) -> None:
    """
    No traceback of another program's.
    """
    az, begun = tmp_path / "az", tmp_path / "begun"
    # Not before the process that started it knows that it runs.
    az.write_text(f"#!/bin/sh\nsleep 0.3\ntouch {begun}\nexec sleep 30\n")
    az.chmod(0o755)
    names = {"KEY_ROTATOR_APP": "a", "KEY_ROTATOR_RESOURCE_GROUP": "g", "KEY_ROTATOR_FUNCTION_KEY": ""}
    names["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    async with command(app, "status", "--auth", "key", settings=names) as process:
        while not begun.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        code, stdout, stderr = await outcome(process)

    assert (code, stdout) == (130, "")
    assert "Traceback" not in stderr
    assert not app.requests


async def test_an_app_that_restarts_loses_no_rotation_that_is_watched(app: SmallApp) -> None:
    """
    An address that has answered before is asked again.
    """
    app.secrets = [Secret("batch-key")]
    app.looks = FOREVER
    record = app.begin(app.secrets[0])
    async with command(app, "watch", record["id"]) as process:
        await app.watched.wait()
        await app.stop()
        await told(process, "asking again")
        app.finish(record["id"])
        await app.start()
        code, stdout, _ = await outcome(process)

    assert code == 0
    assert stdout.startswith("Completed  kv-prod/batch-key\n")


async def test_a_terminal_shows_progress_that_moves_and_results_stay_apart(app: SmallApp) -> None:
    """
    Standard error draws and wipes what it has drawn, standard output holds nothing but the document.
    """
    app.secrets = [Secret("one"), Secret("two", target=batch_account("other"))]
    app.looks = FOREVER
    terminal, end = pty.openpty()
    drawn = bytearray()
    loop = asyncio.get_running_loop()

    def read() -> None:
        drawn.extend(os.read(terminal, 65_536))
        # They end once a person has seen them run.
        if b"kv-prod/one: Regenerating" in drawn:
            app.looks = 1
            for rotation_id, record in app.rotations.items():
                if record["state"] == "Regenerating":
                    app.finish(rotation_id)

    loop.add_reader(terminal, read)
    try:
        async with command(app, "rotate", "--all", "--yes", "--json", stderr=end) as process:
            code, stdout, _ = await outcome(process)
        while select.select([terminal], [], [], 0)[0]:
            read()
    finally:
        loop.remove_reader(terminal)
        os.close(end)
        os.close(terminal)

    assert code == 0
    assert {record["id"] for record in json.loads(stdout)["rotations"]} == set(app.rotations)
    shown = drawn.decode()
    assert "reading the vaults" in shown
    assert "kv-prod/one: Regenerating" in shown
    assert "kv-prod/two: Completed (Primary -> Secondary)" in shown.replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert "\x1b[1A\x1b[2K" in shown
    assert "\x1b" not in stdout


async def test_a_pipe_gets_every_row_in_one_line(app: SmallApp) -> None:
    """
    However long, and without colours.
    """
    app.secrets = [Secret("one", status="Misconfigured", why="this is why " * 30)]
    async with command(app, "status") as process:
        _, stdout, _ = await outcome(process)

    assert len(stdout.splitlines()) == 2
    assert ("this is why " * 30).strip() in stdout
    assert "\x1b" not in stdout


async def test_help_names_every_command_and_the_exit_codes(app: SmallApp) -> None:
    """
    As `rotator` says it, which needs no app.
    """
    async with command(app, "--help") as process:
        code, stdout, stderr = await outcome(process)

    assert (code, stderr) == (0, "")
    assert stdout.startswith("Usage: rotator [OPTIONS] COMMAND [ARGS]...")
    for name in ("rotate", "status", "verify", "watch", "history", "show", "health"):
        assert f"\n  {name} " in stdout
    assert "3 the app cannot be reached" in " ".join(stdout.split())
    assert not app.requests
