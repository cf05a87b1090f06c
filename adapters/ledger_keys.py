"""
The keys of the rows of the ledger's table.

It rests on assumptions 87 and 88 of docs/fidelity.md.
"""

from rotation.vocabulary.request import LeakedKey, RotationRequest
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import identity_of

#: One partition for all that changes in one transaction: none spans two.
LIVE = "live"
#: What Idempotency-Keys stand for.
ASKED = "asked"

OPEN, OUTBOX, ACCEPTED, SCHEDULED, LEAKED = "open:", "outbox:", "accepted:", "scheduled:", "leaked:"
#: How a rotation stands that has begun, was deferred or has ended; all ended ones by age; who holds a key of a target.
STANDING, HISTORY, BOUND = "standing:", "timeline:", "with:"

#: What is unfinished is little, and its keys come before all others.
UNFINISHED, NO_LONGER = "RowKey lt @finished", {"finished": STANDING}


def waiting_key(request: RotationRequest, target: str | None) -> str:
    """
    Return the key of the row by which a rotation waits; of a revocation, that of its target, which has one at most.
    """
    return SCHEDULED + key_of(identity_of(target or "")) if request.revokes else ACCEPTED + request.id


def leak_key(target: str, leaked: LeakedKey) -> str:
    """
    Return the key of the row of a leaked key of a target.
    """
    return f"{leaks_of(target)}{leaked.fingerprint}"


def leaks_of(target: str) -> str:
    """
    Return what the keys of all leaked keys of a target begin with.
    """
    return f"{LEAKED}{key_of(target)}||"


def open_key(target: str) -> str:
    """
    Return the key of a target's row.
    """
    return OPEN + key_of(target)


def target_of(key: str) -> str:
    """
    Return the identity of the target that a key was made of.
    """
    return key.removeprefix(OPEN).replace("|", "/")


def bound_key(target: str, secret: SecretId) -> str:
    """
    Return the key of a secret's row for a target.
    """
    return f"{bound_prefix(target)}{key_of(secret.identity)}"


def bound_prefix(target: str) -> str:
    """
    Return what the keys of all secrets of a target begin with.
    """
    return f"{BOUND}{key_of(target)}||"


def keys_from(prefix: str) -> dict[str, str]:
    """
    Return the bounds between which all keys with a prefix lie.
    """
    return {"first": prefix, "last": prefix[:-1] + chr(ord(prefix[-1]) + 1)}


def key_of(text: str) -> str:
    """
    Return a name as part of a row's key.
    """
    # A row key may hold no slash, and no ARM id or secret id that we accept holds a bar.
    return text.replace("/", "|")
