"""
What is remembered of a rotation, and what of it is shown.
"""

from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote

from msgspec import UNSET, Struct, UnsetType, structs

from rotation.vocabulary.caller import Caller
from rotation.vocabulary.endings import Misconfigured, SkipReason
from rotation.vocabulary.request import LeakedKey, RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName, ParseTarget, Target


class State(StrEnum):
    """
    Where a rotation stands. Completed, Failed and Skipped are ends.
    """

    ACCEPTED = "Accepted"
    SCHEDULED = "Scheduled"
    PLANNED = "Planned"
    REGENERATING = "Regenerating"
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"


class RotatedSecret(Struct, frozen=True, rename="camel"):
    """
    The secret of a rotation: `version` is the newest one the rotation knows of, `previous_version` the one it replaced.
    """

    vault: str
    name: str
    version: str | None
    previous_version: str | None = None
    expires_on: datetime | None = None


class Problem(Struct, frozen=True):
    """
    Why a rotation failed: a stable code, a sentence for people, and whether a later rotation can succeed unaided.
    """

    code: str
    message: str
    retryable: bool


class Step(Struct, frozen=True):
    """
    A step that a rotation would take, and what it would do.
    """

    step: str
    detail: str


class ScheduledRevocation(Struct, frozen=True, rename="camel"):
    """
    The rotation that regenerates a leaked key: its id, and when it is due if no other secret holds the key.
    """

    id: str
    due_on: datetime


class Rotation(Struct, frozen=True, rename="camel"):
    """
    The record of one rotation, exactly as `GET /rotations/{id}` and the published events show it.

    `reason` is the caller's, and `skip_reason` says why a rotation was skipped. `proven` says whether the new key was
    seen to work: False where that could not be found out or the key was refused, None where it was not asked for (yet).
    `requested_by` is who asked over HTTP: None where nobody did, or a function key let them in.
    `allowed_on` is there where it is too soon: from then on the key may be regenerated; of a revocation it is the
    earliest time. `gap_seconds` is there for InPlace rotations: how long the secret held a key that was already dead.
    `revocation` is there where the rotation moves its secret away from a leaked key, `steps` where a dry run, or an app
    that observes, says what would happen.
    """

    id: str
    state: State
    trigger: Trigger
    provider: str | None
    target: str | None
    key_name: KeyName | None
    previous_key_name: KeyName | None
    secret: RotatedSecret | None
    adopted: bool
    started_on: datetime
    completed_on: datetime | None
    attempts: int
    reason: str | None
    error: Problem | None
    skip_reason: SkipReason | None = None
    proven: bool | None = None
    requested_by: Caller | None = None
    allowed_on: datetime | UnsetType = UNSET
    gap_seconds: float | UnsetType = UNSET
    revocation: ScheduledRevocation | UnsetType = UNSET
    steps: list[Step] | UnsetType = UNSET

    def about(self, target: Target) -> "Rotation":
        """
        Return the record with the target it is about.
        """
        return structs.replace(self, provider=target.provider, target=target.arm_id)

    def chose(self, key: KeyName, active: KeyName | None, *, adopted: bool) -> "Rotation":
        """
        Return the record of a rotation that stores this key in place of the active one.
        """
        return structs.replace(self, key_name=key, previous_key_name=active, adopted=adopted)

    def pinned(self, version: str) -> "Rotation":
        """
        Return the record of a rotation that is about this version of its secret.
        """
        return structs.replace(self, secret=structs.replace(self.secret, version=version)) if self.secret else self

    def stored(self, version: SecretId, expires_on: datetime | None) -> "Rotation":
        """
        Return the record with the version that the rotation has stored.

        It may say so already: an attempt that is suspended after storing keeps its record.
        """
        if self.secret is None:
            return self
        is_new = self.secret.version != version.version
        previous = self.secret.version if is_new else self.secret.previous_version
        secret = structs.replace(self.secret, version=version.version, previous_version=previous, expires_on=expires_on)
        return structs.replace(self, secret=secret)


class Journal(Struct, frozen=True):
    """
    Written before a key is regenerated: which one, and the fingerprints of both keys before.

    The fingerprints are of the credentials that are shown at `address`.
    Where that of `key` has changed, it has been regenerated, whatever became of the answer.
    """

    key: KeyName
    fingerprint: str
    previous_key: KeyName | None
    written_on: datetime
    address: str
    in_place: bool = False
    # None in a row that was written before it was asked for.
    other_fingerprint: str | None = None

    @property
    def held(self) -> str | None:
        """
        The fingerprint of the credential that the secret held before.
        """
        return self.fingerprint if self.in_place else self.other_fingerprint


class Trial(Struct, frozen=True):
    """
    How far the proof of a key has come: of the one with this fingerprint.

    It was first seen at `since`. `was_refused` says whether it was refused while the key in use was accepted.
    """

    fingerprint: str
    since: datetime
    was_refused: bool = False


class OpenRotation(Struct, frozen=True):
    """
    The running rotation of a target: claim, journal, trial and request in one row of the ledger.

    `lease` is new for every attempt; until `claimed_until` only the attempt that wrote it may go on. `begun` says that
    something may have been changed, and that the row by which the rotation waited is gone: it can only end under its
    claim from then on, and the row stays until it does.
    """

    request: RotationRequest
    record: Rotation
    lease: str
    claimed_until: datetime
    journal: Journal | None = None
    begun: bool = False
    trial: Trial | None = None


class WaitingRotation(Struct, frozen=True):
    """
    A rotation that was answered 202 and has not begun (Accepted), or is to begin later (Scheduled).

    From `due_on` on it is put into the queue, again and again until it has ended.
    """

    request: RotationRequest
    record: Rotation
    due_on: datetime


class Reservation(Struct, frozen=True):
    """
    What was asked for under an Idempotency-Key: the digest of the body, and the version that was current then.
    """

    digest: str
    secret: SecretId | None = None


class TagChange(Struct, frozen=True):
    """
    Somebody changes the tags of a secret: while this stands in the place of a rotation's claim, none of them begins.

    `id` is new for every change. From `claimed_until` on nothing of it can take effect any more.
    """

    id: str
    secret: SecretId
    claimed_until: datetime


class Leak(Struct, frozen=True):
    """
    A key of a target, which is named by its identity, was reported as leaked: it is one until its value is dead.

    `revocation` is the id of the rotation that is to regenerate it, or was when it ended otherwise.
    """

    target: str
    leaked: LeakedKey
    revocation: str
    reported_on: datetime


class EndedRotation(Struct, frozen=True):
    """
    The outcome of a rotation, waiting to be published.
    """

    request: RotationRequest
    record: Rotation


def accepted_record(request: RotationRequest, now: datetime, parse: ParseTarget) -> Rotation:
    """
    Return the record of a rotation that is accepted and not begun.
    """
    secret = request.secret
    record = Rotation(
        id=request.id,
        state=State.ACCEPTED,
        trigger=request.trigger,
        provider=None,
        target=request.target and unquote(request.target),
        key_name=request.key if request.target else None,
        previous_key_name=None,
        secret=RotatedSecret(secret.vault, secret.name, secret.version) if secret else None,
        adopted=False,
        started_on=now,
        completed_on=None,
        attempts=1,
        reason=request.reason,
        error=None,
        requested_by=request.requested_by,
    )
    if request.revocation:
        due_on = now + request.revocation.after
        record = structs.replace(record, revocation=ScheduledRevocation(request.revocation.id, due_on))
    # A row may name a target of a kind that this version does not know: its rotation fails, and its record says so.
    with suppress(Misconfigured):
        return record.about(parse(request.target)) if request.target else record
    return record
