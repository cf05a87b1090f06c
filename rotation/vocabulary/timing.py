"""
How long an attempt may send, and how long its claim outlives it: docs/limits.md has the sum.
"""

from datetime import datetime, timedelta
from typing import Protocol

from rotation.vocabulary.errors import OutOfTime
from rotation.vocabulary.limits import CLAIM_TTL, LAST_SEND


class Clock(Protocol):
    """
    The time, as wall clock and as a clock that never goes back.
    """

    def now(self) -> datetime:
        """
        Return the wall clock's time in UTC.
        """
        ...

    def monotonic(self) -> float:
        """
        Return the seconds of a clock that never goes back.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """
        Come back after that many seconds.
        """
        ...


class Deadline:
    """
    The end of the time in which one attempt may send.

    It starts when it is made, which must be before the claim is written. Time passed is the larger of what the two
    clocks say: a frozen process wakes late by the wall clock, a stepped wall clock is caught by the other one.
    """

    def __init__(self, clock: Clock, last_send: timedelta = LAST_SEND) -> None:
        self._clock = clock
        self._last_send = min(last_send, LAST_SEND).total_seconds()
        self._monotonic = clock.monotonic()
        self._lap = self._monotonic
        self.started_on = clock.now()

    @property
    def claimed_until(self) -> datetime:
        """
        When a claim that this attempt writes expires.
        """
        return self.started_on + CLAIM_TTL

    @property
    def elapsed(self) -> float:
        """
        The seconds since the attempt began, by the clock that says more.
        """
        wall = (self._clock.now() - self.started_on).total_seconds()
        return max(wall, self._clock.monotonic() - self._monotonic)

    @property
    def remaining(self) -> float:
        """
        The seconds left, 0 or less when there are none.
        """
        return self._last_send - self.elapsed

    def lap(self) -> float:
        """
        Return the seconds since this was asked last, or since the attempt began.
        """
        before, self._lap = self._lap, self._clock.monotonic()
        return self._lap - before

    def check(self) -> None:
        """
        Raise `OutOfTime` if nothing may be sent any more. Called right before every request to ARM or Key Vault.
        """
        if self.remaining <= 0:
            raise OutOfTime

    async def wait(self, seconds: float) -> None:
        """
        Sleep, or raise `OutOfTime` at once if no time would be left afterwards.
        """
        if self.remaining <= seconds:
            raise OutOfTime
        await self._clock.sleep(seconds)
