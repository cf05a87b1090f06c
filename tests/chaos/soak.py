"""
The soak: random rotations under random faults, in lanes side by side, with kills, duplicates and witnesses.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeAlias

from localcloud.azure.certificates import CertificateAuthority
from localcloud.kinds import KINDS
from localcloud.running import cancel
from localcloud.secret_user import SecretUser
from localcloud.witness import Witness
from tests.chaos.back_door import back_door
from tests.chaos.judge import Broken
from tests.chaos.killer import Killer
from tests.chaos.lane import Lane
from tests.chaos.plan import Plan, make_plan
from tests.chaos.scene import Scene

SUBJECTS = 3 * len(KINDS)  # in a round, of the kinds in turn
_LANES = 32  # subjects at a time
_WITNESSED = len(KINDS)  # subjects in a round, one of each kind
_STAGE = 17  # rounds in one local cloud: its logs and histories grow

Told: TypeAlias = Callable[[str, int, int], None]
"""Is called now and then with what is being done, the rotations and the faults so far."""
Disturb: TypeAlias = Callable[[Scene], AbstractAsyncContextManager[object]]
"""Makes what goes on meanwhile."""
Job: TypeAlias = tuple[str, Plan, bool]
"""A subject's name, what happens to it, and whether its secrets have witnesses."""


@dataclass
class SoakReport:
    """
    What happened, and what was broken.
    """

    states: Counter[str] = field(default_factory=Counter)
    """Rotations by how they ended."""
    triggers: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    kills: int = 0
    stopped: int = 0
    """Instances that stopped by themselves, since their storage failed."""
    resumed: int = 0
    calls: int = 0
    """Calls that witnesses made."""
    changes: int = 0
    """Changes of tags that were made beside rotations."""
    broken: list[Broken] = field(default_factory=list)

    @property
    def rotations(self) -> int:
        """
        How many did what a rotation does, or failed at it: those skipped had nothing to do.
        """
        return self.states["Completed"] + self.states["Failed"]

    def take(self, scene: Scene, lanes: Iterable[Lane]) -> None:
        """
        Judge a scene in which nothing is under way any more, and take in what happened there.
        """
        self.broken += scene.judge()
        for lane in lanes:
            self.broken += lane.broken
            for witness in lane.witnesses:
                self.calls += witness.calls
                self.broken += [Broken(1, f"client of {witness.secret}", str(each)) for each in witness.failures]
        for rotation in scene.ledger.rotations:
            if record := scene.ledger.outcome(rotation):
                self.states[record["state"]] += 1
                self.triggers[record["trigger"]] += 1
        self.faults += scene.faults
        self.kills += scene.instances.kills
        self.stopped += scene.instances.stopped
        self.resumed += len(scene.supervisor.resumed)
        self.changes += scene.changes.made


async def run_soak(
    *,
    rounds: int,
    seed: int,
    directory: Path,
    ca: CertificateAuthority | None = None,
    told: Told = lambda *_: None,
) -> SoakReport:
    """
    Run so many rounds.
    """
    report = SoakReport()
    for first in range(0, rounds, _STAGE):
        numbers = range(first, min(first + _STAGE, rounds))
        jobs = [
            (f"r{number}s{slot}", make_plan(seed, number, slot), slot < _WITNESSED)
            for number in numbers
            for slot in range(SUBJECTS)
        ]
        async with Scene(directory / f"stage-{first}", ca=ca) as scene:
            killer = partial(Killer, chance=Random(f"{seed}/killer/{first}"))  # noqa: S311 - as in the plan
            doing = f"rounds {numbers.start + 1} to {numbers.stop}"
            await work_off(scene, jobs, report, killer, lanes=_LANES, witness=Witness, told=partial(told, doing))
    return report


async def work_off(
    scene: Scene,
    jobs: Iterable[Job],
    report: SoakReport,
    disturb: Disturb,
    *,
    lanes: int,
    witness: Callable[..., SecretUser],
    told: Callable[[int, int], None],
) -> list[Lane]:
    """
    Do jobs in lanes side by side, wait until nothing is under way any more, and judge.
    """
    waiting, working = iter(jobs), [Lane(scene) for _ in range(lanes)]
    async with back_door(scene.cloud.azure, scene.cloud.vault) as door, _progress(report, scene, told):
        watch = partial(witness, scene.cloud.azure, door)

        async def work(lane: Lane) -> None:
            for name, plan, is_watched in waiting:
                await lane.run(name, plan, watch if is_watched else None)

        async with disturb(scene), asyncio.TaskGroup() as under_way:
            for lane in working:
                under_way.create_task(work(lane))
        await scene.quiet()
        report.take(scene, working)
    return working


@asynccontextmanager
async def _progress(report: SoakReport, scene: Scene, told: Callable[[int, int], None]) -> AsyncIterator[None]:
    """
    Tell how a scene gets on, after what is in the report, until the context is left.
    """

    async def tell() -> None:
        while True:
            await asyncio.sleep(1)
            told(report.states.total() + len(scene.ledger.outcomes), report.faults + scene.faults)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        await cancel(telling)
