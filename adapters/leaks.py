"""
The rows about leaked keys in the ledger: the revocation that waits, of which each target has one at most, and the leak.

The leak's row stays until its key is known to be dead, whatever becomes of the revocation.

It rests on assumptions 83, 84 and 89 of docs/fidelity.md.
"""

from typing import Any

from azure.data.tables import UpdateMode

from adapters.ledger_keys import LEAKED, LIVE, SCHEDULED, key_of, keys_from, leak_key, leaks_of
from adapters.ledger_rows import leak_entity, read_row_or_log, waiting_entity
from adapters.table import RANGE
from adapters.waiting import WaitingRows
from rotation.vocabulary.record import Leak, WaitingRotation
from rotation.vocabulary.request import LeakedKey


class LeakRows(WaitingRows):
    """
    The part of the `Ledger` that is about leaked keys.
    """

    async def report_leak(self, row: WaitingRotation, leak: Leak) -> bool:
        made = waiting_entity(row)

        async def steps() -> list[Any]:
            return [("create", made), ("upsert", leak_entity(leak), {"mode": UpdateMode.REPLACE})]

        return await self._commit(steps, made)

    async def read_revocation(self, target: str) -> WaitingRotation | None:
        return await self._read_waiting(SCHEDULED + key_of(target))

    async def list_revocations(self) -> list[WaitingRotation]:
        rows = await self._table.list(LIVE, RANGE, keys_from(SCHEDULED))
        return [row for found in rows if (row := read_row_or_log(found, WaitingRotation))]

    async def list_leaks(self, target: str | None = None) -> list[Leak]:
        rows = await self._table.list(LIVE, RANGE, keys_from(leaks_of(target) if target else LEAKED))
        return [leak for found in rows if (leak := read_row_or_log(found, Leak))]

    async def forget_leak(self, target: str, leaked: LeakedKey) -> None:
        await self._delete("leak", LIVE, leak_key(target, leaked))
