from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from rotator.answers import wait_asked_by


@pytest.mark.parametrize(("written", "seconds"), [("0", 0.0), ("30", 30.0), ("soon", None), ("", None), ("-5", None)])
def test_the_wait_that_an_answer_asks_for_is_read(written: str, seconds: float | None) -> None:
    """
    Seconds are read, what is none is not guessed at.
    """
    assert wait_asked_by(httpx.Response(503, headers={"Retry-After": written})) == seconds


def test_a_wait_until_a_moment_is_the_time_until_then() -> None:
    """
    HTTP allows a date as well; one that has passed asks for no wait.
    """
    now = datetime.now(UTC)
    later, earlier = (format_datetime(now + timedelta(seconds=60 * sign), usegmt=True) for sign in (1, -1))

    wait = wait_asked_by(httpx.Response(503, headers={"Retry-After": later}))

    assert wait is not None
    assert 55 < wait <= 60
    assert wait_asked_by(httpx.Response(503, headers={"Retry-After": earlier})) == 0
    assert wait_asked_by(httpx.Response(503)) is None
