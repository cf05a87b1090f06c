"""
The managed secrets as an operator sees them: what each sweep has found, and how each one's last rotation ended.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from msgspec import structs

from rotation.policy.due import due_on
from rotation.policy.eligibility import certificates_secret
from rotation.policy.scope import Scopes
from rotation.policy.tags import RotationPolicy, is_managed, is_paused, read_policy, read_target, tagged_key
from rotation.ports.inventory import Entry, Facts
from rotation.ports.vaults import ListedSecret
from rotation.vocabulary.errors import Misconfigured, OutOfScope
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import parse_target

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
