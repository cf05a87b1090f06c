"""
What the benchmark says: figures of ours and of the others, goals for them, tables, drawings and curves.
"""

import statistics
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """
    The median of some runs, with the least and the most of them.
    """

    median: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """
    Return the spread of what was measured. Raises `ValueError` if nothing was.
    """
    measured = list(values)
    if not measured:
        raise ValueError("nothing was measured")
    return Spread(statistics.median(measured), min(measured), max(measured))


def exactly(value: float) -> Spread:
    """
    Return the spread of a single value.
    """
    return Spread(value, value, value)


class Unit(StrEnum):
    """
    What a figure is shown in; it is kept in seconds, bytes or as a plain number.
    """

    MILLISECONDS = "ms"
    SECONDS = "s"
    MEGABYTES = "MB"
    PER_SECOND = "/s"
    NUMBER = ""

    @property
    def scale(self) -> float:
        """
        How many of it are one second, one byte or one.
        """
        return {Unit.MILLISECONDS: 1e3, Unit.MEGABYTES: 1e-6}.get(self, 1.0)


class Goal(msgspec.Struct, frozen=True):
    """
    What issue 6 asks for, and what was measured.
    """

    name: str
    asked: str
    measured: float
    bound: float
    is_floor: bool = False
    """Whether the measured value must not be below the bound; otherwise it must not be above."""

    @property
    def is_met(self) -> bool:
        """
        Whether it is reached.
        """
        return self.measured >= self.bound if self.is_floor else self.measured <= self.bound


class Figure(msgspec.Struct, frozen=True):
    """
    One line of the table. What a rival cannot do, or nobody has measured, is None.
    """

    name: str
    unit: Unit
    ours: Spread
    sample: Spread | None = None
    tutorial: Spread | None = None
    limit: Spread | None = None

    def ratio(self, other: Spread | None) -> float | None:
        """
        Return how many times another's median is in ours.
        """
        return self.ours.median / other.median if other and other.median else None

    def goal(self, asked: str, other: Spread | None, bound: float, *, is_floor: bool = False) -> Goal:
        """
        Return the goal that the ratio to another's median is on the right side of a bound.
        """
        return Goal(self.name, asked, self.ratio(other) or 0.0, bound, is_floor)


class Table(msgspec.Struct, frozen=True):
    """
    Some columns, the first of words and the others of numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    """How many columns are of words."""


class Section(msgspec.Struct, frozen=True):
    """
    What belongs to the figures: a table, or a drawing in plain text. `name` is its place in docs/performance.md.
    """

    name: str
    title: str
    content: Table | list[str]


class Point(msgspec.Struct, frozen=True):
    """
    What so many secrets take, in seconds and in bytes of memory (None where it is not known).
    """

    secrets: int
    seconds: float
    peak: float | None
    is_measured: bool = True


class Curve(msgspec.Struct, frozen=True):
    """
    How the cost of something grows.
    """

    name: str
    points: Sequence[Point]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one part of the benchmark has found.
    """

    figures: Sequence[Figure] = ()
    goals: Sequence[Goal] = ()
    sections: Sequence[Section] = ()
    curves: Sequence[Curve] = ()
