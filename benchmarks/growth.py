"""
Part 5, how cost grows: rotations of 10 to 10,000 secrets, each once, and one rotation in Azure's own units.
"""

from collections import Counter
from collections.abc import Sequence

from benchmarks import limit, units
from benchmarks.extent import Extent
from benchmarks.figure import Curve, Part, Point, Section, Table, spread
from benchmarks.kind import OURS, Kind
from benchmarks.many import AT_A_TIME, Many, rotate_many
from benchmarks.measured import rotate
from benchmarks.stage import open_stage
from benchmarks.units import SERVICES, Cost

_LARGEST = 10_000
_FAR = 100_000
_ALONE = 3  # rotations, after one that warms the process up


async def measure_growth(extent: Extent) -> Part:
    """
    Measure every size once.
    """
    costs = {kind: await _cost(kind, is_quick=extent.is_quick) for kind in Kind}
    tutorial = (await rotate_many(Kind.BATCH.tutorial, extent.few)).run
    rotations = {size: await rotate_many(OURS, size, AT_A_TIME) for size in extent.rotations}
    points = [Point(size, many.run.seconds_to("all"), many.run.peak) for size, many in rotations.items()]
    points.append(reckoned(points))
    # The tutorial's function takes as long for each as for the first ones.
    one_by_one = [Point(size, size / tutorial.per_second, tutorial.peak, is_measured=False) for size in extent.secrets]
    rate = rotations[extent.rotations[-1]].run.per_second
    return Part(
        sections=[
            Section("growth", f"How rotations grow, {AT_A_TIME} at a time", _table(points, rotations)),
            Section(
                "units", "What one rotation costs in Azure's own units", units.units(costs, {Kind.BATCH: 1 / rate})
            ),
            Section(
                "ceilings",
                f"What {_FAR:,} rotations at once would meet first",
                units.ceilings(costs, {Kind.BATCH: rate}, _FAR),
            ),
        ],
        curves=[Curve("rotations", points), Curve("rotations by the tutorial", one_by_one)],
    )


async def _cost(kind: Kind, *, is_quick: bool) -> Cost:
    """
    Return what a warm rotation costs of a secret that has been rotated before, as all have but the newest.
    """
    count, rounds = (1, 1) if is_quick else (_ALONE, 2)
    async with open_stage(limit.LATENCY) as stage:
        rotatables = await stage.add(kind, 1 + count)
        for _ in range(rounds):
            run = await rotate(stage, OURS, rotatables)
            rotatables = [rotatable.next() for rotatable in rotatables]
        warm = run.rotations[1:]
        operations = Counter(entry.operation for entry in stage.took(warm[0].began, warm[-1].ended))
    return Cost(
        spread(rotation.seconds for rotation in warm).median,
        {operation: count / len(warm) for operation, count in operations.items()},
    )


def reckoned(measured: Sequence[Point]) -> Point:
    """
    Return where the line through the last two sizes leads.
    """
    (*_, former, last) = measured
    slope = (last.seconds - former.seconds) / (last.secrets - former.secrets)
    return Point(_LARGEST, last.seconds + slope * (_LARGEST - last.secrets), last.peak, is_measured=False)


def _table(points: Sequence[Point], rotations: dict[int, Many]) -> Table:
    rows = []
    for point in points:
        row = [f"{point.secrets:,}", f"{point.seconds:.1f}", f"{point.secrets / point.seconds:.1f}"]
        if many := rotations.get(point.secrets):
            row += [f"{units.requests(many.operations, prefixes):,.0f}" for prefixes in SERVICES.values()]
            row.append(f"{many.run.peak / 1e6:.0f}")
        else:
            row[0] += " (reckoned)"
            row += [""] * (len(SERVICES) + 1)
        rows.append(row)
    return Table(["rotations", "seconds from a cold start", "a second", *SERVICES, "peak MB"], rows)
