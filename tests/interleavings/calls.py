"""
What a worker waits for: an answer, or time to pass.

The explorer that runs the worker decides when it goes on, and with which answer.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from enum import Enum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kind(Enum):
    """
    What can go wrong with a call, and what that means to its caller.
    """

    READ = "read"
    LEDGER = "ledger"
    CHANGE = "change"  # of a key or a secret: no answer is told from a bad answer
    NOTICE = "notice"  # as above, where nothing depends on it


class Call(Generic[T]):
    """
    A request that is about to be sent. `effect` is what it does, at whatever moment it arrives.

    `is_timely` says that a deadline was checked right before: the request leaves soon or never.
    """

    __slots__ = ("about", "effect", "is_timely", "kind", "operation")

    def __init__(
        self,
        operation: str,
        kind: Kind,
        effect: Callable[[], Coroutine[Any, Any, T]],
        *,
        about: object = "",
        is_timely: bool,
    ) -> None:
        self.operation = operation
        self.kind = kind
        self.effect = effect
        self.about = about
        self.is_timely = is_timely

    def __await__(self) -> Generator["Call[T]", T, T]:
        return (yield self)

    @property
    def changes(self) -> bool:
        """
        Whether it matters that it arrives after all.
        """
        return self.kind is not Kind.READ


async def ask(
    operation: str, kind: Kind, effect: Callable[[], Coroutine[Any, Any, T]], *, about: object = "", is_timely: bool
) -> T:
    """
    Make a call and return its answer.
    """
    call = Call(operation, kind, effect, about=about, is_timely=is_timely)
    return await call


class Nap:
    """
    Some seconds of sleep.
    """

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator["Nap", None, None]:
        yield self


def at_once(awaitable: Awaitable[T]) -> T:
    """
    Return what a twin answers: it never waits for anything.
    """
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a twin waited")


Worker = Coroutine[Call[Any] | Nap, Any, Any]
