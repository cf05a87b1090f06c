from benchmarks.figure import Point
from benchmarks.growth import reckoned


def test_what_was_not_measured_is_reckoned_and_says_so() -> None:
    """
    The line through the last two sizes leads to 10,000.
    """
    found = reckoned([Point(10, 1.0, 1), Point(100, 3.0, 2), Point(1_000, 21.0, 3)])

    assert found == Point(10_000, 201.0, 3, is_measured=False)
