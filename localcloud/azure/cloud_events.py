"""
CloudEvents 1.0 in their JSON batch format, as a custom topic takes them.

It rests on assumptions 62 and 63 of docs/fidelity.md.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from localcloud.azure.instant import Instant
from localcloud.azure.operation import Call
from localcloud.azure.refusal import Refusal

BATCH = "application/cloudevents-batch+json"
REQUIRED = ("id", "source", "type", "specversion")
TEXTS = (*REQUIRED, "subject", "datacontenttype", "dataschema", "time", "data_base64")
EXTENSION = re.compile(r"[a-z0-9]{1,20}")


@dataclass(frozen=True)
class ReceivedEvent:
    """
    A CloudEvent as it came in.
    """

    received: Instant
    content: dict[str, Any]

    @property
    def id(self) -> str:
        """
        What tells duplicates.
        """
        return str(self.content["id"])

    @property
    def type(self) -> str:
        """
        What happened.
        """
        return str(self.content["type"])

    @property
    def data(self) -> Any:
        """
        The publisher's own part.
        """
        return self.content.get("data")


def decode_batch(call: Call) -> list[dict[str, Any]]:
    """
    Return the events of a batch. Raises `Refusal` unless every one conforms.
    """
    if call.request.content_type != BATCH:
        raise nonconforming(f"the content type is {call.request.content_type!r}, not {BATCH!r}")
    try:
        batch = msgspec.json.decode(call.body, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise nonconforming(str(error)) from error
    if not batch:
        raise nonconforming("the batch is empty")
    for content in batch:
        _check(content)
    return batch


def _check(content: dict[str, Any]) -> None:
    for name in REQUIRED:
        if not content.get(name):
            raise nonconforming(f"{name!r} is missing")
    if content["specversion"] != "1.0":
        raise nonconforming("'specversion' is not '1.0'")
    for name in TEXTS:
        if not isinstance(content.get(name, ""), str):
            raise nonconforming(f"{name!r} is not a string")
    if "data" in content and "data_base64" in content:
        raise nonconforming("'data' and 'data_base64' exclude each other")
    for name in content.keys() - {*TEXTS, "data"}:
        if not EXTENSION.fullmatch(name):
            raise nonconforming(f"{name!r} is no attribute and no name for an extension")
    _check_time(content.get("time"))


def _check_time(time: str | None) -> None:
    if time is None:
        return
    try:
        is_exact = datetime.fromisoformat(time).tzinfo is not None
    except ValueError:
        is_exact = False
    if not is_exact:
        raise nonconforming("'time' is not an RFC 3339 time")


def nonconforming(detail: str, schema: str = "CloudEventV10") -> Refusal:
    """
    Return the refusal of what is not in the schema that a topic takes.
    """
    message = (
        f"This resource is configured to receive event in '{schema}' schema. "
        f"The JSON received does not conform to the expected schema: {detail}."
    )
    return Refusal(400, "BadRequest", message)
