"""
The list of rotations, in the ledger's table: what is unfinished, and the rows of all others that sort by age.

It rests on assumption 88 of docs/fidelity.md.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from adapters.ledger_keys import ACCEPTED, HISTORY, LIVE, NO_LONGER, OPEN, SCHEDULED, STANDING, UNFINISHED, keys_from
from adapters.ledger_rows import kind_of, read_live, read_row, read_standing
from adapters.table import Table
from rotation.ports.history import History, Wanted, place_of_moment
from rotation.vocabulary.limits import ROTATIONS_PER_PAGE
from rotation.vocabulary.record import Rotation

_PRECEDENCE = (OPEN, ACCEPTED, SCHEDULED)  # As in finding one by its id.


class TableHistory(History):
    """
    The `History` on Azure Table storage.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    async def list_live(self) -> AsyncIterator[Rotation]:
        rows = await self._table.list(LIVE, UNFINISHED, NO_LONGER)
        # Changes of tags and leaked keys have none.
        rotations = [row for row in rows if kind_of(row) in _PRECEDENCE and row.get("RotationId")]
        seen: set[str] = set()
        for found in sorted(rotations, key=lambda row: _PRECEDENCE.index(kind_of(row))):
            if found["RotationId"] not in seen:
                seen.add(found["RotationId"])
                yield read_live(found)

    async def is_done(self, rotation_id: str) -> bool:
        found = await self._table.read(LIVE, STANDING + rotation_id)
        return found is not None and isinstance(read_standing(found), Rotation)

    async def list_done(self, wanted: Wanted, after: str) -> AsyncGenerator[Rotation, None]:
        conditions = ["RowKey gt @after", "RowKey lt @last"]
        values: dict[str, Any] = {"after": HISTORY + after, "last": keys_from(HISTORY)["last"]}
        if wanted.since:
            values["last"] = HISTORY + place_of_moment(wanted.since) + ";"
        for column, value in (("Target", wanted.target), ("Secret", wanted.secret), ("State", wanted.state)):
            if value:
                conditions.append(f"{column} eq @{column.lower()}")
                values[column.lower()] = str(value)
        async for found in self._table.stream(LIVE, " and ".join(conditions), values, per_page=ROTATIONS_PER_PAGE):
            yield read_row(found, Rotation)
