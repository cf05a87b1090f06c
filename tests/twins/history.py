"""
The list of rotations in memory.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from rotation.ports.history import Wanted, place_of
from rotation.vocabulary.record import Rotation
from tests.twins.ledger import MemoryLedger


class MemoryHistory:
    """
    The `History` of a ledger in memory.
    """

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    async def list_live(self) -> AsyncIterator[Rotation]:
        """
        Yield the record of everything that has not ended.
        """
        ledger = self._ledger
        records = [row.record for row in ledger.claims()] + [row.record for row in ledger.waiting()]
        for record in {record.id: record for record in reversed(records)}.values():
            yield record

    async def is_done(self, rotation_id: str) -> bool:
        """
        Return whether a rotation has ended.
        """
        return rotation_id in self._ledger.records()

    async def list_done(self, wanted: Wanted, after: str) -> AsyncGenerator[Rotation, None]:
        """
        Yield the records of what has ended, newest first.
        """
        for record in sorted(self._ledger.records().values(), key=place_of):
            if place_of(record) > after and wanted.includes(record):
                yield record
