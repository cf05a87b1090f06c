"""
Part 2, one warm rotation: its time, its requests one by one, and what the process has cost beside it.
"""

from collections import Counter
from collections.abc import Sequence

from benchmarks import limit
from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Section, Unit, exactly, spread
from benchmarks.kind import OURS, Kind
from benchmarks.measured import Run, rotate
from benchmarks.rotatable import Rotatable
from benchmarks.stage import Stage, open_stage
from benchmarks.timeline import draw, rounds
from localcloud.azure.request_log import LoggedRequest

_WARM_UP = 2  # rotations
_WITHIN = 1.1  # times the limit
_RESOURCES = 3  # Key Vault, Azure Resource Manager, Event Grid: a token for each


async def measure_warm_rotations(extent: Extent) -> Part:
    """
    Measure one rotation after the other, of ours and of the rivals, for both kinds of targets.
    """
    async with open_stage(limit.LATENCY) as stage:
        parts = [await _measure(stage, kind, extent) for kind in Kind]
    return Part(
        figures=[figure for part in parts for figure in part.figures],
        goals=[goal for part in parts for goal in part.goals],
        sections=[section for part in parts for section in part.sections],
    )


async def _measure(stage: Stage, kind: Kind, extent: Extent) -> Part:
    await stage.open_vaults()
    count = _WARM_UP + extent.warm
    rotatables = await stage.add(kind, count)
    ours = await _rotate(stage, OURS, rotatables)
    tutorial = await _rotate(stage, kind.tutorial, await stage.add(kind, count))
    sample = await _rotate(stage, kind.sample, await stage.add(kind, count))
    least = exactly(limit.seconds(kind, limit.LATENCY))
    time = Figure(
        f"one warm rotation, {kind.label}",
        Unit.MILLISECONDS,
        ours=spread(ours.seconds),
        sample=spread(sample.seconds),
        tutorial=spread(tutorial.seconds),
        limit=least,
    )
    cpu = Figure(
        f"CPU time of a warm rotation, {kind.label}",
        Unit.MILLISECONDS,
        ours=exactly(ours.run.cpu_of_one),
        sample=exactly(sample.run.cpu_of_one),
        tutorial=exactly(tutorial.run.cpu_of_one),
    )
    requests = Figure(
        f"requests of a warm rotation, {kind.label}",
        Unit.NUMBER,
        ours=spread(map(len, ours.requests)),
        sample=spread(map(len, sample.requests)),
        tutorial=spread(map(len, tutorial.requests)),
        limit=exactly(limit.requests(kind).total()),
    )
    figures = [time, cpu, requests]
    if not extent.is_quick:
        repeated = await _rotate(stage, OURS, [rotatable.next() for rotatable in rotatables])
        name = f"the next one of the same secrets, {kind.label}"
        figures.insert(1, Figure(name, Unit.MILLISECONDS, spread(repeated.seconds), limit=least))
    return Part(figures=figures, goals=_goals(kind, time, ours), sections=[_timeline(kind, ours)])


class _Warm:
    """
    The rotations of one process that were measured, and what was asked for during each and during all.
    """

    def __init__(self, run: Run, log: Sequence[LoggedRequest]) -> None:
        self.run = run
        self.rotations = run.rotations[_WARM_UP:]
        self.seconds = [rotation.seconds for rotation in self.rotations]
        self.log = log
        # A request arrives before the worker's clock is read again, and never before it was sent.
        self.requests = [
            [entry for entry in log if rotation.began <= entry.received.monotonic <= rotation.ended]
            for rotation in self.rotations
        ]


async def _rotate(stage: Stage, app: str, rotatables: Sequence[Rotatable]) -> _Warm:
    stage.requests.clear()
    return _Warm(await rotate(stage, app, rotatables), list(stage.requests))


def _goals(kind: Kind, time: Figure, ours: _Warm) -> list[Goal]:
    needed = limit.requests(kind) + limit.beside(kind)
    asked = [Counter(entry.operation for entry in requests) for requests in ours.requests]
    warm_from = ours.rotations[0].began
    opened_before = {entry.caller for entry in ours.log if entry.received.monotonic < warm_from}
    counts = [
        ("independent requests overlap: round trips", max(map(rounds, ours.requests)), len(limit.trips(kind))),
        ("requests that nothing needs", max((counted - needed).total() for counted in asked), 0),
        ("tokens fetched by the process", sum(entry.operation == "Identity.Token" for entry in ours.log), _RESOURCES),
        ("connections opened after the warm-up", len({entry.caller for entry in ours.log} - opened_before), 0),
    ]
    return [
        time.goal(f"within {_WITHIN} x the limit", time.limit, _WITHIN),
        *(Goal(f"{what}, {kind.label}", f"at most {bound}", measured, bound) for what, measured, bound in counts),
    ]


def _timeline(kind: Kind, ours: _Warm) -> Section:
    pairs = sorted(zip(ours.rotations, ours.requests, strict=True), key=lambda pair: pair[0].seconds)
    rotation, requests = pairs[len(pairs) // 2]
    return Section(
        f"timeline-{kind}",
        f"The requests of one warm rotation, {kind.label}, at {limit.LATENCY * 1000:.0f} ms latency (ms)",
        draw(requests, rotation.began, rotation.ended),
    )
