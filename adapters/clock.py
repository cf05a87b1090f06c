"""
The machine's clocks.

It rests on assumption 7 of docs/fidelity.md.
"""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """
    The `Clock` of this machine.
    """

    def now(self) -> datetime:
        """
        Return the wall clock's time in UTC.
        """
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """
        Return the seconds of a clock that never goes back.
        """
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """
        Come back after that many seconds.
        """
        await asyncio.sleep(seconds)
