import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.functions_host.process import FunctionsHost, HostError
from localcloud.rotation_feed import ObservedRotation, RotationFeed, Step, StuckError

ROTATION = "0cca73ed-b22b-5161-b890-a99da0511610"


class NoHost(FunctionsHost):
    """
    A host that is there, or gone, as a test says.
    """

    is_gone = False

    @property
    def has_ended(self) -> bool:
        """
        Whether it is gone.
        """
        return self.is_gone


class Log:
    """
    A log that a host would write, and what a feed makes of it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.touch()
        self.host = NoHost(app=file.parent, environment={}, log=file)
        self.told: list[str] = []
        self.feed = RotationFeed(self.host, file, self._tell)

    def write(self, second: float, logger: str, message: str, **fields: Any) -> None:
        """
        Write a record, in two parts as a reader may find it.
        """
        time = f"2026-11-22T04:19:{40 + second:06.3f}Z"
        record = {"time": time, "level": "INFO", "logger": logger, "message": message, "invocationId": "i"} | fields
        line = json.dumps(record)
        for part in (line[:20], f"{line[20:]}\n"):
            with self.file.open("a") as log:
                log.write(part)

    def step(self, second: float, step: str, state: str = "Accepted", **fields: Any) -> None:
        """
        Write what the app says about a rotation.
        """
        message = f"rotation {ROTATION}: {step}"
        self.write(second, "rotation", message, rotation=ROTATION, step=step, state=state, **fields)

    def over(self) -> ObservedRotation | None:
        """
        Return the rotation when it is over.
        """
        return next((rotation for rotation in self.feed.rotations.values() if rotation.is_over), None)

    def _tell(self, rotation: ObservedRotation, step: Step) -> None:
        self.told.append(f"{step.after.total_seconds():.3f} {step.text}")


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    """
    Yield a log that is followed.
    """
    log = Log(tmp_path / "host.log")
    async with asyncio.timeout(30), log.feed:
        yield log


async def test_every_step_is_told_with_its_time(log: Log) -> None:
    """
    Of a rotation that an event started the clock starts when it is accepted; what is no record is passed over.
    """
    with log.file.open("a") as file:
        file.write("Traceback (most recent call last):\n")
    log.write(0, "handlers.events", f"rotation {ROTATION}: accepted (SecretNearExpiry)", rotation=ROTATION)
    log.step(0.2, "claimed", seconds=0.05, attempt="1")
    log.step(0.25, "inspected", seconds=0.1, key="Secondary")
    log.step(0.3, "ended", "Completed", seconds=None, reason="None")
    log.step(0.31, "announced", "Completed", seconds=None)
    log.write(0.32, "handlers.work", f"rotation {ROTATION}: Completed", rotation=ROTATION)
    log.write(0.33, "host.invocation", "Executed 'run_rotation' (Succeeded, Id=i, 296 ms)")

    rotation = await log.feed.until(log.over, what="end", seconds=30)

    assert (rotation.id, rotation.state) == (ROTATION, "Completed")
    assert log.told == [
        "0.000 accepted (SecretNearExpiry)",
        "0.200 claimed (attempt 1)",
        "0.250 inspected (key Secondary)",
        "0.300 ended (Completed)",
        "0.310 announced",
    ]


async def test_a_rotation_over_http_began_before_its_first_step(log: Log) -> None:
    """
    The app tells how long it had been at it.
    """
    log.step(1, "claimed", seconds=0.026, attempt="1")
    log.step(1.1, "ended without a claim", "Skipped", reason="paused")
    log.write(1.2, "host.invocation", "Executed 'create_rotation' (Succeeded, Id=i, 296 ms)")

    await log.feed.until(log.over, what="end", seconds=30)

    assert log.told == ["0.026 claimed (attempt 1)", "0.126 ended without a claim (Skipped, reason paused)"]


async def test_waiting_ends_with_what_was_missing(log: Log) -> None:
    """
    Nobody waits for ever.
    """
    log.step(1, "claimed")

    with pytest.raises(StuckError, match=r"no end of the rotation of batch-key within 0\.1 s"):
        await log.feed.until(log.over, what="end of the rotation of batch-key", seconds=0.1)


async def test_waiting_ends_with_the_host(log: Log) -> None:
    """
    There is nothing to come from a host that is gone.
    """
    log.host.is_gone = True

    with pytest.raises(HostError, match="has ended by itself, before there was any end"):
        await log.feed.until(log.over, what="end", seconds=30)
