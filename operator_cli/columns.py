"""
Tables whose names and ids are always whole: only columns of words are folded, and the terminal wraps what is too wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

_LEAST_FOLD = 16


@dataclass(frozen=True)
class Column:
    """
    A heading with its cells; `folds` is for words.
    """

    heading: str
    cells: Sequence[Text]
    folds: bool = False
    is_number: bool = False


def tabulate(columns: Sequence[Column]) -> Table:
    """
    Return the columns side by side.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        widest = max(len(column.heading), *(cell.cell_len for cell in column.cells))
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
