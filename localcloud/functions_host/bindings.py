"""
The bindings that this host serves, in the shape that function.json gives them.
"""

from typing import Literal

import msgspec


class HttpTrigger(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="httpTrigger"):
    """
    Runs a function for a request.
    """

    name: str
    route: str
    methods: tuple[str, ...] = ()
    """Empty: every method."""
    auth_level: Literal["ANONYMOUS", "FUNCTION", "ADMIN"] = "FUNCTION"


class EventGridTrigger(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="eventGridTrigger"):
    """
    Runs a function for an event.
    """

    name: str


class QueueTrigger(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="queueTrigger"):
    """
    Runs a function for a message.
    """

    name: str
    queue_name: str
    connection: str = ""


class TimerTrigger(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="timerTrigger"):
    """
    Runs a function by the clock.
    """

    name: str
    schedule: str
    run_on_startup: bool = False


class HttpOutput(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="http"):
    """
    Answers the request.
    """

    name: str


class QueueOutput(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="queue"):
    """
    Sends messages.
    """

    name: str
    queue_name: str
    connection: str = ""


RETURN = "$return"
"""The name of the binding that takes what the function returns."""

Trigger = HttpTrigger | EventGridTrigger | QueueTrigger | TimerTrigger
Output = HttpOutput | QueueOutput
Binding = Trigger | Output


class FunctionJson(msgspec.Struct, frozen=True):
    """
    What `Function.get_function_json()` of azure-functions describes.
    """

    bindings: tuple[Binding, ...]


def kind(binding: Binding) -> str:
    """
    Give the binding's `type` in function.json, by which azure-functions knows the converter.
    """
    return str(binding.__struct_config__.tag)
