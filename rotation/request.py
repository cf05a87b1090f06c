"""
What is asked for: one request, whichever trigger it came through. Its JSON is the message of the queue `rotations`.
"""

import secrets
import uuid
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from rotation.secret import SecretId
from rotation.target import KeyName

_NAMESPACE = uuid.UUID("6f0c8d1e-5a0b-4c57-9a5e-5d4a3f1b7c20")


class Trigger(StrEnum):
    """
    What started a rotation.
    """

    SECRET_NEAR_EXPIRY = "SecretNearExpiry"  # noqa: S105 - a word of Key Vault's
    SECRET_EXPIRED = "SecretExpired"  # noqa: S105 - as above
    SWEEP = "Sweep"
    HTTP = "Http"


class RotationRequest(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """
    One rotation that is asked for.

    `secret` is pinned to the version that the request is about: if another one is current by the time it runs, the work
    has been done. `key` is the key to regenerate, None for the one not in use. `claimed` is the claim id of the target
    on which an earlier attempt left its journal; only resuming sets it. A field that this version does not know is an
    error: what it asks for must not be left out.
    """

    id: str
    trigger: Trigger
    secret: SecretId
    accepted_on: datetime
    key: KeyName | None = None
    force: bool = False
    reason: str | None = None
    claimed: str | None = None


def request_for_event(secret: SecretId, trigger: Trigger, now: datetime) -> RotationRequest:
    """
    Return the request that a secret version's event stands for: the same id however often it is delivered.
    """
    identity = f"{secret.identity}/{secret.version}|{trigger}"
    return RotationRequest(str(uuid.uuid5(_NAMESPACE, identity)), trigger, secret, now)


def new_id(now: datetime) -> str:
    """
    Return a UUIDv7 (RFC 9562): 48 bits of milliseconds, then chance.
    """
    milliseconds = int(now.timestamp() * 1000)
    chance = secrets.randbits(74)
    version_7, variant = 7, 0b10
    return str(
        uuid.UUID(
            int=milliseconds << 80 | version_7 << 76 | (chance >> 62) << 64 | variant << 62 | (chance & (1 << 62) - 1)
        )
    )
