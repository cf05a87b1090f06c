from benchmarks.figure import Point
from benchmarks.growth import reckoned


def test_what_was_not_measured_is_reckoned_and_says_so() -> None:
    """
    The line through the last two sizes leads to 10,000.
    """
    points = reckoned([Point(10, 1.0, 1), Point(100, 3.0, 2), Point(1_000, 21.0, 3)])

    assert points[-1] == Point(10_000, 201.0, 3, is_measured=False)
    assert all(point.is_measured for point in points[:-1])


def test_what_was_measured_is_not_reckoned() -> None:
    """
    A long run leaves nothing to guess.
    """
    points = [Point(1_000, 21.0, 3), Point(10_000, 190.0, 3)]

    assert reckoned(points) == points
