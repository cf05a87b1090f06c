import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.functions_host.process import FunctionsHost, HostError
from localcloud.rotation_feed import ObservedRotation, RotationFeed, Step, StuckError
from localcloud.sentences import SENTENCES

ROOT = Path(__file__).parents[3]
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


async def test_every_step_is_a_sentence_with_its_time(log: Log) -> None:
    """
    Of a rotation that an event started the clock starts when it is accepted; what is no record is passed over.
    """
    noise: dict[str, Any] = {
        "trigger": "SecretNearExpiry",
        "provider": "Microsoft.Batch/batchAccounts",
        "duration": 0.05,
    }
    with log.file.open("a") as file:
        file.write("Traceback (most recent call last):\n")
    log.write(0, "handlers.events", f"rotation {ROTATION}: accepted (SecretNearExpiry)", rotation=ROTATION)
    log.step(0.2, "claimed", seconds=0.05, attempt="1", **noise)
    log.step(0.25, "inspected", seconds=0.1, key="Secondary", attempt=1, **noise)
    log.step(0.3, "ended", "Completed", seconds=None, outcome="Completed", reason="None", **noise)
    log.step(0.31, "announced", "Completed", seconds=None)
    log.step(0.32, "disabled a dead version", "Completed", version="8a27191ff574c80727127ee1a83e4089")
    log.write(0.33, "handlers.work", f"rotation {ROTATION}: Completed", rotation=ROTATION)
    log.write(0.34, "host.invocation", "Executed 'run_rotation' (Succeeded, Id=i, 296 ms)")

    rotation = await log.feed.until(log.over, what="end", seconds=30)

    assert (rotation.id, rotation.state) == (ROTATION, "Completed")
    assert log.told == [
        "0.000 accepted the near-expiry event: the rotation waits in the queue",
        "0.200 claimed the target: nothing else rotates it meanwhile",
        "0.250 looked at both keys and chose Secondary",
        "0.300 Completed",
        "0.310 published the completion event",
        "0.320 disabled the old version that holds the dead key",
    ]


async def test_a_rotation_over_http_began_before_its_first_step(log: Log) -> None:
    """
    The app logs how long it has been at it.
    """
    log.step(1, "claimed", seconds=0.026, attempt="1")
    log.step(1.1, "ended", "Skipped", reason="paused")
    log.write(1.2, "host.invocation", "Executed 'create_rotation' (Succeeded, Id=i, 296 ms)")

    await log.feed.until(log.over, what="end", seconds=30)

    assert log.told == [
        "0.026 claimed the target: nothing else rotates it meanwhile",
        "0.126 Skipped (reason: paused)",
    ]


async def test_a_step_without_a_sentence_is_told_in_its_own_words(log: Log) -> None:
    """
    With the facts that matter, and so is a known step that lacks what its sentence needs.
    """
    log.step(0, "claimed", seconds=0, attempt="2", trigger="Http")
    log.step(0.1, "looked again", attempt=2, duration=0.1, key="Primary", because="it is late", provider="Microsoft.X")
    log.step(0.2, "counted", attempt=2, counts={"Drifted": 1})
    log.step(0.25, "regenerated", attempt=2)
    log.step(0.3, "ended", "Failed", attempt=2, outcome="Failed", reason="exhausted")
    log.write(0.4, "host.invocation", "Executed 'run_rotation' (Succeeded, Id=i, 296 ms)")

    await log.feed.until(log.over, what="end", seconds=30)

    assert log.told == [
        "0.000 claimed the target: nothing else rotates it meanwhile (attempt 2)",
        "0.100 looked again (key Primary, because it is late, attempt 2)",
        "0.200 counted (counts {'Drifted': 1}, attempt 2)",
        "0.250 regenerated (attempt 2)",
        "0.300 Failed (attempt 2, reason: exhausted)",
    ]


async def test_warnings_and_errors_about_a_rotation_are_told(log: Log) -> None:
    """
    They have none of a step's fields, and a poisoned message has few.
    """
    log.step(0, "claimed", seconds=0)
    log.write(0.1, "rotation", f"rotation {ROTATION}: poisoned (message m)", level="WARNING", step="poisoned")
    warning = f"rotation {ROTATION}: its outcome waits to be published: the topic is away"
    log.write(0.2, "rotation.run.outcome", warning, level="WARNING")
    log.write(0.3, "rotation.run.outcome", f"rotation {ROTATION}: Failed (drift): no key fits", level="ERROR")
    log.write(0.4, "adapters.answers", "an answer is strange", level="WARNING")
    log.step(0.5, "announced", "Failed")
    log.write(0.6, "host.invocation", "Executed 'run_rotation' (Succeeded, Id=i, 296 ms)")

    await log.feed.until(log.over, what="end", seconds=30)

    assert log.told == [
        "0.000 claimed the target: nothing else rotates it meanwhile",
        "0.100 used up its retries",
        "0.200 its outcome waits to be published: the topic is away",
        "0.300 Failed (drift): no key fits",
        "0.500 published the failure event",
    ]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"secret": "https://kv.example/secrets/batch-key", "target": "/x/batchAccounts/renders"}, "batch-key"),
        ({"secret": None, "target": "/x/batchAccounts/renders"}, "renders"),
        ({}, None),
    ],
)
async def test_a_rotation_is_named_for_its_secret(log: Log, fields: dict[str, Any], name: str | None) -> None:
    """
    Or for its target where no secret is rotated; a later step without a name changes nothing.
    """
    log.step(0, "claimed", seconds=0, **fields)
    log.step(0.1, "ended", "Completed")
    log.write(0.2, "host.invocation", "Executed 'run_rotation' (Succeeded, Id=i, 296 ms)")

    rotation = await log.feed.until(log.over, what="end", seconds=30)

    assert rotation.subject == name


def test_every_step_that_the_app_logs_has_a_sentence() -> None:
    """
    Own words are for what this repository does not log.
    """
    call = re.compile(r'(?:\.say\(|\breport\([\w.]+, )"([^"]+)"')
    modules = [module for part in ("rotation", "handlers") for module in (ROOT / part).rglob("*.py")]
    logged = {step for module in modules for step in call.findall(module.read_text())}

    assert {"claimed", "inspected", "announced", "accepted"} <= logged <= SENTENCES.keys()
    # What says it with the event's type in it.
    assert '"rotation %s: accepted (%s)"' in (ROOT / "handlers/events.py").read_text()


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
