"""
How a managed secret stands: what each sweep has found, how its last rotation ended, and whether its key is live.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import structs

from rotation.overview.near_misses import near_miss
from rotation.policy.due import due_on, next_rotation
from rotation.policy.eligibility import TO_LIST, TO_WAIT, Case, decide
from rotation.policy.tags import is_managed, read_validity, tagged_key
from rotation.ports.inventory import Attention, Entry, Facts, Result, Status, Verification
from rotation.vocabulary.endings import Drift, Misconfigured, Skip, SkipReason, TargetNotFound
from rotation.vocabulary.limits import OVERDUE_AFTER
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import identity_of

T = TypeVar("T")

#: What a sweep has to see to.
IS_DUE = frozenset({Status.DUE, Status.OVERDUE, Status.EXPIRED})
#: What somebody is told about.
NEEDS_ATTENTION = frozenset(
    {Status.DRIFTED, Status.TARGET_MISSING, Status.MISCONFIGURED, Status.OVERDUE, Status.EXPIRED}
)

#: What rotations of their own put an end to: in any other status none is begun, or none is sure to end well.
_ROTATED_BY_ITSELF = IS_DUE | {Status.UP_TO_DATE}

#: With these a rotation fails that has seen neither key in the secret's value.
_NO_LIVE_KEY = frozenset({Drift.code, TargetNotFound.code})

_STATUS_OF = {Result.TARGET_MISSING: Status.TARGET_MISSING, Result.DRIFT: Status.DRIFTED}
_PAUSES = {
    SkipReason.PAUSED: "its tag RotationPaused is true",
    SkipReason.DISABLED: "its current version is disabled",
}


def facts_of(case: Case, now: datetime) -> Facts | None:
    """
    Return what a listing says of a secret, None for one that is not managed and does not look as if it should be.
    """
    tags = case.secret.tags
    if not is_managed(tags):
        nearly = near_miss(tags)
        return Facts(case.secret.id, now, expires_on=case.secret.expires_on, nearly=nearly) if nearly else None
    target = _read_if_possible(lambda: case.target)
    facts = Facts(
        case.secret.id,
        now,
        target=target.arm_id if target else None,
        provider=target.provider if target else None,
        key=_read_if_possible(lambda: tagged_key(tags)),
        expires_on=case.secret.expires_on,
        made_on=case.secret.created_on,
    )
    pause, reason = decide(case, TO_WAIT), decide(case, TO_LIST)
    if isinstance(pause, Skip):
        facts = structs.replace(facts, paused=_PAUSES[pause.reason])
    elif pause:
        reason = pause
    if reason:
        return structs.replace(facts, misconfigured=str(reason))
    return structs.replace(facts, validity_days=read_validity(tags).days)


def entry_of(
    facts: Facts | None,
    last: Rotation | None,
    stored: Rotation | None,
    verified: Verification | None = None,
    attention: Attention | None = None,
) -> Entry | None:
    """
    Return what is known of a secret, by what was seen and what was stored: the later of both counts.

    None for a secret that no look has seen and no rotation has stored.
    """
    seen = [verified] if verified else []
    if stored and stored.completed_on and stored.target:
        # The key that it stored was read from the target.
        seen.append(Verification(stored.completed_on, Result.LIVE, identity_of(stored.target), key=stored.key_name))
    if stored and stored.secret and stored.completed_on and (facts is None or facts.seen_on < stored.completed_on):
        since = facts or Facts(SecretId(stored.secret.vault, stored.secret.name), stored.completed_on)
        facts = structs.replace(
            since,
            seen_on=stored.completed_on,
            target=stored.target,
            provider=stored.provider,
            key=stored.key_name,
            expires_on=stored.secret.expires_on,
            made_on=stored.completed_on,
            # What stood in its way then did not any more.
            paused=None,
            misconfigured=None,
            nearly=None,
        )
    if facts is None:
        return None
    # What was seen before the current version was made is about another one.
    still = [
        each
        for each in seen
        if each.target == facts.target_identity
        and (facts.made_on is None or each.on >= facts.made_on)
        and not (each.result is Result.LIVE and _refutes(last, each.on))
    ]
    return Entry(facts, last, max(still, key=lambda each: each.on, default=None), attention)


def _refutes(last: Rotation | None, seen_on: datetime) -> bool:
    """
    Return whether a rotation has found no live key since: how the secret stands is open until it is compared again.
    """
    if last is None or last.completed_on is None or last.error is None:
        return False
    return last.error.code in _NO_LIVE_KEY and last.completed_on > seen_on


def urgency_of(facts: Facts, now: datetime, lead: timedelta) -> Status:
    """
    Return how a secret stands by its tags and its expiry; `lead` is how long before that it is due.
    """
    if facts.nearly:
        return Status.NEARLY_MANAGED
    if facts.misconfigured or facts.expires_on is None:
        return Status.MISCONFIGURED
    if facts.paused:
        return Status.PAUSED
    due = due_on(facts.expires_on, _validity_of(facts), lead)
    if facts.expires_on <= now:
        return Status.EXPIRED
    if due + OVERDUE_AFTER <= now:
        return Status.OVERDUE
    return Status.DUE if due <= now else Status.UP_TO_DATE


def status_of(entry: Entry, now: datetime, lead: timedelta) -> Status:
    """
    Return how a secret stands, by all that is known of it.
    """
    urgency, verified = urgency_of(entry.facts, now, lead), entry.verified
    if verified is None or urgency in {Status.NEARLY_MANAGED, Status.MISCONFIGURED}:
        return urgency
    return Status.MISCONFIGURED if verified.misconfigured else _STATUS_OF.get(verified.result, urgency)


def next_rotation_of(entry: Entry, now: datetime, lead: timedelta) -> datetime | None:
    """
    Return when an event or the sweep rotates a secret next, None where neither does as it stands.
    """
    facts = entry.facts
    if facts.expires_on is None or status_of(entry, now, lead) not in _ROTATED_BY_ITSELF:
        return None
    return next_rotation(facts.expires_on, _validity_of(facts), lead, now)


def why_of(entry: Entry, status: Status) -> str | None:
    """
    Return why a secret stands so, where that needs words.
    """
    facts, verified = entry.facts, entry.verified
    match status:
        case Status.NEARLY_MANAGED:
            return facts.nearly
        case Status.MISCONFIGURED:
            return facts.misconfigured or (verified.misconfigured if verified else None)
        case Status.TARGET_MISSING | Status.DRIFTED:
            return verified.why if verified else None
        case Status.PAUSED:
            return facts.paused
        case Status.DUE | Status.OVERDUE | Status.EXPIRED:
            return _why_skipped(entry.last)
    return None


def _why_skipped(last: Rotation | None) -> str | None:
    # A duplicate is skipped because there was a rotation.
    reason = last.skip_reason if last else None
    return f"its last rotation was skipped: {reason}" if reason and reason is not SkipReason.SUPERSEDED else None


def _validity_of(facts: Facts) -> timedelta | None:
    return None if facts.validity_days is None else timedelta(days=facts.validity_days)


def _read_if_possible(read: Callable[[], T]) -> T | None:
    with suppress(Misconfigured):
        return read()
    return None
