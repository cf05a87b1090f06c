"""
Whether a secret is rotated: ordered checks, of which each looks at one thing and returns a reason against it, or none.

The first reason counts. The lists of checks, below, are the documentation: rotation, dry run and sweep take from the
same checks.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property

from msgspec import Struct

from rotation.policy.due import is_meant
from rotation.policy.scope import Scopes
from rotation.policy.tags import TARGET, is_managed, is_paused, read_policy, read_target
from rotation.policy.values import holds
from rotation.vocabulary.endings import Misconfigured, Skip, SkipReason
from rotation.vocabulary.errors import RotationError
from rotation.vocabulary.limits import DEFAULT_LEAD
from rotation.vocabulary.record import Journal
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import ListedSecret, SecretVersion
from rotation.vocabulary.target import ParseTarget, Target


class TargetMoved(RotationError):
    """
    The secret names another target than the one that is claimed.
    """


class Case(Struct, frozen=True, dict=True):
    """
    A secret, and what has a say in whether it is rotated.

    The rest is there for a rotation: its `request`, when it is looked at, how long before its expiry a secret is due,
    the identity of the target that is `claimed`, and the journal of an earlier attempt.
    """

    secret: SecretVersion | ListedSecret
    parse_target: ParseTarget
    scopes: Scopes
    request: RotationRequest | None = None
    now: datetime | None = None
    lead: timedelta = DEFAULT_LEAD
    claimed: str | None = None
    journal: Journal | None = None

    @cached_property
    def target(self) -> Target:
        """
        What the secret's key belongs to. Raises `Misconfigured`.
        """
        return read_target(self.secret.tags, self.parse_target)


Check = Callable[[Case], RotationError | None]


def decide(case: Case, checks: Sequence[Check]) -> RotationError | None:
    """
    Return the first reason against the rotation of a secret, None where there is none.
    """
    for check in checks:
        try:
            reason = check(case)
        except RotationError as error:
            reason = error
        if reason:
            return reason
    return None


def superseded(case: Case) -> RotationError | None:
    """
    Check that the version which the rotation is about is still the current one.
    """
    if case.request is None or case.now is None or not isinstance(case.secret, SecretVersion):
        raise ValueError("only a rotation can be superseded")
    validity = None
    with suppress(Misconfigured):
        validity = read_policy(case.secret.tags, case.target).validity
    is_ours = is_meant(case.secret, case.request, case.now, case.lead, validity)
    return None if is_ours else Skip(SkipReason.SUPERSEDED)


def superseded_for_good(case: Case) -> RotationError | None:
    """
    Check the same where the key in use may be dead: a later version that holds it needs the new one as much.
    """
    reason, value = superseded(case), case.secret.value if isinstance(case.secret, SecretVersion) else None
    if reason and case.journal and value and holds(case.target, value, case.journal.fingerprint):
        return None
    return reason


def unmanaged(case: Case) -> RotationError | None:
    """
    Check that the secret is this app's to rotate: that it says what its key belongs to.
    """
    return None if is_managed(case.secret.tags) else Skip(SkipReason.UNMANAGED)


def paused(case: Case) -> RotationError | None:
    """
    Check that nobody wants it left alone.
    """
    return Skip(SkipReason.PAUSED) if is_paused(case.secret.tags) else None


def disabled(case: Case) -> RotationError | None:
    """
    Check that its current version can be read.
    """
    return None if case.secret.enabled else Skip(SkipReason.DISABLED)


def of_a_certificate(case: Case) -> RotationError | None:
    """
    Check that its value can be set.
    """
    if not case.secret.is_certificate:
        return None
    return Misconfigured(f"it belongs to a certificate, whose value Key Vault sets itself; remove tag {TARGET}")


def without_target(case: Case) -> RotationError | None:
    """
    Check that what it says about its target can be read.
    """
    _ = case.target
    return None


def moved_after_its_key(case: Case) -> RotationError | None:
    """
    Check that no key of another target was regenerated for it.
    """
    if case.journal is None or case.journal.address == case.target.address:
        return None
    return Misconfigured(f"tag {TARGET} was {case.journal.address} when its key was regenerated; it changed since")


def moved(case: Case) -> RotationError | None:
    """
    Check that it names the target that is claimed.
    """
    return TargetMoved() if case.claimed not in {None, case.target.identity} else None


def out_of_scope(case: Case) -> RotationError | None:
    """
    Check that the keys of its target may be touched.
    """
    case.scopes.require(case.target)
    return None


def with_wrong_tags(case: Case) -> RotationError | None:
    """
    Check that all its tags can be read.
    """
    read_policy(case.secret.tags, case.target)
    return None


def without_expiry(case: Case) -> RotationError | None:
    """
    Check that something will start its rotation.
    """
    if case.secret.expires_on is not None:
        return None
    return Misconfigured(
        "it has no expiry date, so that Key Vault raises no event and no sweep finds it due; set one, or rotate "
        "the secret once by hand"
    )


#: Before the target is claimed; whether that is in scope is asked of every request, also of one without a secret.
TO_CLAIM = (unmanaged, paused, disabled, of_a_certificate, without_target)
#: Before the claim: whether it is likely to be rotated, so that its target may be inspected in one go with the look.
TO_INSPECT_AHEAD = (superseded, with_wrong_tags)
#: Under the claim.
TO_ROTATE = (superseded, *TO_CLAIM, moved_after_its_key, moved, out_of_scope)
#: Under the claim of a rotation that may have killed the key in use: only a new one helps its clients.
TO_FINISH = (superseded_for_good, without_target, moved_after_its_key, moved, out_of_scope)
#: In the list of managed secrets: why one waits, and why one cannot be rotated.
TO_WAIT = (paused, disabled)
TO_LIST = (of_a_certificate, with_wrong_tags, out_of_scope, without_expiry)
