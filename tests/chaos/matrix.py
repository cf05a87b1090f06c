"""
The fault matrix: every request of a rotation, times every kind of fault, for every kind of target.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from localcloud.azure.certificates import CertificateAuthority
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind
from localcloud.rotation_feed import StuckError
from tests.chaos.cases import Case, Result, run_fault, run_kills
from tests.chaos.judge import Broken
from tests.chaos.kinds import FAULT_KINDS, KILL_KINDS, VAULT_REFUSALS, FaultKind, KillKind, VaultRefusal
from tests.chaos.points import POINTS, Point
from tests.chaos.scene import Scene
from tests.chaos.subject import Strategy

_AT_A_TIME = 40  # cases that aim at their own subject
_KILLED_AT_A_TIME = 24  # cases with one process: each holds one of its 32 workers until all are where they are to be
_CLOUDS = 8  # at a time; most of the time they wait for something to time out
_STRATEGIES: tuple[Strategy, ...] = ("Alternate", "InPlace")
# Fewer tries for what cannot succeed before it is repaired.
_TRIES = "5"


@dataclass
class MatrixReport:
    """
    What became of each case, and what was broken.
    """

    results: list[Result] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    faults: int = 0


def all_cases() -> list[Case]:
    """
    Return the whole matrix.
    """
    faults: tuple[FaultKind | KillKind, ...] = (*FAULT_KINDS, *VAULT_REFUSALS, *KILL_KINDS)
    return [
        Case(kind, point, fault, variant, strategy)
        for kind in KINDS
        for point in POINTS
        for fault in faults
        if fault.suits(point, kind)
        for strategy in _STRATEGIES
        if strategy == "Alternate" or _is_tried_in_place(kind, point, fault)
        for variant in range(fault.variety)
    ]


def _is_tried_in_place(kind: LocalKind, point: Point, fault: FaultKind | KillKind) -> bool:
    """
    Return whether a fault may do something else to a rotation whose secret holds a dead key for a while.
    """
    if isinstance(fault, KillKind):
        return not point.is_shared
    return isinstance(fault, VaultRefusal) or point.reaches_a_site(kind)


async def run_matrix(
    cases: Iterable[Case], directory: Path, ca: CertificateAuthority | None, told: Callable[[Result], None]
) -> MatrixReport:
    """
    Run cases, and tell each result as soon as it is there.

    Where requests can be told apart by what they are about, cases share a local cloud; where not, they take turns.
    """
    report = MatrixReport()
    places = asyncio.Semaphore(_CLOUDS)

    async def run(name: str, members: Sequence[Case]) -> None:
        async with places:
            await _run_in_one_cloud(members, directory / name, ca, report, told)

    async with asyncio.TaskGroup() as clouds:
        for name, members in groupby(sorted(cases, key=_cloud_of), key=_cloud_of):
            clouds.create_task(run(name, list(members)))
    return report


def _cloud_of(case: Case) -> str:
    # In the order of these names: those that take longest come first.
    is_hang = isinstance(case.fault, FaultKind) and case.fault.is_hang
    if case.point.is_shared:
        return f"{2 if is_hang else 4}-shared-{POINTS.index(case.point)}-{case.kind}"
    if isinstance(case.fault, KillKind):
        return "3-killed"
    return "1-hanging" if is_hang else "0-aimed"


def _waves(cases: Sequence[Case]) -> list[list[Case]]:
    """
    Return cases that share a local cloud in the order in which they are run: a wave ends before the next begins.

    What hangs before its rotation is known may be any rotation's, and all that hangs goes on in the same moment: so the
    cases of one kind of target hang at a time.
    """
    if any(case.fault.is_hang for case in cases if isinstance(case.fault, FaultKind)):
        return [[case for case in cases if case.kind is kind] for kind in KINDS]
    return [list(cases)]


async def _run_in_one_cloud(
    cases: Sequence[Case],
    directory: Path,
    ca: CertificateAuthority | None,
    report: MatrixReport,
    told: Callable[[Result], None],
) -> None:
    def take(results: Sequence[Result]) -> None:
        report.results.extend(results)
        for result in results:
            told(result)

    async with Scene(directory, ca=ca, AzureFunctionsJobHost__extensions__queues__maxDequeueCount=_TRIES) as scene:
        slots = asyncio.Semaphore(1 if cases[0].point.is_shared else _AT_A_TIME)

        async def run(case: Case) -> None:
            async with slots:
                try:
                    take([await run_fault(scene, case)])
                except StuckError as error:
                    report.broken.append(Broken(2, str(case), str(error)))

        for wave in _waves([case for case in cases if isinstance(case.fault, FaultKind)]):
            async with asyncio.TaskGroup() as running:
                for case in wave:
                    running.create_task(run(case))
        kills = [case for case in cases if isinstance(case.fault, KillKind)]
        for fault in KILL_KINDS:
            alike = [case for case in kills if case.fault is fault]
            for start in range(0, len(alike), _KILLED_AT_A_TIME):
                together = alike[start : start + _KILLED_AT_A_TIME]
                try:
                    take(await run_kills(scene, together))
                except StuckError as error:
                    report.broken.append(Broken(2, f"{together[0]} to {together[-1]}", str(error)))
        await scene.quiet()
        report.broken += scene.judge()
        report.faults += scene.faults
