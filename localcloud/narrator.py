"""
Tells a person what happens in the local cloud: line by line, with colour where there is a terminal.
"""

import contextlib
import textwrap
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.rotation_feed import ObservedRotation, Step

WIDTH = 100
"""Columns of a line that is not written to a terminal."""
_MARGIN = "   "


class Narrator:
    """
    Writes to standard output: as wide as the terminal, and plain and `WIDTH` columns wide in a pipe.

    What is said about a rotation begins with the name of its secret, unless the heading above is about that secret.
    """

    def __init__(self) -> None:
        self.console = Console(highlight=False, record=True)
        if not self.console.is_terminal:
            self.console.width = WIDTH
        self._topic: str | None = None
        self._widest_name = 0

    @property
    def said(self) -> str:
        """
        Everything so far, without colours.
        """
        return self.console.export_text(clear=False)

    def say(self, text: str = "", style: str = "") -> None:
        """
        Write a paragraph.
        """
        self._write("", text, style)

    def show(self, line: str) -> None:
        """
        Write a line that stays whole, whatever its length, so that it can be copied.
        """
        self.console.print(Text(line), soft_wrap=True)

    def head(self, secret: str, text: str) -> None:
        """
        Write a heading: what follows is about this secret.
        """
        self._topic = secret
        self.say()
        self.say(text, "bold")

    def pulse(self, live: Callable[[], str]) -> contextlib.AbstractContextManager[object]:
        """
        Keep a line at the foot of a terminal that shows what `live` returns at each moment; elsewhere there is none.
        """
        return self.console.status(_Live(live)) if self.console.is_terminal else contextlib.nullcontext()

    def tell_step(self, rotation: ObservedRotation, step: Step) -> None:
        """
        Write what a rotation has come past, and how long after its beginning.
        """
        self._write(self._lead(rotation.subject, rotation.id, f"+{step.after.total_seconds():.2f} s"), step.text)

    def tell_event(self, event: ReceivedEvent) -> None:
        """
        Write what an event of the app says.
        """
        if event.type == "KeyRotator.SecretNeedsAttention":
            self._tell_attention(event.data)
        else:
            self.tell_outcome(event)

    def tell_outcome(self, event: ReceivedEvent) -> None:
        """
        Write what a completion event says, and how long after the rotation's end it came.
        """
        record = event.data
        secret = record["secret"]
        lead = self._lead(secret and secret["name"], record["id"])
        has_completed = record["state"] == "Completed"
        if secret and has_completed:
            self._write(lead, _change_of(record))
        delay = event.received.wall - datetime.fromisoformat(record["completedOn"])
        told = f"a subscriber received the event {delay.total_seconds() * 1000:.0f} ms after the end"
        self._write(lead, told, "green" if has_completed else "red")

    def _tell_attention(self, item: dict[str, Any]) -> None:
        secret, why = item["secret"]["name"], f": {item['why']}" if item["why"] else ""
        told = f"a subscriber was told that the secret is {item['status']} and needs a person{why}"
        self._write(self._lead(secret, secret), told, "red")

    def _lead(self, subject: str | None, rotation: str, after: str = "") -> str:
        """
        Return what stands before a line. Before its first step a rotation has no name but its id.
        """
        name = ""
        if self._topic is None or subject not in {None, self._topic}:
            name = subject or _short_id(rotation)
            self._widest_name = max(self._widest_name, len(name))
            name = f"{name:{self._widest_name}}  "
        return f"{_MARGIN}{name}{after:>7}  "

    def _write(self, lead: str, text: str, style: str = "") -> None:
        blank = " " * len(lead)
        # Wrapped here and not by rich, so that what does not fit goes on below the text.
        lines = textwrap.fill(
            text, self.console.width, initial_indent=blank, subsequent_indent=blank, break_on_hyphens=False
        )
        self.console.print(Text.assemble((lead, "cyan"), (lines[len(lead) :], style)), soft_wrap=True)


class _Live:
    def __init__(self, live: Callable[[], str]) -> None:
        self._live = live

    def __rich__(self) -> Text:
        """
        Give what holds at this moment: rich asks several times a second.
        """
        return Text(self._live())


def listed(items: Sequence[str]) -> str:
    """
    Return a list as a sentence has it: with commas, and `and` before the last.
    """
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def _short_id(rotation: str) -> str:
    """
    Return as much of a rotation's id as tells it from others on a screen: its end, since some begin with the time.
    """
    return rotation[-8:]


def _change_of(record: dict[str, Any]) -> str:
    """
    Say what a secret holds now.
    """
    key, previous = record["keyName"], record["previousKeyName"]
    instead = f" instead of {previous}" if previous not in {None, key} else ""
    expiry = datetime.fromisoformat(record["secret"]["expiresOn"]).date()
    return f"the secret now holds {key}{instead} (expires {expiry})"
