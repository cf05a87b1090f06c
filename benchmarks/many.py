"""
Part 3, many: after a leak thousands of keys must turn at once, in one worker process.

As many rotations go on at a time as keep the worker busy, which are more than host.json lets one instance do: that is
set by what Azure Resource Manager takes (docs/configuration.md). The local cloud shares the cores with what it serves,
so what it costs is shown too: where it is the bottleneck, the figures are its own.
"""

import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from benchmarks import limit
from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Section, Table, Unit, exactly, spread
from benchmarks.kind import OURS, Kind
from benchmarks.measured import Run, rotate
from benchmarks.stage import open_stage

AT_A_TIME = 32

_TIMES_THE_TUTORIAL = 20.0
_GROWTH = 1.05  # of memory
_SETTLED = 0.2  # of all rotations: the 200th of 1,000
_BUSY = 0.9  # of a core


class Many(msgspec.Struct, frozen=True):
    """
    What one run over many targets came to.
    """

    run: Run
    cloud: float
    """CPU seconds that the local cloud has used, which is this process."""
    operations: dict[str, int]
    """Requests by operation, those of the first rotation too."""


async def measure_many(extent: Extent) -> Part:
    """
    Measure the throughput of ours, many at a time, and of the rivals, one at a time.
    """
    kind = Kind.BATCH
    ours, tutorial, sample = [], [], []
    for _ in range(extent.runs):
        ours.append(await rotate_many(OURS, extent.many, AT_A_TIME))
        tutorial.append(await rotate_many(kind.tutorial, extent.few))
        sample.append(await rotate_many(kind.sample, extent.few))
    throughput = Figure(
        f"{extent.many:,} rotations, {AT_A_TIME} at a time (rivals: one)",
        Unit.PER_SECOND,
        ours=spread(many.run.per_second for many in ours),
        sample=spread(many.run.per_second for many in sample),
        tutorial=spread(many.run.per_second for many in tutorial),
        limit=exactly(AT_A_TIME / limit.seconds(kind, limit.LATENCY)),
    )
    cpu = Figure(
        "CPU time of one of them",
        Unit.MILLISECONDS,
        ours=spread(many.run.cpu_of_one for many in ours),
        sample=spread(many.run.cpu_of_one for many in sample),
        tutorial=spread(many.run.cpu_of_one for many in tutorial),
    )
    fifth = round(extent.many * _SETTLED)
    settled = [many.run.rotations[fifth].memory for many in ours]
    last = [many.run.rotations[-1].memory for many in ours]
    growth = Goal(
        f"memory after the last of {extent.many:,} rotations",
        f"within 5% of that after {fifth:,}",
        measured=max(after / before for before, after in zip(settled, last, strict=True)),
        bound=_GROWTH,
    )
    return Part(
        figures=[
            throughput,
            cpu,
            Figure(f"memory after {fifth:,} of them", Unit.MEGABYTES, spread(settled)),
            Figure("memory after the last", Unit.MEGABYTES, spread(last)),
        ],
        goals=[
            throughput.goal(
                f"at least {_TIMES_THE_TUTORIAL:.0f} x the tutorial",
                throughput.tutorial,
                _TIMES_THE_TUTORIAL,
                is_floor=True,
            ),
            growth,
        ],
        sections=[_machine(ours)],
    )


async def rotate_many(app: str, count: int, concurrency: int = 1) -> Many:
    """
    Rotate many targets in one process, after one that warms it up. Raises `NotRotatedError` if one is left out.
    """
    async with open_stage(limit.LATENCY) as stage:
        rotatables = await stage.add(Kind.BATCH, 1 + count)
        before = time.process_time()
        run = await rotate(stage, app, rotatables, concurrency=concurrency)
        cloud = time.process_time() - before
        return Many(run, cloud, Counter(entry.operation for entry in stage.requests))


def _machine(ours: Sequence[Many]) -> Section:
    many = sorted(ours, key=lambda each: each.run.per_second)[len(ours) // 2]
    shares = {"the worker": many.run.cpu_of_later, "the local cloud": many.cloud}
    rows = [
        [
            f"{name}{', the bottleneck' if cpu / many.run.later > _BUSY else ''}",
            f"{cpu / many.run.count * 1000:.1f}",
            f"{cpu / many.run.later:.0%}",
        ]
        for name, cpu in shares.items()
    ]
    return Section(
        "machine",
        "Who kept the machine busy meanwhile (100% is one core)",
        Table(["", "CPU ms a rotation", "of the time"], rows),
    )
