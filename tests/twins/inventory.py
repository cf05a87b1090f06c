"""
The inventory in memory.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime

from rotation.overview.standing import entry_of
from rotation.ports.inventory import Attention, Entry, Facts, VaultFacts, Verification
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.secret import SecretId
from tests.twins.faults import Faults
from tests.twins.ledger import MemoryLedger


@dataclass
class _Row:
    seen_on: datetime
    facts: Facts | None = None
    last: Rotation | None = None
    stored: Rotation | None = None
    verified: Verification | None = None
    attention: Attention | None = None


class MemoryInventory:
    """
    The `Inventory` as dictionaries, beside a ledger in memory.
    """

    def __init__(self, ledger: MemoryLedger, faults: Faults | None = None) -> None:
        self._ledger = ledger
        self._rows: dict[tuple[str, str], _Row] = {}
        self._vaults: dict[str, VaultFacts] = {}
        self.faults = faults or Faults()

    async def keep(self, facts: list[Facts], now: datetime) -> None:
        """
        Remember what was found, and register the secrets with their targets.
        """
        await self.faults.enter("keep")
        for found in facts:
            row = self._row(found.secret.vault, found.secret.name, now)
            row.facts = found
            if target := found.target_identity:
                await self._ledger.bind(target, found.secret)

    async def finish(self, facts: VaultFacts) -> None:
        """
        Remember how the look went, and forget what it has not seen.
        """
        await self.faults.enter("finish")
        self._vaults[facts.vault] = facts
        if facts.problem is None:
            self._rows = {
                key: row for key, row in self._rows.items() if key[0] != facts.vault or row.seen_on >= facts.looked_on
            }

    async def forget(self, secret: SecretId) -> None:
        """
        Forget one secret.
        """
        await self.faults.enter("forget")
        self._rows.pop((secret.vault, secret.name.lower()), None)

    async def keep_look(self, facts: VaultFacts) -> None:
        """
        Remember how the look went.
        """
        await self.faults.enter("keep_look")
        self._vaults[facts.vault] = facts

    async def keep_verifications(self, found: Mapping[SecretId, Verification], now: datetime) -> None:
        """
        Remember what came of comparing some secrets.
        """
        await self.faults.enter("keep_verifications")
        for secret, verified in found.items():
            self._row(secret.vault, secret.name, now).verified = verified

    async def keep_attention(self, secret: SecretId, attention: Attention | None, *, instead: Attention | None) -> bool:
        """
        Remember that a secret needs a person, or that it does not.
        """
        await self.faults.enter("keep_attention")
        row = self._rows.get((secret.vault, secret.name.lower()))
        if row is None or row.attention not in {instead, attention}:
            return False
        row.attention = attention
        await self.faults.leave("keep_attention")
        return True

    async def note(self, record: Rotation) -> None:
        """
        Remember how a rotation ended.
        """
        await self.faults.enter("note")
        if record.secret is None or record.completed_on is None:
            return
        known = self._rows.get((record.secret.vault, record.secret.name.lower()))
        if known and known.last and known.last.completed_on and known.last.completed_on > record.completed_on:
            return
        row = self._row(record.secret.vault, record.secret.name, record.completed_on)
        row.last = record
        if record.state is State.COMPLETED:
            row.stored = record

    async def vault_facts(self, vault: str) -> VaultFacts | None:
        """
        Return how the last look went.
        """
        await self.faults.enter("vault_facts")
        return self._vaults.get(vault)

    async def read_entry(self, secret: SecretId, *, seen: Facts | None = None) -> Entry | None:
        """
        Return what is known of a secret.
        """
        await self.faults.enter("read_entry")
        row = self._rows.get((secret.vault, secret.name.lower()))
        if row is None:
            return entry_of(seen, None, None)
        return entry_of(seen or row.facts, row.last, row.stored, row.verified, row.attention)

    async def list_entries(
        self,
        vault: str,
        after: str,
        *,
        about: int | None = None,
    ) -> AsyncGenerator[Entry, None]:
        """
        Yield the managed secrets of a vault by name.
        """
        await self.faults.enter("list_entries")
        for key, row in sorted(self._rows.items(), key=lambda item: item[0]):
            entry = entry_of(row.facts, row.last, row.stored, row.verified, row.attention)
            if key[0] == vault and key[1] > after and entry:
                yield entry

    def _row(self, vault: str, name: str, seen_on: datetime) -> _Row:
        row = self._rows.setdefault((vault, name.lower()), _Row(seen_on))
        row.seen_on = seen_on
        return row
