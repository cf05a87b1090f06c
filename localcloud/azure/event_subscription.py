"""
A subscription: where events go, what is sent there, and what became of it.

It rests on assumption 56 of docs/fidelity.md.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from localcloud.azure.delivery_schedule import AS_LONG_AS_ALLOWED, Attempt, RetryPolicy
from localcloud.azure.event import Schema


@dataclass(eq=False)
class Delivery:
    """
    One event for one subscriber: what is sent, how often it was tried, and why it was dead-lettered, if so.
    """

    event_id: str
    payload: object
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Literal["pending", "delivered", "dead-lettered"] = "pending"
    given_up_because: str = ""


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
    retry_policy: RetryPolicy = AS_LONG_AS_ALLOWED
    provisioning_state: str = "Succeeded"
    deliveries: list[Delivery] = field(default_factory=list, compare=False)

    @property
    def dead_letters(self) -> list[Delivery]:
        """
        The deliveries that were given up, as an operator finds them in the dead-letter container.
        """
        return [delivery for delivery in self.deliveries if delivery.outcome == "dead-lettered"]

    def wants(self, event_type: str) -> bool:
        """
        Whether an event of a type goes here. Azure compares types without regard to case.
        """
        if self.event_types is None:
            return True
        return event_type.casefold() in {wanted.casefold() for wanted in self.event_types}
