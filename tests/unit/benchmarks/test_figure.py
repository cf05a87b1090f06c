import pytest

from benchmarks.figure import Figure, Goal, Unit, exactly, spread
from benchmarks.report import figures_table, goals_table, number


def goal(measured: float, *, is_floor: bool = False) -> Goal:
    """
    Return a goal of 20.
    """
    return Goal("rotations", "20", measured, bound=20.0, is_floor=is_floor)


def test_a_spread_is_the_median_between_the_least_and_the_most() -> None:
    """
    One slow run moves the most, not the median.
    """
    found = spread([3.0, 1.0, 2.0, 9.0, 2.0])

    assert (found.median, found.least, found.most) == (2.0, 1.0, 9.0)


def test_nothing_measured_is_no_spread() -> None:
    """
    A figure of no runs fails loudly, and is not 0.
    """
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])


@pytest.mark.parametrize(
    ("measured", "is_floor", "is_met"),
    [(19.9, False, True), (20.0, False, True), (20.1, False, False), (19.9, True, False), (20.0, True, True)],
)
def test_a_goal_is_met_on_its_side_of_the_bound(measured: float, is_floor: bool, is_met: bool) -> None:
    """
    A time must not be above its bound, a throughput not below.
    """
    assert goal(measured, is_floor=is_floor).is_met == is_met


def test_a_missed_goal_is_seen() -> None:
    """
    The table says of every goal whether it is met.
    """
    rows = goals_table([goal(1.0), goal(21.0)]).rows

    assert [row[-1] for row in rows] == ["met", "NOT MET"]


def test_a_ratio_says_how_many_times_the_other_is_in_ours() -> None:
    """
    Twice as fast as the tutorial reads 2 for a throughput and 0.5 for a time; without the other there is nothing.
    """
    figure = Figure("time", Unit.MILLISECONDS, exactly(0.5), tutorial=exactly(1.0), limit=exactly(0.0))

    assert figure.ratio(figure.tutorial) == 0.5
    assert figure.ratio(figure.sample) is None
    assert figure.ratio(figure.limit) is None


def test_figures_are_shown_in_their_unit() -> None:
    """
    Seconds are kept, milliseconds shown; what nobody measured stays empty.
    """
    figure = Figure("time", Unit.MILLISECONDS, exactly(0.5481), tutorial=exactly(0.34))

    (row,) = figures_table([figure]).rows

    assert row == ["time, ms", "548", "", "340", "", "", "1.61", ""]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (3.0, "3"), (3.14159, "3.14"), (31.4159, "31.4"), (314.159, "314"), (31415.9, "31,416")],
)
def test_a_number_has_the_digits_that_mean_something(value: float, shown: str) -> None:
    """
    Three of them, and all that stand before the point.
    """
    assert number(value) == shown
