"""
Clients that cache for the whole grace time: rotations follow one another, under faults, and have to wait for them.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from localcloud.azure.certificates import CertificateAuthority
from localcloud.kinds import KINDS
from localcloud.witness import CachingWitness
from tests.chaos.judge import Broken
from tests.chaos.plan import make_caching_plan
from tests.chaos.scene import Scene
from tests.chaos.soak import Disturb, SoakReport, Told, work_off

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


async def run_caching(
    *,
    steps: int,
    seed: int,
    directory: Path,
    ca: CertificateAuthority | None = None,
    grace: timedelta = GRACE,
    disturb: Disturb = nullcontext,
    told: Told = lambda *_: None,
    **settings: str,
) -> CachingReport:
    """
    Take so many steps with each subject, and judge. `settings` adds to what the app is told, its grace time included.
    """
    report = CachingReport()
    jobs = [(f"caching{slot}", make_caching_plan(seed, steps, slot), True) for slot in range(_SUBJECTS)]
    async with Scene(directory, ca=ca, grace=grace, **settings) as scene:
        witness = partial(CachingWitness, caches_for=scene.caches_for)
        telling = partial(told, "clients that cache")
        lanes = await work_off(scene, jobs, report, disturb, lanes=_SUBJECTS, witness=witness, told=telling)
    endings = {rotation: scene.ledger.outcome(rotation) or {} for rotation in scene.ledger.rotations}
    report.deferred = sum(endings[rotation].get("state") == "Completed" for rotation in scene.ledger.deferred)
    report.too_soon = sum(record.get("skipReason") == "too_soon" for record in endings.values())
    witnesses = [witness for lane in lanes for witness in lane.witnesses]
    report.calls_with_previous = sum(witness.calls_with_previous for witness in witnesses)
    report.failed_calls = sum(len(witness.failures) for witness in witnesses)
    if not report.deferred:
        report.broken.append(Broken(1, "clients that cache", "no rotation had to wait for them: nothing is shown"))
    if not report.calls_with_previous:
        report.broken.append(Broken(1, "clients that cache", "none used what it had cached: nothing is shown"))
    return report
