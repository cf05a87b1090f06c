from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation.schedule import BadSchedule, parse_schedule


@pytest.mark.parametrize(
    "text",
    [
        "0 0 3 * * *",
        "0 */5 * * * *",
        "0 3 * * *",
        "0 0 3 * * 5-1",
        "0 0 3 1,15 * Mon-Fri",
        "0 0 3 * january *",
        " 0  0 3/6 * * SUN ",
    ],
)
def test_what_the_host_runs_by_is_accepted(text: str) -> None:
    """
    Five or six fields, with lists, ranges that wrap, steps and names.
    """
    assert len(parse_schedule(text).fields) == 6


def test_a_time_span_is_accepted() -> None:
    """
    A timer may run every so often instead of at times of the day.
    """
    assert parse_schedule("1.02:03:04").every == timedelta(days=1, hours=2, minutes=3, seconds=4)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0 0 3 * * 7", "weekday"),
        ("0 0 3 L * *", "day"),
        ("0 0 3 LW * *", "day"),
        ("0 0 3 ? * *", "day"),
        ("0 0 3 * * 5#2", "weekday"),
        ("0 60 3 * * *", "minute"),
        ("0 0 24 * * *", "hour"),
        ("0 */0 * * * *", "minute"),
        ("@daily", "6 fields"),
        ("", "6 fields"),
        ("0 0 3 * * * *", "6 fields"),
        ("00:00:00", "time span"),
        ("24:00:00", "time span"),
    ],
)
def test_what_the_host_refuses_is_refused_by_the_field(text: str, named: str) -> None:
    """
    The error names the field, or what a schedule looks like.
    """
    with pytest.raises(BadSchedule, match=named):
        parse_schedule(text)


@given(st.one_of(st.text(), st.lists(st.from_regex(r"[-*/,0-9a-zA-Z²٣]{1,6}"), min_size=5, max_size=6).map(" ".join)))
def test_no_text_raises_another_error(text: str) -> None:
    """
    A schedule is read or refused.
    """
    with suppress(BadSchedule):
        parse_schedule(text)
