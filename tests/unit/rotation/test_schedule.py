from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation.overview.schedule import Schedule

FRIDAY = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("0 0 3 * * *", datetime(2026, 1, 3, 3, tzinfo=UTC)),
        ("0 3 * * *", datetime(2026, 1, 3, 3, tzinfo=UTC)),
        ("  0  0 3 * * * ", datetime(2026, 1, 3, 3, tzinfo=UTC)),
        ("*/15 * * * * *", datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC)),
        ("* * * * * *", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)),
        ("5 4 3 * * *", datetime(2026, 1, 3, 3, 4, 5, tzinfo=UTC)),
        ("0 */1 * * * *", datetime(2026, 1, 2, 3, 5, tzinfo=UTC)),
        ("0 4/20 * * * *", datetime(2026, 1, 2, 3, 24, tzinfo=UTC)),
        ("0 10/20 * * * *", datetime(2026, 1, 2, 3, 10, tzinfo=UTC)),
        ("0 0 1,7 * * *", datetime(2026, 1, 2, 7, tzinfo=UTC)),
        ("0 0 0 13 * FRI", datetime(2026, 2, 13, tzinfo=UTC)),
        ("0 0 0 * * Monday", datetime(2026, 1, 5, tzinfo=UTC)),
        ("0 0 0 * * su", datetime(2026, 1, 4, tzinfo=UTC)),
        ("0 0 0 1 F *", datetime(2026, 2, 1, tzinfo=UTC)),
        ("0 0 0 1 jun *", datetime(2026, 6, 1, tzinfo=UTC)),
        # Not wrapped, but exchanged: from Monday to Friday.
        ("0 0 0 * * 5-1", datetime(2026, 1, 5, tzinfo=UTC)),
        ("0 0 0 * * 6", datetime(2026, 1, 3, tzinfo=UTC)),
        ("0 0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 0 29 2 MON", datetime(2044, 2, 29, tzinfo=UTC)),
        ("0 0 */0 * * *", datetime(2026, 1, 2, 4, tzinfo=UTC)),
    ],
)
def test_an_expression_is_read_as_the_host_reads_it(text: str, due: datetime) -> None:
    """
    With or without seconds, names from their first letters on, and both day and weekday must match.
    """
    assert Schedule.parse(text).next_after(FRIDAY) == due


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("01:00:00", timedelta(hours=1)),
        ("00:05", timedelta(minutes=5)),
        ("00:00:01", timedelta(seconds=1)),
        ("23:59:59", timedelta(hours=23, minutes=59, seconds=59)),
        ("1000000", timedelta(days=1_000_000)),
        ("1.00:00:00", timedelta(days=1)),
        ("7", timedelta(days=7)),
        (" 12:00:00.0 ", timedelta(hours=12)),
        # .NET has no 24th hour, and takes the number for days.
        ("24:00:00", timedelta(days=24)),
    ],
)
def test_a_time_span_is_read_as_dotnet_reads_it(text: str, span: timedelta) -> None:
    """
    The next run is that much later.
    """
    assert Schedule.parse(text).next_after(FRIDAY) == FRIDAY + span


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "daily",
        "@daily",
        "every 5 minutes",
        "0 0 3 * *  * *",
        "0 3 * *",
        "0\t0\t3\t*\t*\t*",
        "0 0 3 * * 7",
        "0 0 3 * * 0-7",
        "0 0 3 ? * *",
        "0 0 3 * * ?",
        "0 0 3 L * *",
        "0 0 3 LW * *",
        "0 0 3 * * 5L",
        "0 0 3 * * MON#1",
        "0 0 3 15W * *",
        "60 0 3 * * *",
        "0 60 3 * * *",
        "0 0 24 * * *",
        "0 0 3 0 * *",
        "0 0 3 32 * *",
        "0 0 3 * 13 *",
        "0 0 3 * 0 *",
        "0 0 3 * JANS *",
        "0 0 MON * * *",
        "0 0 3, * * *",
        "0 0 ,3 * * *",
        "0 0 3- * * *",
        "0 0 -3 * * *",
        "0 0 */x * * *",
        "0 0 3/ * * *",
        "0 0 ** * * *",
        "0 0 \u0663 * * *",
        "0 0 0 31 2 *",
        "0 0 0 30 FEB *",
        '"0 0 3 * * *"',
        "00:00:00",
        "-01:00:00",
        "1:2:3:4:5",
        "01:60:00",
        "1.24:00:00",
        "PT1H",
        "1000001.00:00:00",
        "99999999.00:00:00",
    ],
)
def test_what_the_host_does_not_run_is_refused(text: str) -> None:
    """
    Or it would disable the sweep, and only the host's log would say so.
    """
    with pytest.raises(ValueError, match=r"^(holds|has|is|names) "):
        Schedule.parse(text)


@given(
    text=st.lists(st.sampled_from(["*", "0", "1", "2-5", "*/7", "5-1", "1,3"]), min_size=6, max_size=6).map(" ".join),
    seconds=st.integers(0, 3_000_000_000),
)
def test_the_next_moment_is_later_and_the_one_before_it_is_not_skipped(text: str, seconds: int) -> None:
    """
    Asked a second earlier, the schedule names the same moment.
    """
    try:
        schedule = Schedule.parse(text)
    except ValueError:
        return
    moment = FRIDAY + timedelta(seconds=seconds)
    due = schedule.next_after(moment)

    assert due is not None
    assert due > moment
    assert schedule.next_after(due - timedelta(seconds=1)) == due
