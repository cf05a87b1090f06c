"""
Conversion between what travels and what a function takes and gives, by azure-functions' own converters.

A function thus gets here exactly what Azure's Python worker would hand it.

The one module that uses azure-functions beyond its documented decorators and classes. `get_binding_registry` and
`Datum` are what Azure's worker itself imports to do this; the rules around them are the worker's
(azure_functions_runtime/functions.py and bindings/generic.py).

It rests on assumption 71 of docs/fidelity.md.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import azure.functions as func
from azure.functions.meta import Datum

__all__ = ["Converter", "Datum", "Metadata", "converter_for", "from_json", "text", "timer"]

Metadata = Mapping[str, Datum]
"""What a trigger says about its data, such as how often a message was dequeued."""


class Converter(Protocol):
    """
    Converts the values of one kind of binding.
    """

    def check_input_type_annotation(self, pytype: type) -> bool:
        """
        Whether a trigger's parameter may be annotated so.
        """

    def check_output_type_annotation(self, pytype: Any) -> bool:
        """
        Whether an output, or what is returned, may be annotated so.
        """

    def decode(self, data: Datum, *, trigger_metadata: Metadata) -> Any:
        """
        Make the value that the function gets.
        """

    def encode(self, obj: Any, *, expected_type: Any) -> Datum | None:
        """
        Take apart the value that the function gave.
        """


def converter_for(kind: str, annotation: Any) -> Converter:
    """
    Find the converter for a kind of binding. A parameter annotated `str` or `bytes` gets the data as it came.
    """
    if annotation in (str, bytes):
        return _AsItIs()
    registry: Any = func.get_binding_registry()
    found: Converter = registry.get(kind)
    return found


def from_json(content: Any) -> Datum:
    """
    Describe what travels as JSON, such as an event of either schema.
    """
    return Datum(json.dumps(content), "json")


def text(content: str) -> Datum:
    """
    Describe plain text, such as the body of a message.
    """
    return Datum(content, "string")


def timer(*, is_past_due: bool = False) -> Datum:
    """
    Describe a tick, and whether it comes late.
    """
    return from_json({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": is_past_due})


class _AsItIs:
    """
    The worker's GenericBinding.
    """

    def check_input_type_annotation(self, pytype: type) -> bool:
        return issubclass(pytype, str | bytes)

    def check_output_type_annotation(self, pytype: Any) -> bool:
        return pytype in (str, bytes)

    def decode(self, data: Datum, *, trigger_metadata: Metadata) -> Any:  # noqa: ARG002 - the Converter protocol
        if data.type not in {"string", "bytes", "json"}:
            raise ValueError(f"unexpected type of data received for the generic binding: {data.type!r}")
        return data.value

    def encode(self, obj: Any, *, expected_type: Any) -> Datum | None:  # noqa: ARG002 - the Converter protocol
        if isinstance(obj, str):
            return text(obj)
        if isinstance(obj, bytes | bytearray):
            return Datum(bytes(obj), "bytes")
        if isinstance(obj, dict | list):
            return from_json(obj)
        raise NotImplementedError(f"a {type(obj).__name__} cannot be sent")
