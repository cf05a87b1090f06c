"""
The managed secrets, in the ledger's table: a partition for each vault, and one that says how each vault's look went.

A secret's row has writers that do not know of each other: a look writes its facts, a rotation that ends its record, a
verification what came of it, and what tells people about a secret when it did so. Each merges its own columns.

It rests on assumptions 84, 88 and 89 of docs/fidelity.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from adapters.ledger_keys import key_of
from adapters.ledger_rows import bound_entity, read_row, row_of, stamped
from adapters.table import Table, raise_if_no_table
from rotation.overview.standing import entry_of
from rotation.ports.inventory import Attention, Entry, Facts, Inventory, VaultFacts, Verification
from rotation.vocabulary.limits import PUBLISHED_LATE, ROWS_PER_TRANSACTION, SECRETS_PER_PAGE
from rotation.vocabulary.record import RotatedSecret, Rotation, State
from rotation.vocabulary.secret import SecretId

_VAULTS = "vaults"

T = TypeVar("T")


class TableInventory(Inventory):
    """
    The `Inventory` on Azure Table storage.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._client = table.client

    async def keep(self, facts: list[Facts], now: datetime) -> None:
        await asyncio.gather(
            self._write_all(_facts_entity(found, now) for found in facts),
            self._write_all(bound_entity(target, found.secret) for found in facts if (target := found.target_identity)),
        )

    async def finish(self, facts: VaultFacts) -> None:
        if facts.problem is None:
            gone = self._table.stream(
                _partition(facts.vault), "Seen lt @looked", {"looked": facts.looked_on}, per_page=SECRETS_PER_PAGE
            )
            async for found in gone:
                await self._forget(found)
        await self.keep_look(facts)

    async def forget(self, secret: SecretId) -> None:
        await self._forget(row_of(_partition(secret.vault), secret.name.lower()))

    async def keep_look(self, facts: VaultFacts) -> None:
        entity = row_of(_VAULTS, key_of(facts.vault), **stamped("Row", facts))
        await self._table.ask("vault", lambda: self._client.upsert_entity(entity, mode=UpdateMode.REPLACE))

    async def keep_verifications(self, found: Mapping[SecretId, Verification], now: datetime) -> None:
        # A look that began before does not forget what was there a moment ago.
        entities = [
            _secret_entity(secret, Seen=now, **stamped("Verified", verified)) for secret, verified in found.items()
        ]
        by_vault = sorted(entities, key=lambda entity: str(entity["PartitionKey"]))
        for _, some in groupby(by_vault, key=lambda entity: entity["PartitionKey"]):
            await self._write_all(some)

    async def keep_attention(self, secret: SecretId, attention: Attention | None, *, instead: Attention | None) -> bool:
        columns = stamped("Attention", attention) if attention else {"Attention": ""}
        entity = _secret_entity(secret, **columns)

        async def update() -> bool:
            found = await self._table.get(entity["PartitionKey"], entity["RowKey"])
            known = found and _read_column(found, "Attention", Attention)
            if found is None or known not in {instead, attention}:
                return False
            expected = {"etag": found.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
            try:
                await self._client.update_entity(entity, mode=UpdateMode.MERGE, **expected)
            except ResourceModifiedError:
                # Some other column, most likely: look again.
                return await update()
            except ResourceNotFoundError as error:
                raise_if_no_table(error)
                return False
            return True

        return await self._table.ask("inventory", update)

    async def note(self, record: Rotation) -> None:
        if record.secret is None or record.completed_on is None:
            return
        if datetime.now(UTC) - record.completed_on > PUBLISHED_LATE and await self._has_later(
            record.secret, record.completed_on
        ):
            return
        columns = {"Seen": record.completed_on, **stamped("Last", record)}
        if record.state is State.COMPLETED:
            columns |= stamped("Stored", record)
        entity = _secret_entity(SecretId(record.secret.vault, record.secret.name), **columns)
        await self._table.ask("inventory", lambda: self._client.upsert_entity(entity, mode=UpdateMode.MERGE))

    async def _has_later(self, secret: RotatedSecret, completed_on: datetime) -> bool:
        """
        Return whether a rotation that ended later is remembered: an outcome may have waited for long to be published.
        """
        found = await self._table.read(_partition(secret.vault), secret.name.lower())
        last = _read_column(found, "Last", Rotation) if found else None
        return last is not None and last.completed_on is not None and last.completed_on > completed_on

    async def vault_facts(self, vault: str) -> VaultFacts | None:
        found = await self._table.read(_VAULTS, key_of(vault))
        return found and read_row(found, VaultFacts)

    async def read_entry(self, secret: SecretId, *, seen: Facts | None = None) -> Entry | None:
        found = await self._table.read(_partition(secret.vault), secret.name.lower())
        return _entry_in(found or {}, seen)

    async def list_entries(self, vault: str, after: str, *, about: int | None = None) -> AsyncGenerator[Entry, None]:
        per_page = min(about or SECRETS_PER_PAGE, SECRETS_PER_PAGE)
        rows = self._table.stream(_partition(vault), "RowKey gt @after", {"after": after}, per_page=per_page)
        async for found in rows:
            if entry := _entry_in(found):
                yield entry

    async def _write_all(self, entities: Iterable[dict[str, Any]]) -> None:
        """
        Merge rows of one partition, in as few transactions as there can be. A key may come once in each.
        """
        unique = list({entity["RowKey"]: entity for entity in entities}.values())
        for start in range(0, len(unique), ROWS_PER_TRANSACTION):
            await self._merge(unique[start : start + ROWS_PER_TRANSACTION])

    async def _merge(self, entities: list[dict[str, Any]]) -> None:
        steps = [("upsert", entity, {"mode": UpdateMode.MERGE}) for entity in entities]
        await self._table.ask("inventory", lambda: self._client.submit_transaction(steps))

    async def _forget(self, found: Any) -> None:
        async def delete() -> None:
            try:
                await self._client.delete_entity(found["PartitionKey"], found["RowKey"])
            except ResourceNotFoundError as error:
                raise_if_no_table(error)

        await self._table.ask("inventory", delete)


def _facts_entity(facts: Facts, now: datetime) -> dict[str, Any]:
    return _secret_entity(facts.secret, Seen=now, **stamped("Row", facts))


def _secret_entity(secret: SecretId, **columns: Any) -> dict[str, Any]:
    return row_of(_partition(secret.vault), secret.name.lower(), **columns)


def _partition(vault: str) -> str:
    return f"secrets:{key_of(vault)}"


def _entry_in(found: Any, seen: Facts | None = None) -> Entry | None:
    return entry_of(
        seen or _read_column(found, "Row", Facts),
        _read_column(found, "Last", Rotation),
        _read_column(found, "Stored", Rotation),
        _read_column(found, "Verified", Verification),
        _read_column(found, "Attention", Attention),
    )


def _read_column(found: Any, column: str, kind: type[T]) -> T | None:
    """
    Return what a column holds, None for an empty one.
    """
    return read_row(found, kind, column) if found.get(column) else None
