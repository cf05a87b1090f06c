import asyncio

import pytest

from adapters.concurrency import gather
from rotation.vocabulary.concurrency import Gather, capture, unwrap
from rotation.vocabulary.endings import Drift, Skip, SkipReason
from tests.interleavings.calls import at_once
from tests.interleavings.gathering import LaidOut, Order
from tests.twins.concurrency import one_after_another

GATHERS: list[Gather] = [gather, one_after_another, *(LaidOut(order) for order in Order)]


@pytest.fixture(params=GATHERS, ids=["asyncio", "one after another", *(order.name for order in Order)])
def gathers(request: pytest.FixtureRequest) -> Gather:
    """
    Return each way to do several things at the same time.
    """
    made: Gather = request.param
    return made


class Work:
    """
    Something to do, and whether it was done.
    """

    def __init__(self) -> None:
        self.done: list[str] = []

    async def succeed(self, what: str) -> str:
        """
        Do it.
        """
        self.done.append(what)
        return what

    async def fail(self, what: str) -> str:
        """
        Fail at it.
        """
        self.done.append(what)
        raise Drift(what)


async def test_results_come_in_the_order_of_the_work(gathers: Gather) -> None:
    """
    Whatever is done first.
    """
    work = Work()

    assert await gathers(*(work.succeed(what) for what in "abc")) == ("a", "b", "c")
    assert sorted(work.done) == ["a", "b", "c"]


async def test_nothing_is_left_undone_because_something_else_fails(gathers: Gather) -> None:
    """
    Everything comes to its end, then the first error counts.
    """
    work = Work()

    with pytest.raises(Drift, match="b"):
        await gathers(*(step(what) for step, what in zip((work.succeed, work.fail, work.fail), "abc", strict=True)))

    assert sorted(work.done) == ["a", "b", "c"]


async def test_an_error_that_was_caught_is_a_result(gathers: Gather) -> None:
    """
    It is raised when somebody asks for the result, and not before.
    """
    work = Work()

    caught, succeeded = await gathers(capture(work.fail, "a"), capture(work.succeed, "b"))

    assert isinstance(caught, Drift)
    assert unwrap(succeeded) == "b"
    with pytest.raises(Drift):
        unwrap(caught)


async def test_requests_are_under_way_at_the_same_time() -> None:
    """
    The second is sent before the first is answered.
    """
    sent, answered = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        await sent.wait()
        answered.set()

    async def second() -> None:
        sent.set()
        await answered.wait()

    async with asyncio.timeout(5):
        await gather(first(), second())


async def test_who_is_cancelled_cancels_what_is_under_way() -> None:
    """
    An invocation that the host ends leaves nothing running behind.
    """
    begun, ends = asyncio.Event(), []

    async def last() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    running = asyncio.create_task(gather(last(), last()))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert ends == ["cancelled", "cancelled"]


def test_the_orders_differ() -> None:
    """
    So that each of two requests takes effect before the other one in some run.
    """
    orders = {}
    for order in Order:
        work = Work()
        at_once(LaidOut(order)(work.succeed("a"), work.succeed("b")))
        orders[order] = work.done

    assert orders[Order.FORWARD] == ["a", "b"]
    assert orders[Order.BACKWARD] == ["b", "a"]


async def test_a_death_leaves_the_rest_unbegun() -> None:
    """
    One after another, what comes after the end of the process is not done.
    """

    class Killed(BaseException):
        pass

    work = Work()

    async def die() -> str:
        raise Killed

    with pytest.raises(Killed):
        await one_after_another(work.succeed("a"), die(), work.succeed("c"))

    assert work.done == ["a"]


async def test_skips_are_caught_like_failures() -> None:
    """
    Every error of this app is.
    """

    async def skip() -> str:
        raise Skip(SkipReason.PAUSED)

    assert isinstance(await capture(skip), Skip)
