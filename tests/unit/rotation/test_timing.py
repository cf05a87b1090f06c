from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotation.vocabulary.errors import OutOfTime
from rotation.vocabulary.limits import CLAIM_TTL, IN_FLIGHT, LAST_SEND, PAUSE, SKEW
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock

MOMENT = timedelta(milliseconds=1)


def step_wall(clock: HandClock, time: timedelta) -> None:
    """
    Move the wall clock alone, as a frozen process or a corrected clock sees it.
    """
    clock._now += time


def step_monotonic(clock: HandClock, time: timedelta) -> None:
    """
    Move the monotonic clock alone.
    """
    clock._monotonic += time.total_seconds()


def test_a_claim_outlives_whatever_its_holder_sent() -> None:
    """
    When a claim has expired nothing is under way any more, on any worker's clock.
    """
    assert CLAIM_TTL >= LAST_SEND + PAUSE + IN_FLIGHT + SKEW


def test_a_claim_is_counted_from_before_it_is_written() -> None:
    """
    However late it is asked, a claim ends one claim's time after the start of the attempt.
    """
    clock = HandClock()
    started = clock.now()
    deadline = Deadline(clock)
    clock.advance(timedelta(seconds=100))

    assert deadline.started_on == started
    assert deadline.claimed_until == started + CLAIM_TTL


def test_each_step_is_timed_by_itself() -> None:
    """
    From the start of the attempt to the first, and from one to the next.
    """
    clock = HandClock()
    deadline = Deadline(clock)

    def lap_after(seconds: float) -> float:
        clock.advance(timedelta(seconds=seconds))
        return deadline.lap()

    assert [lap_after(seconds) for seconds in (1, 2, 4)] == [1, 2, 4]


def test_an_attempt_may_send_until_the_last_moment() -> None:
    """
    A moment before the end it may, at the end and ever after it may not.
    """
    clock = HandClock()
    deadline = Deadline(clock)
    deadline.check()
    clock.advance(LAST_SEND - MOMENT)
    deadline.check()

    clock.advance(MOMENT)
    with pytest.raises(OutOfTime):
        deadline.check()
    clock.advance(timedelta(days=1))
    with pytest.raises(OutOfTime):
        deadline.check()


@pytest.mark.parametrize("step", [step_wall, step_monotonic, HandClock.advance])
def test_the_clock_that_says_more_counts(step: Callable[[HandClock, timedelta], None]) -> None:
    """
    Neither a frozen process nor a wall clock that was set gets more time than there is.
    """
    clock = HandClock()
    deadline = Deadline(clock)
    step(clock, LAST_SEND)

    assert deadline.remaining == 0
    with pytest.raises(OutOfTime):
        deadline.check()


def test_a_wall_clock_set_back_gives_no_time_back() -> None:
    """
    What has passed stays passed.
    """
    clock = HandClock()
    deadline = Deadline(clock)
    clock.advance(LAST_SEND)
    step_wall(clock, timedelta(hours=-1))

    assert deadline.remaining <= 0
    with pytest.raises(OutOfTime):
        deadline.check()


@pytest.mark.parametrize(
    ("last_send", "granted"),
    [
        (timedelta(seconds=120), timedelta(seconds=120)),
        (LAST_SEND, LAST_SEND),
        (LAST_SEND + MOMENT, LAST_SEND),
        (timedelta(days=1), LAST_SEND),
        (timedelta(0), timedelta(0)),
        (timedelta(seconds=-1), timedelta(seconds=-1)),
    ],
)
def test_nobody_gets_more_time_than_the_claim_allows(last_send: timedelta, granted: timedelta) -> None:
    """
    A caller may ask for a shorter attempt, never for a longer one.
    """
    assert Deadline(HandClock(), last_send).remaining == granted.total_seconds()


async def test_waiting_lets_the_time_pass() -> None:
    """
    Afterwards that much less is left.
    """
    clock = HandClock()
    deadline = Deadline(clock)

    await deadline.wait(40)

    assert deadline.elapsed == 40
    assert deadline.remaining == LAST_SEND.total_seconds() - 40


@pytest.mark.parametrize("seconds", [240.0, 240.001, 241.0, 1e9, float("inf")])
async def test_a_wait_that_leaves_no_time_ends_at_once(seconds: float) -> None:
    """
    Nobody sleeps for nothing: no time passes before it is said.
    """
    clock = HandClock()
    deadline = Deadline(clock)

    with pytest.raises(OutOfTime):
        await deadline.wait(seconds)
    assert deadline.elapsed == 0


@settings(deadline=None)
@given(waits=st.lists(st.floats(0, 100), min_size=1, max_size=20))
async def test_a_request_that_has_waited_is_sent(waits: list[float]) -> None:
    """
    After a wait that was granted there is time left.
    """
    deadline = Deadline(HandClock())

    for seconds in waits:
        try:
            await deadline.wait(seconds)
        except OutOfTime:
            assert deadline.elapsed + seconds >= LAST_SEND.total_seconds()
        else:
            deadline.check()


def test_running_out_of_time_leaves_nothing_in_flight() -> None:
    """
    Such an attempt has not sent what it was about to, and the rotation can be tried again.
    """
    assert OutOfTime().retryable
    assert not OutOfTime().in_flight
