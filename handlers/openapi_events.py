"""
The webhooks of the API's description: the events that the app publishes, as Event Grid delivers them to a subscriber.
"""

from typing import Any

from handlers import examples
from handlers.event_schemas import name_of
from handlers.schemas import TEMPLATE
from rotation.ports.announcer import EventType

_ITEM_SEEN_ON = "2026-11-24T03:00:09.123456Z"


def webhooks() -> dict[str, Any]:
    """
    Return what a subscriber of the topic receives, by the type of the event.
    """
    return {
        str(event): {
            "post": {
                "operationId": f"on{name_of(event)}",
                "summary": _SUMMARIES[event],
                "description": "A CloudEvent 1.0 that Event Grid delivers at least once, and in any order. It asks for "
                "no function key: a subscriber knows Event Grid by its own means.",
                "security": [],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/cloudevents+json": {
                            "schema": {"$ref": TEMPLATE.format(name=name_of(event))},
                            "examples": _EXAMPLES[event],
                        }
                    },
                },
                "responses": {
                    "200": {"description": "It was taken. After another status than 200 to 204 it is delivered again"}
                },
            }
        }
        for event in EventType
    }


def _about_rotation(event: EventType, record: dict[str, Any]) -> dict[str, Any]:
    secret = record["secret"]
    return {
        "specversion": "1.0",
        "id": f"{record['id']}:{record['state'].lower()}",
        "type": str(event),
        "source": record["target"],
        "subject": f"{secret['vault']}/secrets/{secret['name']}" if secret else record["target"],
        "time": record["completedOn"],
        "data": record,
    }


_SUMMARIES = {
    EventType.ROTATION_COMPLETED: "A rotation has ended Completed",
    EventType.ROTATION_FAILED: "A rotation has ended Failed",
    EventType.SECRET_NEEDS_ATTENTION: "A managed secret has come to need a person",
}
_EXAMPLES: dict[EventType, dict[str, Any]] = {
    EventType.ROTATION_COMPLETED: {
        "secret": {
            "summary": "A secret has a new version",
            "value": _about_rotation(EventType.ROTATION_COMPLETED, examples.RECORDS["completed"]["value"]),
        },
        "target": {
            "summary": "A leaked key is dead; no secret has a new version by that",
            "value": _about_rotation(EventType.ROTATION_COMPLETED, examples.REVOKED),
        },
    },
    EventType.ROTATION_FAILED: {
        "failed": {"value": _about_rotation(EventType.ROTATION_FAILED, examples.FAILED)},
    },
    EventType.SECRET_NEEDS_ATTENTION: {
        "drifted": {
            "value": {
                "specversion": "1.0",
                "id": f"{examples.SECRET_ID}:Drifted:{_ITEM_SEEN_ON}",
                "type": str(EventType.SECRET_NEEDS_ATTENTION),
                "source": examples.TARGET_ID,
                "subject": examples.SECRET_ID,
                "time": _ITEM_SEEN_ON,
                "data": examples.DRIFTED,
            }
        }
    },
}
