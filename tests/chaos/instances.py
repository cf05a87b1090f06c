"""
The instances of the app: started, killed, and followed by their logs, which tell whose worker is still at it.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.azure.faults import ConnectionCut
from localcloud.azure.request_log import LoggedRequest
from localcloud.cloud import LocalCloud
from localcloud.functions_host.process import FunctionsHost
from localcloud.rotation_feed import StuckError
from localcloud.running import Running
from tests.chaos.kinds import KillKind

# What writes to the ledger on behalf of a rotation. The others put messages into a queue.
_WORKERS = frozenset({"run_rotation", "on_poisoned_rotation", "create_rotation"})
_PATIENCE = 30  # seconds for an instance to be there


@dataclass(eq=False)
class Instance:
    """
    One host of the app, and what its log has told so far.
    """

    number: int
    host: FunctionsHost
    log: Path
    running: dict[str, set[str]] = field(default_factory=dict)
    """The rotations that each running invocation is known to be about: none yet, where it has not said."""
    is_read: bool = False
    """It is gone, and so is nothing of what it had to tell."""
    _position: int = 0

    @property
    def is_alive(self) -> bool:
        """
        Whether its process still runs.
        """
        return not self.host.has_ended

    def read_log(self) -> None:
        """
        Take in what the host has logged since the last time.
        """
        has_ended = self.host.has_ended
        with self.log.open("rb") as log:
            log.seek(self._position)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                if line.startswith(b"{"):
                    self._take(json.loads(line))
        if has_ended:
            self.running.clear()
            self.is_read = True

    def _take(self, record: dict[str, Any]) -> None:
        invocation, rotation = record.get("invocationId", ""), record.get("rotation")
        if record["logger"] == "host.invocation" and record.get("function") in _WORKERS:
            if record["message"].startswith("Executing"):
                self.running[invocation] = set()
            elif record["message"].startswith("Executed"):
                self.running.pop(invocation, None)
        if rotation and invocation in self.running:
            self.running[invocation].add(rotation)


class Instances(Running):
    """
    The instances of one local cloud's app, for `async with`: the first is the cloud's own.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._hosts = AsyncExitStack()
        self.all = [Instance(0, cloud.host, cloud.log)]
        self.kills = 0
        self.stopped = 0
        """How many have stopped by themselves, since their storage failed."""
        self._at_rest: set[Instance] = set()

    async def _start(self, running: AsyncExitStack) -> None:
        await running.enter_async_context(self._hosts)

    @property
    def alive(self) -> list[Instance]:
        """
        Those that run.
        """
        return [instance for instance in self.all if instance.is_alive]

    async def any(self) -> Instance:
        """
        Return an instance that runs, the newest. Raises `StuckError` if none comes up.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self.alive:  # noqa: ASYNC110 - another process is waited for
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise StuckError(f"no instance of the app for {_PATIENCE} s") from None
        return self.alive[-1]

    async def start(self) -> Instance:
        """
        Start one more.
        """
        number = len(self.all)
        log = self._cloud.log.with_name(f"functions-host-{number}.log")
        host = FunctionsHost(app=self._cloud.app, environment=self._cloud.settings, log=log)
        await self._hosts.enter_async_context(host)
        instance = Instance(number, host, log)
        self.all.append(instance)
        return instance

    async def kill(self, instance: Instance, *, hits: int = 1) -> None:
        """
        SIGKILL, of an instance that is in the midst of so many rotations.
        """
        self.kills += hits
        self._at_rest.add(instance)
        await instance.host.kill()

    async def kill_amid(self, held: Sequence["Held"]) -> None:
        """
        Kill the newest while these requests of it are held, let them go on, and start another.
        """
        await self.kill(self.alive[-1], hits=sum(each.is_reached for each in held))
        for each in held:
            each.go_on.set()
        await self.start()

    async def replace(self) -> Instance:
        """
        Stop all that run, when they have nothing to do, and start a new one.
        """
        for instance in self.alive:
            self._at_rest.add(instance)
            await instance.host.stop()
        return await self.start()

    async def revive(self) -> None:
        """
        Start another for each that has stopped by itself, as the platform does.
        """
        fallen = [instance for instance in self.all if not (instance.is_alive or instance in self._at_rest)]
        for instance in fallen:
            self._at_rest.add(instance)
            self.stopped += 1
            if not self.alive:
                await self.start()

    def read_logs(self) -> None:
        """
        Take in what all of them have logged.
        """
        for instance in self.all:
            if instance.is_alive or not instance.is_read:
                instance.read_log()

    def possible_workers(self, rotation: str) -> set[str]:
        """
        Return the ids of the running invocations that are about a rotation, or may be.
        """
        return {
            invocation
            for instance in self.all
            for invocation, rotations in instance.running.items()
            if not rotations or rotation in rotations
        }


class Held:
    """
    Holds one request while the process that sent it is killed: of those that it is about, the one with this number.
    """

    def __init__(self, fault: KillKind, number: int | None, *about: str) -> None:
        self.fault = fault
        self.requests = 0
        self.is_reached = False
        self.go_on = asyncio.Event()
        self._number = number
        self._about = about

    async def meet(self, request: LoggedRequest) -> None:
        """
        Hold the one request that this is about; let all others pass.
        """
        if self._about and not any(name in request.target.casefold() for name in self._about):
            return
        self.requests += 1
        if self.requests != self._number:
            return
        self.is_reached = True
        await self.go_on.wait()
        if self.fault.is_lost:
            raise ConnectionCut
