"""
What the benchmark says: figures of ours and of the others, goals for them, tables and drawings.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from benchmarks.spread import Spread


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


class Figure(msgspec.Struct, frozen=True, kw_only=True):
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


class Goal(msgspec.Struct, frozen=True, kw_only=True):
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


class Table(msgspec.Struct, frozen=True):
    """
    Some columns, the first of words and the others of numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    """How many columns are of words."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
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
    peak: int | None
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
