"""
Ends instances of the app, at any moment and amid any request, and starts others.
"""

import asyncio
import contextlib
from random import Random

from localcloud.azure.faults import ConnectionCut
from localcloud.azure.request_log import LoggedRequest
from localcloud.kinds import KINDS
from localcloud.running import Running
from tests.chaos.scene import Scene

_BETWEEN = (0.5, 3.0)  # seconds from one kill to the next
_WAIT = 2.0  # seconds for a request to be killed at
_OPERATIONS = (
    "Vault.GetSecret",
    "Vault.SetSecret",
    *(kind.regenerate for kind in KINDS),
    "Ledger.Insert",
    "Ledger.Replace",
    "Ledger.Transaction",
    "EventGrid.Publish",
    None,  # at any moment
)


class Killer(Running):
    """
    Kills until its context is left. There are one or two instances at a time, for moments none.
    """

    def __init__(self, scene: Scene, chance: Random) -> None:
        self._scene = scene
        self._chance = chance

    async def _start(self, running: contextlib.AsyncExitStack) -> None:
        self._stopping = asyncio.Event()
        running.push_async_callback(self._stop, asyncio.create_task(self._go_on()))

    async def _stop(self, killing: asyncio.Task[None]) -> None:
        # Not cancelled: a kill that is set up, or under way, would happen when nobody starts another instance any more.
        self._stopping.set()
        await killing
        if not self._scene.instances.alive:
            await self._scene.instances.start()

    async def _go_on(self) -> None:
        instances = self._scene.instances
        while not await self._is_told_to_stop(self._chance.uniform(*_BETWEEN)):
            if not instances.alive:
                continue  # The last one has stopped by itself: the supervisor starts another.
            if self._chance.random() < 0.5 and len(instances.alive) == 1:
                await instances.start()
                continue
            await self._kill_at(self._chance.choice(_OPERATIONS), when_is_before=self._chance.random() < 0.5)
            if not instances.alive:
                await instances.start()

    async def _kill_at(self, operation: str | None, *, when_is_before: bool) -> None:
        instances = self._scene.instances
        victim = self._chance.choice(instances.alive)
        if operation is None:
            await instances.kill(victim)
            return
        is_lost = when_is_before and self._chance.random() < 0.5
        killed = asyncio.Event()

        async def kill(_: LoggedRequest) -> None:
            if killed.is_set():
                return
            killed.set()
            await instances.kill(victim)
            if is_lost:
                raise ConnectionCut

        faults = self._scene.cloud.azure.faults
        (faults.before if when_is_before else faults.after)(operation, kill)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WAIT):
                await killed.wait()
        if killed.is_set():
            await victim.host.kill()  # It was asked for: this waits until it is gone.
        else:
            killed.set()
            await instances.kill(victim)

    async def _is_told_to_stop(self, seconds: float) -> bool:
        """
        Wait so long, or until it is told to stop; return whether it is.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()
