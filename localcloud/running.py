"""
What runs while its context is open.
"""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self


class Running(ABC):
    """
    Something for `async with`. What was started is ended when the block is left, and if it cannot all be started.
    """

    @abstractmethod
    async def _start(self, running: AsyncExitStack) -> None:
        """
        Start everything, and put what ends it onto the stack.
        """

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            await self._start(starting)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()


async def cancel(task: asyncio.Task[None]) -> None:
    """
    Cancel a task and wait for its end.
    """
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
