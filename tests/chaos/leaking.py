"""
A key leaks that two secrets hold, and the process is killed at each request that follows from it: a leak for each.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from localcloud.azure.certificates import CertificateAuthority
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind
from localcloud.rotation_feed import StuckError
from rotation.vocabulary.request import keyed_id, revocation_id
from tests.chaos.instances import Held
from tests.chaos.judge import Broken
from tests.chaos.kinds import KILL_KINDS, KillKind
from tests.chaos.scene import Scene
from tests.chaos.subject import Subject, make_subject

AFTER = "PT1S"  # the last secret has moved, its key dies: time passes here as it does
_AT_A_TIME = 16  # leaks, of which each may hold a worker of the app
# Requests from the first that is held to the last: nobody knows whose worker waits for the first one of a rotation, so
# that no other rotation is resumed until the app has given it up, which takes half a minute.
_SPAN = 48
_CLOUDS = 4  # at a time; most of the time they wait for time to pass
_PATIENCE = 300  # seconds
_AGAIN = 0.5  # seconds until a caller who got no answer asks again


@dataclass
class LeakReport:
    """
    How many leaks there were, at how many of them the process was killed, and what was broken.
    """

    leaks: int = 0
    kills: int = 0
    broken: list[Broken] = field(default_factory=list)


class _Leak(Held):
    """
    One leak, whose request with a number is held while the process that has sent it is killed; None holds none.
    """

    def __init__(self, scene: Scene, subject: Subject, number: int | None, fault: KillKind) -> None:
        self.subject = subject
        self.report = keyed_id(subject.secrets[0])
        self.revocation = revocation_id(self.report)
        self._scene = scene
        super().__init__(fault, number, subject.secrets[0].rpartition("-")[0], self.report, self.revocation)

    @property
    def is_over(self) -> bool:
        """
        Whether its key is dead and all that was asked for has ended.
        """
        return self._scene.is_over(self.revocation) and self._scene.is_over(self.report)

    async def report_it(self) -> None:
        """
        Report it, again and again until the app has answered, as a caller does who has an Idempotency-Key.
        """
        secret = self.subject.secrets[0]
        while True:
            status, _ = await self._scene.ask(
                self.subject, secret, key=secret, revokePreviousAfter=AFTER, reason="leaked"
            )
            if status is not None and status < 500:
                return
            await asyncio.sleep(_AGAIN)


async def run_all_leaks(directory: Path, told: Callable[[str, int, int], None]) -> LeakReport:
    """
    Do what `run_leaks` does for every kind of target and of death.
    """
    report, places = LeakReport(), asyncio.Semaphore(_CLOUDS)

    async def run(kind: LocalKind, fault: KillKind) -> None:
        async with places:
            part = await run_leaks(kind, fault, directory / f"{kind}-{KILL_KINDS.index(fault)}")
        report.leaks += part.leaks
        report.kills += part.kills
        report.broken += part.broken
        told("leaks", report.leaks, report.kills)

    async with asyncio.TaskGroup() as running:
        for kind, fault in product(KINDS, KILL_KINDS):
            running.create_task(run(kind, fault))
    return report


async def run_leaks(
    kind: LocalKind,
    fault: KillKind,
    directory: Path,
    ca: CertificateAuthority | None = None,
    *,
    every: int = 1,
) -> LeakReport:
    """
    Kill the process at each request of a leak of such a target, or at every third and so on, and judge.
    """
    report = LeakReport()
    async with Scene(directory, ca=ca) as scene:
        try:
            (whole,) = await _run(scene, kind, fault, [None])
            for numbers in _in_parts(whole.requests, every):
                leaks = await _run(scene, kind, fault, numbers)
                report.kills += sum(leak.is_reached for leak in leaks)
                report.leaks += len(leaks)
        except StuckError as error:
            report.broken.append(Broken(2, f"leaks of {kind}", str(error)))
        await scene.quiet()
        report.broken += [*scene.judge(), *_alive(scene)]
    return report


def _in_parts(requests: int, every: int) -> Iterator[list[int | None]]:
    numbers: list[int | None] = list(range(1, requests + 1, every))
    size = max(1, min(_AT_A_TIME, _SPAN // every))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


async def _run(scene: Scene, kind: LocalKind, fault: KillKind, numbers: Sequence[int | None]) -> list[_Leak]:
    leaks = []
    for number in numbers:
        subject = await make_subject(scene.cloud, kind, f"leak{len(scene.subjects)}x", secrets=2)
        scene.subjects.append(subject)
        leaks.append(_Leak(scene, subject, number, fault))
    for leak in leaks:
        scene.hold(leak)
    async with asyncio.TaskGroup() as callers:
        for leak in leaks:
            callers.create_task(leak.report_it())
        if not await scene.until(lambda: all(leak.is_reached or leak.is_over for leak in leaks), seconds=_PATIENCE):
            raise StuckError(f"{kind}: some requests never came, and their leaks did not end")
        if any(leak.is_reached for leak in leaks):
            await scene.instances.kill_amid(leaks)
    if not await scene.until(lambda: all(leak.is_over for leak in leaks), seconds=_PATIENCE):
        ends = [_state(scene, leak) for leak in leaks if not leak.is_over]
        raise StuckError(f"{kind}: leaks that did not end: {ends}")
    scene.cloud.azure.faults.clear()
    return leaks


def _state(scene: Scene, leak: _Leak) -> tuple[str, Any, Any]:
    return leak.subject.secrets[0], scene.ledger.outcome(leak.report), scene.ledger.outcome(leak.revocation)


def _alive(scene: Scene) -> Iterator[Broken]:
    """
    Yield every leaked key that works still.
    """
    for subject in scene.subjects:
        first = subject.vault.versions(subject.secrets[-1])[0].value
        if subject.target.value("Primary") in first:
            yield Broken(1, subject.arm_id, "its leaked key is alive")
