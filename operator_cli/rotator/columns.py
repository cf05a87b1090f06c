"""
Tables whose names and ids are always whole: only columns of words are folded, and the terminal wraps what is too wide.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

_LEAST_FOLD = 16
_GAP = 2  # between two columns: rich pads each cell by one on either side
_INDENT = "  "


@dataclass(frozen=True, eq=False)
class Column:
    """
    A heading with its cells; `folds` is for words.

    `rank` says which columns of a `FittingTable` get room first; 0 is always there. `below` is what stands below each
    row where the column has no room, if anything.
    """

    heading: str
    cells: Sequence[Text]
    folds: bool = False
    is_number: bool = False
    rank: int = 0
    below: Sequence[str] = ()

    @property
    def width(self) -> int:
        """
        How wide it is without a fold.
        """
        return max(len(self.heading), *(cell.cell_len for cell in self.cells))


def tabulate(columns: Sequence[Column]) -> Table:
    """
    Return the columns side by side.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        widest = column.width
        table.add_column(
            column.heading,
            no_wrap=not column.folds,
            overflow="fold",
            # rich would make any column narrower for want of room.
            min_width=min(widest, _LEAST_FOLD) if column.folds else widest,
            justify="right" if column.is_number else "left",
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


class FittingTable:
    """
    Columns side by side: on a terminal those that fit without a fold, the lower rank first; on a pipe all of them.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(_width([column for column in self._columns if not column.rank]), _width(self._columns))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if not console.is_terminal:
            # The last column may be long in one row alone.
            lines = console.render_lines(tabulate(self._columns), options, pad=False)
            yield Text("\n".join("".join(part.text for part in line).rstrip() for line in lines), no_wrap=True)
            return
        shown = self._fitting(options.max_width)
        notes = [column.below for column in self._columns if column not in shown and column.below]
        heading, *rows = console.render_lines(tabulate(shown), options, pad=False)
        yield Segments([*heading, Segment.line()])
        for row, *below in zip(rows, *notes, strict=True):
            yield Segments([*row, Segment.line()])
            for note in filter(None, below):
                yield _wrapped(note, options.max_width)

    def _fitting(self, room: int) -> list[Column]:
        shown: list[Column] = []
        for candidate in sorted(self._columns, key=lambda column: column.rank):
            wider = [column for column in self._columns if column in {*shown, candidate}]
            if not candidate.rank or _width(wider) <= room:
                shown = wider
        return shown


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _wrapped(note: str, width: int) -> Text:
    """
    Return a note in lines that fit, with every word whole: it may be an id, which the terminal wraps.
    """
    lines = textwrap.wrap(
        note,
        width,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Text("\n".join(lines), no_wrap=True, overflow="ignore")
