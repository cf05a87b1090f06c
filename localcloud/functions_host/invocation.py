"""
Running one function once: arguments, time limit, outputs, and a count of how it went.
"""

import asyncio
import contextvars
import functools
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import azure.functions as func

from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.bindings import HttpOutput, QueueOutput
from localcloud.functions_host.converters import Datum, Metadata
from localcloud.functions_host.logs import CurrentInvocation, current_invocation
from localcloud.functions_host.queue_outputs import QueueOutputs

_log = logging.getLogger("host.invocation")
_thread_local = threading.local()


class InvocationError(Exception):
    """
    A function raised, ran out of time, gave what its bindings cannot take, or was cancelled because the host stops.
    """


@dataclass
class Counts:
    """
    How a function's invocations went since the host started.
    """

    running: int = 0
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Invocation:
    """
    One run of a function, from its start on.
    """

    id: str
    task: asyncio.Task[Datum | None] = field(repr=False)

    async def result(self) -> Datum | None:
        """
        Wait until it ended and give what it answered; raises InvocationError. Whoever stops waiting does not stop it.
        """
        await asyncio.wait([self.task])
        if self.task.cancelled():
            raise InvocationError("cancelled: the host stops")
        return self.task.result()


class Invoker:
    """
    Runs functions: async ones on the event loop, the others in threads.
    """

    def __init__(self, *, time_limit: float | None, queue_outputs: QueueOutputs) -> None:
        self.counts: dict[str, Counts] = {}
        self._time_limit = time_limit
        self._queue_outputs = queue_outputs
        self._threads = ThreadPoolExecutor(thread_name_prefix="function")
        self._running: set[asyncio.Task[Datum | None]] = set()

    async def invoke(self, function: IndexedFunction, data: Datum, metadata: Metadata | None = None) -> Datum | None:
        """
        Run a function to its end and give what it answers through `$return`; raises InvocationError.
        """
        return await self.start(function, data, metadata).result()

    def start(self, function: IndexedFunction, data: Datum, metadata: Metadata | None = None) -> Invocation:
        """
        Set a function going.
        """
        invocation_id = str(uuid.uuid4())
        task = asyncio.create_task(self._run(function, invocation_id, data, metadata or {}))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return Invocation(invocation_id, task)

    async def drain(self, seconds: float) -> None:
        """
        Let what runs come to its end, for so long; then cancel it.
        """
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(
        self, function: IndexedFunction, invocation_id: str, data: Datum, metadata: Metadata
    ) -> Datum | None:
        # The task has a context of its own: setting the variable concerns this invocation alone.
        current_invocation.set(CurrentInvocation(function.name, invocation_id))
        counts = self.counts.setdefault(function.name, Counts())
        counts.running += 1
        started = time.monotonic()
        succeeded = False
        _log.info("Executing '%s' (Id=%s)", function.name, invocation_id)
        try:
            answer = await self._complete(function, invocation_id, data, metadata)
            succeeded = True
        except Exception as error:
            _log.exception("%s failed", function.name)
            raise InvocationError(f"{function.name} failed: {error}") from error
        finally:
            counts.running -= 1
            counts.succeeded += succeeded
            counts.failed += not succeeded
            milliseconds = (time.monotonic() - started) * 1000
            outcome = "Succeeded" if succeeded else "Failed"
            _log.info("Executed '%s' (%s, Id=%s, %.0f ms)", function.name, outcome, invocation_id, milliseconds)
        return answer

    async def _complete(
        self, function: IndexedFunction, invocation_id: str, data: Datum, metadata: Metadata
    ) -> Datum | None:
        trigger = function.trigger.name
        arguments = {trigger: function.converters[trigger].decode(data, trigger_metadata=metadata)}
        if function.wants_context:
            arguments["context"] = _Context(function, invocation_id)
        outs: dict[str, _Out] = {name: _Out() for name in function.outputs}
        returned = await self._call(function, {**arguments, **outs})
        if returned is not None and function.returns is None:
            raise TypeError(f"function {function.name} returned a value but has no $return binding")
        sent = [(output, outs[name].get()) for name, output in function.outputs.items()]
        if isinstance(function.returns, QueueOutput):
            sent.append((function.returns, returned))
        for output, value in sent:
            if value is not None:
                datum = function.converters[output.name].encode(value, expected_type=None)
                await self._queue_outputs.send(output, datum)
        if isinstance(function.returns, HttpOutput):
            return function.converters[function.returns.name].encode(returned, expected_type=None)
        return None

    async def _call(self, function: IndexedFunction, arguments: Mapping[str, Any]) -> Any:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._time_limit) as limit:
                if function.is_async:
                    return await function.call(**arguments)
                # A thread cannot be cancelled: past the time limit it runs on, and only its result is dropped.
                call = functools.partial(contextvars.copy_context().run, function.call, **arguments)
                return await loop.run_in_executor(self._threads, call)
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"it ran longer than functionTimeout, {self._time_limit} s") from None
            raise


class _Out(func.Out[Any]):
    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


class _Context(func.Context):
    def __init__(self, function: IndexedFunction, invocation_id: str) -> None:
        self._function = function
        self._invocation_id = invocation_id

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return _thread_local

    @property
    def function_name(self) -> str:
        return self._function.name

    @property
    def function_directory(self) -> str:
        return str(self._function.directory)

    @property
    def trace_context(self) -> Any:
        return SimpleNamespace(trace_parent="", trace_state="", attributes={})

    @property
    def retry_context(self) -> Any:
        return SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)
