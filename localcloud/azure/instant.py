"""
A moment on both clocks.
"""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Instant:
    """
    When something happened: by the wall clock, and by the monotonic one (seconds) to order and to subtract.
    """

    wall: datetime
    monotonic: float

    @classmethod
    def now(cls) -> "Instant":
        """
        Return this moment, the wall clock in UTC.
        """
        return cls(datetime.now(UTC), time.monotonic())

    def after(self, seconds: float) -> "Instant | None":
        """
        Return the moment so many seconds later, None if that never comes.
        """
        if math.isinf(seconds):
            return None
        return Instant(self.wall + timedelta(seconds=seconds), self.monotonic + seconds)
