"""
Queue outputs: what a function put into its `func.Out`, as messages.

It rests on assumption 70 of docs/fidelity.md.
"""

import json
from typing import Any

from localcloud.functions_host.app_settings import connection_string, resolve
from localcloud.functions_host.bindings import QueueOutput
from localcloud.functions_host.converters import Datum
from localcloud.functions_host.storage_queues import StorageQueues


async def send(queues: StorageQueues, output: QueueOutput, datum: Datum | None) -> None:
    """
    Send to the queue of an output what the function gave: one message, or one for each element of a list.
    """
    if datum is None:
        return
    where = f"output {output.name}"
    connection = connection_string(output.connection, where=where)
    queue = queues.queue(connection, resolve(output.queue_name, where=where))
    for body in _message_bodies(datum):
        await queue.send(body)


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
