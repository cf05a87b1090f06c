"""
The Event Grid topic in memory.
"""

from typing import Any

from rotation.overview.secrets import SecretStatus
from rotation.ports.announcer import Announcement
from rotation.vocabulary.record import Rotation
from tests.twins.faults import Faults


class MemoryAnnouncer:
    """
    An `Announcer` that keeps what was published, about rotations and about secrets that need a person.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self.published: list[Announcement[Rotation]] = []
        self.attention: list[Announcement[SecretStatus]] = []
        self.faults = faults or Faults()

    async def publish(self, announcement: Announcement[Any]) -> None:
        """
        Keep one event.
        """
        await self.faults.enter("publish")
        if isinstance(announcement.data, Rotation):
            self.published.append(announcement)
        else:
            self.attention.append(announcement)
        await self.faults.leave("publish")
