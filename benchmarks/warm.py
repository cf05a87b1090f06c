"""
Part 2, one warm rotation: its time, its requests one by one, and what the process has cost beside it.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import limit
from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Section, Unit
from benchmarks.kind import OURS, Kind
from benchmarks.measured import Rotation, Run, rotate
from benchmarks.rotatable import Rotatable
from benchmarks.spread import exactly, spread
from benchmarks.stage import Stage, again
from benchmarks.timeline import draw, rounds
from localcloud.azure.request_log import LoggedRequest

T = TypeVar("T")

_WARM_UP = 2  # rotations
_WITHIN = 1.1  # times the limit
_RESOURCES = 3  # Key Vault, Azure Resource Manager, Event Grid: a token for each


async def measure_warm_rotations(extent: Extent) -> Part:
    """
    Measure one rotation after the other, of ours and of the rivals, for both kinds of targets.
    """
    figures: list[Figure] = []
    goals: list[Goal] = []
    sections: list[Section] = []
    with tempfile.TemporaryDirectory(prefix="bench-warm-") as directory:
        async with Stage(Path(directory), latency=limit.LATENCY) as stage:
            for kind in Kind:
                part = await _measure(stage, kind, extent)
                figures += part.figures
                goals += part.goals
                sections += part.sections
    return Part(figures=figures, goals=goals, sections=sections)


async def _measure(stage: Stage, kind: Kind, extent: Extent) -> Part:
    await stage.open_vaults()
    count = extent.warm
    rotatables = await stage.add(kind, _WARM_UP + count)
    ours = await _rotate(stage, OURS, rotatables)
    tutorial = await _rotate(stage, kind.tutorial, await stage.add(kind, _WARM_UP + count))
    sample = await _rotate(stage, kind.sample, await stage.add(kind, _WARM_UP + count))
    least = exactly(limit.seconds(kind, limit.LATENCY))
    time = Figure(
        name=f"one warm rotation, {kind.label}",
        unit=Unit.MILLISECONDS,
        ours=spread(ours.seconds),
        sample=spread(sample.seconds),
        tutorial=spread(tutorial.seconds),
        limit=least,
    )
    figures = [
        time,
        Figure(
            name=f"CPU time of a warm rotation, {kind.label}",
            unit=Unit.MILLISECONDS,
            ours=spread([ours.cpu]),
            sample=spread([sample.cpu]),
            tutorial=spread([tutorial.cpu]),
        ),
        Figure(
            name=f"requests of a warm rotation, {kind.label}",
            unit=Unit.NUMBER,
            ours=spread(ours.counts),
            sample=spread(sample.counts),
            tutorial=spread(tutorial.counts),
            limit=exactly(limit.requests(kind).total()),
        ),
    ]
    if not extent.is_quick:
        repeated = await _rotate(stage, OURS, again(rotatables))
        name = f"the next one of the same secrets, {kind.label}"
        figures.insert(1, Figure(name=name, unit=Unit.MILLISECONDS, ours=spread(repeated.seconds), limit=least))
    return Part(figures=figures, goals=_goals(kind, time, ours), sections=[_timeline(kind, ours)])


class _Warm:
    """
    The rotations of one process that were measured, and what was asked during each and during all.
    """

    def __init__(self, run: Run, requests: Sequence[LoggedRequest]) -> None:
        self.run = run
        self.rotations: Sequence[Rotation] = run.rotations[_WARM_UP:]
        self.requests = requests
        # A request arrives before the worker's clock is read again, and never before it was sent.
        self.each = [
            [entry for entry in requests if rotation.began <= entry.received.monotonic <= rotation.ended]
            for rotation in self.rotations
        ]

    @property
    def seconds(self) -> list[float]:
        return [rotation.seconds for rotation in self.rotations]

    @property
    def counts(self) -> list[float]:
        return [len(requests) for requests in self.each]

    @property
    def cpu(self) -> float:
        return self.run.cpu_of_later / (len(self.run.rotations) - 1)

    @property
    def connections(self) -> int:
        """
        How many connections were opened after the warm-up.
        """
        warm = self.rotations[0].began
        before = {entry.caller for entry in self.requests if entry.received.monotonic < warm}
        return len({entry.caller for entry in self.requests} - before)

    @property
    def tokens(self) -> int:
        return sum(entry.operation == "Identity.Token" for entry in self.requests)


async def _rotate(stage: Stage, app: str, rotatables: Sequence[Rotatable]) -> _Warm:
    stage.requests.clear()
    return _Warm(await rotate(stage, app, rotatables), list(stage.requests))


def _goals(kind: Kind, time: Figure, ours: _Warm) -> list[Goal]:
    needed = limit.requests(kind) + Counter(limit.BESIDE)
    asked = [Counter(entry.operation for entry in requests) for requests in ours.each]
    return [
        Goal(
            name=time.name,
            asked=f"within {_WITHIN} x the limit",
            measured=time.ratio(time.limit) or 0.0,
            bound=_WITHIN,
        ),
        _count(kind, "independent requests overlap: round trips", max(map(rounds, ours.each)), len(limit.trips(kind))),
        _count(kind, "requests that nothing needs", max((counted - needed).total() for counted in asked), 0),
        _count(kind, "tokens fetched by the process", ours.tokens, _RESOURCES),
        _count(kind, "connections opened after the warm-up", ours.connections, 0),
    ]


def _count(kind: Kind, what: str, measured: int, bound: int) -> Goal:
    return Goal(name=f"{what}, {kind.label}", asked=f"at most {bound}", measured=measured, bound=bound)


def _timeline(kind: Kind, ours: _Warm) -> Section:
    rotation, requests = _middle(list(zip(ours.rotations, ours.each, strict=True)), lambda pair: pair[0].seconds)
    return Section(
        name=f"timeline-{kind}",
        title=f"The requests of one warm rotation, {kind.label}, at {limit.LATENCY * 1000:.0f} ms latency (ms)",
        content=draw(requests, rotation.began, rotation.ended),
    )


def _middle(items: Sequence[T], key: Callable[[T], float]) -> T:
    return sorted(items, key=key)[len(items) // 2]
