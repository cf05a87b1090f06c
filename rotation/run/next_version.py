"""
What is stored in step 7: the version that comes after the one that was looked at.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from rotation.policy.tags import RotationPolicy, renewed
from rotation.policy.values import exchanged
from rotation.ports.vaults import NewVersion
from rotation.run.choice import Regenerate, StoreLive
from rotation.run.claim import Claim
from rotation.run.neighbours import TargetNeighbours
from rotation.vocabulary.endings import Drift, Ending, Misconfigured
from rotation.vocabulary.errors import Unfinished
from rotation.vocabulary.limits import EVENT_MARGIN
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.target import KeyName, Keys


class Work(Struct, frozen=True):
    """
    What was found, and what is to be done: without a plan, an earlier attempt has regenerated `key` already.

    `held` is the fingerprint of the credential in whose place the new one is put, None where the secret's is dead.
    """

    secret: SecretVersion
    policy: RotationPolicy
    keys: Keys
    key: KeyName
    held: str | None
    plan: Regenerate | StoreLive | None = None
    neighbours: TargetNeighbours | None = None


def next_version(work: Work, claim: Claim, now: datetime, grace: timedelta) -> NewVersion:
    """
    Return the version to store; its key may not be replaced before the grace time is over.

    Raises `Failure`, and `Unfinished` where a dead key cannot be replaced.
    """
    return NewVersion(
        _value(work, claim),
        tags=renewed(work.secret.tags, work.key, claim.record.id),
        content_type=work.secret.content_type,
        expires_on=_expiry(work, now, grace),
    )


def dead_key(hindrance: Ending | None) -> Unfinished:
    """
    Return why an attempt ends that cannot replace a dead key: its rotation goes on, since nothing else helps.
    """
    return Unfinished(f"{hindrance}; the secret may hold a dead key until a new one is stored", in_flight=False)


def _value(work: Work, claim: Claim) -> KeyMaterial:
    """
    Return what the new version holds: the key alone where what stands around the dead one cannot be read.
    """
    key, value = work.keys[work.key], work.secret.value
    if value is None:
        claim.say("stores the key alone: the version before is disabled", key=work.key)
        return key
    if work.held is None and not work.policy.target.candidates(value):
        claim.say("replaces the whole value: nothing in it looks like a key", key=work.key)
    try:
        return exchanged(work.policy.target, value, work.held, key)
    except (Misconfigured, Drift) as hindrance:
        # It could hold a key when it was inspected; by now another version of this app may be stricter.
        if claim.must_finish:
            raise dead_key(hindrance) from hindrance
        raise


def _expiry(work: Work, now: datetime, grace: timedelta) -> datetime:
    """
    Return when the new version expires: no later than the one whose key it adopts, if its own rotation can come first.
    """
    made_on = now.replace(microsecond=0)
    expires_on = made_on + work.policy.validity
    if isinstance(work.plan, StoreLive) and work.plan.not_after:
        # Near its expiry, so that its event comes at once; past it, none would come.
        return min(expires_on, max(work.plan.not_after, made_on + grace + EVENT_MARGIN))
    return expires_on
