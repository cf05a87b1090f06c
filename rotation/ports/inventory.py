"""
What is known of each managed secret, and of each vault.

That is what each look at a vault has found, how a secret's last rotation ended, whether its key was seen to be live,
and whether somebody was told that it needs a person.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from rotation.vocabulary.record import Rotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName, identity_of


class Status(StrEnum):
    """
    How a secret stands. NearlyManaged is one that is not managed, and whose tags look as if it should be.
    """

    UP_TO_DATE = "UpToDate"
    DUE = "Due"
    OVERDUE = "Overdue"
    EXPIRED = "Expired"
    PAUSED = "Paused"
    DRIFTED = "Drifted"
    TARGET_MISSING = "TargetMissing"
    MISCONFIGURED = "Misconfigured"
    NEARLY_MANAGED = "NearlyManaged"


class Facts(Struct, frozen=True):
    """
    What a look at a vault has found out about a managed secret. Its status follows from these and the time.

    `paused` and `misconfigured` say in words why it is not rotated; `validity_days` is None where the tag is wrong.
    `nearly` says why a secret is not managed whose tags look as if it should be. `made_on` is when its current version
    was made.
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
    nearly: str | None = None
    made_on: datetime | None = None

    @property
    def target_identity(self) -> str | None:
        """
        The identity of the target, None where that is not known.
        """
        return identity_of(self.target) if self.target else None


class Result(StrEnum):
    """
    What came of comparing a secret's value with the keys of its target.
    """

    LIVE = "Live"
    DRIFT = "Drift"
    TARGET_MISSING = "TargetMissing"
    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"


class Verification(Struct, frozen=True):
    """
    What came of it, when, and why. `misconfigured` says why no key could be exchanged in the value, or none is shown.

    It is about the target with this identity, and about the address where that shows its keys, None where a secret that
    could not be read names none. A target that was not found once `is_doubted`: it counts as missing when it is not
    found again. `key` is the one key that was seen in the value, None where that is not clear, and `leaked` its
    fingerprint where it was reported as leaked.
    """

    on: datetime
    result: Result
    target: str
    address: str | None = None
    why: str | None = None
    misconfigured: str | None = None
    is_doubted: bool = False
    key: KeyName | None = None
    leaked: str | None = None

    @property
    def is_wrong(self) -> bool:
        """
        Whether the secret needs somebody: then this stays until something else is seen.
        """
        return self.result in {Result.DRIFT, Result.TARGET_MISSING} or self.misconfigured is not None


class Attention(Struct, frozen=True):
    """
    A secret was first seen at `since` to stand so that a person is needed; `is_told` says whether that was published.
    """

    status: Status
    since: datetime
    is_told: bool = False


class Entry(Struct, frozen=True):
    """
    A secret, the last of its rotations that has ended, and what is known of its key.
    """

    facts: Facts
    last: Rotation | None = None
    verified: Verification | None = None
    attention: Attention | None = None


class VaultFacts(Struct, frozen=True):
    """
    How the last look at a vault went: when it began, and why it did not come to its end, if so.

    `as_of` is when the last complete one began. `needs_attention` says whether a secret needs a person.
    """

    vault: str
    looked_on: datetime
    as_of: datetime | None
    problem: str | None = None
    needs_attention: bool = False


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

    async def forget(self, secret: SecretId) -> None:
        """
        Forget what was found of a secret that is not managed any more.
        """
        ...

    async def keep_look(self, facts: VaultFacts) -> None:
        """
        Remember how the look at a vault went, and nothing else.
        """
        ...

    async def keep_verifications(self, found: Mapping[SecretId, Verification], now: datetime) -> None:
        """
        Remember now what came of comparing some secrets with their targets.
        """
        ...

    async def keep_attention(self, secret: SecretId, attention: Attention | None, *, instead: Attention | None) -> bool:
        """
        Remember that a secret needs a person, or that it does not any more; False where it was not as it is said here.
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

    async def read_entry(self, secret: SecretId, *, seen: Facts | None = None) -> Entry | None:
        """
        Return what is known of a secret, given what was just `seen` of it; None where that is nothing.
        """
        ...

    def list_entries(self, vault: str, after: str, *, about: int | None = None) -> AsyncIterator[Entry]:
        """
        Yield the secrets of a vault by name in lower case, those behind the name `after`.

        Where a caller will most likely take no more than `about` so many, no more are read at once.
        """
        ...
