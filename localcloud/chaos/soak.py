"""
The soak: random rotations under random faults, in lanes side by side, with kills, duplicates and witnesses.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeAlias

from localcloud.azure.certificates import CertificateAuthority
from localcloud.chaos.back_door import back_door
from localcloud.chaos.judge import Broken
from localcloud.chaos.killer import Killer
from localcloud.chaos.lane import Lane, Watch
from localcloud.chaos.plan import make_plan
from localcloud.chaos.scene import Scene
from localcloud.kinds import KINDS
from localcloud.running import cancel
from localcloud.witness import Witness

SUBJECTS = 3 * len(KINDS)  # in a round, of the kinds in turn
_LANES = 32  # subjects at a time
_WITNESSED = len(KINDS)  # subjects in a round, one of each kind
_STAGE = 17  # rounds in one local cloud: its logs and histories grow

Told: TypeAlias = Callable[[str, int, int], None]
"""Is called now and then with what is being done, the rotations and the faults so far."""


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
            self.calls += lane.calls
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
        stage = Stage(report, seed, numbers, told)
        await stage.run(directory / f"stage-{first}", ca)
    return report


@asynccontextmanager
async def progress(doing: str, report: SoakReport, scene: Scene, told: Told) -> AsyncIterator[None]:
    """
    Tell how a scene gets on, after what is in the report, until the context is left.
    """

    async def tell() -> None:
        while True:
            await asyncio.sleep(1)
            told(doing, report.states.total() + len(scene.ledger.outcomes), report.faults + scene.faults)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        await cancel(telling)


class Stage:
    """
    Some rounds in one local cloud.
    """

    def __init__(self, report: SoakReport, seed: int, rounds: range, told: Told) -> None:
        self._report = report
        self._seed = seed
        self._rounds = rounds
        self._tasks = iter([(number, slot) for number in rounds for slot in range(SUBJECTS)])
        self._told = told

    async def run(self, directory: Path, ca: CertificateAuthority | None) -> None:
        """
        Run the rounds, wait until nothing is under way any more, and judge.
        """
        doing = f"rounds {self._rounds.start + 1} to {self._rounds.stop}"
        async with Scene(directory, ca=ca) as scene, AsyncExitStack() as running:
            door = await running.enter_async_context(back_door(scene.cloud.azure, scene.cloud.vault))
            watch = partial(Witness, scene.cloud.azure, door)
            lanes = [Lane(scene) for _ in range(_LANES)]
            await running.enter_async_context(progress(doing, self._report, scene, self._told))
            chance = Random(f"{self._seed}/killer/{self._rounds.start}")  # noqa: S311 - as in the plan
            async with Killer(scene, chance), asyncio.TaskGroup() as under_way:
                for lane in lanes:
                    under_way.create_task(self._run_lane(lane, watch))
            await scene.quiet()
            self._report.take(scene, lanes)

    async def _run_lane(self, lane: Lane, watch: Watch) -> None:
        for number, slot in self._tasks:
            plan = make_plan(self._seed, number, slot)
            await lane.run(f"r{number}s{slot}", plan, watch if slot < _WITNESSED else None)
