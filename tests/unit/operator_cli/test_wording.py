from datetime import UTC, datetime, timedelta

import pytest

from rotator import times, wording

NOW = datetime(2026, 11, 22, 4, 17, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "number", "words"),
    [
        (timedelta(days=88, hours=23), "88", "in 88 days"),
        (timedelta(days=1), "1", "in 1 day"),
        (timedelta(hours=23), "0", "today"),
        (timedelta(seconds=-1), "-1", "1 day ago"),
        (timedelta(days=-3), "-3", "3 days ago"),
    ],
)
def test_days_are_whole_ones_and_negative_once_it_is_too_late(left: timedelta, number: str, words: str) -> None:
    """
    An expiry an hour ago never reads as one to come.
    """
    assert times.days_until(NOW + left, NOW) == number
    assert times.in_days(NOW + left, NOW) == words


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=59), "59m ago"),
        (timedelta(hours=23, minutes=59), "23h ago"),
        (timedelta(days=3), "3d ago"),
    ],
)
def test_a_time_that_has_passed_is_told_in_its_largest_unit(passed: timedelta, words: str) -> None:
    """
    The clock of the app may be ahead of the one here.
    """
    assert times.relative(NOW - passed, NOW) == words


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("https://kv-prod.vault.azure.net/secrets/batch-key", "kv-prod/batch-key"),
        ("https://kv-prod.vault.azure.cn/secrets/batch-key/0123456789abcdef0123456789abcdef", "kv-prod/batch-key"),
        ("https://localhost:8443/secrets/batch-key", "localhost:8443/batch-key"),
        ("batch-key", "batch-key"),
    ],
)
def test_a_secret_is_shown_by_vault_and_name(written: str, short: str) -> None:
    """
    What is no id stays as it is.
    """
    assert wording.short_id(written) == short


def test_what_callers_have_written_cannot_move_the_cursor() -> None:
    """
    Nor begin a line that looks like one of the command's.
    """
    assert wording.plain("a\x1b[2J\nError: b\u202e\tü") == "a [2J Error: b  ü"
