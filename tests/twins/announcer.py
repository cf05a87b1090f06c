"""
The Event Grid topic in memory.
"""

from rotation.ports.announcer import Announcement
from tests.twins.faults import Faults


class MemoryAnnouncer:
    """
    An `Announcer` that keeps what was published.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self.published: list[Announcement] = []
        self.faults = faults or Faults()

    async def publish(self, announcement: Announcement) -> None:
        """
        Keep one event.
        """
        await self.faults.enter("publish")
        self.published.append(announcement)
        await self.faults.leave("publish")
