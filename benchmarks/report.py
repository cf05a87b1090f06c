"""
All that one run of the benchmark has found: how figures and goals are written, and everything on a terminal.
"""

import os
import platform
from collections.abc import Sequence

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table as Drawn

from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Section, Spread, Table, Unit

_WIDTH = 200  # characters, where nobody looks: all columns have room
_FEW, _SOME = 10, 100


class Results(msgspec.Struct, frozen=True):
    """
    The parts, how much of them was measured, and how many seconds that took.
    """

    extent: Extent
    seconds: float
    parts: Sequence[Part]

    @property
    def circumstances(self) -> str:
        """
        On what and how often was measured.
        """
        runs = "1 run" if self.extent.runs == 1 else f"{self.extent.runs} runs"
        return (
            f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores; "
            f"{runs} of everything in fresh processes, after one that does not count"
        )

    @property
    def sections(self) -> list[Section]:
        """
        Every table and drawing, the figures and the goals first.
        """
        figures = figures_table([figure for part in self.parts for figure in part.figures])
        goals = goals_table([goal for part in self.parts for goal in part.goals])
        return [
            Section("figures", "Figures: medians, with the least and the most", figures),
            Section("goals", "Goals", goals),
            *(section for part in self.parts for section in part.sections),
        ]


def show(results: Results) -> None:
    """
    Print everything.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    for section in results.sections:
        content = section.content
        console.print(f"\n[bold]{section.title}[/bold]")
        if not isinstance(content, Table):
            console.print("\n".join(content), markup=False)
        elif content.rows:
            console.print(_drawn(content))
    hint = "[bold yellow]quick: too few runs to compare anything[/bold yellow]; " if results.extent.is_quick else ""
    console.print(f"\n{hint}{results.circumstances}; {results.seconds:.0f} s in all")


def _drawn(table: Table) -> Drawn:
    marked = {"met": "[green]met[/green]", "NOT MET": "[bold red]NOT MET[/bold red]"}
    drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if number < table.words else "right")
    for row in table.rows:
        drawn.add_row(*(marked.get(cell, cell) for cell in row))
    return drawn


def figures_table(figures: Sequence[Figure]) -> Table:
    """
    Return the table of all figures: medians with the least and the most, and how ours compare.
    """
    rows = [
        [
            f"{figure.name}, {figure.unit}" if figure.unit else figure.name,
            *(_value(spread, figure.unit) for spread in (figure.ours, figure.sample, figure.tutorial, figure.limit)),
            *(_ratio(figure, spread) for spread in (figure.sample, figure.tutorial, figure.limit)),
        ]
        for figure in figures
    ]
    return Table(["", "ours", "sample", "tutorial", "limit", "ours/sample", "ours/tutorial", "ours/limit"], rows)


def goals_table(goals: Sequence[Goal]) -> Table:
    """
    Return the table of all goals.
    """
    rows = [[goal.name, goal.asked, number(goal.measured), "met" if goal.is_met else "NOT MET"] for goal in goals]
    return Table(["goal", "asked", "measured", ""], rows, words=2)


def number(value: float) -> str:
    """
    Return a number with three digits or a little more.
    """
    if value == round(value):
        return f"{value:,.0f}"
    if value < _FEW:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < _SOME else f"{value:,.0f}"


def _value(spread: Spread | None, unit: Unit) -> str:
    if spread is None:
        return ""
    least, median, most = (number(value * unit.scale) for value in (spread.least, spread.median, spread.most))
    return median if least == most else f"{median} ({least} to {most})"


def _ratio(figure: Figure, other: Spread | None) -> str:
    ratio = figure.ratio(other)
    return "" if ratio is None else f"{ratio:.2f}"
