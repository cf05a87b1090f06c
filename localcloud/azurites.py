"""
Azurites for one local cloud after another: starting one takes longer than most of what a test does with it.
"""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from localcloud.azurite import Azurite

_kept: "list[_Kept]" = []  # One, where this process keeps any.


class _Kept:
    """
    Azurites that go on when they are not used any more.
    """

    def __init__(self, running: AsyncExitStack) -> None:
        self._running = running
        self._idle: list[Azurite] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Azurite]:
        """
        Yield one with empty storage.
        """
        if self._idle:
            azurite = self._idle.pop()
            await azurite.empty()
        else:
            azurite = await _start(self._running)
        yield azurite
        if not azurite.has_ended:
            self._idle.append(azurite)


@asynccontextmanager
async def keep_azurites() -> AsyncIterator[None]:
    """
    Until the block is left, let `an_azurite` yield again what is not used any more.
    """
    async with AsyncExitStack() as running:
        _kept.append(_Kept(running))
        running.callback(_kept.pop)
        yield


@asynccontextmanager
async def an_azurite() -> AsyncIterator[Azurite]:
    """
    Yield an Azurite with empty storage.
    """
    async with AsyncExitStack() as running:
        yield await (running.enter_async_context(_kept[-1].lend()) if _kept else _start(running))


async def _start(running: AsyncExitStack) -> Azurite:
    directory = running.enter_context(tempfile.TemporaryDirectory(prefix="azurite-"))
    return await running.enter_async_context(Azurite(Path(directory)))
