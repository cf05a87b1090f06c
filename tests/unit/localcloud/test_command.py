import asyncio
import os
import signal
from pathlib import Path

import pytest

from localcloud import command
from localcloud.functions_host.process import HostError


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Of a log that an error quotes, the last line is told: there is the reason.
    """

    async def fail(directory: Path) -> int:
        raise HostError(
            "the Functions host ended with exit code 1:\nsome line\nThe Functions host cannot start: no app\n"
        )

    assert command.run("demo", lambda: fail, interrupted=130) == 1
    expected = "demo: the Functions host ended with exit code 1: The Functions host cannot start: no app\n"
    assert capsys.readouterr().err == expected


def test_a_mistake_of_ours_is_not_hidden() -> None:
    """
    It keeps its traceback.
    """

    async def err(directory: Path) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command.run("demo", lambda: err, interrupted=130)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_it_cleanly(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    """
    What runs can clean up, and its directory goes.
    """
    directories: list[Path] = []
    existed: list[bool] = []

    def clean_up() -> None:
        existed.append(directories[0].exists())

    async def wait(directory: Path) -> int:
        directories.append(directory)
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            clean_up()
        return 0

    assert command.run("demo", lambda: wait, interrupted=130) == 130
    assert existed == [True]
    assert not directories[0].exists()
    assert capsys.readouterr().err == "\ndemo: stopped\n"
