"""
What a worker does at the same time, laid out one request after the other, in several orders.

Two requests that are under way together take effect one before the other. Which of them, and what others do in between,
is what the orders and the scheduler decide.
"""

from collections.abc import Awaitable, Coroutine, Generator
from enum import StrEnum
from typing import Any

from tests.interleavings.calls import Call, Nap


class Order(StrEnum):
    """
    Which of the things that go on at the same time comes first.
    """

    FORWARD = "each to its end, in the order in which they are given"
    BACKWARD = "each to its end, the last one first"
    ALTERNATING = "a request of each in turn"


class LaidOut:
    """
    The `Gather` of one worker.
    """

    def __init__(self, order: Order) -> None:
        self._order = order

    async def __call__(self, *work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
        """
        Carry out several things, each to its end.
        """
        strands = [_Strand(coroutine) for coroutine in work]
        try:
            await _Weaving(strands, self._order)
        finally:
            for coroutine in work:
                coroutine.close()
        for strand in strands:
            if strand.error:
                raise strand.error
        return tuple(strand.result for strand in strands)


class _Strand:
    """
    One of the things, up to the call that it waits for.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.is_begun = False
        self.is_over = False
        self.wanted: Call[Any] | Nap | None = None
        self.result: Any = None
        self.error: Exception | None = None

    def go_on(self, answer: object = None, error: Exception | None = None) -> None:
        self.is_begun = True
        try:
            self.wanted = self._coroutine.throw(error) if error else self._coroutine.send(answer)
        except StopIteration as end:
            self.is_over, self.result = True, end.value
        except Exception as failure:  # noqa: BLE001 - whatever it is, the others are carried out first
            self.is_over, self.error = True, failure


class _Weaving(Awaitable[None]):
    def __init__(self, strands: list[_Strand], order: Order) -> None:
        self._strands = strands
        self._order = order

    def __await__(self) -> Generator[Call[Any] | Nap | None, Any, None]:
        waiting = self._strands[::-1] if self._order is Order.BACKWARD else list(self._strands)
        while waiting:
            strand = waiting.pop(0)
            if not strand.is_begun:
                strand.go_on()
            if strand.is_over:
                continue
            try:
                answer = yield strand.wanted
            except Exception as error:  # noqa: BLE001 - it is the answer
                strand.go_on(error=error)
            else:
                strand.go_on(answer)
            waiting.insert(len(waiting) if self._order is Order.ALTERNATING else 0, strand)
