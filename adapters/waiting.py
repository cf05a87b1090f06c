"""
The rows by which rotations wait in the ledger: accepted ones and scheduled ones, and what Idempotency-Keys stand for.

A rotation that waits either begins or ends without having begun. Both take its row away in one transaction with what
they write, so that only one of them can.

It rests on assumptions 83, 84, 85 and 89 of docs/fidelity.md.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode
from msgspec import structs

from adapters.ledger_keys import ACCEPTED, ASKED, LIVE, NO_LONGER, SCHEDULED, UNFINISHED, keys_from, waiting_key
from adapters.ledger_rows import (
    begun_entity,
    bound_entity,
    ended_entity,
    history_entity,
    kind_of,
    open_entity,
    outcome_entity,
    read_row,
    read_row_or_log,
    read_standing,
    row_of,
    stamped,
    waiting_entity,
)
from adapters.table import RANGE, Table, raise_if_no_table
from rotation.ports.ledger import Versioned
from rotation.vocabulary.record import EndedRotation, OpenRotation, Reservation, WaitingRotation
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId

#: All rows of a rotation that is unfinished.
OF_A_ROTATION = f"RotationId eq @id and {UNFINISHED}"

_CONDITION_BROKEN = {404, 409, 412}


class _NotAsKnown(Exception):
    """
    A rotation stands otherwise than its worker thinks: it waits no more, has begun, or has ended.
    """


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
        return await self._read_waiting(ACCEPTED + rotation_id)

    async def _read_waiting(self, key: str) -> WaitingRotation | None:
        found = await self._table.read(LIVE, key)
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
        for found in await self._table.list(LIVE, OF_A_ROTATION, {"id": rotation_id, **NO_LONGER}):
            if kind_of(found) in {ACCEPTED, SCHEDULED}:
                await self._table.ask("acceptance", partial(self._delete_as_read, found))

    async def _delete_as_read(self, found: Any) -> None:
        # The row of a revocation is its target's: the next one may have it by now.
        with suppress(ResourceModifiedError):
            await self._client.delete_entity(
                found, etag=found.metadata["etag"], match_condition=MatchConditions.IfNotModified
            )

    async def reserve(self, rotation_id: str, asked: Reservation) -> Reservation:
        entity = row_of(ASKED, rotation_id, **stamped("Asked", asked))

        async def insert() -> Reservation:
            try:
                await self._client.create_entity(entity)
            except ResourceExistsError:
                found = await self._table.get(ASKED, rotation_id)
                return read_row(found, Reservation, "Asked") if found else asked
            return asked

        return await self._table.ask("reservation", insert)

    async def begin(
        self, target: str, row: OpenRotation, etag: str, *, waits: bool, bind: SecretId | None = None
    ) -> Versioned[OpenRotation] | None:
        entity, standing = open_entity(target, row), begun_entity(target, row.request.id)
        expected = {"mode": UpdateMode.REPLACE, "etag": etag, "match_condition": MatchConditions.IfNotModified}
        binding = [("upsert", bound_entity(target, bind))] if bind else []

        async def commit() -> Versioned[OpenRotation] | None:
            try:
                beginning = [await self._stand(standing, may_wait=waits), *binding]
                if waits:
                    beginning.append(await self._beginning(row.request, target))
                made = await self._client.submit_transaction([("update", entity, expected), *beginning])
                return Versioned(row, str(made[0]["etag"]))
            except (TableTransactionError, _NotAsKnown) as error:
                _require_broken_condition(error)
                found = await self._table.get(LIVE, entity["RowKey"])
                if found and found.get("Write") == entity["Write"]:
                    return Versioned(row, found.metadata["etag"])
                return None

        return await self._table.ask("journal", commit)

    async def end_waiting(self, outcome: EndedRotation) -> bool:
        made = ended_entity(outcome.record)

        async def steps() -> list[Any]:
            beginning = await self._beginning(outcome.request, outcome.record.target)
            return [await self._stand(made, may_wait=True), *remembering(outcome), beginning]

        return await self._commit(steps, made)

    async def end_unclaimed(self, outcome: EndedRotation) -> bool:
        made = ended_entity(outcome.record)

        async def steps() -> list[Any]:
            return [await self._stand(made, may_wait=True), *remembering(outcome)]

        return await self._commit(steps, made)

    async def _stand(self, standing: dict[str, Any], *, begun: bool = False, may_wait: bool = False) -> tuple[Any, ...]:
        """
        Return the step of a transaction that says how a rotation stands from now on: it fails for one that has ended.

        So it does for one that has `begun`, or that waits, where that is not known. Raises `_NotAsKnown` likewise.
        """
        replacing: dict[str, Any] = {"mode": UpdateMode.REPLACE}
        if begun:
            # Its own worker alone changes it, as long as that has the claim, which is in the same transaction.
            return "update", standing, replacing
        found = await self._table.get(LIVE, standing["RowKey"]) if may_wait else None
        if found is None:
            return "create", standing
        if not isinstance(read_standing(found), WaitingRotation):
            raise _NotAsKnown
        expected = {"etag": found.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
        return "update", standing, replacing | expected

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

    async def _beginning(self, request: RotationRequest, target: str | None) -> tuple[Any, ...]:
        """
        Return the step of a transaction that deletes the row by which a rotation waits: it fails where that is gone.
        """
        return "delete", row_of(LIVE, waiting_key(request, target)), await self._own(request, target)

    async def _own(self, request: RotationRequest, target: str | None) -> dict[str, Any]:
        """
        Return the condition that the row by which a rotation waits is its own: that of a revocation is its target's.

        Raises `_NotAsKnown` where another revocation has it by now, or none.
        """
        if not request.revokes:
            return {}
        found = await self._table.get(LIVE, waiting_key(request, target))
        if found is None or found["RotationId"] != request.id:
            raise _NotAsKnown
        return {"etag": found.metadata["etag"], "match_condition": MatchConditions.IfNotModified}

    async def _commit(self, steps: Callable[[], Awaitable[list[Any]]], made: dict[str, Any]) -> bool:
        """
        Commit a transaction by which a rotation comes to its end or waits; False if its conditions do not hold.

        By the row that is `made` a transaction is known whose answer was lost.
        """

        async def commit() -> bool:
            try:
                await self._client.submit_transaction(await steps())
            except (TableTransactionError, _NotAsKnown) as error:
                _require_broken_condition(error)
                found = await self._table.get(LIVE, made["RowKey"])
                return found is not None and found.get("Write") == made["Write"]
            return True

        return await self._table.ask("end", commit)

    async def _delete(self, what: str, partition: str, key: str) -> None:
        await self._table.ask(what, lambda: self._client.delete_entity(partition, key))


def remembering(outcome: EndedRotation) -> list[tuple[Any, ...]]:
    """
    Return the steps of a transaction that list an ended rotation by its age, and let it wait to be published.
    """
    return [("create", history_entity(outcome.record)), ("create", outcome_entity(outcome))]


def _require_broken_condition(error: Exception) -> None:
    """
    Raise an error again unless it says that a condition of a transaction does not hold.
    """
    if isinstance(error, TableTransactionError):
        raise_if_no_table(error)
        if error.status_code not in _CONDITION_BROKEN:
            raise error
