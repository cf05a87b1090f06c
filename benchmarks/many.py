"""
Part 3, many: after a leak thousands of keys must turn at once, in one worker process.

As many rotations go on at a time as keep the worker busy, which are more than host.json lets one instance do: that is
set by what Azure Resource Manager takes (docs/configuration.md). The local cloud shares the cores with what it serves,
so what it costs is shown too: where it is the bottleneck, the figures are its own.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks import limit
from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Section, Table, Unit
from benchmarks.kind import OURS, Kind
from benchmarks.measured import Run, rotate
from benchmarks.spread import Spread, exactly, spread
from benchmarks.stage import Stage

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

    @property
    def seconds(self) -> float:
        """
        From the start of the process until all is done.
        """
        return self.run.seconds_to("all")

    def requests(self, prefixes: tuple[str, ...]) -> int:
        """
        Return how many requests there were whose operation begins so.
        """
        return sum(count for operation, count in self.operations.items() if operation.startswith(prefixes))

    @property
    def count(self) -> int:
        """
        Rotations that are measured: the first one warms the process up.
        """
        return len(self.run.rotations) - 1

    @property
    def per_second(self) -> float:
        """
        Rotations that are done in a second.
        """
        return self.count / self.run.later

    @property
    def cpu(self) -> float:
        """
        CPU seconds of the worker for one rotation.
        """
        return self.run.cpu_of_later / self.count

    @property
    def settled(self) -> int:
        """
        Bytes of memory when a fifth is done.
        """
        return self.run.rotations[round(self.count * _SETTLED)].memory

    @property
    def last(self) -> int:
        """
        Bytes of memory when all is done.
        """
        return self.run.rotations[-1].memory


async def measure_many(extent: Extent, concurrency: int) -> Part:
    """
    Measure the throughput of ours, so many at a time, and of the rivals, one at a time.
    """
    kind = Kind.BATCH
    ours, tutorial, sample = [], [], []
    for _ in range(extent.runs):
        ours.append(await rotate_many(OURS, extent.many, concurrency))
        tutorial.append(await rotate_many(kind.tutorial, extent.few))
        sample.append(await rotate_many(kind.sample, extent.few))
    throughput = Figure(
        name=f"{extent.many:,} rotations, {concurrency} at a time (rivals: one)",
        unit=Unit.PER_SECOND,
        ours=_spread(ours, lambda many: many.per_second),
        sample=_spread(sample, lambda many: many.per_second),
        tutorial=_spread(tutorial, lambda many: many.per_second),
        limit=exactly(concurrency / limit.seconds(kind, limit.LATENCY)),
    )
    cpu = Figure(
        name="CPU time of one of them",
        unit=Unit.MILLISECONDS,
        ours=_spread(ours, lambda many: many.cpu),
        sample=_spread(sample, lambda many: many.cpu),
        tutorial=_spread(tutorial, lambda many: many.cpu),
    )
    settled = Figure(
        name=f"memory after {round(extent.many * _SETTLED):,} of them",
        unit=Unit.MEGABYTES,
        ours=_spread(ours, lambda many: many.settled),
    )
    last = Figure(
        name="memory after the last",
        unit=Unit.MEGABYTES,
        ours=_spread(ours, lambda many: many.last),
    )
    return Part(
        figures=[throughput, cpu, settled, last],
        goals=[
            Goal(
                name=throughput.name,
                asked=f"at least {_TIMES_THE_TUTORIAL:.0f} x the tutorial",
                measured=throughput.ratio(throughput.tutorial) or 0.0,
                bound=_TIMES_THE_TUTORIAL,
                is_floor=True,
            ),
            Goal(
                name=f"memory after the last of {extent.many:,} rotations",
                asked=f"within 5% of that after {round(extent.many * _SETTLED):,}",
                measured=max(many.last / many.settled for many in ours),
                bound=_GROWTH,
            ),
        ],
        sections=[_machine(ours)],
    )


async def rotate_many(app: str, count: int, concurrency: int = 1) -> Many:
    """
    Rotate many targets in one process, after one that warms it up. Raises `NotRotatedError` if one is left out.
    """
    with tempfile.TemporaryDirectory(prefix="bench-many-") as directory:
        async with Stage(Path(directory), latency=limit.LATENCY) as stage:
            rotatables = await stage.add(Kind.BATCH, 1 + count)
            before = time.process_time()
            run = await rotate(stage, app, rotatables, concurrency=concurrency)
            cloud = time.process_time() - before
            return Many(run, cloud, dict(Counter(entry.operation for entry in stage.requests)))


def _spread(runs: Sequence[Many], measured: Callable[[Many], float]) -> Spread:
    return spread(map(measured, runs))


def _machine(ours: Sequence[Many]) -> Section:
    many = sorted(ours, key=lambda each: each.per_second)[len(ours) // 2]
    shares = {"the worker": many.run.cpu_of_later, "the local cloud": many.cloud}
    rows = [
        [
            f"{name}{', the bottleneck' if cpu / many.run.later > _BUSY else ''}",
            f"{cpu / many.count * 1000:.1f}",
            f"{cpu / many.run.later:.0%}",
        ]
        for name, cpu in shares.items()
    ]
    return Section(
        name="machine",
        title="Who kept the machine busy meanwhile (100% is one core)",
        content=Table(["", "CPU ms a rotation", "of the time"], rows),
    )
