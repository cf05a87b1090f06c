"""
A moment on both clocks.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime


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
