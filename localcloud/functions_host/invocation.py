"""
Running one function once: arguments, time limit, outputs, and a count of how it went.

It rests on assumptions 70 and 79 of docs/fidelity.md.
"""

import asyncio
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from localcloud.functions_host import queue_outputs
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.calling import call
from localcloud.functions_host.converters import Datum, Metadata
from localcloud.functions_host.logs import CurrentInvocation, current_invocation
from localcloud.functions_host.storage_queues import StorageQueues

_log = logging.getLogger("host.invocation")


class InvocationError(Exception):
    """
    A function raised, ran out of time, gave what its bindings cannot take, or ended with the worker that ran it.
    """


@dataclass
class Counts:
    """
    How a function's invocations went since the host started.
    """

    running: int = 0
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True, eq=False)
class Invocation:
    """
    One run of a function, from its start on.
    """

    function: IndexedFunction
    id: str
    started: float
    """By the monotonic clock."""
    outcome: asyncio.Future[Datum | None] = field(repr=False)

    async def result(self) -> Datum | None:
        """
        Wait until it ended and return its answer; raises InvocationError. It goes on when nobody waits any more.
        """
        return await asyncio.shield(self.outcome)


class Invoker:
    """
    Runs functions: async ones on the event loop, the others in threads. It never cancels one.

    A function that exceeds the time limit fails together with all that run beside it, since Azure's host then restarts
    the worker: `timed_out` is set, and the process has to be started again.
    """

    def __init__(self, *, time_limit: float | None, queues: StorageQueues) -> None:
        self.counts: dict[str, Counts] = {}
        self.timed_out = asyncio.Event()
        self._time_limit = time_limit
        self._queues = queues
        self._threads = ThreadPoolExecutor(thread_name_prefix="function")
        self._running: set[Invocation] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def invoke(self, function: IndexedFunction, data: Datum, metadata: Metadata | None = None) -> Datum | None:
        """
        Run a function to its end and give what it answers through `$return`; raises InvocationError.
        """
        return await self.start(function, data, metadata).result()

    def start(self, function: IndexedFunction, data: Datum, metadata: Metadata | None = None) -> Invocation:
        """
        Set a function going.
        """
        loop = asyncio.get_running_loop()
        invocation = Invocation(function, str(uuid.uuid4()), time.monotonic(), loop.create_future())
        # An invocation that nobody waits for may fail, too.
        invocation.outcome.add_done_callback(asyncio.Future.exception)
        self.counts.setdefault(function.name, Counts()).running += 1
        self._running.add(invocation)
        task = asyncio.create_task(self._run(invocation, data, metadata or {}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return invocation

    async def drain(self) -> None:
        """
        Wait until all that runs has come to its end, however long that takes.
        """
        while self._running:
            await asyncio.wait([invocation.outcome for invocation in self._running])
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, invocation: Invocation, data: Datum, metadata: Metadata) -> None:
        function = invocation.function
        # The task has a context of its own: setting the variable concerns this invocation alone.
        current_invocation.set(CurrentInvocation(function.name, invocation.id))
        _log.info("Executing '%s' (Id=%s)", function.name, invocation.id)
        limit = None
        if self._time_limit is not None:
            limit = asyncio.get_running_loop().call_later(self._time_limit, self._time_out, invocation)
        try:
            answer = await self._complete(function, invocation.id, data, metadata)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it is, it is the function that failed
            if not invocation.outcome.done():
                _log.exception("%s failed", function.name)
                failure = InvocationError(f"{function.name} failed: {error}")
                failure.__cause__ = error
                self._end(invocation, failure)
        else:
            if not invocation.outcome.done():
                self._end(invocation, answer)
        finally:
            if limit is not None:
                limit.cancel()

    def _time_out(self, invocation: Invocation) -> None:
        name, limit = invocation.function.name, self._time_limit
        _log.error("Timeout value of %s s exceeded by function '%s' (Id: '%s').", limit, name, invocation.id)
        self._end(invocation, InvocationError(f"{name} failed: it ran longer than functionTimeout, {limit} s"))
        for other in tuple(self._running):
            failure = InvocationError(f"{other.function.name} failed: {name} timed out, and its worker is restarted")
            self._end(other, failure)
        self.timed_out.set()

    def _end(self, invocation: Invocation, outcome: Datum | InvocationError | None) -> None:
        """
        Count, log and hand out how an invocation ended. What its code still does leads nowhere.
        """
        function, counts = invocation.function, self.counts[invocation.function.name]
        succeeded = not isinstance(outcome, InvocationError)
        self._running.discard(invocation)
        counts.running -= 1
        counts.succeeded += succeeded
        counts.failed += not succeeded
        before = current_invocation.set(CurrentInvocation(function.name, invocation.id))
        milliseconds = (time.monotonic() - invocation.started) * 1000
        word = "Succeeded" if succeeded else "Failed"
        _log.info("Executed '%s' (%s, Id=%s, %.0f ms)", function.name, word, invocation.id, milliseconds)
        current_invocation.reset(before)
        if isinstance(outcome, InvocationError):
            invocation.outcome.set_exception(outcome)
        else:
            invocation.outcome.set_result(outcome)

    async def _complete(
        self, function: IndexedFunction, invocation_id: str, data: Datum, metadata: Metadata
    ) -> Datum | None:
        given = await call(function, data, metadata, invocation_id=invocation_id, threads=self._threads)
        for output, bodies in given.messages:
            await queue_outputs.send(self._queues, output, bodies)
        return given.answer
