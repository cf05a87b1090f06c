"""
Invoking an app's functions as Azure's worker does, with the objects that it would hand them.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import azure.functions as func

from benchmarks.worker.logbook import Logbook

_Functions = dict[str, Callable[..., Any]]


class Task(NamedTuple):
    """
    One rotation to be done: of a secret, given by the id of its current version, and of its target's alternate key.
    """

    secret: str
    target: str
    key: str


def serve(functions: Sequence[Any], written: str, logbook: Logbook) -> None:
    """
    Do a job with the functions that an app has registered; what they are called tells what starts them.

    A job is rotations, and how many of them at a time once the first is done; without any, it is one sweep.
    """
    known: _Functions = {function.get_function_name(): function.get_user_function() for function in functions}
    asked, concurrency = json.loads(written)
    tasks = [Task(*task) for task in asked]
    if not tasks:
        asyncio.run(_sweep(known, logbook))
    elif "run_rotation" in known:
        asyncio.run(_serve_queue(known, tasks, concurrency, logbook))
    elif "rotate_secret" in known:
        _serve_calls(lambda task: known["rotate_secret"](_event(task)), tasks, logbook)
    else:
        _serve_calls(lambda task: known["regenerate_key"](_request(task)), tasks, logbook)


async def _serve_queue(functions: _Functions, tasks: list[Task], concurrency: int, logbook: Logbook) -> None:
    """
    Acknowledge events, and do what they put into the queue.
    """

    async def work_off(others: Iterator[Task]) -> None:
        for task in others:
            await _rotate(functions, await _acknowledge(functions, task), logbook)

    messages = await _acknowledge(functions, tasks[0])
    logbook.mark("acknowledged")
    await _rotate(functions, messages, logbook)
    logbook.mark("first")
    others = iter(tasks[1:])
    await asyncio.gather(*(work_off(others) for _ in range(concurrency)))
    logbook.mark("all")


async def _acknowledge(functions: _Functions, task: Task) -> list[str]:
    rotations = _Out()
    await functions["on_secret_event"](_event(task), rotations)
    return rotations.get()


async def _rotate(functions: _Functions, messages: list[str], logbook: Logbook) -> None:
    run: Callable[[func.QueueMessage, _Out], Awaitable[None]] = functions["run_rotation"]
    for message in messages:
        began = time.monotonic()
        await run(func.QueueMessage(id=str(began), body=message), _Out())
        logbook.rotated(began)


async def _sweep(functions: _Functions, logbook: Logbook) -> None:
    rotations = _Out()
    logbook.mark("first")
    await functions["sweep_vaults"](_Timer(), rotations)
    logbook.mark("all")
    logbook.found_due = len(rotations.get())


def _serve_calls(call: Callable[[Task], object], tasks: list[Task], logbook: Logbook) -> None:
    """
    Make one call after the other; an event is acknowledged when its call has returned.
    """
    for number, task in enumerate(tasks):
        began = time.monotonic()
        call(task)
        logbook.rotated(began)
        if number == 0:
            logbook.mark("acknowledged")
            logbook.mark("first")
    logbook.mark("all")


def _event(task: Task) -> func.EventGridEvent:
    _, _, host, _, name, version = task.secret.split("/")
    return func.EventGridEvent(
        id=version,
        data={
            "Id": task.secret,
            "VaultName": host.partition(".")[0],
            "ObjectType": "Secret",
            "ObjectName": name,
            "Version": version,
        },
        topic="",
        subject=name,
        event_type="Microsoft.KeyVault.SecretNearExpiry",
        event_time=datetime.now(UTC),
        data_version="1",
    )


def _request(task: Task) -> func.HttpRequest:
    body = json.dumps({"target": task.target, "key": task.key}).encode()
    return func.HttpRequest(method="POST", url="https://localhost/api/keys", body=body)


class _Out(func.Out[list[str]]):
    def __init__(self) -> None:
        self._value: list[str] = []

    def set(self, val: list[str]) -> None:
        self._value = val

    def get(self) -> list[str]:
        return self._value


class _Timer(func.TimerRequest):
    @property
    def past_due(self) -> bool:
        return False
