"""
Tells a person how a run gets on: a line that is always fresh on a terminal, one every few seconds in a pipe.
"""

import time
from types import TracebackType
from typing import Self

from rich.console import Console

_EVERY = 5.0  # seconds between two lines in a pipe
_PLAIN_WIDTH = 200


class Teller:
    """
    Writes to standard output, with a status line while its context is open.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = _PLAIN_WIDTH
        self._status = self._console.status("")
        self._started = time.monotonic()
        self._last = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def say(self, text: str) -> None:
        """
        Write a line.
        """
        self._console.print(text, markup=False, soft_wrap=True)

    def progress(self, doing: str, rotations: int, faults: int) -> None:
        """
        Tell what is being done, and how far it is.
        """
        elapsed = time.monotonic() - self._started
        text = f"{elapsed:5.0f} s  {doing}: {rotations} rotations, {faults} faults"
        if self._console.is_terminal:
            self._status.update(text)
        elif elapsed - self._last >= _EVERY:
            self._last = elapsed
            self.say(text)
