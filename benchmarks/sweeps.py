"""
Part 4, sweep: one look through all secrets of three vaults, in a fresh process, and how its cost grows.
"""

import math
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from benchmarks.extent import Extent
from benchmarks.figure import Curve, Figure, Goal, Part, Point, Section, Table, Unit, exactly, spread
from benchmarks.kind import OURS
from benchmarks.limit import LATENCY
from benchmarks.measured import Run, measure
from benchmarks.rotatable import NotRotatedError, fill
from benchmarks.stage import open_stage

_VAULTS = 3
_DUE_ONE_IN = 100
_PER_PAGE = 25  # Key Vault's largest page
_LINEAR = 1.1  # times as long as the smaller sweep, for each time that it is larger
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


async def measure_sweeps(extent: Extent) -> Part:
    """
    Measure sweeps of every size in turns, again and again.
    """
    turns = [[await _sweep(size) for size in extent.secrets] for _ in range(extent.runs)]
    by_size = list(zip(*turns, strict=True))
    few, many = by_size[-2:]
    middle = [sorted(sweeps, key=attrgetter("seconds"))[len(sweeps) // 2] for sweeps in by_size]
    fewer, secrets = extent.secrets[-2:]
    bound = _LINEAR * secrets / fewer
    pages = math.ceil(secrets / _VAULTS / _PER_PAGE)
    time = Figure(
        f"sweep of {secrets:,} secrets in {_VAULTS} vaults",
        Unit.SECONDS,
        spread(sweep.seconds for sweep in many),
        limit=exactly(pages * LATENCY),
    )
    requests = Figure(
        "its requests",
        Unit.NUMBER,
        spread(sum(sweep.services.values()) for sweep in many),
        limit=exactly(math.ceil(secrets / _PER_PAGE)),
    )
    memory = Figure("its peak memory", Unit.MEGABYTES, spread(sweep.run.peak for sweep in many))
    longer = time.ours.median / spread(sweep.seconds for sweep in few).median
    larger = memory.ours.median / spread(sweep.run.peak for sweep in few).median
    return Part(
        figures=[
            time,
            Figure("its CPU time", Unit.SECONDS, spread(sweep.run.cpu_of_later for sweep in many)),
            requests,
            memory,
        ],
        goals=[
            Goal(time.name, f"linear: at most {bound:.0f} x a sweep of {fewer:,}", longer, bound),
            Goal(
                "peak memory of that sweep",
                f"streaming: at most {_STREAMING} x that of {fewer:,}",
                larger,
                _STREAMING,
            ),
        ],
        sections=[Section("growth-sweep", f"How a sweep of {_VAULTS} vaults grows", _table(middle))],
        curves=[Curve("sweep", [Point(sweep.secrets, sweep.seconds, sweep.run.peak) for sweep in middle])],
    )


async def _sweep(secrets: int) -> Sweep:
    """
    Fill three vaults, and sweep them once.
    """
    async with open_stage(LATENCY) as stage:
        await stage.open_vaults(_VAULTS)
        due = await fill(stage.azure, stage.vaults, secrets, due_one_in=_DUE_ONE_IN)
        run = await measure(stage, OURS)
        if run.found_due != due:
            raise NotRotatedError(f"a sweep over {secrets} secrets has found {run.found_due} due ones of {due}")
        return Sweep(secrets, run, Counter(entry.service for entry in stage.requests))


def _table(sweeps: Sequence[Sweep]) -> Table:
    rows = [
        [
            f"{sweep.secrets:,}",
            f"{sweep.seconds:.1f}",
            f"{sweep.run.cpu_of_later:.1f}",
            f"{sweep.services['vault']:,}",
            f"{sweep.services['storage']:,}",
            f"{sweep.run.peak / 1e6:.0f}",
        ]
        for sweep in sweeps
    ]
    return Table(["secrets", "seconds", "CPU seconds", "Key Vault", "tables", "peak MB"], rows)
