"""
The events by which other systems learn how a rotation ended, and which secrets need a person.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from rotation.vocabulary.record import Rotation, State


class EventType(StrEnum):
    """
    What an event is about: its attribute `type`.
    """

    ROTATION_COMPLETED = "KeyRotator.RotationCompleted"
    ROTATION_FAILED = "KeyRotator.RotationFailed"
    SECRET_NEEDS_ATTENTION = "KeyRotator.SecretNeedsAttention"  # noqa: S105 - the name of an event


_KINDS = {
    State.COMPLETED: (EventType.ROTATION_COMPLETED, "completed"),
    State.FAILED: (EventType.ROTATION_FAILED, "failed"),
}


T = TypeVar("T", bound=Struct)


class Announcement(Struct, Generic[T], frozen=True):
    """
    A CloudEvent. `id` depends on what it is about alone, so a consumer can drop duplicates.
    """

    id: str
    type: EventType
    source: str
    subject: str
    time: datetime | None
    data: T


def announcement_of(record: Rotation) -> Announcement[Rotation] | None:
    """
    Return the event for a rotation that completed or failed, None for one that was skipped.
    """
    if record.state not in _KINDS:
        return None
    kind, suffix = _KINDS[record.state]
    secret = f"{record.secret.vault}/secrets/{record.secret.name}" if record.secret else None
    # A secret whose tags name no target has only itself to speak of.
    source = record.target or secret or record.id
    return Announcement(f"{record.id}:{suffix}", kind, source, secret or source, record.completed_on, record)


class Announcer(Protocol):
    """
    Where events go.
    """

    async def publish(self, announcement: Announcement[Any]) -> None:
        """
        Publish one event, at least once.
        """
        ...
