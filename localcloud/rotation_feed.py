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
from localcloud.sentences import rotation_of, sentence_of

_POLL = 0.02  # seconds
_ENDS = frozenset({"Completed", "Failed", "Skipped"})

Found = TypeVar("Found")


@dataclass(frozen=True)
class Step:
    """
    Something that a rotation has come past.
    """

    text: str
    """A sentence for a person."""
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
    subject: str | None = None
    """The name of what it rotates: of the secret or, where there is none, of the target. None until a step says it."""
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
        rotation_id = rotation_of(record)
        is_news = "step" in record or record["level"] != "INFO" or rotation_id not in self.rotations
        if rotation_id is None or not is_news:
            return
        time = datetime.fromisoformat(record["time"])
        rotation = self.rotations.get(rotation_id)
        if rotation is None:
            rotation = ObservedRotation(rotation_id, time - timedelta(seconds=record.get("seconds") or 0))
            self.rotations[rotation_id] = rotation
        rotation.subject = _name_in(record) or rotation.subject
        step = Step(sentence_of(record), time - rotation.began)
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


def _name_in(record: dict[str, Any]) -> str | None:
    subject = record.get("secret") or record.get("target") or ""
    return subject.rpartition("/")[2] or None
