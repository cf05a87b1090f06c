"""
Tells a person what happens in the local cloud: line by line, with colour where there is a terminal.
"""

import contextlib
import re
from collections.abc import Callable
from datetime import datetime

from rich.console import Console
from rich.text import Text

from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.rotation_feed import ObservedRotation, Step

_PLAIN_WIDTH = 120
_ID_LENGTH = 8
_VERSION = re.compile(r"\b[0-9a-f]{32}\b")


class Narrator:
    """
    Writes to standard output. In a pipe every line is plain and whole, whatever its length.
    """

    def __init__(self) -> None:
        self.console = Console(highlight=False, record=True)
        if not self.console.is_terminal:
            self.console.width = _PLAIN_WIDTH

    @property
    def said(self) -> str:
        """
        Everything so far, without colours.
        """
        return self.console.export_text(clear=False)

    def say(self, text: str = "", style: str = "") -> None:
        """
        Write a line.
        """
        self.console.print(Text(text, style), soft_wrap=True)

    def pulse(self, live: Callable[[], str]) -> contextlib.AbstractContextManager[object]:
        """
        Keep a line at the foot of a terminal that `live` gives anew all the time; elsewhere there is none.
        """
        return self.console.status(_Live(live)) if self.console.is_terminal else contextlib.nullcontext()

    def tell_step(self, rotation: ObservedRotation, step: Step) -> None:
        """
        Write what a rotation has come past, and how long after its beginning.
        """
        after = f"+{step.after.total_seconds():.3f} s"
        text = _VERSION.sub(lambda version: _short(version[0]), step.text)
        self._line(rotation.id, Text.assemble((f"{after:>10}  ", "cyan"), text))

    def tell_outcome(self, event: ReceivedEvent) -> None:
        """
        Write what a completion event tells, and how long after the rotation's end it came.
        """
        record = event.data
        if secret := record["secret"]:
            self._line(record["id"], Text.assemble((secret["name"], "bold"), f": {outcome_of(event)}"))
        delay = event.received.wall - datetime.fromisoformat(record["completedOn"])
        told = f"event {event.type}, id {event.id}, received {delay.total_seconds() * 1000:.0f} ms after the end"
        self._line(record["id"], Text(told, "green" if record["state"] == "Completed" else "red"))

    def _line(self, rotation: str, text: Text) -> None:
        self.console.print(Text.assemble("   ", (short_id(rotation), "magenta"), "  ", text), soft_wrap=True)


class _Live:
    def __init__(self, live: Callable[[], str]) -> None:
        self._live = live

    def __rich__(self) -> Text:
        """
        Give what holds at this moment: rich asks several times a second.
        """
        return Text(self._live())


def outcome_of(event: ReceivedEvent) -> str:
    """
    Say what became of a secret: versions, keys and expiry, or why nothing did.
    """
    record = event.data
    if error := record["error"]:
        return f"{record['state']}, {error['code']}: {error['message']}"
    secret = record["secret"]
    expiry = datetime.fromisoformat(secret["expiresOn"]).date()
    return f"version {versions_of(event)}, key {keys_of(event)}, expires {expiry}"


def versions_of(event: ReceivedEvent) -> str:
    """
    Say which version took the place of which.
    """
    secret = event.data["secret"]
    return f"{_short(secret['previousVersion'])} -> {_short(secret['version'])}"


def keys_of(event: ReceivedEvent) -> str:
    """
    Say which key the secret holds in place of which.
    """
    return f"{event.data['previousKeyName']} -> {event.data['keyName']}"


def short_id(rotation: str) -> str:
    """
    Return as much of a rotation's id as tells it from others on a screen: its end, since some begin with the time.
    """
    return rotation[-_ID_LENGTH:]


def _short(version: str | None) -> str:
    return (version or "none")[:_ID_LENGTH]
