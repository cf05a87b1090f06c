import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.playground import COMMAND
from tests.e2e.test_demo import PATIENCE, ROOT, SETTINGS

READY = "Ctrl-C ends it"
PASTED = re.compile(r"export .*KEY_ROTATOR_URL=(\S+) KEY_ROTATOR_FUNCTION_KEY=(\S+)( |$)")


class Run:
    """
    One run of `make start`, as far as Python has to do with it, and the lines that it has printed.
    """

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self.process = process
        self.lines: list[str] = []
        self._directory = directory

    def read(self, text: str) -> str:
        """
        Read up to the first line with a text, and return that line.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return self.lines[-1]
        raise AssertionError(f"it has ended without {text!r}: {self.lines}")

    @property
    def pasted(self) -> str:
        """
        The line to paste.
        """
        return next(line for line in self.lines if PASTED.search(line))

    @property
    def address(self) -> tuple[str, str]:
        """
        The app's URL and the function key.
        """
        found = PASTED.search(self.pasted)
        assert found
        return found[1], found[2]

    def secrets(self) -> dict[str, Any]:
        """
        Return what the app shows of its secrets, by their names.
        """
        return {item["secret"]["name"]: item for item in self.request("GET", "secrets")["secrets"]}

    def request(self, method: str, path: str, **body: Any) -> Any:
        """
        Return what the API answers; to a body it answers before the rotation has begun.
        """
        url, key = self.address
        headers = {"x-functions-key": key, "Prefer": "respond-async"}
        return httpx.request(method, f"{url}/api/{path}", headers=headers, json=body or None, timeout=PATIENCE).json()

    def shell(self, *commands: str) -> "subprocess.CompletedProcess[str]":
        """
        Run commands in another terminal, in another folder.
        """
        return subprocess.run(
            ["/bin/sh"],
            input="\n".join(commands),
            cwd=self._directory.parent,
            env=SETTINGS,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def processes(self) -> list[str]:
        """
        Return every process that has this run's environment, where the system tells.
        """
        mark = f"TMPDIR={self._directory}".encode()
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):  # It has ended, or is somebody else's.
                if mark in environment.read_bytes().split(b"\0"):
                    found.append(environment.parent.name)
        return found

    def press_ctrl_c(self) -> tuple[int, str]:
        """
        Send what a terminal sends, to the whole group; return the exit code and what was said after that.
        """
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.stderr is not None
        return self.process.wait(PATIENCE), self.process.stderr.read()


@contextmanager
def start(kept_in: Path, directory: Path, patience: float = PATIENCE, **settings: str) -> Iterator[Run]:
    """
    Yield a run that keeps its port and keys in one folder, and what is temporary in another, for so many seconds.
    """
    directory.mkdir()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "localcloud.start"],
        cwd=ROOT,
        env=SETTINGS | {"TMPDIR": str(directory), "LOCAL_FOLDER": str(kept_in)} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        watchdog = threading.Timer(patience, process.kill)
        watchdog.start()
        try:
            yield Run(process, directory)
        finally:
            watchdog.cancel()
            process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Return where all runs keep their port and keys.
    """
    return tmp_path_factory.mktemp("start")


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    """
    Yield a run that has planted what it plants, for all tests.
    """
    with start(folder, folder / "first") as run:
        run.read(READY)
        yield run


def test_secrets_that_need_a_person_are_planted(run: Run) -> None:
    """
    The app shows each with its status, and the screen where the runbook helps; the others are healthy.
    """
    items = run.secrets()

    assert {name: item["status"] for name, item in items.items()} == {
        "render-key": "Drifted",
        "search-key": "Overdue",
        "archive-key": "NearlyManaged",
        "report-key": "Misconfigured",
        "partner-key": "Paused",
        "partner-key-nightly": "UpToDate",
        **dict.fromkeys(("batch-key", "workflow-url", "storage-connection", "openai-key"), "Due"),
    }
    failed = {name: item["lastRotation"]["error"] for name, item in items.items() if item["lastRotation"]}
    assert failed == {"search-key": "provider_refused", "partner-key-nightly": None}
    leaked = {name: item["leakedKey"] for name, item in items.items() if item["leakedKey"]}
    assert list(leaked) == ["partner-key"]
    assert leaked["partner-key"]["dueOn"] is not None

    shown = run.lines[run.lines.index("Secrets that need a person are planted now, which takes six seconds.") :]
    assert len(shown) <= 12
    assert all(len(line) <= 80 for line in shown)
    for secret in ("render-key", "search-key", "archive-key", "report-key", "partner-key"):
        (line,) = (line for line in shown if line.split()[:1] == [secret])
        assert (ROOT / f"docs/how-to/{line.split()[-1]}.md").exists(), line


def test_one_line_makes_the_command_line_work(run: Run) -> None:
    """
    Pasted into a terminal somewhere else, it lets `status` show what needs a person, with the reason.
    """
    status = run.shell(run.pasted, f"{COMMAND} status")

    assert (status.returncode, status.stdout.count("/render-key")) == (0, 1), status.stderr
    for words in ("Drifted", "Failed (provider_refused)", "must be named ProviderAddress", "leaked: it dies"):
        assert words in status.stdout


def test_a_run_beside_another_one_says_that_it_takes_another_port(run: Run, folder: Path) -> None:
    """
    In its first line, before anything is started.
    """
    with start(folder, folder / "beside") as other:
        note = other.read("Another `make start`")
        ended = other.press_ctrl_c()

    assert ended == (0, "\nstart: stopped\n")
    assert [note] == other.lines
    taken = re.search(r"this one takes port (\d+)\.$", note)
    assert taken
    assert not run.address[0].endswith(f":{taken[1]}")


def test_the_suggested_commands_and_the_runbook_work(run: Run) -> None:
    """
    They rotate three secrets, let one drift, and mend what was planted; what happens is shown.
    """
    suggested = [line for line in run.lines if line.startswith(("curl", "echo", "token=", f"{COMMAND} "))]
    assert len(suggested) == 8

    shell = run.shell(run.pasted, "set -e", *suggested)

    assert shell.returncode == 0, shell.stderr
    assert "Completed  localhost" in shell.stdout
    assert sorted(re.findall(r"/([\w-]+) .* Drifted ", shell.stdout)) == ["render-key", "storage-connection"]

    # The sweep tries what has failed again.
    rotated, drifted_now = {"batch-key", "openai-key", "workflow-url", "search-key"}, {"storage-connection"}
    told, needy = set(), set()
    for line in run.process.stdout or ():
        told |= set(re.findall(r"^   (\S+) .*the secret now holds", line))
        needy |= set(re.findall(r"^   (\S+) .*a subscriber was told that the secret is Drifted and needs", line))
        if told >= rotated and needy:
            break
    # What its pause held back may be moved by a timer, too.
    assert (told - {"partner-key"}, needy) == (rotated, drifted_now)

    forced = f"{COMMAND} rotate render-key storage-connection --force --yes"
    mended = run.shell(run.pasted, "set -e", f"{forced} &", f"{COMMAND} rotate partner-key archive-key", "wait $!")
    corrected = run.shell(run.pasted, f"{COMMAND} set report-key --validity-days 90")
    (doctor,) = [line for line in run.lines if f" {COMMAND} doctor " in line]
    examined = run.shell(run.pasted, doctor)

    assert (mended.returncode, corrected.returncode) == (0, 0), mended.stderr + corrected.stderr
    assert (examined.returncode, examined.stderr) == (0, "no fault found\n"), examined.stdout
    assert {item["status"] for item in run.secrets().values()} == {"UpToDate"}
    assert not any(item["leakedKey"] for item in run.secrets().values())


def test_ctrl_c_leaves_nothing_and_the_next_run_has_the_same_address(run: Run, folder: Path) -> None:
    """
    Port and function key are kept, for their owner alone; no process and no temporary file is.
    """
    before = run.processes()
    ended = run.press_ctrl_c()

    assert ended == (0, "\nstart: stopped\n")
    assert (len(before), run.processes()) == (3 if Path("/proc/self/environ").exists() else 0, [])
    assert list((folder / "first").iterdir()) == []
    assert (folder / "start.json").stat().st_mode & 0o777 == 0o600
    with start(folder, folder / "second") as again:
        again.read(shlex.split(run.pasted)[-1])
        assert again.address == run.address
        assert again.press_ctrl_c() == (0, "\nstart: stopped\n")
        assert again.processes() == []


def test_it_runs_with_a_sign_in_as_well(tmp_path: Path) -> None:
    """
    No function key is shown; the line to paste signs the operator in, and what is suggested works.
    """
    with start(tmp_path / "kept", tmp_path / "entra", ROTATION_AUTHENTICATION="entra") as run:
        run.read(READY)
        (pasted,) = [line for line in run.lines if "export " in line and "KEY_ROTATOR_URL=" in line]
        (doctor,) = [line for line in run.lines if f" {COMMAND} doctor " in line]
        (sweep,) = [line for line in run.lines if "sweep_vaults" in line]
        token = run.lines[run.lines.index(sweep) - 1]
        (sign_in,) = [line for line in run.lines if "/.auth/login/aad" in line]

        shell = run.shell(pasted, "set -e", f"{COMMAND} rotate batch-key", f"{COMMAND} status", token, sweep)
        examined = run.shell(pasted, doctor)
        ended = run.press_ctrl_c()

    assert "KEY_ROTATOR_FUNCTION_KEY" not in pasted
    assert "ada@rotator.example (Rotations.Operate)" in sign_in
    assert shell.returncode == 0, shell.stderr
    assert "Completed  localhost" in shell.stdout
    assert "its sign-in lets the events of Event Grid through, and callers who may call" in examined.stdout
    assert ended == (0, "\nstart: stopped\n")
