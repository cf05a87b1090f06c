"""
One run of one app in a fresh process, and what it wrote down.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.kind import Kind
from benchmarks.rotatable import Rotatable
from benchmarks.stage import Stage
from benchmarks.worker.serving import Task
from localcloud.azurite import REPOSITORY

_STORE_NOTHING = {kind.sample for kind in Kind}


class FailedError(Exception):
    """
    A worker ended with an error.
    """


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """
    An instant of the monotonic clock, and the CPU seconds that the process had used by then.
    """

    at: float
    cpu: float


class Rotation(msgspec.Struct, frozen=True, array_like=True):
    """
    One rotation, from its message to its end, and the memory that the process had then, in bytes.
    """

    began: float
    ended: float
    memory: int

    @property
    def seconds(self) -> float:
        """
        How long it took.
        """
        return self.ended - self.began


class Import(msgspec.Struct, frozen=True, array_like=True):
    """
    The execution of one module, with those that it imports.
    """

    module: str
    began: float
    ended: float


class Run(msgspec.Struct, frozen=True):
    """
    What a worker's logbook says, and when its process was asked for.
    """

    marks: Mapping[str, Mark]
    rotations: Sequence[Rotation]
    imports: Sequence[Import]
    found_due: int
    peak: int
    spawned: float = 0.0

    def seconds_to(self, mark: str) -> float:
        """
        Return how long after the start of its process the worker came so far.
        """
        return self.marks[mark].at - self.spawned

    def seconds_between(self, former: str, later: str) -> float:
        """
        Return how long the worker took from one mark to another.
        """
        return self.marks[later].at - self.marks[former].at

    def cpu_between(self, former: str, later: str) -> float:
        """
        Return the CPU seconds that it used between them.
        """
        return self.marks[later].cpu - self.marks[former].cpu

    @property
    def later(self) -> float:
        """
        Seconds that all rotations after the first took together.
        """
        return self.seconds_between("first", "all")

    @property
    def cpu_of_later(self) -> float:
        """
        CPU seconds that all rotations after the first took together.
        """
        return self.cpu_between("first", "all")

    @property
    def count(self) -> int:
        """
        How many rotations came after the first, which warms the process up.
        """
        return len(self.rotations) - 1

    @property
    def per_second(self) -> float:
        """
        How many of them are done in a second.
        """
        return self.count / self.later

    @property
    def cpu_of_one(self) -> float:
        """
        CPU seconds of one of them.
        """
        return self.cpu_of_later / self.count


async def rotate(
    stage: Stage, app: str, rotatables: Sequence[Rotatable], *, concurrency: int = 1, options: Sequence[str] = ()
) -> Run:
    """
    Let an app do rotations in a fresh process. Raises `FailedError`, and `NotRotatedError` if one of them is not done.
    """
    tasks = [rotatable.task for rotatable in rotatables]
    run = await measure(stage, app, tasks, concurrency=concurrency, options=options)
    for rotatable in rotatables:
        if app in _STORE_NOTHING:
            rotatable.require_regenerated()
        else:
            rotatable.require_stored()
    return run


async def measure(
    stage: Stage, app: str, tasks: Sequence[Task] = (), *, concurrency: int = 1, options: Sequence[str] = ()
) -> Run:
    """
    Run an app, given by its module, in a fresh process. `options` are the worker's. Raises `FailedError`.
    """
    job = json.dumps([tasks, concurrency]).encode()
    environment = stage.environment
    spawned = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.worker",
        app,
        *options,
        cwd=REPOSITORY,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    written, complaints = await process.communicate(job)
    if process.returncode:
        raise FailedError(f"{app} ended with {process.returncode}:\n{complaints.decode(errors='replace')}")
    run = msgspec.json.decode(written, type=Run)
    return msgspec.structs.replace(run, spawned=spawned)
