"""
The ledger: one table of the app's own storage account, through azure-data-tables.

Partition `live` holds what is unfinished, `done` what has ended, `bound` which secrets hold a key of which target.
Every write carries a word of its own: aiohttp sends a request again when an idle connection drops, and so do we, so a
write that finds its condition broken looks whether it was broken by itself.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient

from adapters.answers import until_answered
from rotation.errors import Unavailable
from rotation.ports import Versioned
from rotation.record import EndedRotation, OpenRotation, Rotation
from rotation.secret import SecretId, parse_secret_id

T = TypeVar("T")
R = TypeVar("R")

TABLE = "rotations"

_LIVE, _DONE, _BOUND = "live", "done", "bound"
_OPEN, _OUTBOX = "open:", "outbox:"
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
        entity = _open_entity(claim_id, row)

        async def insert() -> Versioned[OpenRotation]:
            while True:
                try:
                    made = await self._table.create_entity(entity)
                    return Versioned(row, str(made["etag"]))
                except ResourceExistsError:
                    # Gone again by now: the place is free.
                    if found := await self._get(_LIVE, entity["RowKey"]):
                        return Versioned(_row(found, OpenRotation), found.metadata["etag"])

        return await self._ask("claim", insert)

    async def read_open(self, claim_id: str) -> Versioned[OpenRotation] | None:
        """
        Return the running rotation of a target.
        """
        found = await self._ask("read of a claim", lambda: self._get(_LIVE, _open_key(claim_id)))
        return found and Versioned(_row(found, OpenRotation), found.metadata["etag"])

    async def replace(self, claim_id: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        """
        Write the running rotation anew if it is the one with that tag.
        """
        entity = _open_entity(claim_id, row)

        async def update() -> Versioned[OpenRotation] | None:
            try:
                made = await self._table.update_entity(
                    entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                )
                return Versioned(row, str(made["etag"]))
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                _raise_if_no_table(error)
                found = await self._get(_LIVE, entity["RowKey"])
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
                    _LIVE, _open_key(claim_id), etag=etag, match_condition=MatchConditions.IfNotModified
                )
            except ResourceModifiedError:
                return False
            return True

        return await self._ask("release", delete)

    async def end(self, outcome: EndedRotation, *, claim_id: str, etag: str) -> bool:
        """
        In one transaction delete the running rotation and insert its outcome.
        """
        entity = _outcome_entity(outcome)
        running = {"PartitionKey": _LIVE, "RowKey": _open_key(claim_id)}
        expected = {"etag": etag, "match_condition": MatchConditions.IfNotModified}

        async def commit() -> bool:
            try:
                await self._table.submit_transaction([("delete", running, expected), ("create", entity)])
            except TableTransactionError as error:
                _raise_if_no_table(error)
                found = await self._get(_LIVE, entity["RowKey"])
                return found is not None and found["Write"] == entity["Write"]
            return True

        return await self._ask("end", commit)

    async def end_unclaimed(self, outcome: EndedRotation) -> bool:
        """
        Insert the outcome of a rotation that never claimed a target.
        """
        entity = _outcome_entity(outcome)

        async def insert() -> bool:
            try:
                await self._table.create_entity(entity)
            except ResourceExistsError:
                found = await self._get(_LIVE, entity["RowKey"])
                return found is not None and found["Write"] == entity["Write"]
            return True

        return await self._ask("end", insert)

    async def read_outcome(self, rotation_id: str) -> EndedRotation | None:
        """
        Return an outcome that waits to be published.
        """
        found = await self._ask("read of an outcome", lambda: self._get(_LIVE, _OUTBOX + rotation_id))
        return found and _row(found, EndedRotation)

    async def read_done(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation whose outcome needs no more publishing.
        """
        found = await self._ask("read of a record", lambda: self._get(_DONE, rotation_id))
        return found and _row(found, Rotation)

    async def settle(self, record: Rotation) -> None:
        """
        Keep the record for good, then forget that its outcome waited: in this order it is never nowhere.
        """
        entity = _done_entity(record)

        async def keep() -> None:
            with suppress(ResourceExistsError):
                await self._table.create_entity(entity)

        await self._ask("record", keep)
        await self._ask("record", lambda: self._table.delete_entity(_LIVE, _OUTBOX + record.id))

    async def find(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation, wherever it stands.
        """
        records: dict[str, Rotation] = {}
        async for found in self._list(_LIVE, "RotationId eq @id", {"id": rotation_id}):
            if found["RowKey"].startswith(_OUTBOX):
                records[_OUTBOX] = _row(found, EndedRotation).record
            else:
                records[_OPEN] = _row(found, OpenRotation).record
        # `done` is looked at last: what ends moves that way.
        return records.get(_OUTBOX) or await self.read_done(rotation_id) or records.get(_OPEN)

    async def list_open(self) -> AsyncIterator[tuple[str, OpenRotation]]:
        """
        Yield every running rotation with its claim id.
        """
        async for found in self._list(_LIVE, "RowKey ge @first and RowKey lt @last", _prefix(_OPEN)):
            yield _claim_id(found["RowKey"]), _row(found, OpenRotation)

    async def list_outcomes(self) -> AsyncIterator[EndedRotation]:
        """
        Yield every outcome that waits to be published.
        """
        async for found in self._list(_LIVE, "RowKey ge @first and RowKey lt @last", _prefix(_OUTBOX)):
            yield _row(found, EndedRotation)

    async def bound_secrets(self, claim_id: str) -> list[SecretId]:
        """
        Return the secrets that are known to hold a key of the target.
        """
        bound = self._list(_BOUND, "RowKey ge @first and RowKey lt @last", _prefix(f"{_key(claim_id)}||"))
        return [parse_secret_id(found["Secret"]) async for found in bound]

    async def bind(self, claim_id: str, secret: SecretId) -> None:
        """
        Remember that a secret holds a key of the target.
        """
        entity = {"PartitionKey": _BOUND, "RowKey": _bound_key(claim_id, secret), "Secret": secret.unversioned}
        await self._ask("binding", lambda: self._table.upsert_entity(entity))

    async def unbind(self, claim_id: str, secret: SecretId) -> None:
        """
        Forget that a secret holds a key of the target.
        """
        await self._ask("binding", lambda: self._table.delete_entity(_BOUND, _bound_key(claim_id, secret)))

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


def _open_entity(claim_id: str, row: OpenRotation) -> dict[str, Any]:
    return _entity(_LIVE, _open_key(claim_id), row.request.id, row)


def _outcome_entity(outcome: EndedRotation) -> dict[str, Any]:
    return _entity(_LIVE, _OUTBOX + outcome.record.id, outcome.record.id, outcome)


def _done_entity(record: Rotation) -> dict[str, Any]:
    return _entity(_DONE, record.id, record.id, record)


def _entity(partition: str, key: str, rotation_id: str, row: msgspec.Struct) -> dict[str, Any]:
    return {
        "PartitionKey": partition,
        "RowKey": key,
        "RotationId": rotation_id,
        "Row": msgspec.json.encode(row).decode(),
        "Write": uuid.uuid4().hex,
    }


def _row(entity: Any, kind: type[T]) -> T:
    return msgspec.json.decode(entity["Row"], type=kind)


def _open_key(claim_id: str) -> str:
    return _OPEN + _key(claim_id)


def _bound_key(claim_id: str, secret: SecretId) -> str:
    return f"{_key(claim_id)}||{_key(secret.identity)}"


def _key(arm_id: str) -> str:
    # A row key may hold no slash, and no ARM id or secret id that we accept holds a bar.
    return arm_id.replace("/", "|")


def _claim_id(key: str) -> str:
    return key.removeprefix(_OPEN).replace("|", "/")


def _prefix(prefix: str) -> dict[str, str]:
    return {"first": prefix, "last": prefix[:-1] + chr(ord(prefix[-1]) + 1)}


def _is_without_table(error: HttpResponseError) -> bool:
    # Writes of single entities raise it with the code in their text only (azure-data-tables 12.7).
    code = getattr(error, "error_code", None)
    return code == "TableNotFound" or (code is None and "TableNotFound" in str(error))


def _raise_if_no_table(error: HttpResponseError) -> None:
    if _is_without_table(error):
        raise error
