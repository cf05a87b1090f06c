"""
How a managed secret stands: what each sweep has found, and how its last rotation ended.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from msgspec import structs

from rotation.policy.due import due_on
from rotation.policy.eligibility import TO_LIST, Case, decide
from rotation.policy.tags import is_managed, read_validity, tagged_key
from rotation.ports.inventory import Entry, Facts
from rotation.vocabulary.endings import Misconfigured, Skip, SkipReason
from rotation.vocabulary.limits import OVERDUE_AFTER
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.secret import SecretId

T = TypeVar("T")


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


_PAUSES = {
    SkipReason.PAUSED: "its tag RotationPaused is true",
    SkipReason.DISABLED: "its current version is disabled",
}


def facts_of(case: Case, now: datetime) -> Facts | None:
    """
    Return what a listing says of a secret, None for one that is not managed.
    """
    tags = case.secret.tags
    if not is_managed(tags):
        return None
    target = _read_if_possible(lambda: case.target)
    facts = Facts(
        case.secret.id,
        now,
        target=target.arm_id if target else None,
        provider=target.provider if target else None,
        key=_read_if_possible(lambda: tagged_key(tags)),
        expires_on=case.secret.expires_on,
    )
    reason = decide(case, TO_LIST)
    if isinstance(reason, Skip):
        return structs.replace(facts, paused=_PAUSES[reason.reason])
    if reason:
        return structs.replace(facts, misconfigured=str(reason))
    return structs.replace(facts, validity_days=read_validity(tags).days)


def entry_of(facts: Facts | None, last: Rotation | None, stored: Rotation | None) -> Entry | None:
    """
    Return what is known of a secret, by what was seen and what was stored: the later of both counts.

    None for a secret that no look has seen and no rotation has stored.
    """
    if stored and stored.secret and stored.completed_on and (facts is None or facts.seen_on < stored.completed_on):
        since = facts or Facts(SecretId(stored.secret.vault, stored.secret.name), stored.completed_on)
        facts = structs.replace(
            since,
            seen_on=stored.completed_on,
            target=stored.target,
            provider=stored.provider,
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
    if due + OVERDUE_AFTER <= now:
        return Status.OVERDUE
    return Status.DUE if due <= now else Status.UP_TO_DATE


def _read_if_possible(read: Callable[[], T]) -> T | None:
    with suppress(Misconfigured):
        return read()
    return None
