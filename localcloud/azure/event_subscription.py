"""
A subscription: where events go, what is sent there, and what became of it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from localcloud.azure.event import Schema
from localcloud.azure.instant import Instant

# Seconds between attempts. Azure's begin with 10 s, 30 s, 1 min and go on for a day.
QUICK_RETRIES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


@dataclass(frozen=True)
class Attempt:
    """
    One POST of an event.
    """

    at: Instant
    status: int | None
    """None when there was no answer."""
    problem: str = ""


@dataclass(eq=False)
class Delivery:
    """
    One event for one subscriber.
    """

    subscription: str
    event_id: str
    event_type: str
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Literal["pending", "delivered", "dead-lettered"] = "pending"


@dataclass(frozen=True, kw_only=True)
class EventSubscription:
    """
    Where a topic's events go: all, or those of some types.
    """

    name: str
    url: str
    schema: Schema = "EventGridSchema"
    event_types: Collection[str] | None = None
    is_function: bool = False
    """The URL is the Event Grid webhook of a Functions host, which takes one kind of handshake whatever the schema."""
    retry_delays: tuple[float, ...] = QUICK_RETRIES
    """Seconds before each further attempt; after the last one the event is dead-lettered."""
    deliveries: list[Delivery] = field(default_factory=list, compare=False)

    def wants(self, event_type: str) -> bool:
        """
        Whether an event of a type goes here. Azure compares types without regard to case.
        """
        if self.event_types is None:
            return True
        return event_type.casefold() in {wanted.casefold() for wanted in self.event_types}
