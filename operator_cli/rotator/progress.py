"""
What a person sees while waiting, on standard error: a moving display on a terminal, a line for each change elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import Progress as Display
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from rotator.records import Rotation
from rotator.wording import keys, plain, reason

COLOURS = {
    "Completed": "green",
    "Failed": "red",
    "Skipped": "yellow",
    "Planned": "cyan",
    "Regenerating": "blue",
    "Accepted": "blue",
    "Scheduled": "blue",
}


class Progress:
    """
    Tells how rotations proceed while `live` is entered.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._display: Display | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, str] = {}

    @contextmanager
    def live(self, doing: str) -> Iterator[None]:
        """
        Show what is being done until a rotation has something to tell.
        """
        if not self._console.is_terminal:
            yield
            return
        columns = SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        with Display(*columns, console=self._console, transient=True) as display:
            self._display, self._tasks = display, {}
            display.add_task(doing, total=None)
            try:
                yield
            finally:
                self._display, self._tasks = None, {}

    def tell(self, label: str, rotation: Rotation) -> None:
        """
        Show where a rotation stands, if that is news.
        """
        state = f"{rotation.state} ({keys(rotation)})" if rotation.key_name else rotation.state
        if rotation.error or rotation.skip_reason or rotation.is_too_soon or rotation.revokes:
            state = f"{rotation.state} ({reason(rotation, datetime.now(UTC))})"
        colour = COLOURS.get(rotation.state, "")
        if self._told.get(label) == state:
            return
        if self._display and rotation.has_ended:
            self.forget(label)
            self._told[label] = state
            self._say(label, state, colour)
        else:
            self.show(label, state, colour)

    def show(self, label: str, state: str, colour: str = "") -> None:
        """
        Show how something stands that has not ended, if that is news.
        """
        if self._told.get(label) == state:
            return
        self._told[label] = state
        if self._display is None:
            self._say(label, state, colour)
        elif label in self._tasks:
            self._display.update(self._tasks[label], description=plain(f"{label}: {state}"))
        else:
            self._tasks[label] = self._display.add_task(plain(f"{label}: {state}"), total=None)

    def forget(self, label: str) -> None:
        """
        Stop showing a rotation.
        """
        if self._display and label in self._tasks:
            self._display.remove_task(self._tasks.pop(label))

    def note(self, text: str) -> None:
        """
        Write a line.
        """
        self._console.print(Text(plain(text), "dim"), soft_wrap=True)

    def _say(self, label: str, state: str, colour: str) -> None:
        line = Text.assemble(f"{plain(label)}: ", (plain(state), colour))
        self._console.print(line, soft_wrap=True)
