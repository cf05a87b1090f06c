"""
What was measured, by figure and app, as pyperf's benchmarks: `pyperf compare_to` compares any two runs.
"""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyperf

APPS = ("ours", "before", "sample", "tutorial", "limit")
_MACHINE = {
    "python_version": platform.python_version(),
    "platform": platform.platform(),
    "cpu_count": os.cpu_count() or 1,
}


class Goal(NamedTuple):
    """
    What the median of a figure must not exceed: so many times another one, or so much in itself.
    """

    figure: str
    most: float
    of: str
    """In words: times what, or in which unit."""
    other: tuple[str, str] | None = None
    """The other figure, and its app; an empty name means the same app."""


class Results:
    """
    All values of a run. `drawings` are shown beside its tables.
    """

    def __init__(self, goals: Sequence[Goal] = ()) -> None:
        self.drawings: dict[str, list[str]] = {}
        self._goals = goals
        self._tables: dict[str, str] = {}  # By figure.
        self._found: dict[tuple[str, str], pyperf.Benchmark] = {}

    def add(self, table: str, figure: str, app: str, values: Iterable[float], unit: str = "second") -> None:
        """
        Add what one process has shown, which is above 0. `unit` is second, byte or integer.
        """
        run = pyperf.Run(list(values), metadata={"name": figure, "unit": unit, **_MACHINE}, collect_metadata=False)
        if (figure, app) in self._found:
            self._found[figure, app].add_run(run)
        else:
            self._found[figure, app] = pyperf.Benchmark([run])
            self._tables[figure] = table

    def median(self, figure: str, app: str) -> float | None:
        """
        Return the median of a figure, None where it was not measured.
        """
        found = self._found.get((figure, app))
        return found and float(found.median())

    def store(self, folder: Path) -> None:
        """
        Write a file for each app.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for app in APPS:
            if every := [found for (_, measured), found in self._found.items() if measured == app]:
                pyperf.BenchmarkSuite(every).dump(str(folder / f"{app}.json"), replace=True)

    @property
    def sections(self) -> dict[str, str]:
        """
        Every table and drawing by name, as Markdown.
        """
        tables = {name: self._table(name) for name in dict.fromkeys(self._tables.values())}
        drawings = {name: "\n".join(["```", *lines, "```", ""]) for name, lines in self.drawings.items()}
        return {"goals": self._goals_table(), **tables, **drawings}

    def _table(self, name: str) -> str:
        figures = [figure for figure, table in self._tables.items() if table == name]
        apps = [app for app in APPS if any((figure, app) in self._found for figure in figures)]
        rows = []
        for figure in figures:
            ours, *others = (self.median(figure, app) for app in apps)
            ratios = (f"{ours / other:.2f}" if ours and other else "" for other in others)
            rows.append([figure, *(_shown(self._found.get((figure, app))) for app in apps), *ratios])
        return _markdown(["", *apps, *(f"ours/{app}" for app in apps[1:])], rows, words=1)

    def _goals_table(self) -> str:
        shown = [app for app in ("ours", "before") if any(measured == app for _, measured in self._found)]
        rows = []
        for goal in self._goals:
            measured = [self._measured(goal, app) for app in shown]
            if measured and measured[0] is not None:
                is_met = "met" if measured[0] <= goal.most else "**NOT MET**"
                values = ("" if value is None else f"{value:.3g}" for value in measured)
                rows.append([goal.figure, f"at most {goal.most:g} {goal.of}", is_met, *values])
        return _markdown(["goal", "asked", "", *shown], rows, words=3)

    def _measured(self, goal: Goal, app: str) -> float | None:
        figure, of_app = goal.other or ("", "")
        value, other = self.median(goal.figure, app), self.median(figure, of_app or app) if figure else 1.0
        return value / other if value and other else None


def _shown(found: pyperf.Benchmark | None) -> str:
    """
    Return the median, with the least and the most.
    """
    if found is None:
        return ""
    values = (found.median(), min(found.get_values()), max(found.get_values()))
    counts = [f"{value:,.1f}".removesuffix(".0") for value in values]
    median, least, most = counts if found.get_unit() == "integer" else found.format_values(values)
    return median if least == most else f"{median} ({least.partition(' ')[0]} to {most.partition(' ')[0]})"


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    rule = "|" + "---|" * words + "---:|" * (len(columns) - words)
    head, *body = ("| " + " | ".join(row) + " |" for row in (columns, *rows))
    return "\n".join([head, rule, *body, ""])
