"""
When Event Grid tries to deliver an event again, and when it gives the event up.

Source: "Event Grid message delivery and retry". All times are Event Grid's own, in seconds since the first attempt.

It rests on assumptions 59 and 60 of docs/fidelity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from localcloud.azure.instant import Instant

DELAYS = (10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200)  # seconds; the last one repeats
NEVER_AGAIN = frozenset({400, 413})
NOT_FOR_LONG = frozenset({401, 403, 404})
SOME_MINUTES = 600.0  # seconds for which such answers in a row are retried; Event Grid documents no number
LONGEST_AFTER_REFUSAL = 300  # seconds


@dataclass(frozen=True)
class Attempt:
    """
    One POST of an event, `second` seconds after the first one by Event Grid's clock.

    `status` is None when there was no answer within 30 seconds; `problem` says why.
    """

    at: Instant
    second: float
    status: int | None
    problem: str = ""

    @property
    def is_success(self) -> bool:
        """
        Whether the event is delivered: any 2xx.
        """
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - success, as HTTP has it


@dataclass(frozen=True)
class RetryPolicy:
    """
    How often and how long a subscription's events are retried.
    """

    max_delivery_attempts: int = 30
    time_to_live: float = 24 * 3600.0  # seconds


AS_LONG_AS_ALLOWED = RetryPolicy()


def second_of_next(attempts: Sequence[Attempt]) -> float:
    """
    Return when the next attempt is due after these, of which the last one failed.
    """
    delay = DELAYS[min(len(attempts), len(DELAYS)) - 1]
    if attempts[-1].status in NOT_FOR_LONG:
        delay = min(delay, LONGEST_AFTER_REFUSAL)
    return attempts[-1].second + delay


def reason_to_give_up(attempts: Sequence[Attempt], policy: RetryPolicy) -> str | None:
    """
    Return why the event is dead-lettered after these failed attempts, None if it is tried again.
    """
    status, due = attempts[-1].status, second_of_next(attempts)
    if status in NEVER_AGAIN:
        return f"{status} is never retried"
    refusals = list(takewhile(lambda attempt: attempt.status in NOT_FOR_LONG, reversed(attempts)))
    if refusals and due - refusals[-1].second > SOME_MINUTES:
        return f"{status} is retried for {SOME_MINUTES:.0f} seconds only"
    if len(attempts) >= policy.max_delivery_attempts:
        return f"{policy.max_delivery_attempts} attempts have failed"
    if due > policy.time_to_live:
        return f"its time to live of {policy.time_to_live:.0f} seconds is over"
    return None
