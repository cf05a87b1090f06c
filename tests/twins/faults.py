"""
Faults for twins: what a network and a service do to a call, scripted.
"""

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

Hook = Callable[[], Awaitable[None]]


class Faults:
    """
    Errors and hooks for named operations, used up in the order they were added.
    """

    def __init__(self) -> None:
        self._before: dict[str, deque[BaseException | Hook | None]] = defaultdict(deque)
        self._after: dict[str, deque[BaseException | Hook | None]] = defaultdict(deque)
        self.calls: list[str] = []

    def before(self, operation: str, *steps: BaseException | Hook | None) -> None:
        """
        Let the next calls meet these before they have an effect; None lets one pass.
        """
        self._before[operation].extend(steps)

    def after(self, operation: str, *steps: BaseException | Hook | None) -> None:
        """
        Let the next calls that have an effect meet these after it; None lets one pass.
        """
        self._after[operation].extend(steps)

    def count(self, operation: str) -> int:
        """
        Return how often an operation was called.
        """
        return self.calls.count(operation)

    async def enter(self, operation: str) -> None:
        """
        Meet what is scripted for before the effect.
        """
        self.calls.append(operation)
        await self._meet(self._before[operation])

    async def leave(self, operation: str) -> None:
        """
        Meet what is scripted for after the effect.
        """
        await self._meet(self._after[operation])

    async def _meet(self, steps: deque[BaseException | Hook | None]) -> None:
        if not steps:
            return
        step = steps.popleft()
        if isinstance(step, BaseException):
            raise step
        if step is not None:
            await step()
