"""
A clock that stands still until it is told otherwise.
"""

from datetime import UTC, datetime, timedelta


class HandClock:
    """
    A `Clock` moved by hand, and by sleeping.
    """

    def __init__(self, now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """
        Return the time that was set.
        """
        return self._now

    def monotonic(self) -> float:
        """
        Return the seconds that have passed.
        """
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """
        Let the time pass at once.
        """
        self.advance(timedelta(seconds=seconds))

    def step(self, time: timedelta) -> None:
        """
        Set the wall clock by hand.
        """
        self._now += time

    def advance(self, time: timedelta) -> None:
        """
        Let the time pass.
        """
        self._now += time
        self._monotonic += time.total_seconds()
