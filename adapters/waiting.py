"""
The rows by which rotations wait in the ledger: accepted ones and scheduled ones, and what Idempotency-Keys stand for.

A rotation that was accepted either begins or ends without having begun. Both take its row away in one transaction with
what they write, so that only one of them can.

It rests on assumptions 83, 84, 85 and 89 of docs/fidelity.md.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode
from msgspec import structs

from adapters.ledger_rows import (
    ACCEPTED,
    ASKED,
    LIVE,
    SCHEDULED,
    keys_from,
    open_entity,
    outcome_entity,
    read_row,
    read_row_or_log,
    read_text,
    row_of,
    stamped,
    waiting_entity,
)
from adapters.table import RANGE, Table, raise_if_no_table
from rotation.ports.ledger import Versioned
from rotation.vocabulary.record import EndedRotation, OpenRotation, WaitingRotation

_CONDITION_BROKEN = {404, 409, 412}


class WaitingRows:
    """
    The part of the `Ledger` that is about rotations which have not begun.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._client = table.client

    async def wait(self, row: WaitingRotation) -> bool:
        return await self._insert("acceptance", waiting_entity(row))

    async def list_waiting(self) -> AsyncIterator[WaitingRotation]:
        for prefix in (ACCEPTED, SCHEDULED):
            for found in await self._table.list(LIVE, RANGE, keys_from(prefix)):
                if row := read_row_or_log(found, WaitingRotation):
                    yield row

    async def read_waiting(self, rotation_id: str) -> WaitingRotation | None:
        found = await self._table.read(LIVE, ACCEPTED + rotation_id)
        return found and read_row(found, WaitingRotation)

    async def postpone(self, row: WaitingRotation, due_on: datetime) -> None:
        entity = waiting_entity(structs.replace(row, due_on=due_on))

        async def update() -> None:
            # It may have been deferred since it was read.
            found = await self._table.get(LIVE, entity["RowKey"])
            if found is None or read_row(found, WaitingRotation) != row:
                return
            expected = {"etag": found.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
            try:
                await self._client.update_entity(entity, mode=UpdateMode.REPLACE, **expected)
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                raise_if_no_table(error)

        await self._table.ask("postponement", update)

    async def forget_waiting(self, rotation_id: str) -> None:
        for prefix in (ACCEPTED, SCHEDULED):
            await self._delete("acceptance", LIVE, prefix + rotation_id)

    async def reserve(self, rotation_id: str, digest: str) -> str:
        entity = row_of(ASKED, rotation_id, **stamped("Digest", digest))

        async def insert() -> str:
            try:
                await self._client.create_entity(entity)
            except ResourceExistsError:
                found = await self._table.get(ASKED, rotation_id)
                return read_text(found, "Digest") if found else digest
            return digest

        return await self._table.ask("reservation", insert)

    async def begin(self, target: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        entity = open_entity(target, row)
        expected = {"mode": UpdateMode.REPLACE, "etag": etag, "match_condition": MatchConditions.IfNotModified}
        accepted = {"PartitionKey": LIVE, "RowKey": ACCEPTED + row.request.id}

        async def commit() -> Versioned[OpenRotation] | None:
            try:
                made = await self._client.submit_transaction([("update", entity, expected), ("delete", accepted)])
                return Versioned(row, str(made[0]["etag"]))
            except TableTransactionError as error:
                raise_if_no_table(error)
                if error.status_code not in _CONDITION_BROKEN:
                    raise
                found = await self._table.get(LIVE, entity["RowKey"])
                if found and found["Write"] == entity["Write"]:
                    return Versioned(row, found.metadata["etag"])
                return None

        return await self._table.ask("journal", commit)

    async def end_accepted(self, outcome: EndedRotation) -> bool:
        accepted = {"PartitionKey": LIVE, "RowKey": ACCEPTED + outcome.record.id}
        made = outcome_entity(outcome)
        return await self._commit([("create", made), ("delete", accepted)], made)

    async def _insert(self, what: str, entity: dict[str, Any]) -> bool:
        """
        Insert a row; False if another one is there.
        """

        async def insert() -> bool:
            try:
                await self._client.create_entity(entity)
            except ResourceExistsError:
                found = await self._table.get(LIVE, entity["RowKey"])
                return found is not None and found["Write"] == entity["Write"]
            return True

        return await self._table.ask(what, insert)

    async def _commit(self, steps: list[Any], made: dict[str, Any]) -> bool:
        """
        Commit a transaction by which a rotation comes to its end or waits; False if its conditions do not hold.

        By the row that is `made` a transaction is known whose answer was lost.
        """

        async def commit() -> bool:
            try:
                await self._client.submit_transaction(steps)
            except TableTransactionError as error:
                raise_if_no_table(error)
                if error.status_code not in _CONDITION_BROKEN:
                    raise
                found = await self._table.get(LIVE, made["RowKey"])
                return found is not None and found["Write"] == made["Write"]
            return True

        return await self._table.ask("end", commit)

    async def _delete(self, what: str, partition: str, key: str) -> None:
        await self._table.ask(what, lambda: self._client.delete_entity(partition, key))
