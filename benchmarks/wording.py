"""
How figures and goals are written, on a terminal and in docs/performance.md.
"""

from collections.abc import Sequence

from benchmarks.figure import Figure, Goal, Table, Unit
from benchmarks.spread import Spread

_FEW, _SOME = 10, 100


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
