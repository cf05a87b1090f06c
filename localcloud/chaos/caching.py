"""
Clients that cache for the whole grace time: rotations follow one another, under faults, and have to wait for them.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from localcloud.azure.certificates import CertificateAuthority
from localcloud.chaos.back_door import back_door
from localcloud.chaos.judge import Broken
from localcloud.chaos.lane import Lane
from localcloud.chaos.plan import make_caching_plan
from localcloud.chaos.scene import Scene
from localcloud.chaos.soak import SoakReport, Told, progress
from localcloud.kinds import KINDS
from localcloud.witness import CachingWitness

GRACE = timedelta(seconds=4.5)
_SUBJECTS = len(KINDS) + 1  # one of each kind, and one more with two secrets


@dataclass
class CachingReport(SoakReport):
    """
    What happened, and what was broken, where clients cache.
    """

    deferred: int = 0
    """Rotations that had to wait, and completed when it was time."""
    too_soon: int = 0
    """Rotations whose callers were told to ask later."""
    calls_with_previous: int = 0
    """Calls with a value that was not current any more."""
    failed_calls: int = 0

    def require_evidence(self) -> None:
        """
        Report as broken what was never put to the test.
        """
        if not self.deferred:
            self.broken.append(Broken(1, "clients that cache", "no rotation had to wait for them: nothing is shown"))
        if not self.calls_with_previous:
            self.broken.append(Broken(1, "clients that cache", "none used what it had cached: nothing is shown"))


async def run_caching(  # noqa: PLR0913 - what the world of such clients may look like
    *,
    steps: int,
    seed: int,
    directory: Path,
    ca: CertificateAuthority | None = None,
    grace: timedelta = GRACE,
    disturb: Callable[[Scene], AbstractAsyncContextManager[object]] = nullcontext,
    told: Told = lambda *_: None,
    **settings: str,
) -> CachingReport:
    """
    Take so many steps with each subject, and judge.

    `disturb` makes what goes on meanwhile; `settings` adds to what the app is told, its grace time included.
    """
    report = CachingReport()
    async with Scene(directory, ca=ca, grace=grace, **settings) as scene, AsyncExitStack() as running:
        door = await running.enter_async_context(back_door(scene.cloud.azure, scene.cloud.vault))
        watch = partial(CachingWitness, scene.cloud.azure, door, caches_for=scene.caches_for)
        await running.enter_async_context(progress("clients that cache", report, scene, told))
        lanes = [Lane(scene) for _ in range(_SUBJECTS)]
        async with disturb(scene), asyncio.TaskGroup() as under_way:
            for slot, lane in enumerate(lanes):
                under_way.create_task(lane.run(f"caching{slot}", make_caching_plan(seed, steps, slot), watch))
        await scene.quiet()
        report.take(scene, lanes)
        _count(report, scene, lanes)
    report.require_evidence()
    return report


def _count(report: CachingReport, scene: Scene, lanes: list[Lane]) -> None:
    endings = {rotation: scene.ledger.outcome(rotation) or {} for rotation in scene.ledger.rotations}
    report.deferred += sum(endings[rotation].get("state") == "Completed" for rotation in scene.ledger.deferred)
    report.too_soon += sum(record.get("skipReason") == "too_soon" for record in endings.values())
    report.calls_with_previous += sum(lane.calls_with_previous for lane in lanes)
    report.failed_calls += sum(lane.failed_calls for lane in lanes)
