"""
The managed secrets as an operator sees them: what each sweep has found, and how each one's last rotation ended.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from msgspec import Struct, structs

from rotation.due import due_on
from rotation.errors import Misconfigured, OutOfScope
from rotation.managed import certificates_secret
from rotation.policy import RotationPolicy, is_managed, is_paused, read_policy, read_target, tagged_key
from rotation.ports import ListedSecret
from rotation.record import Rotation
from rotation.scope import Scopes
from rotation.secret import SecretId
from rotation.target import KeyName, parse_target

T = TypeVar("T")

GRACE = timedelta(days=2)  # A sweep, its rotation and its retries have passed: somebody should look.


class Status(StrEnum):
    """
    How a managed secret stands.
    """

    UP_TO_DATE = "UpToDate"
    DUE = "Due"
    OVERDUE = "Overdue"
    EXPIRED = "Expired"
    PAUSED = "Paused"
    MISCONFIGURED = "Misconfigured"


#: What a sweep has to see to.
IS_DUE = frozenset({Status.DUE, Status.OVERDUE, Status.EXPIRED})


class Facts(Struct, frozen=True):
    """
    What a look at a vault has found out about a managed secret. Its status follows from these and the time.

    `paused` and `misconfigured` say in words why it is not rotated; `validity_days` is None where the tag is wrong.
    """

    secret: SecretId
    seen_on: datetime
    target: str | None = None
    provider: str | None = None
    claim_id: str | None = None
    key: KeyName | None = None
    expires_on: datetime | None = None
    validity_days: int | None = None
    paused: str | None = None
    misconfigured: str | None = None


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
        Remember how the look at a vault went; after a complete one, forget the secrets that nobody has kept since.
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


def facts_of(listed: ListedSecret, scopes: Scopes, now: datetime) -> Facts | None:
    """
    Return what a listing says of a secret, None for one that is not managed.
    """
    tags = listed.tags
    if not is_managed(tags):
        return None
    target = _read_if_possible(lambda: read_target(tags))
    facts = Facts(
        listed.id,
        now,
        target=target.arm_id if target else None,
        provider=target.provider if target else None,
        claim_id=target.claim_id if target else None,
        key=_read_if_possible(lambda: tagged_key(tags)),
        expires_on=listed.expires_on,
    )
    try:
        if is_paused(tags):
            return structs.replace(facts, paused="its tag RotationPaused is true")
        if not listed.enabled:
            return structs.replace(facts, paused="its current version is disabled")
        return structs.replace(facts, validity_days=_check(listed, scopes).validity.days)
    except (Misconfigured, OutOfScope) as error:
        return structs.replace(facts, misconfigured=str(error))


def entry_of(facts: Facts | None, last: Rotation | None, stored: Rotation | None) -> Entry | None:
    """
    Return what is known of a secret, by what was seen and what was stored: the later of both counts.

    None for a secret that no look has seen and no rotation has stored.
    """
    if stored and stored.secret and stored.completed_on and (facts is None or facts.seen_on < stored.completed_on):
        since = facts or Facts(SecretId(stored.secret.vault, stored.secret.name), stored.completed_on)
        target = parse_target(stored.target) if stored.target else None
        facts = structs.replace(
            since,
            seen_on=stored.completed_on,
            target=stored.target,
            provider=stored.provider,
            claim_id=target.claim_id if target else None,
            key=stored.key_name,
            expires_on=stored.secret.expires_on,
            # What stood in its way then did not any more.
            paused=None,
            misconfigured=None,
        )
    return Entry(facts, last) if facts else None


def status_of(facts: Facts, now: datetime, lead: timedelta) -> Status:
    """
    Return how a secret stands; `lead` is how long before its expiry it is due.
    """
    if facts.paused:
        return Status.PAUSED
    if facts.misconfigured or facts.expires_on is None:
        return Status.MISCONFIGURED
    validity = None if facts.validity_days is None else timedelta(days=facts.validity_days)
    due = due_on(facts.expires_on, validity, lead)
    if facts.expires_on <= now:
        return Status.EXPIRED
    if due + GRACE <= now:
        return Status.OVERDUE
    return Status.DUE if due <= now else Status.UP_TO_DATE


def _check(listed: ListedSecret, scopes: Scopes) -> RotationPolicy:
    if listed.is_certificate:
        raise certificates_secret()
    policy = read_policy(listed.tags)
    scopes.require(policy.target)
    if listed.expires_on is None:
        raise Misconfigured(
            "it has no expiry date, so that Key Vault raises no event and no sweep finds it due; set one, or rotate "
            "the secret once by hand"
        )
    return policy


def _read_if_possible(read: Callable[[], T]) -> T | None:
    with suppress(Misconfigured):
        return read()
    return None
