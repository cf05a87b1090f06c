"""
One call of a function: the data that started it becomes its arguments, and what it gave becomes data again.

Needs neither storage nor HTTP, so that what is measured in benchmarks/ is not changed by what it imports.

It rests on assumption 70 of docs/fidelity.md.
"""

import asyncio
import contextvars
import functools
import json
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, NamedTuple

import azure.functions as func

from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.bindings import HttpOutput, QueueOutput
from localcloud.functions_host.converters import Datum, Metadata

_thread_local = threading.local()


class Given(NamedTuple):
    """
    What a function gave: its answer through `$return` to a request, and the messages that it put into outputs.
    """

    answer: Datum | None
    messages: list[tuple[QueueOutput, list[bytes]]]


async def call(
    function: IndexedFunction,
    data: Datum,
    metadata: Metadata,
    *,
    invocation_id: str | None = None,
    threads: ThreadPoolExecutor | None = None,
) -> Given:
    """
    Call a function, one that is not async in a thread, and return what it gave. Raises what it raises.
    """
    trigger = function.trigger.name
    arguments = {trigger: function.converters[trigger].decode(data, trigger_metadata=metadata)}
    if function.wants_context:
        arguments["context"] = _Context(function, invocation_id or str(uuid.uuid4()))
    outs: dict[str, _Out] = {name: _Out() for name in function.outputs}
    returned = await _call(function, {**arguments, **outs}, threads)
    if returned is not None and function.returns is None:
        raise TypeError(f"function {function.name} returned a value but has no $return binding")
    sent = [(output, outs[name].get()) for name, output in function.outputs.items()]
    if isinstance(function.returns, QueueOutput):
        sent.append((function.returns, returned))
    encoded = [
        (output, function.converters[output.name].encode(value, expected_type=None))
        for output, value in sent
        if value is not None
    ]
    messages = [(output, _message_bodies(datum)) for output, datum in encoded if datum is not None]
    if isinstance(function.returns, HttpOutput):
        return Given(function.converters[function.returns.name].encode(returned, expected_type=None), messages)
    return Given(None, messages)


async def _call(function: IndexedFunction, arguments: Mapping[str, Any], threads: ThreadPoolExecutor | None) -> Any:
    if function.is_async:
        return await function.call(**arguments)
    in_thread = functools.partial(contextvars.copy_context().run, function.call, **arguments)
    return await asyncio.get_running_loop().run_in_executor(threads, in_thread)


def _message_bodies(datum: Datum) -> list[bytes]:
    """
    Divide a value into messages, as Azure's host does (FunctionBinding.cs, `ReadAsEnumerable`).

    Text that looks like JSON is parsed there: an array becomes one message an element, and an object arrives with
    its layout changed. The elements of a list are left as they are.
    """
    if datum.type == "bytes":
        return [datum.value]
    value = datum.value
    if datum.type == "json" or _looks_like_json(value):
        value = json.loads(value)
    return [_body(element) for element in (value if isinstance(value, list) else [value])]


def _looks_like_json(value: str) -> bool:
    value = value.strip()
    return (value[:1], value[-1:]) in {("{", "}"), ("[", "]")}


def _body(value: Any) -> bytes:
    return (value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)).encode()


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
