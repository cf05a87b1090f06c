"""
What several runs have measured, as one value with its range.
"""

import statistics
from collections.abc import Iterable

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """
    The median of some runs, with the least and the most of them.
    """

    median: float
    least: float
    most: float
    runs: int
    """How many were measured; 0 for what was reckoned."""


def spread(values: Iterable[float]) -> Spread:
    """
    Return the spread of what was measured. Raises `ValueError` if nothing was.
    """
    measured = list(values)
    if not measured:
        raise ValueError("nothing was measured")
    return Spread(statistics.median(measured), min(measured), max(measured), len(measured))


def exactly(value: float) -> Spread:
    """
    Return the spread of a value that is reckoned, not measured.
    """
    return Spread(value, value, value, 0)
