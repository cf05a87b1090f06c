"""
The ledger: one table of the app's own storage account, through azure-data-tables.

Every write carries a word of its own: aiohttp sends a request again when an idle connection drops, and so do we, so a
write that finds its condition broken looks whether it was broken by itself.

It rests on assumptions 6, 83, 84, 85, 89 and 91 of docs/fidelity.md.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from adapters.leaks import LeakRows
from adapters.ledger_keys import (
    ACCEPTED,
    BOUND,
    LIVE,
    NO_LONGER,
    OPEN,
    OUTBOX,
    SCHEDULED,
    STANDING,
    UNFINISHED,
    bound_key,
    bound_prefix,
    keys_from,
    open_key,
    target_of,
)
from adapters.ledger_rows import (
    STAMPS,
    bound_entity,
    bound_target,
    change_entity,
    deferred_entity,
    ended_entity,
    kind_of,
    open_entity,
    read_bound,
    read_claim,
    read_live,
    read_row,
    read_row_or_log,
    read_standing,
    require_schema,
    waiting_entity,
)
from adapters.table import RANGE, raise_if_no_table
from adapters.waiting import OF_A_ROTATION, remembering
from rotation.ports.ledger import Bound, Ledger, Versioned
from rotation.vocabulary.limits import SECRETS_PER_PAGE
from rotation.vocabulary.record import EndedRotation, OpenRotation, Rotation, TagChange, WaitingRotation
from rotation.vocabulary.secret import SecretId


class TableLedger(LeakRows, Ledger):
    """
    The `Ledger` on Azure Table storage.
    """

    async def claim(self, target: str, row: OpenRotation) -> Versioned[OpenRotation] | Versioned[TagChange]:
        made = await self._claim(open_entity(target, row))
        return Versioned(row, made) if isinstance(made, str) else made

    async def hold(self, what: str, row: TagChange) -> Versioned[OpenRotation] | Versioned[TagChange]:
        made = await self._claim(change_entity(what, row))
        return Versioned(row, made) if isinstance(made, str) else made

    async def _claim(self, entity: dict[str, Any]) -> str | Versioned[OpenRotation] | Versioned[TagChange]:
        """
        Insert a row and return its tag, or return what is there.
        """

        async def insert() -> str | Versioned[OpenRotation] | Versioned[TagChange]:
            while True:
                try:
                    return str((await self._client.create_entity(entity))["etag"])
                except ResourceExistsError:
                    # Gone again by now: the place is free.
                    if found := await self._table.get(LIVE, entity["RowKey"]):
                        return read_claim(found)

        return await self._table.ask("claim", insert)

    async def read_open(self, target: str) -> Versioned[OpenRotation] | None:
        found = await self._table.read(LIVE, open_key(target))
        claimed = read_claim(found) if found else None
        return Versioned(claimed.row, claimed.etag) if claimed and isinstance(claimed.row, OpenRotation) else None

    async def replace(self, target: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        entity = open_entity(target, row)

        async def update() -> Versioned[OpenRotation] | None:
            try:
                made = await self._client.update_entity(
                    entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                )
                return Versioned(row, str(made["etag"]))
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                raise_if_no_table(error)
                found = await self._table.get(LIVE, entity["RowKey"])
                if found and found["Write"] == entity["Write"]:
                    return Versioned(row, found.metadata["etag"])
                return None

        return await self._table.ask("journal", update)

    async def release(self, target: str, etag: str) -> bool:
        async def delete() -> bool:
            try:
                await self._client.delete_entity(
                    LIVE, open_key(target), etag=etag, match_condition=MatchConditions.IfNotModified
                )
            except ResourceModifiedError:
                return False
            return True

        return await self._table.ask("release", delete)

    async def end(
        self, outcome: EndedRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        made = ended_entity(outcome.record)

        async def steps() -> list[Any]:
            standing = await self._stand(made, begun=begun, may_wait=waits)
            beginning = [await self._beginning(outcome.request, target)] if waits else []
            return [_freeing(target, etag), standing, *remembering(outcome), *beginning]

        return await self._commit(steps, made)

    async def defer(
        self, row: WaitingRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        made, standing = waiting_entity(row), deferred_entity(row)

        async def steps() -> list[Any]:
            own = await self._own(row.request, target) if waits else {}
            waiting = ("update" if waits else "upsert", made, {"mode": UpdateMode.REPLACE} | own)
            return [_freeing(target, etag), await self._stand(standing, begun=begun, may_wait=waits), waiting]

        return await self._commit(steps, made)

    async def read_standing(self, rotation_id: str) -> Rotation | WaitingRotation | None:
        found = await self._table.read(LIVE, STANDING + rotation_id)
        return found and read_standing(found)

    async def read_outcome(self, rotation_id: str) -> EndedRotation | None:
        found = await self._table.read(LIVE, OUTBOX + rotation_id)
        return found and read_row(found, EndedRotation)

    async def forget_outcome(self, rotation_id: str) -> None:
        await self._delete("record", LIVE, OUTBOX + rotation_id)

    async def find_claimed(self, rotation_id: str) -> str | None:
        for found in await self._table.list(
            LIVE, f"RotationId eq @id and {RANGE}", {"id": rotation_id, **keys_from(OPEN)}
        ):
            return target_of(found["RowKey"])
        return None

    async def find(self, rotation_id: str) -> Rotation | None:
        rows = await self._table.list(LIVE, OF_A_ROTATION, {"id": rotation_id, **NO_LONGER})
        records = {kind_of(found): read_live(found) for found in rows}
        # What has begun or waits may have ended since.
        standing = await self.read_standing(rotation_id)
        if isinstance(standing, Rotation):
            return standing
        return records.get(OPEN) or records.get(ACCEPTED) or records.get(SCHEDULED)

    async def list_open(self) -> AsyncIterator[tuple[str, OpenRotation]]:
        for found in await self._table.list(LIVE, f"{RANGE} and RotationId ne ''", keys_from(OPEN)):
            if row := read_row_or_log(found, OpenRotation):
                yield target_of(found["RowKey"]), row

    async def list_outcomes(self) -> AsyncIterator[EndedRotation]:
        for found in await self._table.list(LIVE, RANGE, keys_from(OUTBOX)):
            if outcome := read_row_or_log(found, EndedRotation):
                yield outcome

    async def bound_secrets(self, target: str) -> list[Bound]:
        return [read_bound(found) for found in await self._table.list(LIVE, RANGE, keys_from(bound_prefix(target)))]

    async def list_bound(self) -> AsyncIterator[tuple[str, Bound]]:
        async for found in self._table.stream(LIVE, RANGE, keys_from(BOUND), per_page=SECRETS_PER_PAGE):
            yield bound_target(found), read_bound(found)

    async def bind(self, target: str, secret: SecretId) -> None:
        await self._table.ask("binding", lambda: self._client.upsert_entity(bound_entity(target, secret)))

    async def leave(self, target: str, secret: SecretId, left_on: datetime) -> None:
        await self._table.ask("binding", lambda: self._client.upsert_entity(bound_entity(target, secret, left_on)))

    async def unbind(self, target: str, secret: SecretId) -> None:
        await self._delete("binding", LIVE, bound_key(target, secret))

    async def probe(self) -> None:
        """
        Look at the stamps of everything that is unfinished, as a health check does. Raises a `DependencyError`.

        After a leak that is thousands of rows: what they hold is left where it is.
        """
        for found in await self._table.list(LIVE, UNFINISHED, NO_LONGER, select=STAMPS):
            kind_of(found)
            require_schema(found)


def _freeing(target: str, etag: str) -> tuple[Any, ...]:
    """
    Return the step of a transaction that deletes a running rotation.
    """
    running = {"PartitionKey": LIVE, "RowKey": open_key(target)}
    return "delete", running, {"etag": etag, "match_condition": MatchConditions.IfNotModified}
