"""
An event on its way to a subscriber, in either of Event Grid's formats.

It rests on assumption 57 of docs/fidelity.md.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

Schema: TypeAlias = Literal["EventGridSchema", "CloudEventSchemaV1_0"]


@dataclass(frozen=True)
class Event:
    """
    What happened, to what. `topic` is the ARM id of the resource that tells it.
    """

    topic: str
    subject: str
    type: str
    data: Mapping[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def in_schema(self, schema: Schema) -> object:
        """
        Return the payload of a delivery: an array of one in Event Grid's own schema, a single object as a CloudEvent.
        """
        if schema == "EventGridSchema":
            return [
                {
                    "id": self.id,
                    "topic": self.topic,
                    "subject": self.subject,
                    "eventType": self.type,
                    "data": self.data,
                    "dataVersion": "1",
                    "metadataVersion": "1",
                    "eventTime": self.time,
                }
            ]
        return {
            "id": self.id,
            "source": self.topic,
            "subject": self.subject,
            "type": self.type,
            "data": self.data,
            "time": self.time,
            "specversion": "1.0",
        }
