"""
Where results go: to standard output, as text for people or as one JSON document; all else goes to standard error.
"""

import json
from typing import Any

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.text import Text

from rotator.errors import CommandError
from rotator.wording import plain

_PIPE_WIDTH = 10_000  # What reads from a pipe wants every row in one line.


class Screen:
    """
    The two outputs of the command.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._results = Console(highlight=False)
        self.messages = Console(highlight=False, stderr=True)
        if not self._results.is_terminal:
            self._results.width = _PIPE_WIDTH

    def show(self, *results: RenderableType) -> None:
        """
        Write results for people. Names and ids are never folded or cut, so that they can be copied.
        """
        console = self._results
        for result in results:
            least = Measurement.get(console, console.options.update(width=_PIPE_WIDTH), result).minimum
            console.width, given = max(console.width, least), console.width
            console.print(result, soft_wrap=isinstance(result, Text), crop=False)
            console.width = given

    def warn(self, *warnings: Text) -> None:
        """
        Write what must not be missed, on standard error.
        """
        for warning in warnings:
            self.messages.print(warning, soft_wrap=True)

    def show_json(self, document: Any) -> None:
        """
        Write the one JSON document.
        """
        self._results.out(json.dumps(document, indent=2), highlight=False)

    def fail(self, error: CommandError) -> None:
        """
        Write the error that ends a command: also as the one JSON document, where that is asked for.
        """
        self.show_error(error)
        self.complain(error)

    def show_error(self, error: CommandError) -> None:
        """
        Write an error as the one JSON document, where that is asked for.
        """
        if self.as_json:
            told = {"rotationId": None, **error.problem, "remedy": error.remedy, "exitCode": int(error.exit_code)}
            self.show_json({"error": told})

    def complain(self, error: CommandError, about: str = "") -> None:
        """
        Write an error and its remedy.
        """
        code = "" if error.code == "usage" else f"{error.code}: "
        line = Text.assemble(("Error: ", "red"), plain(f"{about}: " if about else ""), plain(f"{code}{error}"))
        self.messages.print(line, soft_wrap=True)
        if error.remedy:
            self.messages.print(Text(f"  -> {plain(error.remedy)}"), soft_wrap=True)

    def ask(self, question: str) -> None:
        """
        Write a question for people, whose answer stands behind it.
        """
        self.messages.print(Text(question), soft_wrap=True, end="")

    def say(self, text: str) -> None:
        """
        Write a message for people.
        """
        self.messages.print(Text(text), soft_wrap=True)
