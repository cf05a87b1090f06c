"""
One cell of the fault matrix at a time: a fault, armed; a rotation, asked for; how that ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from localcloud.kinds.kind import LocalKind
from localcloud.rotation_feed import StuckError
from tests.chaos.instances import Held
from tests.chaos.kinds import FOR_GOOD, FaultKind, KillKind
from tests.chaos.points import Point
from tests.chaos.scene import Scene
from tests.chaos.subject import Strategy, Subject, make_subject

_BEFORE_REPAIR = 20  # seconds in which a fault that stays may end a rotation
_HANGING = 80  # seconds: longer than the app waits for any answer
_PATIENCE = 400  # seconds until a rotation that can end has ended: of some thirty that hang, a dozen do so at a time
_names = count(1)


@dataclass(frozen=True)
class Case:
    """
    One fault, of a kind and one of its variants, at one request of one rotation.
    """

    kind: LocalKind
    point: Point
    fault: FaultKind | KillKind
    variant: int = 0
    strategy: Strategy = "Alternate"

    def __str__(self) -> str:
        return f"{self.kind} {self.strategy}, {self.point.name}, {self.fault.name} ({self.variant + 1})"


@dataclass(frozen=True)
class Result:
    """
    What became of the rotation of a case.
    """

    case: Case
    rotation: str
    ending: str
    """`Completed`, `Failed vault_refused`, ..., with `resumed`, `told later` or `repaired` where that was needed."""


async def run_fault(scene: Scene, case: Case) -> Result:
    """
    Let a request of a new rotation meet a fault. Raises `StuckError` if it is not met, or the rotation does not end.
    """
    if not isinstance(case.fault, FaultKind):
        raise TypeError(case)
    subject, rotation = await _prepare(scene, case)
    script = case.fault.faults(case.point.aim(subject, rotation))[case.variant]
    armed = [scene.arm(fault) for fault in script]
    await scene.tell(subject, subject.secrets[0])
    is_repaired = False
    if not await scene.until(lambda: armed[-1].fired > 0, seconds=_PATIENCE):
        raise StuckError(f"{case}: the request never came; rotation {rotation}")
    if case.fault.is_hang:
        await _wait_out(scene, case, rotation)
    elif script[-1].times == FOR_GOOD:
        is_repaired = not await scene.until(lambda: scene.is_over(rotation), seconds=_BEFORE_REPAIR)
    else:
        await _await_end(scene, case, rotation)
    scene.repair(armed[-1])
    await _await_end(scene, case, rotation)
    return Result(case, rotation, _ending(scene, rotation, is_repaired=is_repaired))


async def run_kills(scene: Scene, cases: Sequence[Case]) -> list[Result]:
    """
    Kill the process once, while each of these rotations has its request served; let another process go on.
    """
    stops = [await _hold(scene, case) for case in cases]
    for subject in scene.subjects[-len(stops) :]:
        await scene.tell(subject, subject.secrets[0])
    if not await scene.until(lambda: all(held.is_reached for held, _, _ in stops), seconds=_PATIENCE):
        missing = [str(case) for held, case, _ in stops if not held.is_reached]
        raise StuckError(f"these requests never came: {'; '.join(missing)}")
    await scene.instances.kill_amid([held for held, _, _ in stops])
    for _, case, rotation in stops:
        await _await_end(scene, case, rotation)
    return [Result(case, rotation, _ending(scene, rotation)) for _, case, rotation in stops]


async def _hold(scene: Scene, case: Case) -> tuple[Held, Case, str]:
    """
    Return what holds the request of a case, with the rotation that is to send it and has been asked for by nobody yet.
    """
    if not isinstance(case.fault, KillKind):
        raise TypeError(case)
    subject, rotation = await _prepare(scene, case)
    aim = case.point.aim(subject, rotation)
    for fault in aim.also:
        scene.arm(fault)
    held = Held(case.fault, aim.skip + 1)
    scene.hold(held, aim.operation, aim.target)
    return held, case, rotation


async def _prepare(scene: Scene, case: Case) -> tuple[Subject, str]:
    if case.point.needs_new_process:
        await scene.instances.replace()
    subject = await make_subject(
        scene.cloud, case.kind, f"case{next(_names)}", secrets=case.point.secrets, strategy=case.strategy
    )
    scene.subjects.append(subject)
    return subject, subject.rotation_id(subject.secrets[0])


async def _wait_out(scene: Scene, case: Case, rotation: str) -> None:
    """
    Wait until the app has given a request up.
    """
    if not await scene.until(lambda: not scene.workers(rotation), seconds=_HANGING):
        raise StuckError(f"{case}: rotation {rotation} was still being worked on after {_HANGING} s")


async def _await_end(scene: Scene, case: Case, rotation: str) -> None:
    if not await scene.until(lambda: scene.is_over(rotation), seconds=_PATIENCE):
        raise StuckError(f"{case}: rotation {rotation} did not end within {_PATIENCE} s")


def _ending(scene: Scene, rotation: str, *, is_repaired: bool = False) -> str:
    record = scene.ledger.outcome(rotation) or {}
    words = [str(record.get("state", "unknown"))]
    if error := record.get("error"):
        words.append(error["code"])
    if record.get("state") == "Skipped":
        words.append(record["skipReason"])
    if rotation in scene.supervisor.resumed:
        words.append("(resumed)")
    if rotation in scene.supervisor.retold:
        words.append("(told later)")
    if is_repaired:
        words.append("(repaired)")
    return " ".join(words)
