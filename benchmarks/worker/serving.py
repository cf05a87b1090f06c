"""
Serving an app's functions: events and messages reach them as the local Functions host hands them over.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.worker import memory
from localcloud.functions_host.app_index import indexed
from localcloud.functions_host.bindings import EventGridTrigger, QueueTrigger
from localcloud.functions_host.calling import call
from localcloud.functions_host.converters import from_json, text, timer

_SERVED = {"eventGridTrigger", "queueTrigger"}

Mark = Callable[[str], None]


def serve(functions: Sequence[Any], job: str, mark: Mark) -> dict[str, Any]:
    """
    Do a job, and return what there is to write down of it.

    A job is events, and how many of them at a time once the first is done; without any, it is one sweep.
    """
    events, at_a_time = json.loads(job)
    if events:
        return asyncio.run(_rotate(functions, events, at_a_time, mark))
    sweep = next(function for function in functions if function.get_function_name() == "sweep_vaults")
    given = asyncio.run(call(indexed(sweep), timer(), {}))
    mark("all")
    return {"due": sum(len(bodies) for _, bodies in given.messages)}


async def _rotate(functions: Sequence[Any], events: Sequence[Any], at_a_time: int, mark: Mark) -> dict[str, Any]:
    served = [indexed(each) for each in functions if each.get_trigger().get_binding_name() in _SERVED]
    (on_event,) = (each for each in served if isinstance(each.trigger, EventGridTrigger))
    by_queue = {each.trigger.queue_name: each for each in served if isinstance(each.trigger, QueueTrigger)}
    waiting, rotations = iter(events), []

    async def rotate(event: Any) -> None:
        began = time.monotonic()
        for output, bodies in (await call(on_event, from_json(event), {})).messages:
            for body in bodies:
                await call(by_queue[output.queue_name], text(body.decode()), {})
        rotations.append((began, time.monotonic(), memory("VmRSS:")))

    async def work_off() -> None:
        for event in waiting:
            await rotate(event)

    await rotate(next(waiting))
    mark("first")
    await asyncio.gather(*(work_off() for _ in range(at_a_time)))
    mark("all")
    return {"rotations": rotations}
