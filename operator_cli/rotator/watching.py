"""
Waits for a rotation to end, or to be deferred.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rotator.api import Api, Seen
from rotator.progress import Progress
from rotator.records import Rotation

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.5, 10.0, 1.5  # seconds, and how each pause compares with the one before


@dataclass
class Underway:
    """
    What goes on in the app should the command be interrupted.
    """

    sent: int = 0
    """Requests that have no answer yet."""
    running: list[str] = field(default_factory=list)
    """The ids of rotations that are worth watching further."""
    followed_by: str | None = None
    """The command that follows what is waited for, where that is no single rotation."""
    waiting: int = 0
    """What has not been asked for."""


@dataclass(frozen=True)
class Watcher:
    """
    Watches rotations, each for `patience` seconds.
    """

    api: Api
    progress: Progress
    underway: Underway
    patience: float

    async def until_ended(self, label: str, seen: Seen) -> Rotation:
        """
        Return a rotation's final record, or the last one there is when patience has ended.

        A deferred rotation, which may wait for days, is not watched any further.

        Raises a `CommandError` if the app cannot be asked any more.
        """
        self.progress.tell(label, seen.rotation)
        self.underway.running.append(seen.rotation.id)
        pauses = _pauses()
        try:
            async with asyncio.timeout(self.patience):
                while not (seen.rotation.has_ended or seen.rotation.waits_until(datetime.now(UTC))):
                    await asyncio.sleep(next(pauses) if seen.wait is None else seen.wait)
                    seen = await self.api.look(seen.location)
                    self.progress.tell(label, seen.rotation)
        except TimeoutError:
            self.progress.forget(label)
            return seen.rotation
        self.progress.forget(label)
        self.underway.running.remove(seen.rotation.id)
        return seen.rotation


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
