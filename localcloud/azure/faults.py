"""
What goes wrong, where and how often: the script of a test or of the demo.

It rests on assumptions 5 and 9 of docs/fidelity.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from localcloud.azure.request_log import LoggedRequest

When: TypeAlias = Literal["before", "after"]
Hook: TypeAlias = Callable[[LoggedRequest], Awaitable[None]]


class ConnectionCut(Exception):
    """
    The caller's connection is to be cut without an answer.
    """


@dataclass(frozen=True, kw_only=True)
class Fault:
    """
    One thing that goes wrong with requests for an operation that were admitted, before or after they take effect.

    `answer` gives `status` with `body`, or with the service's own error for it when `body` is None, of `code` where
    that is given; a 200 without a body is empty. `drop` cuts the connection. `delay` goes on after `seconds`. `hang`
    goes on when it is released. A caller that gave up on a delayed or hanging request does not stop it: before the
    effect, this makes a late effect. So does an `answer` before the effect with `effect_after`: somebody answered for a
    service that is still at work.
    """

    operation: str
    kind: Literal["answer", "drop", "delay", "hang"]
    when: When = "before"
    times: int | None = 1
    """How often it happens; None is always."""
    skip: int = 0
    """How many requests pass first."""
    target: str | None = None
    status: int = 503
    code: str | None = None
    retry_after: int | None = None
    """Seconds, as the header of an `answer`."""
    body: bytes | None = None
    seconds: float = 0.0
    effect_after: float | None = None
    """Seconds from an `answer` to the effect, which an answer before it prevents otherwise."""


@dataclass(eq=False)
class ArmedFault:
    """
    A fault in the script, and what became of it.
    """

    fault: Fault
    fired: int = 0
    _seen: int = 0
    _reached: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _released: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def reached(self) -> None:
        """
        Wait until it has happened once.
        """
        await self._reached.wait()

    def release(self) -> None:
        """
        Let what hangs here go on, now and in future.
        """
        self._released.set()

    def takes(self, when: When, request: LoggedRequest) -> bool:
        """
        Whether it happens to this request, which then counts.
        """
        fault = self.fault
        if (fault.when, fault.operation) != (when, request.operation):
            return False
        if fault.target is not None and not request.is_about(fault.target):
            return False
        if fault.times is not None and self.fired >= fault.times:
            return False
        self._seen += 1
        if self._seen <= fault.skip:
            return False
        self.fired += 1
        self._reached.set()
        return True

    async def happen(self) -> Fault | None:
        """
        Play it. Returns the fault where it takes the place of the service's answer.
        """
        if self.fault.kind == "drop":
            raise ConnectionCut
        if self.fault.kind == "answer":
            return self.fault
        if self.fault.kind == "delay":
            await asyncio.sleep(self.fault.seconds)
        else:
            await self._released.wait()
        return None


@dataclass(eq=False)
class _ArmedHook:
    when: When
    operation: str | None
    target: str | None
    hook: Hook

    def takes(self, when: When, request: LoggedRequest) -> bool:
        is_meant = self.when == when and self.operation in {None, request.operation}
        return is_meant and (self.target is None or request.is_about(self.target))


class Faults:
    """
    The script. Hooks run first, then faults in the order of their addition; the first that answers or drops ends it.
    """

    def __init__(self) -> None:
        self._armed: list[ArmedFault] = []
        self._hooks: list[_ArmedHook] = []

    def add(self, fault: Fault) -> ArmedFault:
        """
        Put a fault into the script; what is returned tells how often it fired and releases what hangs.
        """
        armed = ArmedFault(fault)
        self._armed.append(armed)
        return armed

    def before(self, operation: str | None, hook: Hook, *, target: str | None = None) -> None:
        """
        Await `hook` each time just before the operation, or any, takes effect: the place to kill a process.
        """
        self._hooks.append(_ArmedHook("before", operation, target, hook))

    def after(self, operation: str | None, hook: Hook, *, target: str | None = None) -> None:
        """
        Await `hook` each time when the operation, or any, has taken effect and is not answered yet.
        """
        self._hooks.append(_ArmedHook("after", operation, target, hook))

    def clear(self) -> None:
        """
        Forget the script and release everything that hangs.
        """
        for armed in self._armed:
            armed.release()
        self._armed.clear()
        self._hooks.clear()

    async def meet(self, when: When, request: LoggedRequest) -> Fault | None:
        """
        Play what the script has for this request. Returns the fault to answer with, if any; raises `ConnectionCut`.
        """
        for armed_hook in tuple(self._hooks):
            if armed_hook.takes(when, request):
                await armed_hook.hook(request)
        for armed in tuple(self._armed):
            if armed.takes(when, request) and (answer := await armed.happen()):
                return answer
        return None
