"""
Part 5, how cost grows: rotations and sweeps of 10 to 10,000 secrets, each once, and one rotation in Azure's own units.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import limit, units
from benchmarks.extent import Extent
from benchmarks.figure import Curve, Part, Point, Section, Table
from benchmarks.kind import OURS, Kind
from benchmarks.many import Many, rotate_many
from benchmarks.measured import rotate
from benchmarks.spread import spread
from benchmarks.stage import Stage, again
from benchmarks.sweeps import VAULTS, Sweep, sweep
from benchmarks.units import SERVICES, Cost

_LARGEST = 10_000
_FAR = 100_000
_ALONE = 3  # rotations, after one that warms the process up


async def measure_growth(extent: Extent, concurrency: int) -> Part:
    """
    Measure every size once.
    """
    costs = {kind: await _cost(kind, is_quick=extent.is_quick) for kind in Kind}
    tutorial = await rotate_many(Kind.BATCH.tutorial, extent.few)
    rotations = {size: await rotate_many(OURS, size, concurrency) for size in extent.rotations}
    sweeps = [await sweep(size) for size in extent.secrets]
    largest = rotations[extent.rotations[-1]]
    points = [Point(size, many.seconds, many.run.peak) for size, many in rotations.items()]
    ours = Curve("rotations", reckoned(points))
    return Part(
        sections=[
            Section(
                name="growth", title=f"How rotations grow, {concurrency} at a time", content=_table(ours, rotations)
            ),
            Section(name="growth-sweep", title=f"How a sweep of {VAULTS} vaults grows", content=_sweep_table(sweeps)),
            Section(
                name="units",
                title="What one rotation costs in Azure's own units",
                content=units.units(costs, {Kind.BATCH: 1 / largest.per_second}),
            ),
            Section(
                name="ceilings",
                title=f"What {_FAR:,} rotations at once would meet first",
                content=units.ceilings(costs, {Kind.BATCH: largest.per_second}, _FAR),
            ),
        ],
        curves=[
            ours,
            Curve("rotations by the tutorial", _one_by_one(tutorial, extent.secrets)),
            Curve("sweep", [Point(each.secrets, each.seconds, each.run.peak) for each in sweeps]),
        ],
    )


async def _cost(kind: Kind, *, is_quick: bool) -> Cost:
    """
    Return what a warm rotation costs of a secret that has been rotated before, as all have but the newest.
    """
    count, rounds = (1, 1) if is_quick else (_ALONE, 2)
    with tempfile.TemporaryDirectory(prefix="bench-units-") as directory:
        async with Stage(Path(directory), latency=limit.LATENCY) as stage:
            rotatables = await stage.add(kind, 1 + count)
            for _ in range(rounds):
                run = await rotate(stage, OURS, rotatables)
                rotatables = again(rotatables)
            warm = run.rotations[1:]
            requests = stage.took(warm[0].began, warm[-1].ended)
            operations = Counter(entry.operation for entry in requests)
    return Cost(
        spread(rotation.seconds for rotation in warm).median,
        {operation: count / len(warm) for operation, count in operations.items()},
    )


def reckoned(measured: Sequence[Point]) -> list[Point]:
    """
    Return what was measured and, if the largest size was not, where the line through the last two leads.
    """
    (*_, former, last) = measured
    if last.secrets >= _LARGEST:
        return list(measured)
    slope = (last.seconds - former.seconds) / (last.secrets - former.secrets)
    seconds = last.seconds + slope * (_LARGEST - last.secrets)
    return [*measured, Point(_LARGEST, seconds, last.peak, is_measured=False)]


def _one_by_one(tutorial: Many, sizes: Sequence[int]) -> list[Point]:
    """
    Return what the tutorial's function takes: as long for each as for the first ones.
    """
    return [Point(size, size / tutorial.per_second, tutorial.run.peak, is_measured=False) for size in sizes]


def _table(ours: Curve, rotations: dict[int, Many]) -> Table:
    rows = []
    for point in ours.points:
        many = rotations.get(point.secrets)
        requests = [f"{many.requests(prefixes):,}" for prefixes in SERVICES.values()] if many else [""] * len(SERVICES)
        rows.append(
            [
                f"{point.secrets:,}{'' if point.is_measured else ' (reckoned)'}",
                f"{point.seconds:.1f}",
                f"{point.secrets / point.seconds:.1f}",
                *requests,
                f"{point.peak / 1e6:.0f}" if point.peak and point.is_measured else "",
            ]
        )
    return Table(["rotations", "seconds from a cold start", "a second", *SERVICES, "peak MB"], rows)


def _sweep_table(sweeps: Sequence[Sweep]) -> Table:
    rows = [
        [
            f"{each.secrets:,}",
            f"{each.seconds:.1f}",
            f"{each.run.cpu_of_later:.1f}",
            f"{each.services.get('vault', 0):,}",
            f"{each.services.get('storage', 0):,}",
            f"{each.run.peak / 1e6:.0f}",
        ]
        for each in sweeps
    ]
    return Table(["secrets", "seconds", "CPU seconds", "Key Vault", "tables", "peak MB"], rows)
