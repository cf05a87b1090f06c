"""
Part 4, sweep: one look through all secrets of three vaults, in a fresh process.
"""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Unit
from benchmarks.kind import OURS
from benchmarks.limit import LATENCY
from benchmarks.measured import Run, measure
from benchmarks.rotatable import NotRotatedError, fill
from benchmarks.spread import Spread, exactly, spread
from benchmarks.stage import Stage

VAULTS = 3
DUE_ONE_IN = 100
PER_PAGE = 25  # Key Vault's largest page
_SMALLER = 10  # times smaller: what a sweep is compared with, to see how it grows
_LINEAR = 1.1 * _SMALLER
_STREAMING = 1.15


class Sweep(msgspec.Struct, frozen=True):
    """
    What one sweep came to.
    """

    secrets: int
    run: Run
    services: dict[str, int]
    """Requests by service."""

    @property
    def seconds(self) -> float:
        """
        From its tick to its end, imports of the SDKs included.
        """
        return self.run.later

    @property
    def requests(self) -> int:
        """
        All requests.
        """
        return sum(self.services.values())


async def sweep(secrets: int) -> Sweep:
    """
    Fill three vaults, and sweep them once.
    """
    with tempfile.TemporaryDirectory(prefix="bench-sweep-") as directory:
        async with Stage(Path(directory), latency=LATENCY) as stage:
            await stage.open_vaults(VAULTS)
            due = await fill(stage.azure, stage.vaults, secrets, due_one_in=DUE_ONE_IN)
            run = await measure(stage, OURS)
            if run.found_due != due:
                raise NotRotatedError(f"a sweep over {secrets} secrets has found {run.found_due} due ones of {due}")
            return Sweep(secrets, run, dict(Counter(entry.service for entry in stage.requests)))


async def measure_sweeps(extent: Extent) -> Part:
    """
    Measure the same sweep again and again, and a smaller one in turns with it.
    """
    small, large = [], []
    for _ in range(extent.runs):
        small.append(await sweep(extent.sweep // _SMALLER))
        large.append(await sweep(extent.sweep))
    pages = math.ceil(extent.sweep / VAULTS / PER_PAGE)
    time = Figure(
        name=f"sweep of {extent.sweep:,} secrets in {VAULTS} vaults",
        unit=Unit.SECONDS,
        ours=_spread(large, lambda each: each.seconds),
        limit=exactly(pages * LATENCY),
    )
    memory = Figure(
        name="its peak memory",
        unit=Unit.MEGABYTES,
        ours=_spread(large, lambda each: each.run.peak),
    )
    return Part(
        figures=[
            time,
            Figure(
                name="its CPU time",
                unit=Unit.SECONDS,
                ours=_spread(large, lambda each: each.run.cpu_of_later),
            ),
            Figure(
                name="its requests",
                unit=Unit.NUMBER,
                ours=_spread(large, lambda each: each.requests),
                limit=exactly(math.ceil(extent.sweep / PER_PAGE)),
            ),
            memory,
        ],
        goals=[
            Goal(
                name=time.name,
                asked=f"linear: at most {_LINEAR:.0f} x a sweep of {extent.sweep // _SMALLER:,}",
                measured=time.ours.median / _spread(small, lambda each: each.seconds).median,
                bound=_LINEAR,
            ),
            Goal(
                name="peak memory of that sweep",
                asked=f"streaming: at most {_STREAMING} x that of {extent.sweep // _SMALLER:,}",
                measured=memory.ours.median / _spread(small, lambda each: each.run.peak).median,
                bound=_STREAMING,
            ),
        ],
    )


def _spread(sweeps: Sequence[Sweep], measured: Callable[[Sweep], float]) -> Spread:
    return spread(map(measured, sweeps))
