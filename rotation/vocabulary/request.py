"""
What is asked for: one request, whichever trigger it came through. Its JSON is the message of the queue `rotations`.
"""

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from rotation.vocabulary.caller import Caller
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName

_NAMESPACE = uuid.UUID("6f0c8d1e-5a0b-4c57-9a5e-5d4a3f1b7c20")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Trigger(StrEnum):
    """
    What started a rotation.
    """

    SECRET_NEAR_EXPIRY = "SecretNearExpiry"  # noqa: S105 - a word of Key Vault's
    SECRET_EXPIRED = "SecretExpired"  # noqa: S105 - as above
    SWEEP = "Sweep"
    HTTP = "Http"


#: What Key Vault raises.
EVENTS = frozenset({Trigger.SECRET_NEAR_EXPIRY, Trigger.SECRET_EXPIRED})


class LeakedKey(Struct, frozen=True):
    """
    A key that was reported as leaked: the fingerprint of its value, and the ARM id of what shows it, percent-encoded.
    """

    fingerprint: str
    shown_by: str


class Revocation(Struct, frozen=True):
    """
    The rotation with this id regenerates a leaked key, so long `after` the last secret that held it has moved.
    """

    id: str
    after: timedelta
    leaked: LeakedKey


class RotationRequest(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """
    One rotation that is asked for: of a secret, or, without one, of a key of `target` whose new value goes nowhere.

    `target` is the ARM id of what shows the keys, percent-encoded.
    `secret` is pinned to the version that the request is about: if another one is current by the time it runs, the work
    has been done. `key` is the key to regenerate, None for the one not in use. `claimed` is the identity of the target
    on which an earlier attempt left its journal, and `ended` says that the outcome waits to be published; only resuming
    sets them. `waits` says that the ledger holds a row for the request until it has begun or ended. A request that
    `revokes` a leaked key is about the target that has it, and finds out itself which key that is. One with a
    `revocation` moves its secret away from such a key: it is the report of the leak, or made for another secret that
    holds the key. `ignore_grace` asks for the key to be regenerated although clients may go on with it, and `deferred`
    says that this was too soon once. `requested_by` is who asked, where that is known. A field that this version does
    not know is an error: what it asks for must not be left out.
    """

    id: str
    trigger: Trigger
    secret: SecretId | None
    accepted_on: datetime
    key: KeyName | None = None
    force: bool = False
    reason: str | None = None
    claimed: str | None = None
    ended: bool = False
    target: str | None = None
    waits: bool = False
    revocation: Revocation | None = None
    revokes: Revocation | None = None
    ignore_grace: bool = False
    deferred: bool = False
    requested_by: Caller | None = None

    @property
    def is_patient(self) -> bool:
        """
        Whether nobody waits for its answer, so that it may be carried out later.
        """
        return self.trigger is not Trigger.HTTP or self.waits

    @property
    def is_about_a_leak(self) -> bool:
        """
        Whether it is part of revoking a leaked key: then it waits for its turn where another rotation is running.
        """
        return self.revokes is not None or self.revocation is not None

    def __post_init__(self) -> None:
        if (self.secret is None) is (self.target is None):
            raise ValueError("a request is about a secret or about a target, one of them")
        if self.target is not None and (self.key is None) is (self.revokes is None):
            raise ValueError("a request about a target names the key, or the leaked key that it revokes")
        if self.secret is not None and self.revokes is not None:
            raise ValueError("a leaked key is revoked at its target")


def request_for_event(
    secret: SecretId, trigger: Trigger, now: datetime, *, event_id: str | None = None
) -> RotationRequest:
    """
    Return the request that a secret's event stands for: the same id however often it is delivered.

    The id is made of the version, or of the event's own id where the event names no version. An event that has no id
    either counts once a day.
    """
    which = f"/{secret.version}" if secret.version else f"|event {event_id or now.date()}"
    return RotationRequest(_id_of(f"{secret.identity}{which}|{trigger}"), trigger, secret, now)


def request_for_sweep(secret: SecretId, now: datetime, *, observes: bool = False) -> RotationRequest:
    """
    Return the request of a sweep that found a secret version due: one id a day, so that what failed is tried again.

    That of an app which only `observes` is another one: it rotates nothing, and a sweep of the same day may have to.
    """
    identity = f"{secret.identity}/{secret.version}|{Trigger.SWEEP}|{now:%Y-%m-%d}" + ("|observe" if observes else "")
    return RotationRequest(_id_of(identity), Trigger.SWEEP, secret, now)


def revocation_id(rotation_id: str) -> str:
    """
    Return the id of the revocation that a rotation asks for: the same however often it does.
    """
    return _id_of(f"{rotation_id}|revocation")


def request_to_revoke(
    revocation: Revocation, now: datetime, *, reason: str | None, requested_by: Caller | None = None
) -> RotationRequest:
    """
    Return the rotation that regenerates a leaked key, which waits until nobody uses that key any more.
    """
    return RotationRequest(
        revocation.id,
        Trigger.HTTP,
        None,
        now,
        reason=reason,
        target=revocation.leaked.shown_by,
        waits=True,
        revokes=revocation,
        requested_by=requested_by,
    )


def request_to_move(
    revoking: RotationRequest, revocation: Revocation, secret: SecretId, now: datetime, *, look: str
) -> RotationRequest:
    """
    Return the rotation of a secret that holds a leaked key: another one for each `look` that finds it there.

    It has the reason and the caller of the request that revokes the key.
    """
    return RotationRequest(
        _id_of(f"{revocation.id}|{secret.identity}/{secret.version}|{look}"),
        Trigger.HTTP,
        secret,
        now,
        reason=revoking.reason,
        revocation=revocation,
        requested_by=revoking.requested_by,
    )


def keyed_id(idempotency_key: str) -> str:
    """
    Return the id of the rotation that a caller's Idempotency-Key stands for.
    """
    return _id_of(f"Idempotency-Key|{idempotency_key}")


def new_id(now: datetime) -> str:
    """
    Return a UUIDv7 (RFC 9562): 48 bits of milliseconds, then chance.
    """
    # Whole numbers: a float loses a millisecond now and then.
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    chance = secrets.randbits(74)
    version_7, variant = 7, 0b10
    return str(
        uuid.UUID(
            int=milliseconds << 80 | version_7 << 76 | (chance >> 62) << 64 | variant << 62 | (chance & (1 << 62) - 1)
        )
    )


def _id_of(identity: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, identity))
