"""
The rows of the ledger's table: their keys, and the JSON in them.
"""

import logging
import uuid
from typing import Any, TypeVar

import msgspec

from rotation.record import EndedRotation, OpenRotation, Rotation
from rotation.secret import SecretId

_log = logging.getLogger(__name__)

T = TypeVar("T")

LIVE, DONE, BOUND = "live", "done", "bound"
OPEN, OUTBOX = "open:", "outbox:"


def open_entity(claim_id: str, row: OpenRotation) -> dict[str, Any]:
    """
    Return the row of a running rotation.
    """
    return _entity(LIVE, open_key(claim_id), row.request.id, row)


def outcome_entity(outcome: EndedRotation) -> dict[str, Any]:
    """
    Return the row of an outcome that waits to be published.
    """
    return _entity(LIVE, OUTBOX + outcome.record.id, outcome.record.id, outcome)


def done_entity(record: Rotation) -> dict[str, Any]:
    """
    Return the row of a record that is kept for good.
    """
    return _entity(DONE, record.id, record.id, record)


def bound_entity(claim_id: str, secret: SecretId) -> dict[str, Any]:
    """
    Return the row that says that a secret holds a key of a target.
    """
    return {"PartitionKey": BOUND, "RowKey": bound_key(claim_id, secret), "Secret": secret.unversioned}


def read_row(entity: Any, kind: type[T]) -> T:
    """
    Return what a row holds. Raises `msgspec.MsgspecError`.
    """
    return msgspec.json.decode(entity["Row"], type=kind)


def read_row_if_possible(entity: Any, kind: type[T]) -> T | None:
    """
    Return what a row holds, None for one that another version of this app has written and this one cannot read.
    """
    try:
        return read_row(entity, kind)
    except msgspec.MsgspecError as error:
        _log.error("ledger: row %s cannot be read: %s", entity["RowKey"], error)
        return None


def open_key(claim_id: str) -> str:
    """
    Return the key of a target's row.
    """
    return OPEN + _key(claim_id)


def claim_id_of(key: str) -> str:
    """
    Return the claim id that a key was made of.
    """
    return key.removeprefix(OPEN).replace("|", "/")


def bound_key(claim_id: str, secret: SecretId) -> str:
    """
    Return the key of a secret's row for a target.
    """
    return f"{bound_prefix(claim_id)}{_key(secret.identity)}"


def bound_prefix(claim_id: str) -> str:
    """
    Return what the keys of all secrets of a target begin with.
    """
    return f"{_key(claim_id)}||"


def keys_from(prefix: str) -> dict[str, str]:
    """
    Return the bounds between which all keys with a prefix lie.
    """
    return {"first": prefix, "last": prefix[:-1] + chr(ord(prefix[-1]) + 1)}


def _entity(partition: str, key: str, rotation_id: str, row: msgspec.Struct) -> dict[str, Any]:
    return {
        "PartitionKey": partition,
        "RowKey": key,
        "RotationId": rotation_id,
        "Row": msgspec.json.encode(row).decode(),
        # By which a write whose answer was lost recognises itself.
        "Write": uuid.uuid4().hex,
    }


def _key(text: str) -> str:
    # A row key may hold no slash, and no ARM id or secret id that we accept holds a bar.
    return text.replace("/", "|")
