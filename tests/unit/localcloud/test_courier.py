from collections.abc import AsyncIterator, Iterator
from itertools import pairwise, repeat

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.courier import PATIENCE, Courier
from localcloud.azure.delivery_schedule import AS_LONG_AS_ALLOWED, RetryPolicy
from localcloud.azure.event_subscription import Delivery, EventSubscription
from tests.unit.localcloud.webhook import Webhook

DAY = 24 * 3600


class HandClock:
    """
    Sleeps in no time, and remembers for how long.
    """

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """
        Come back at once.
        """
        self.slept.append(seconds)


@pytest.fixture
def clock() -> HandClock:
    """
    Return a clock that stands at the first attempt.
    """
    return HandClock()


@pytest.fixture
async def courier(ca: CertificateAuthority, clock: HandClock) -> AsyncIterator[Courier]:
    """
    Yield a courier that waits by the hand clock, as long as Azure's.
    """
    async with Courier(ca.client_context, speed=1, sleep=clock.sleep) as running:
        yield running


async def deliver(
    courier: Courier, answers: Iterator[int], retry_policy: RetryPolicy = AS_LONG_AS_ALLOWED
) -> tuple[Delivery, EventSubscription]:
    """
    Deliver one event to a webhook that gives these answers, and 200 after them.
    """
    async with Webhook(statuses=answers) as webhook:
        subscription = EventSubscription(name="one", url=webhook.url, retry_policy=retry_policy)
        return await courier.deliver(subscription, "e1", [{"id": "e1"}]), subscription


@pytest.mark.parametrize("status", [400, 413])
async def test_an_answer_that_refuses_the_event_itself_is_dead_lettered_at_once(
    courier: Courier, clock: HandClock, status: int
) -> None:
    """
    One attempt, no second one: the event never comes again.
    """
    delivery, subscription = await deliver(courier, iter([status]))

    assert [attempt.status for attempt in delivery.attempts] == [status]
    assert subscription.dead_letters == [delivery]
    assert delivery.given_up_because == f"{status} is never retried"
    assert clock.slept == []


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_endpoint_that_is_closed_or_gone_is_retried_for_some_minutes_only(
    courier: Courier, clock: HandClock, status: int
) -> None:
    """
    A deployment or a new key may take that long; what takes longer loses the event.
    """
    delivery, subscription = await deliver(courier, repeat(status))

    assert clock.slept == [10, 30, 60, 300]
    assert subscription.dead_letters == [delivery]
    assert delivery.given_up_because == f"{status} is retried for 600 seconds only"


async def test_minutes_of_refusals_count_from_the_first_one_in_a_row(courier: Courier) -> None:
    """
    An endpoint that failed for an hour is not given up at its first 404.
    """
    delivery, _ = await deliver(courier, iter([503] * 7 + [404, 404, 503, 404]))

    assert delivery.outcome == "delivered"


@pytest.mark.parametrize("status", [301, 408, 429, 500, 502, 503])
async def test_what_may_pass_is_retried_by_the_documented_delays_for_a_day(
    courier: Courier, clock: HandClock, status: int
) -> None:
    """
    10 s, 30 s, 1 min, 5 min, 10 min, 30 min, 1 h, 3 h, 6 h, 12 h: then the time to live is over.
    """
    delivery, subscription = await deliver(courier, repeat(status))

    assert clock.slept == [10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200]
    assert [later.second - earlier.second for earlier, later in pairwise(delivery.attempts)] == clock.slept
    assert delivery.attempts[-1].second <= DAY
    assert subscription.dead_letters == [delivery]
    assert delivery.given_up_because == f"its time to live of {DAY} seconds is over"


async def test_a_subscription_may_ask_for_fewer_attempts_and_less_time(courier: Courier, clock: HandClock) -> None:
    """
    Its retryPolicy: what is over first counts.
    """
    few, _ = await deliver(courier, repeat(503), RetryPolicy(max_delivery_attempts=2))
    brief, _ = await deliver(courier, repeat(503), RetryPolicy(time_to_live=60))

    assert few.given_up_because == "2 attempts have failed"
    assert brief.given_up_because == "its time to live of 60 seconds is over"
    assert clock.slept == [10, 10, 30]


async def test_an_event_that_is_taken_late_is_delivered(courier: Courier) -> None:
    """
    Each attempt says how often it was tried before, and 202 is as good as 200.
    """
    delivery, subscription = await deliver(courier, iter([503, 429, 202]))

    assert delivery.outcome == "delivered"
    assert subscription.dead_letters == []


async def test_time_may_pass_faster(ca: CertificateAuthority, clock: HandClock) -> None:
    """
    The waits are shorter; the schedule, and what ends it, is the same.
    """
    async with Courier(ca.client_context, speed=200, sleep=clock.sleep) as courier:
        delivery, _ = await deliver(courier, iter([503, 503]))

    assert clock.slept == [0.05, 0.15]
    assert [attempt.second for attempt in delivery.attempts] == [0, 10, 40]


def test_an_answer_has_thirty_seconds() -> None:
    """
    As Event Grid documents; what comes later counts as no answer.
    """
    assert PATIENCE.total == 30
