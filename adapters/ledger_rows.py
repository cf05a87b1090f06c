"""
The rows of the ledger's table, and the JSON in them.

Each column says which schema it has and which version of the app wrote it. One of another schema is never passed over:
reading it raises, and health reports those of unfinished rotations.

It rests on assumptions 87 and 88 of docs/fidelity.md.
"""

import logging
import uuid
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from adapters.ledger_keys import (
    ACCEPTED,
    BOUND,
    HISTORY,
    LEAKED,
    LIVE,
    OPEN,
    OUTBOX,
    SCHEDULED,
    STANDING,
    bound_key,
    leak_key,
    open_key,
    target_of,
    waiting_key,
)
from rotation.ports.history import place_of, secret_identity
from rotation.ports.ledger import Bound, Versioned
from rotation.vocabulary.errors import UnreadableRow
from rotation.vocabulary.record import EndedRotation, Leak, OpenRotation, Rotation, TagChange, WaitingRotation
from rotation.vocabulary.secret import SecretId, parse_secret_id
from rotation.vocabulary.target import identity_of
from rotation.vocabulary.version import VERSION

_ROTATIONS: dict[str, type[OpenRotation | EndedRotation | WaitingRotation]] = {
    OPEN: OpenRotation,
    OUTBOX: EndedRotation,
    ACCEPTED: WaitingRotation,
    SCHEDULED: WaitingRotation,
}

#: The columns that say whether this version can read a row.
STAMPS = ["RowKey", "RowSchema", "RowVersion"]

#: Of all rows. It is counted up by a version that writes what the one before cannot read.
SCHEMA = 2

_log = logging.getLogger(__name__)

T = TypeVar("T")


def row_of(partition: str, key: str, **columns: Any) -> dict[str, Any]:
    """
    Return a row with these columns.
    """
    return {"PartitionKey": partition, "RowKey": key, **columns}


def stamped(column: str, value: msgspec.Struct | str) -> dict[str, Any]:
    """
    Return a column with what it holds, and beside it the schema of that and the version that writes it.

    Each column has its own: those of one row may have been written by different versions.
    """
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return {column: text, f"{column}Schema": SCHEMA, f"{column}Version": VERSION}


def open_entity(target: str, row: OpenRotation) -> dict[str, Any]:
    """
    Return the row of a running rotation.
    """
    return _entity(open_key(target), row.request.id, row)


def change_entity(what: str, row: TagChange) -> dict[str, Any]:
    """
    Return the row of a change of tags. It has no rotation's id, and so is found among no rotations.
    """
    return row_of(LIVE, open_key(what), Change=row.id, **stamped("Row", row))


def read_claim(entity: Any) -> Versioned[OpenRotation] | Versioned[TagChange]:
    """
    Return what has claimed a target. Raises `UnreadableRow`.
    """
    etag = entity.metadata["etag"]
    if entity.get("Change"):
        return Versioned(read_row(entity, TagChange), etag)
    return Versioned(read_row(entity, OpenRotation), etag)


def outcome_entity(outcome: EndedRotation) -> dict[str, Any]:
    """
    Return the row of an outcome that waits to be published.
    """
    return _entity(OUTBOX + outcome.record.id, outcome.record.id, outcome)


def begun_entity(target: str, rotation_id: str) -> dict[str, Any]:
    """
    Return the row that says that a rotation has begun.
    """
    return _standing(rotation_id, **stamped("Begun", target))


def deferred_entity(row: WaitingRotation) -> dict[str, Any]:
    """
    Return the row that says that a rotation was deferred.
    """
    return _standing(row.record.id, **stamped("Waiting", row))


def ended_entity(record: Rotation) -> dict[str, Any]:
    """
    Return the row of a record that is kept for good.
    """
    return _standing(record.id, **stamped("Row", record))


def read_standing(entity: Any) -> Rotation | WaitingRotation | None:
    """
    Return the record of a rotation that has ended, the row of a deferred one, or None for one that has begun.

    Raises `UnreadableRow`.
    """
    if "Begun" in entity:
        require_schema(entity, "Begun")
        return None
    return read_row(entity, WaitingRotation, "Waiting") if "Waiting" in entity else read_row(entity, Rotation)


def _standing(rotation_id: str, **columns: Any) -> dict[str, Any]:
    return row_of(LIVE, STANDING + rotation_id, RotationId=rotation_id, Write=uuid.uuid4().hex, **columns)


def history_entity(record: Rotation) -> dict[str, Any]:
    """
    Return the row by which an ended rotation is listed, newest first, with the columns that a list is filtered by.
    """
    return row_of(
        LIVE,
        HISTORY + place_of(record),
        Target=identity_of(record.target or ""),
        Secret=secret_identity(record) or "",
        State=str(record.state),
        **stamped("Row", record),
    )


def waiting_entity(row: WaitingRotation) -> dict[str, Any]:
    """
    Return the row of a rotation that waits.
    """
    return _entity(waiting_key(row.request, row.record.target), row.record.id, row)


def leak_entity(leak: Leak) -> dict[str, Any]:
    """
    Return the row of a key that has leaked.
    """
    return row_of(LIVE, leak_key(leak.target, leak.leaked), **stamped("Row", leak))


def bound_entity(target: str, secret: SecretId, left_on: datetime | None = None) -> dict[str, Any]:
    """
    Return the row that says that a secret holds a key of a target, or when it was seen to have left that.
    """
    # Merged into a row, an empty column stays as it was.
    left = left_on.isoformat() if left_on else ""
    return row_of(LIVE, bound_key(target, secret), LeftOn=left, **stamped("Secret", secret.unversioned))


def read_bound(entity: Any) -> Bound:
    """
    Return what a row says that `bound_entity` has made. Raises `UnreadableRow`.
    """
    secret, left = parse_secret_id(read_text(entity, "Secret")), entity.get("LeftOn")
    try:
        return Bound(secret, datetime.fromisoformat(left) if left else None)
    except ValueError:
        raise UnreadableRow(f"LeftOn of row {name_of(entity)} of the ledger is no time") from None


def read_row(entity: Any, kind: type[T], column: str = "Row") -> T:
    """
    Return what a column holds. Raises `UnreadableRow`.
    """
    text = read_text(entity, column)
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise UnreadableRow(f"{column} of row {name_of(entity)} of the ledger cannot be read: {error}") from None


def read_text(entity: Any, column: str) -> str:
    """
    Return the text in a column. Raises `UnreadableRow` where it has another schema.
    """
    require_schema(entity, column)
    return str(entity[column])


def require_schema(entity: Any, column: str = "Row") -> None:
    """
    Raise `UnreadableRow` unless a column has the schema that this version reads: its stamp is enough to say.
    """
    schema = entity.get(f"{column}Schema")
    if schema == SCHEMA:
        return
    what = f"{column} of row {name_of(entity)} of the ledger"
    if schema is None or schema < SCHEMA:
        raise UnreadableRow(
            f"{what} was written before version {VERSION}, which cannot read it: let all rotations end under the "
            "version that wrote it, then delete the table"
        )
    raise UnreadableRow(
        f"{what} has schema {schema} and was written by version {entity.get(f'{column}Version')}; this is version "
        f"{VERSION}, which reads schema {SCHEMA}: deploy the version that wrote it, or a later one"
    )


def read_row_or_log(entity: Any, kind: type[T]) -> T | None:
    """
    Return what a row holds, None for one that cannot be read: what is done for all others must not stop at it.
    """
    try:
        return read_row(entity, kind)
    except UnreadableRow as error:
        _log.error("%s", error)
        return None


def name_of(entity: Any) -> str:
    """
    Return the key of a row as people may see it: that of a leaked key ends in its fingerprint.
    """
    key = str(entity["RowKey"])
    return key.partition("||")[0] if key.startswith(LEAKED) else key


def kind_of(entity: Any) -> str:
    """
    Return the prefix of the key of a row that is unfinished.

    Raises `UnreadableRow` for a kind of row that only a later version writes.
    """
    key = str(entity["RowKey"])
    kind = key.partition(":")[0] + ":"
    if kind not in {*_ROTATIONS, LEAKED}:
        raise UnreadableRow(
            f"row {key} of the ledger was written by version {entity.get('RowVersion')} and is of no kind that version "
            f"{VERSION} knows: deploy the version that wrote it, or a later one"
        )
    return kind


def read_live(entity: Any) -> Rotation:
    """
    Return the record in a row of an unfinished rotation. Raises `UnreadableRow`.
    """
    return read_row(entity, _ROTATIONS[kind_of(entity)]).record


def bound_target(entity: Any) -> str:
    """
    Return the identity of the target that the row of a secret is about.
    """
    return target_of(str(entity["RowKey"]).partition("||")[0].removeprefix(BOUND))


def _entity(key: str, rotation_id: str, row: msgspec.Struct) -> dict[str, Any]:
    # By its word `Write` a write whose answer was lost recognises itself.
    return row_of(LIVE, key, RotationId=rotation_id, Write=uuid.uuid4().hex, **stamped("Row", row))
