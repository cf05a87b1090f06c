"""
Rotations as they happen, read from the log of the Functions host.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from localcloud.functions_host.process import FunctionsHost, HostError
from localcloud.running import Running, cancel

_POLL = 0.02  # seconds
_ENDS = frozenset({"Completed", "Failed", "Skipped"})
# What every record has; the rest of a step's fields are facts about it.
_KNOWN = {"time", "level", "logger", "message", "function", "invocationId"}
_KNOWN |= {"rotation", "step", "state", "target", "secret", "seconds"}

Found = TypeVar("Found")


@dataclass(frozen=True)
class Step:
    """
    Something that a rotation has come past.
    """

    text: str
    after: timedelta
    """Time since the rotation began: when it was accepted, for one that an event started."""


@dataclass(eq=False)
class ObservedRotation:
    """
    One rotation, as far as it has got.
    """

    id: str
    began: datetime
    steps: list[Step] = field(default_factory=list)
    state: str = "Accepted"
    is_over: bool = False
    """It has ended, and so has the function that ended it: there is nothing more to come."""


class StuckError(Exception):
    """
    What was waited for did not happen in time.
    """


class RotationFeed(Running):
    """
    Follows the log of a host while its context is open. `tell` is called for every step, in order.
    """

    def __init__(self, host: FunctionsHost, log: Path, tell: Callable[[ObservedRotation, Step], None]) -> None:
        self.rotations: dict[str, ObservedRotation] = {}
        self._host = host
        self._log = log
        self._tell = tell
        self._ended_in: dict[str, list[ObservedRotation]] = {}
        self._changed = asyncio.Condition()

    async def _start(self, running: AsyncExitStack) -> None:
        running.push_async_callback(cancel, asyncio.create_task(self._follow()))

    async def until(self, find: Callable[[], Found | None], *, what: str, seconds: float | None) -> Found:
        """
        Return what `find` returns as soon as that is something.

        Raises `StuckError`, which names `what` was missing, after so many seconds, and `HostError` if the host is gone.
        """
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: find() is not None or self._host.has_ended)
        except TimeoutError:
            raise StuckError(f"no {what} within {seconds} s") from None
        found = find()
        if found is None:
            raise HostError(f"the Functions host has ended by itself, before there was any {what}")
        return found

    def take(self, record: dict[str, Any]) -> None:
        """
        Take in one record of the log.
        """
        if record["logger"] == "host.invocation" and record["message"].startswith("Executed"):
            for over in self._ended_in.pop(record["invocationId"], ()):
                over.is_over = True
        if "rotation" not in record or ("step" not in record and record["rotation"] in self.rotations):
            return
        time = datetime.fromisoformat(record["time"])
        rotation = self.rotations.get(record["rotation"])
        if rotation is None:
            rotation = ObservedRotation(record["rotation"], time - timedelta(seconds=record.get("seconds") or 0))
            self.rotations[rotation.id] = rotation
        step = Step(_text_of(record), time - rotation.began)
        rotation.steps.append(step)
        rotation.state = record.get("state", rotation.state)
        if rotation.state in _ENDS and not rotation.is_over and "invocationId" in record:
            self._ended_in.setdefault(record["invocationId"], []).append(rotation)
        self._tell(rotation, step)

    async def _follow(self) -> None:
        with self._log.open("rb") as log:
            line = b""
            while True:
                while part := log.readline():
                    line += part
                    if line.endswith(b"\n"):
                        self._take_line(line)
                        line = b""
                async with self._changed:
                    self._changed.notify_all()
                await asyncio.sleep(_POLL)

    def _take_line(self, line: bytes) -> None:
        try:
            record = json.loads(line)
        except ValueError:
            return  # The interpreter's or a library's own word.
        if isinstance(record, dict) and "logger" in record:
            self.take(record)


def _text_of(record: dict[str, Any]) -> str:
    if "step" not in record:
        return str(record["message"]).removeprefix(f"rotation {record['rotation']}: ")
    facts = [f"{name} {fact}" for name, fact in record.items() if name not in _KNOWN and fact not in {None, "None"}]
    if record["state"] in _ENDS and record["step"].startswith("ended"):
        facts.insert(0, record["state"])
    return f"{record['step']} ({', '.join(facts)})" if facts else str(record["step"])
