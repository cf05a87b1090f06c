"""
Queue outputs: what a function put into its `func.Out`, as messages.

It rests on assumption 70 of docs/fidelity.md.
"""

from collections.abc import Iterable

from localcloud.functions_host.app_settings import connection_string, resolve
from localcloud.functions_host.bindings import QueueOutput
from localcloud.functions_host.storage_queues import StorageQueues


async def send(queues: StorageQueues, output: QueueOutput, bodies: Iterable[bytes]) -> None:
    """
    Send messages to the queue of an output.
    """
    where = f"output {output.name}"
    connection = connection_string(output.connection, where=where)
    queue = queues.queue(connection, resolve(output.queue_name, where=where))
    for body in bodies:
        await queue.send(body)
