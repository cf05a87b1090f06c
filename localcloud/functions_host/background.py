"""
What a host does from `start` to `stop`, unasked: the queues that it polls and the timers that it watches.
"""

import asyncio
from abc import ABC, abstractmethod


class Background(ABC):
    """
    Work that goes on until it is told to stop.
    """

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _run(self) -> None:
        """
        Work until `_stopping` is set.
        """

    def start(self) -> None:
        """
        Begin.
        """
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """
        Begin nothing more. What is under way goes on.
        """
        self._stopping.set()

    async def finish(self) -> None:
        """
        Wait until what is under way is over, and settled or on record.
        """
        if self._task is not None:
            await self._task
