"""
The rows of the ledger's table: their keys, and the JSON in them.

It rests on assumptions 87 and 88 of docs/fidelity.md.
"""

import logging
import uuid
from typing import Any, TypeVar

import msgspec

from rotation.ports.history import place_of, secret_identity
from rotation.vocabulary.record import EndedRotation, OpenRotation, Rotation, WaitingRotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import identity_of

LIVE, DONE, BOUND, ASKED = "live", "done", "bound", "asked"
OPEN, OUTBOX, ACCEPTED, SCHEDULED = "open:", "outbox:", "accepted:", "scheduled:"
HISTORY = "newest:"
_LIVE_ROWS: dict[str, type[OpenRotation | EndedRotation | WaitingRotation]] = {
    OPEN: OpenRotation,
    OUTBOX: EndedRotation,
    ACCEPTED: WaitingRotation,
    SCHEDULED: WaitingRotation,
}

_log = logging.getLogger(__name__)

T = TypeVar("T")


def open_entity(target: str, row: OpenRotation) -> dict[str, Any]:
    """
    Return the row of a running rotation.
    """
    return _entity(LIVE, open_key(target), row.request.id, row)


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


def history_entity(record: Rotation) -> dict[str, Any]:
    """
    Return the row by which an ended rotation is listed, newest first, with the columns that a list is filtered by.
    """
    return {
        "PartitionKey": DONE,
        "RowKey": HISTORY + place_of(record),
        "Target": identity_of(record.target or ""),
        "Secret": secret_identity(record) or "",
        "State": str(record.state),
        "Record": msgspec.json.encode(record).decode(),
    }


def waiting_entity(row: WaitingRotation) -> dict[str, Any]:
    """
    Return the row of a rotation that was accepted or scheduled.
    """
    prefix = SCHEDULED if row.request.revokes else ACCEPTED
    return _entity(LIVE, prefix + row.record.id, row.record.id, row)


def bound_entity(target: str, secret: SecretId) -> dict[str, Any]:
    """
    Return the row that says that a secret holds a key of a target.
    """
    return {"PartitionKey": BOUND, "RowKey": bound_key(target, secret), "Secret": secret.unversioned}


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


def kind_of(entity: Any) -> str:
    """
    Return the prefix of a row's key in the partition `live`.
    """
    return str(entity["RowKey"]).partition(":")[0] + ":"


def read_live(entity: Any) -> Rotation:
    """
    Return the record in a row of the partition `live`. Raises `msgspec.MsgspecError`.
    """
    return read_row(entity, _LIVE_ROWS[kind_of(entity)]).record


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
    return f"{key_of(target)}||"


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


def key_of(text: str) -> str:
    """
    Return a name as part of a row's key.
    """
    # A row key may hold no slash, and no ARM id or secret id that we accept holds a bar.
    return text.replace("/", "|")
