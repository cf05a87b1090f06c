"""
Part 1, cold start: from a fresh process to the app indexed, to the first event acknowledged, to the first rotation.

Every run is a process of its own, with a vault of its own that holds one secret. The first run of everything is not
counted: it leaves bytecode behind, which a deployment ships. All take turns, so that whatever else this machine does
slows down everybody. The limit is a process that imports azure.functions alone, and then the round trips of a rotation.
"""

from collections import defaultdict

from benchmarks import limit
from benchmarks.breakdown import Breakdown, break_down, without_small_ones
from benchmarks.extent import Extent
from benchmarks.figure import Figure, Goal, Part, Section, Table, Unit, spread
from benchmarks.kind import BARE, OURS, Kind
from benchmarks.measured import Run, measure, rotate
from benchmarks.stage import Stage, open_stage

_INDEXED_WITHIN = 1.15  # times a bare import
_ACKNOWLEDGED_WITHIN = 1.5
_AS_FAST_AS_THE_TUTORIAL = 1.0
_BROKEN_DOWN = 3  # runs, of which the middle one is shown

Runs = dict[str, list[Run]]
"""The runs of each app by its module, ours by the kind of target."""


async def measure_cold_starts(extent: Extent) -> Part:
    """
    Measure everything, at every latency.
    """
    figures: list[Figure] = []
    goals: list[Goal] = []
    broken_down: dict[str, Breakdown] = {}
    for latency in extent.cold_latencies:
        async with open_stage(latency) as stage:
            runs = await _take_turns(stage, extent.runs)
            if not figures:
                started = _start(runs)
                figures += [*started, *(_memory(runs, kind) for kind in Kind)]
                goals += _goals_of_start(*started)
            for kind in Kind:
                first = _first_rotation(runs, kind, latency)
                figures.append(first)
                goals.append(first.goal("no slower than the tutorial", first.tutorial, _AS_FAST_AS_THE_TUTORIAL))
                column = f"{kind.label}, {latency * 1000:.0f} ms"
                broken_down[column] = await _break_down(stage, kind, min(extent.runs, _BROKEN_DOWN))
    return Part(figures=figures, goals=goals, sections=[_section(without_small_ones(broken_down))])


async def _take_turns(stage: Stage, count: int) -> Runs:
    """
    Run every app so often, and once more at first.
    """
    runs: Runs = defaultdict(list)
    for _ in range(1 + count):
        for kind in Kind:
            runs[BARE].append(await measure(stage, BARE))
            runs[kind].append(await _first(stage, OURS, kind))
            for rival in (kind.tutorial, kind.sample):
                runs[rival].append(await _first(stage, rival, kind))
    return {app: every[len(every) // (1 + count) :] for app, every in runs.items()}


async def _first(stage: Stage, app: str, kind: Kind, *options: str) -> Run:
    """
    Let an app do its first rotation.
    """
    await stage.open_vaults()
    return await rotate(stage, app, await stage.add(kind, 1), options=options)


def _start(runs: Runs) -> tuple[Figure, Figure]:
    ours = [run for kind in Kind for run in runs[kind]]
    sample, tutorial = runs[Kind.BATCH.sample], runs[Kind.BATCH.tutorial]
    bare = spread(run.seconds_to("indexed") for run in runs[BARE])
    indexed = Figure(
        "app indexed (rivals: Batch)",
        Unit.MILLISECONDS,
        ours=spread(run.seconds_to("indexed") for run in ours),
        sample=spread(run.seconds_to("indexed") for run in sample),
        tutorial=spread(run.seconds_to("indexed") for run in tutorial),
        limit=bare,
    )
    acknowledged = Figure(
        "first event acknowledged",
        Unit.MILLISECONDS,
        ours=spread(run.seconds_to("acknowledged") for run in ours),
        tutorial=spread(run.seconds_to("acknowledged") for run in tutorial),
        limit=bare,
    )
    return indexed, acknowledged


def _goals_of_start(indexed: Figure, acknowledged: Figure) -> list[Goal]:
    bare = f"within {_INDEXED_WITHIN} x a bare import of azure.functions"
    return [
        indexed.goal(bare, indexed.limit, _INDEXED_WITHIN),
        acknowledged.goal(
            f"within {_ACKNOWLEDGED_WITHIN} x that bare import", acknowledged.limit, _ACKNOWLEDGED_WITHIN
        ),
    ]


def _memory(runs: Runs, kind: Kind) -> Figure:
    ours, sample, tutorial, bare = (
        spread(run.peak for run in runs[app]) for app in (kind, kind.sample, kind.tutorial, BARE)
    )
    return Figure(f"peak memory of a first rotation, {kind.label}", Unit.MEGABYTES, ours, sample, tutorial, bare)


def _first_rotation(runs: Runs, kind: Kind, latency: float) -> Figure:
    ours, sample, tutorial = (
        spread(run.seconds_to("first") for run in runs[app]) for app in (kind, kind.sample, kind.tutorial)
    )
    trips = limit.seconds(kind, latency)
    least = spread(run.seconds_to("indexed") + trips for run in runs[BARE])
    name = f"first rotation, {kind.label}, at {latency * 1000:.0f} ms latency"
    return Figure(name, Unit.MILLISECONDS, ours, sample, tutorial, least)


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


def _section(columns: dict[str, Breakdown]) -> Section:
    names = dict.fromkeys(name for breakdown in columns.values() for name in breakdown.shares)
    rows = [[name, *(_cell(breakdown, name) for breakdown in columns.values())] for name in names]
    rows.append(["the first rotation is done", *(f"{breakdown.seconds * 1000:.0f}" for breakdown in columns.values())])
    return Section(
        "cold",
        "Where the milliseconds of the first rotation go (in brackets: while a request was under way)",
        Table(["ms", *columns], rows),
    )


def _cell(breakdown: Breakdown, name: str) -> str:
    share = breakdown.shares.get(name)
    if share is None:
        return ""
    with_request = round(share.with_request * 1000)
    return f"{share.seconds * 1000:.0f}" + (f" ({with_request})" if with_request else "")
