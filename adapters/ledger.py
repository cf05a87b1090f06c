"""
The ledger: one table of the app's own storage account, through azure-data-tables.

Partition `live` holds what is unfinished, `done` what has ended, `bound` which secrets hold a key of which target.
Every write carries a word of its own: aiohttp sends a request again when an idle connection drops, and so do we, so a
write that finds its condition broken looks whether it was broken by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient

from adapters.answers import until_answered
from adapters.ledger_rows import (
    BOUND,
    DONE,
    LIVE,
    OPEN,
    OUTBOX,
    bound_entity,
    bound_key,
    bound_prefix,
    claim_id_of,
    done_entity,
    keys_from,
    open_entity,
    open_key,
    outcome_entity,
    read_row,
    read_row_if_possible,
)
from rotation.errors import Busy, Unavailable
from rotation.ports import Versioned
from rotation.record import EndedRotation, OpenRotation, Rotation
from rotation.secret import SecretId, parse_secret_id

R = TypeVar("R")

TABLE = "rotations"

_CONDITION_BROKEN = {404, 409, 412}
_WITHIN = 30  # seconds, for one operation with all its tries


class TableLedger:
    """
    The `Ledger` on Azure Table storage.
    """

    def __init__(self, table: TableClient) -> None:
        self._table = table

    async def claim(self, claim_id: str, row: OpenRotation) -> Versioned[OpenRotation]:
        """
        Insert the running rotation of a target, or return the one that is there.
        """
        entity = open_entity(claim_id, row)

        async def insert() -> Versioned[OpenRotation]:
            while True:
                try:
                    made = await self._table.create_entity(entity)
                    return Versioned(row, str(made["etag"]))
                except ResourceExistsError:
                    # Gone again by now: the place is free.
                    if found := await self._get(LIVE, entity["RowKey"]):
                        there = read_row_if_possible(found, OpenRotation)
                        if there is None:
                            raise Busy(found["RotationId"]) from None
                        return Versioned(there, found.metadata["etag"])

        return await self._ask("claim", insert)

    async def read_open(self, claim_id: str) -> Versioned[OpenRotation] | None:
        """
        Return the running rotation of a target.
        """
        found = await self._ask("read of a claim", lambda: self._get(LIVE, open_key(claim_id)))
        return found and Versioned(read_row(found, OpenRotation), found.metadata["etag"])

    async def replace(self, claim_id: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        """
        Write the running rotation anew if it is the one with that tag.
        """
        entity = open_entity(claim_id, row)

        async def update() -> Versioned[OpenRotation] | None:
            try:
                made = await self._table.update_entity(
                    entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                )
                return Versioned(row, str(made["etag"]))
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                _raise_if_no_table(error)
                found = await self._get(LIVE, entity["RowKey"])
                if found and found["Write"] == entity["Write"]:
                    return Versioned(row, found.metadata["etag"])
                return None

        return await self._ask("journal", update)

    async def release(self, claim_id: str, etag: str) -> bool:
        """
        Delete the running rotation if it is the one with that tag, or is gone already.
        """

        async def delete() -> bool:
            try:
                await self._table.delete_entity(
                    LIVE, open_key(claim_id), etag=etag, match_condition=MatchConditions.IfNotModified
                )
            except ResourceModifiedError:
                return False
            return True

        return await self._ask("release", delete)

    async def end(self, outcome: EndedRotation, *, claim_id: str, etag: str) -> bool:
        """
        In one transaction delete the running rotation and insert its outcome.
        """
        entity = outcome_entity(outcome)
        running = {"PartitionKey": LIVE, "RowKey": open_key(claim_id)}
        expected = {"etag": etag, "match_condition": MatchConditions.IfNotModified}

        async def commit() -> bool:
            try:
                await self._table.submit_transaction([("delete", running, expected), ("create", entity)])
            except TableTransactionError as error:
                _raise_if_no_table(error)
                if error.status_code not in _CONDITION_BROKEN:
                    raise
                found = await self._get(LIVE, entity["RowKey"])
                return found is not None and found["Write"] == entity["Write"]
            return True

        return await self._ask("end", commit)

    async def end_unclaimed(self, outcome: EndedRotation) -> bool:
        """
        Insert the outcome of a rotation that never claimed a target.
        """
        entity = outcome_entity(outcome)

        async def insert() -> bool:
            try:
                await self._table.create_entity(entity)
            except ResourceExistsError:
                found = await self._get(LIVE, entity["RowKey"])
                return found is not None and found["Write"] == entity["Write"]
            return True

        return await self._ask("end", insert)

    async def read_outcome(self, rotation_id: str) -> EndedRotation | None:
        """
        Return an outcome that waits to be published.
        """
        found = await self._ask("read of an outcome", lambda: self._get(LIVE, OUTBOX + rotation_id))
        return found and read_row(found, EndedRotation)

    async def read_done(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation whose outcome needs no more publishing.
        """
        found = await self._ask("read of a record", lambda: self._get(DONE, rotation_id))
        return found and read_row(found, Rotation)

    async def settle(self, record: Rotation) -> None:
        """
        Keep the record for good, then forget that its outcome waited: in this order it is never nowhere.
        """
        entity = done_entity(record)

        async def keep() -> None:
            with suppress(ResourceExistsError):
                await self._table.create_entity(entity)

        await self._ask("record", keep)
        await self._ask("record", lambda: self._table.delete_entity(LIVE, OUTBOX + record.id))

    async def find_claim(self, rotation_id: str) -> str | None:
        """
        Return the claim id of the target on which a rotation is running.
        """
        async for found in self._list(LIVE, "RotationId eq @id", {"id": rotation_id}):
            if found["RowKey"].startswith(OPEN):
                return claim_id_of(found["RowKey"])
        return None

    async def find(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation, wherever it stands.
        """
        records: dict[str, Rotation] = {}
        async for found in self._list(LIVE, "RotationId eq @id", {"id": rotation_id}):
            if found["RowKey"].startswith(OUTBOX):
                records[OUTBOX] = read_row(found, EndedRotation).record
            else:
                records[OPEN] = read_row(found, OpenRotation).record
        # `done` is looked at last: what ends moves that way.
        return records.get(OUTBOX) or await self.read_done(rotation_id) or records.get(OPEN)

    async def list_open(self) -> AsyncIterator[tuple[str, OpenRotation]]:
        """
        Yield every running rotation with its claim id.
        """
        async for found in self._list(LIVE, "RowKey ge @first and RowKey lt @last", keys_from(OPEN)):
            if row := read_row_if_possible(found, OpenRotation):
                yield claim_id_of(found["RowKey"]), row

    async def list_outcomes(self) -> AsyncIterator[EndedRotation]:
        """
        Yield every outcome that waits to be published.
        """
        async for found in self._list(LIVE, "RowKey ge @first and RowKey lt @last", keys_from(OUTBOX)):
            if outcome := read_row_if_possible(found, EndedRotation):
                yield outcome

    async def bound_secrets(self, claim_id: str) -> list[SecretId]:
        """
        Return the secrets that are known to hold a key of the target.
        """
        bound = self._list(BOUND, "RowKey ge @first and RowKey lt @last", keys_from(bound_prefix(claim_id)))
        return [parse_secret_id(found["Secret"]) async for found in bound]

    async def bind(self, claim_id: str, secret: SecretId) -> None:
        """
        Remember that a secret holds a key of the target.
        """
        await self._ask("binding", lambda: self._table.upsert_entity(bound_entity(claim_id, secret)))

    async def unbind(self, claim_id: str, secret: SecretId) -> None:
        """
        Forget that a secret holds a key of the target.
        """
        await self._ask("binding", lambda: self._table.delete_entity(BOUND, bound_key(claim_id, secret)))

    async def probe(self) -> None:
        """
        Ask for something, as a health check does. Raises a `DependencyError`.
        """
        await self.read_done("probe")

    async def _get(self, partition: str, key: str) -> Any:
        try:
            return await self._table.get_entity(partition, key)
        except ResourceNotFoundError as error:
            _raise_if_no_table(error)
            return None

    async def _list(self, partition: str, condition: str, values: dict[str, str]) -> AsyncIterator[Any]:
        async def read() -> list[Any]:
            query = f"PartitionKey eq @partition and {condition}"
            found = self._table.query_entities(query, parameters={"partition": partition, **values})
            return [entity async for entity in found]

        for entity in await self._ask("list", read):
            yield entity

    async def _ask(self, what: str, ask: Callable[[], Awaitable[R]]) -> R:
        async def ask_a_table() -> R:
            try:
                return await ask()
            except HttpResponseError as error:
                if not _is_without_table(error):
                    raise
            # Made when it is missed: looking for it would cost every cold start a request.
            with suppress(ResourceExistsError):
                await self._table.create_table()
            return await ask()

        try:
            async with asyncio.timeout(_WITHIN):
                return await until_answered(f"ledger: {what}", ask_a_table)
        except TimeoutError:
            raise Unavailable(f"ledger: {what}: no answer within {_WITHIN} seconds") from None


def _is_without_table(error: HttpResponseError) -> bool:
    # Writes of single entities raise it with the code in their text only (azure-data-tables 12.7).
    code = getattr(error, "error_code", None)
    return code == "TableNotFound" or (code is None and "TableNotFound" in str(error))


def _raise_if_no_table(error: HttpResponseError) -> None:
    if _is_without_table(error):
        raise error
