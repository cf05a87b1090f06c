"""
Requests that do not wait for each other are sent at the same time.

A rotation is a chain of requests; how long it takes is how many of them wait for another one's answer.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from rotation.vocabulary.errors import RotationError

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
T = TypeVar("T")
P = ParamSpec("P")


class Gather(Protocol):
    """
    Carry out several things at the same time, to the end of each, and return what they return, in their order.

    None of them is given up because another one fails: what was sent is waited for. Then the first error counts, in the
    order in which they were given.
    """

    @overload
    async def __call__(self, first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], /) -> tuple[A, B]: ...

    @overload
    async def __call__(
        self, first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], third: Coroutine[Any, Any, C], /
    ) -> tuple[A, B, C]: ...

    @overload
    async def __call__(self, *work: Coroutine[Any, Any, T]) -> tuple[T, ...]: ...


async def capture(work: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs) -> T | RotationError:
    """
    Return what comes of a call, or its error, where it is not known yet whether that will matter.
    """
    try:
        return await work(*args, **options)
    except RotationError as error:
        return error


def unwrap(result: T | RotationError) -> T:
    """
    Return what came of it. Raises the error that came of it instead.
    """
    if isinstance(result, RotationError):
        raise result
    return result
