import pytest

from benchmarks.spread import exactly, spread


def test_a_spread_is_the_median_between_the_least_and_the_most() -> None:
    """
    One slow run moves the most, not the median.
    """
    found = spread([3.0, 1.0, 2.0, 9.0, 2.0])

    assert (found.median, found.least, found.most, found.runs) == (2.0, 1.0, 9.0, 5)


def test_what_is_reckoned_has_no_range_and_no_runs() -> None:
    """
    A limit is no measurement.
    """
    found = exactly(0.5)

    assert (found.median, found.least, found.most, found.runs) == (0.5, 0.5, 0.5, 0)


def test_nothing_measured_is_no_spread() -> None:
    """
    A figure of no runs fails loudly, and is not 0.
    """
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])
