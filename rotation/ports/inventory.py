"""
What is known of each managed secret: what each look at its vault has found, and how its last rotation ended.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from rotation.vocabulary.record import Rotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName, identity_of


class Facts(Struct, frozen=True):
    """
    What a look at a vault has found out about a managed secret. Its status follows from these and the time.

    `paused` and `misconfigured` say in words why it is not rotated; `validity_days` is None where the tag is wrong.
    """

    secret: SecretId
    seen_on: datetime
    target: str | None = None
    provider: str | None = None
    key: KeyName | None = None
    expires_on: datetime | None = None
    validity_days: int | None = None
    paused: str | None = None
    misconfigured: str | None = None

    @property
    def target_identity(self) -> str | None:
        """
        The identity of the target, None where that is not known.
        """
        return identity_of(self.target) if self.target else None


class Entry(Struct, frozen=True):
    """
    A managed secret, and the last of its rotations that has ended.
    """

    facts: Facts
    last: Rotation | None = None


class VaultFacts(Struct, frozen=True):
    """
    How the last look at a vault went: when it began, and why it did not come to its end, if so.

    `as_of` is when the last complete one began. `misconfigured` and `overdue` count secrets.
    """

    vault: str
    looked_on: datetime
    as_of: datetime | None
    problem: str | None = None
    misconfigured: int = 0
    overdue: int = 0


class Inventory(Protocol):
    """
    Where facts are kept. Every call may raise a `DependencyError`.
    """

    async def keep(self, facts: list[Facts], now: datetime) -> None:
        """
        Remember now what was found of some secrets of one vault, and register each one with its target.

        How their last rotations ended stays as it is.
        """
        ...

    async def finish(self, facts: VaultFacts) -> None:
        """
        Remember how the look at a vault went; after a complete one, forget the secrets that were not kept since.
        """
        ...

    async def note(self, record: Rotation) -> None:
        """
        Remember how a rotation of a secret ended, and what the secret holds since, unless a later one is remembered.
        """
        ...

    async def vault_facts(self, vault: str) -> VaultFacts | None:
        """
        Return how the last look at a vault went, None if there was none.
        """
        ...

    def list_entries(self, vault: str, after: str) -> AsyncIterator[Entry]:
        """
        Yield the managed secrets of a vault by name in lower case, those behind the name `after`.
        """
        ...
