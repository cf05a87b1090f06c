"""
The events by which other systems learn how a rotation ended.
"""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from rotation.vocabulary.record import Rotation, State

_KINDS = {
    State.COMPLETED: ("KeyRotator.RotationCompleted", "completed"),
    State.FAILED: ("KeyRotator.RotationFailed", "failed"),
}


class Announcement(Struct, frozen=True):
    """
    A CloudEvent about an ended rotation. `id` depends on the rotation alone, so a consumer can drop duplicates.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime | None
    data: Rotation


def announcement_of(record: Rotation) -> Announcement | None:
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
    Where completion events go.
    """

    async def publish(self, announcement: Announcement) -> None:
        """
        Publish one event, at least once.
        """
        ...
