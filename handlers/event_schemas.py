"""
The schemas of the events that the app publishes: a CloudEvent around a record, or around an item of the list.

OpenAPI has them among its components, and docs/schemas/ as files of their own (`python -m tools.schemas`).
"""

from typing import Any

from rotation.overview.secrets import SecretStatus
from rotation.overview.standing import NEEDS_ATTENTION
from rotation.ports.announcer import Announcement, EventType
from rotation.ports.inventory import Status
from rotation.vocabulary.record import Rotation, State

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SECRET = "https://[^/]+/secrets/[0-9a-z-]{1,127}"  # noqa: S105 - the form of an id
_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z"
_GIVEN = {"type": "string"}
_NONE = {"type": "null"}
_STATUSES = [str(status) for status in Status if status in NEEDS_ATTENTION]
_LATER = " A later version may add members and values: ignore a member that you do not know."

#: By the event: the type of its data, what its id looks like, what it says, and what of its data is always so.
_EVENTS: dict[EventType, tuple[type, str, str, dict[str, Any]]] = {
    EventType.ROTATION_COMPLETED: (
        Rotation,
        f"^{_UUID}:completed$",
        "A rotation has ended Completed.",
        {
            "state": {"const": str(State.COMPLETED)},
            "completedOn": _GIVEN,
            "provider": _GIVEN,
            "target": _GIVEN,
            "keyName": _GIVEN,
            "error": _NONE,
            "skipReason": _NONE,
        },
    ),
    EventType.ROTATION_FAILED: (
        Rotation,
        f"^{_UUID}:failed$",
        "A rotation has ended Failed.",
        {
            "state": {"const": str(State.FAILED)},
            "completedOn": _GIVEN,
            "error": {"type": "object"},
            "skipReason": _NONE,
        },
    ),
    EventType.SECRET_NEEDS_ATTENTION: (
        SecretStatus,
        f"^{_SECRET}:({'|'.join(_STATUSES)}):{_TIME}$",
        "A managed secret has come to need a person.",
        {
            "status": {"enum": _STATUSES},
            "secret": {"properties": {"name": _GIVEN}},
        },
    ),
}
#: By the attribute: what it means, and what all events have in common about it.
_ATTRIBUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "specversion": ("The version of CloudEvents.", {"const": "1.0"}),
    "id": ("Equal for every copy of the event, and for no other event: drop what you have seen.", _GIVEN),
    "type": ("What has happened.", {}),
    "source": (
        "The ARM id of the target; the secret's id, or its vault's, where no target can be read from its tags.",
        {"type": "string", "format": "uri-reference", "minLength": 1},
    ),
    "subject": (
        "The secret's id without a version; the target's ARM id where the rotation is about a target alone.",
        {"type": "string", "minLength": 1},
    ),
    "time": ("When the rotation ended, or the secret was first seen to stand so.", {"format": "date-time", **_GIVEN}),
    "data": ("What GET shows of it.", {}),
}


def name_of(event: EventType) -> str:
    """
    Return the name of an event's schema.
    """
    return event.rpartition(".")[2]


def event_schemas(template: str) -> dict[str, Any]:
    """
    Return the schema of each event by its name. They refer to the schemas of their data as the template says.
    """
    return {
        name_of(event): _schema(event, template.format(name=data.__name__)) for event, (data, *_) in _EVENTS.items()
    }


def _schema(event: EventType, reference: str) -> dict[str, Any]:
    _, identity, summary, always = _EVENTS[event]
    own: dict[str, dict[str, Any]] = {
        "id": {"pattern": identity},
        "type": {"const": str(event)},
        "data": {"allOf": [{"$ref": reference}, {"properties": always}]},
    }
    attributes = ["specversion", *Announcement.__struct_encode_fields__]
    return {
        "title": str(event),
        "description": summary + _LATER,
        "type": "object",
        "properties": {
            name: {"description": _ATTRIBUTES[name][0], **_ATTRIBUTES[name][1], **own.get(name, {})}
            for name in attributes
        },
        "required": attributes,
    }
