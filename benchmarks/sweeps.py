"""
Part 4, sweep: one sweep of all secrets of three vaults, in a fresh process, and how its cost grows.

A sweep lists the secrets, then compares them with their targets, then counts how they stand: each part has figures of
its own. Secrets share targets, which are spread over subscriptions: in each of these a sweep compares ten a second.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.extent import Extent
from benchmarks.figure import Curve, Figure, Goal, Part, Point, Section, Table, Unit, exactly, spread
from benchmarks.kind import OURS
from benchmarks.limit import LATENCY
from benchmarks.measured import Run, measure
from benchmarks.rotatable import Fleet, NotRotatedError
from benchmarks.stage import SUBSCRIPTIONS, open_stage
from benchmarks.units import SERVICES, requests
from rotation.vocabulary.limits import PACE, VERIFY_WITHIN

_VAULTS = 3
_SHARING = 4  # secrets of one target: those of an application's parts, or of its environments
_DUE_ONE_IN = 100
_PER_PAGE = 25  # Key Vault's largest page
_LINEAR = 1.1  # times as long as the smaller sweep, for each time that it is larger
_STREAMING = 1.15
_PACED = 1.15  # times as long as the pace alone would take
_BUSY = 0.95  # of what the pace allows

WHOLE = ("first", "all")
PARTS = {"look": ("first", "swept"), "verification": ("swept", "verified"), "attention": ("verified", "all")}
"""Between which marks of a worker each part lies."""
_LOOK, _VERIFICATION, _ATTENTION = PARTS.values()


class Sweep(msgspec.Struct, frozen=True):
    """
    What one sweep came to. A part of it lies between two marks; imports of the SDKs are the look's.

    `asked` are the requests of each part by operation.
    """

    fleet: Fleet
    run: Run
    asked: Mapping[tuple[str, str], Counter[str]]

    def seconds(self, part: tuple[str, str] = WHOLE) -> float:
        """
        Return how long a part took.
        """
        return self.run.seconds_between(*part)

    def cpu(self, part: tuple[str, str] = WHOLE) -> float:
        """
        Return the CPU seconds of a part.
        """
        return self.run.cpu_between(*part)

    def compared(self) -> float:
        """
        Return how many targets have shown their keys.
        """
        return requests(self.asked[_VERIFICATION], SERVICES["ARM"])


async def measure_sweeps(extent: Extent) -> Part:
    """
    Measure sweeps of every size in turns, again and again, and one that has more to compare than it has time for.
    """
    fleets = [Fleet(size, _SHARING, _DUE_ONE_IN, SUBSCRIPTIONS) for size in extent.secrets]
    turns = [[await _complete_sweep(fleet) for fleet in fleets] for _ in range(extent.sweeps)]
    by_size = list(zip(*turns, strict=True))
    few, many = by_size[-2:]
    middle = [sorted(sweeps, key=Sweep.seconds)[len(sweeps) // 2] for sweeps in by_size]
    figures, goals = figures_of(many), goals_of(few, many)
    if extent.crowd:
        reached = await _reached(Fleet(extent.crowd, _SHARING, _DUE_ONE_IN))
        figures.append(reached)
        goals.append(reached.goal(f"at least {_BUSY} x what the pace allows", reached.limit, _BUSY, is_floor=True))
    return Part(
        figures=figures,
        goals=goals,
        sections=[Section("growth-sweep", f"How a sweep of {_VAULTS} vaults grows", table_of(middle))],
        curves=[Curve("sweep", [Point(sweep.fleet.secrets, sweep.seconds(), sweep.run.peak) for sweep in middle])],
    )


def figures_of(sweeps: Sequence[Sweep]) -> list[Figure]:
    """
    Return the figures of some sweeps of one fleet.
    """
    fleet = sweeps[0].fleet
    pages = math.ceil(fleet.secrets / _VAULTS / _PER_PAGE)
    listed, compared = math.ceil(fleet.secrets / _PER_PAGE), fleet.secrets + fleet.targets
    return [
        Figure(
            f"sweep of {fleet.secrets:,} secrets in {_VAULTS} vaults: the look",
            Unit.SECONDS,
            spread(sweep.seconds(_LOOK) for sweep in sweeps),
            limit=exactly(pages * LATENCY),
        ),
        Figure("its CPU time", Unit.SECONDS, spread(sweep.cpu(_LOOK) for sweep in sweeps)),
        Figure(
            "its requests",
            Unit.NUMBER,
            spread(sweep.asked[_LOOK].total() for sweep in sweeps),
            limit=exactly(listed),
        ),
        Figure(
            f"its verification: {fleet.targets:,} targets in {len(fleet.subscriptions)} subscriptions",
            Unit.SECONDS,
            spread(sweep.seconds(_VERIFICATION) for sweep in sweeps),
            limit=exactly(_paced(fleet)),
        ),
        Figure("CPU time of that", Unit.SECONDS, spread(sweep.cpu(_VERIFICATION) for sweep in sweeps)),
        Figure(
            "requests of that",
            Unit.NUMBER,
            spread(sweep.asked[_VERIFICATION].total() for sweep in sweeps),
            limit=exactly(compared),
        ),
        Figure("counting how all stand", Unit.SECONDS, spread(sweep.seconds(_ATTENTION) for sweep in sweeps)),
        Figure("peak memory of the sweep", Unit.MEGABYTES, spread(sweep.run.peak for sweep in sweeps)),
    ]


def goals_of(few: Sequence[Sweep], many: Sequence[Sweep]) -> list[Goal]:
    """
    Return the goals for the larger of two fleets.
    """
    fewer, fleet = few[0].fleet.secrets, many[0].fleet
    bound = _LINEAR * fleet.secrets / fewer
    return [
        Goal(
            f"sweep of {fleet.secrets:,} secrets in {_VAULTS} vaults",
            f"linear: at most {bound:.0f} x a sweep of {fewer:,}",
            spread(map(Sweep.seconds, many)).median / spread(map(Sweep.seconds, few)).median,
            bound,
        ),
        Goal(
            f"its verification: {fleet.targets:,} targets in {len(fleet.subscriptions)} subscriptions",
            f"within {_PACED} x the pace of ten targets a second and subscription",
            spread(sweep.seconds(_VERIFICATION) for sweep in many).median / _paced(fleet),
            _PACED,
        ),
        Goal(
            "peak memory of the sweep",
            f"streaming: at most {_STREAMING} x that of {fewer:,}",
            spread(sweep.run.peak for sweep in many).median / spread(sweep.run.peak for sweep in few).median,
            _STREAMING,
        ),
    ]


def _paced(fleet: Fleet) -> float:
    """
    Return how many seconds the pace alone makes of a verification.
    """
    return math.ceil(fleet.targets / len(fleet.subscriptions)) * PACE


async def _complete_sweep(fleet: Fleet) -> Sweep:
    sweep = await _sweep(fleet)
    if sweep.compared() < fleet.targets:
        raise NotRotatedError(f"a sweep has compared {sweep.compared():.0f} targets of {fleet.targets}")
    return sweep


async def _reached(fleet: Fleet) -> Figure:
    """
    Return how many targets a sweep compares in the time that it has, where there are more of them in a subscription.
    """
    sweep, most = await _sweep(fleet), VERIFY_WITHIN.total_seconds() / PACE
    return Figure(
        f"targets compared in one sweep, of {fleet.targets:,} in one subscription",
        Unit.NUMBER,
        exactly(sweep.compared()),
        limit=exactly(min(most, fleet.targets)),
    )


async def _sweep(fleet: Fleet) -> Sweep:
    """
    Fill three vaults, and sweep them once.
    """
    async with open_stage(LATENCY) as stage:
        await stage.open_vaults(_VAULTS)
        await fleet.fill(stage.azure, stage.vaults)
        run = await measure(stage, OURS)
        if run.found_due != fleet.due:
            raise NotRotatedError(f"a sweep of {fleet.secrets} secrets has found {run.found_due} due, not {fleet.due}")
        asked = {
            (former, later): Counter(entry.operation for entry in stage.took(run.marks[former].at, run.marks[later].at))
            for former, later in (WHOLE, *PARTS.values())
        }
        return Sweep(fleet, run, asked)


def table_of(sweeps: Sequence[Sweep]) -> Table:
    """
    Return a table of sweeps, with a row for each part of each.
    """
    rows = []
    for sweep in sweeps:
        whole = _row(f"{sweep.fleet.secrets:,} secrets, {sweep.fleet.targets:,} targets", sweep, WHOLE)
        rows.append([*whole, f"{sweep.run.peak / 1e6:.0f}"])
        for name, part in PARTS.items():
            rows.append([*_row(f"· {name}", sweep, part), ""])
    return Table(["one sweep", "seconds", "CPU seconds", "Key Vault", "ARM", "tables", "peak MB"], rows)


def _row(name: str, sweep: Sweep, part: tuple[str, str]) -> list[str]:
    return [
        name,
        f"{sweep.seconds(part):.1f}",
        f"{sweep.cpu(part):.1f}",
        *(f"{requests(sweep.asked[part], SERVICES[service]):,.0f}" for service in ("Key Vault", "ARM", "tables")),
    ]
