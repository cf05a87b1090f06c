"""
Part 1, cold start: from a fresh process to the app indexed, to the first event acknowledged, to the first rotation.

Every run is a process of its own, with a vault of its own that holds one secret. The first run of everything is not
counted: it leaves bytecode behind, which a deployment ships. All take turns, so that whatever else this machine does
slows down everybody. The limit is a process that imports azure.functions alone, and then the round trips of a rotation.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import limit
from benchmarks.breakdown import Breakdown, break_down, without_small_ones
from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Section, Table, Unit
from benchmarks.kind import BARE, OURS, Kind
from benchmarks.measured import Run, measure, rotate
from benchmarks.spread import Spread, spread
from benchmarks.stage import Stage

_INDEXED_WITHIN = 1.15  # times a bare import
_ACKNOWLEDGED_WITHIN = 1.5
_AS_FAST_AS_THE_TUTORIAL = 1.0
_BROKEN_DOWN = 3  # runs, of which the middle one is shown

Runs = dict[str, list[Run]]
"""The runs of each app by its module, ours by `function_app` and the kind of target."""


async def measure_cold_starts(extent: Extent) -> Part:
    """
    Measure everything, at every latency.
    """
    figures, goals = [], []
    broken_down: dict[str, Breakdown] = {}
    for latency in extent.cold_latencies:
        with tempfile.TemporaryDirectory(prefix="bench-cold-") as directory:
            async with Stage(Path(directory), latency=latency) as stage:
                runs = await _take_turns(stage, extent.runs)
                if latency == extent.cold_latencies[0]:
                    figures += [_indexing(runs), _acknowledgement(runs), *(_memory(runs, kind) for kind in Kind)]
                    goals += _goals_of_starts(*figures[:2])
                for kind in Kind:
                    first = _first_rotation(runs, kind, latency)
                    figures.append(first)
                    goals.append(_goal_of_first_rotation(first))
                    column = f"{kind.label}, {latency * 1000:.0f} ms"
                    broken_down[column] = await _break_down(stage, kind, min(extent.runs, _BROKEN_DOWN))
    return Part(figures=figures, goals=goals, sections=[_section(broken_down)])


async def _take_turns(stage: Stage, count: int) -> Runs:
    """
    Run every app so often, and once more at first.
    """
    runs: Runs = defaultdict(list)
    for _ in range(1 + count):
        for kind in Kind:
            runs[BARE].append(await measure(stage, BARE))
            runs[_ours(kind)].append(await _first(stage, OURS, kind))
            for rival in (kind.tutorial, kind.sample):
                runs[rival].append(await _first(stage, rival, kind))
    return {app: every[len(every) // (1 + count) :] for app, every in runs.items()}


async def _first(stage: Stage, app: str, kind: Kind, *options: str) -> Run:
    """
    Let an app do its first rotation.
    """
    await stage.open_vaults()
    return await rotate(stage, app, await stage.add(kind, 1), options=options)


async def _break_down(stage: Stage, kind: Kind, count: int) -> Breakdown:
    """
    Return the breakdown of the middle one of some runs.
    """
    found = []
    for _ in range(count):
        run = await _first(stage, OURS, kind, "--watch-imports")
        requests = [
            (entry.received.monotonic, entry.ended.monotonic)
            for entry in stage.took(run.spawned, run.marks["first"].at)
            if entry.ended
        ]
        found.append(break_down(run, requests, "first"))
    return sorted(found, key=lambda breakdown: breakdown.seconds)[len(found) // 2]


def _ours(kind: Kind) -> str:
    return f"{OURS} {kind}"


def _spread(runs: Sequence[Run], measured: Callable[[Run], float]) -> Spread:
    return spread(map(measured, runs))


def _indexing(runs: Runs) -> Figure:
    return _start("app indexed (rivals: Batch)", "indexed", runs)


def _acknowledgement(runs: Runs) -> Figure:
    return _start("first event acknowledged", "acknowledged", runs)


def _start(name: str, mark: str, runs: Runs) -> Figure:
    def seconds(run: Run) -> float:
        return run.seconds_to(mark)

    kind = Kind.BATCH
    return Figure(
        name=name,
        unit=Unit.MILLISECONDS,
        ours=_spread([run for each in Kind for run in runs[_ours(each)]], seconds),
        sample=_spread(runs[kind.sample], seconds) if mark == "indexed" else None,
        tutorial=_spread(runs[kind.tutorial], seconds),
        limit=_spread(runs[BARE], lambda run: run.seconds_to("indexed")),
    )


def _first_rotation(runs: Runs, kind: Kind, latency: float) -> Figure:
    def seconds(run: Run) -> float:
        return run.seconds_to("first")

    least = limit.seconds(kind, latency)
    return Figure(
        name=f"first rotation, {kind.label}, at {latency * 1000:.0f} ms latency",
        unit=Unit.MILLISECONDS,
        ours=_spread(runs[_ours(kind)], seconds),
        sample=_spread(runs[kind.sample], seconds),
        tutorial=_spread(runs[kind.tutorial], seconds),
        limit=_spread(runs[BARE], lambda run: run.seconds_to("indexed") + least),
    )


def _memory(runs: Runs, kind: Kind) -> Figure:
    def peak(run: Run) -> float:
        return run.peak

    return Figure(
        name=f"peak memory of a first rotation, {kind.label}",
        unit=Unit.MEGABYTES,
        ours=_spread(runs[_ours(kind)], peak),
        sample=_spread(runs[kind.sample], peak),
        tutorial=_spread(runs[kind.tutorial], peak),
        limit=_spread(runs[BARE], peak),
    )


def _goals_of_starts(indexing: Figure, acknowledgement: Figure) -> list[Goal]:
    return [
        Goal(
            name=indexing.name,
            asked=f"within {_INDEXED_WITHIN} x a bare import of azure.functions",
            measured=indexing.ratio(indexing.limit) or 0.0,
            bound=_INDEXED_WITHIN,
        ),
        Goal(
            name=acknowledgement.name,
            asked=f"within {_ACKNOWLEDGED_WITHIN} x that bare import",
            measured=acknowledgement.ratio(acknowledgement.limit) or 0.0,
            bound=_ACKNOWLEDGED_WITHIN,
        ),
    ]


def _goal_of_first_rotation(first: Figure) -> Goal:
    return Goal(
        name=first.name,
        asked="no slower than the tutorial",
        measured=first.ratio(first.tutorial) or 0.0,
        bound=_AS_FAST_AS_THE_TUTORIAL,
    )


def _section(breakdowns: dict[str, Breakdown]) -> Section:
    columns = without_small_ones(breakdowns)
    names = dict.fromkeys(name for breakdown in columns.values() for name in breakdown.shares)
    rows = [[name, *(_cell(breakdown, name) for breakdown in columns.values())] for name in names]
    rows.append(["the first rotation is done", *(f"{breakdown.seconds * 1000:.0f}" for breakdown in columns.values())])
    return Section(
        name="cold",
        title="Where the milliseconds of the first rotation go (in brackets: while a request was under way)",
        content=Table(["ms", *columns], rows),
    )


def _cell(breakdown: Breakdown, name: str) -> str:
    share = breakdown.shares.get(name)
    if share is None:
        return ""
    with_request = round(share.with_request * 1000)
    return f"{share.seconds * 1000:.0f}" + (f" ({with_request})" if with_request else "")
