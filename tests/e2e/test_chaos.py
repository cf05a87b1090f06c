"""
A short run of `make chaos`: some of its matrix, a round of its soak, clients that cache, and a judge who is awake.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.kinds import KINDS
from tests.chaos.caching import run_caching
from tests.chaos.cases import Case
from tests.chaos.kinds import KILL_KINDS, FaultKind
from tests.chaos.matrix import all_cases, run_matrix
from tests.chaos.plan import make_plan
from tests.chaos.points import REGENERATE
from tests.chaos.scene import Scene
from tests.chaos.soak import run_soak
from tests.chaos.subject import Subject, make_subject

# One request of each sort: to the ledger, to the provider, to the vault. `make chaos` runs them all.
POINTS = {"Ledger.Transaction (begin)", REGENERATE.name, "Vault.SetSecret"}
FAULTS = {"503", "500, 502, 503, 504 after", "dropped after", "429, a day", "killed, late effect", "killed after"}

# Two in which the alternate key is regenerated: the second kills what clients read before the first.
STEPS = 2
LONG_GRACE = timedelta(hours=1)  # However slow the machine is, its clients hold all that they ever read.


def is_sampled(case: Case) -> bool:
    """
    Return whether a case is among those that change something and take little time.
    """
    return case.point.name in POINTS and case.fault.name in FAULTS and is_first_or_last(case)


def is_first_or_last(case: Case) -> bool:
    """
    Return whether a case is at an end of the variants of its fault.
    """
    return case.variant in {0, case.fault.variety - 1}


async def test_no_fault_at_a_request_that_changes_something_breaks_a_promise(
    ca: CertificateAuthority, tmp_path: Path
) -> None:
    """
    Refused, lost, throttled, or the process killed around it: every rotation completes, once, and is told.
    """
    cases = [case for case in all_cases() if is_sampled(case)]
    # Kills of a cloud wait for each other: the last kind of them has a cloud of its own.
    parts = [[case for case in cases if (case.fault is KILL_KINDS[-1]) is apart] for apart in (False, True)]

    running = [run_matrix(part, tmp_path / str(number), ca, lambda _: None) for number, part in enumerate(parts)]
    reports = await asyncio.gather(*running)

    results = [result for report in reports for result in report.results]
    assert not [broken for report in reports for broken in report.broken]
    assert len(results) == len(cases)
    assert {result.ending.split()[0] for result in results} == {"Completed"}


async def test_no_outage_whatever_is_answered_for_the_host_of_a_site(ca: CertificateAuthority, tmp_path: Path) -> None:
    """
    Before the effect, after it and with the site still at work, Alternate and InPlace: the keys decide, not the answer.
    """
    of_a_site = [case for case in all_cases() if isinstance(case.fault, FaultKind) and case.fault.only_for_sites]
    cases = [case for case in of_a_site if is_first_or_last(case) and "good" not in case.fault.name]

    report = await run_matrix(cases, tmp_path, ca, lambda _: None)

    assert not report.broken
    assert {result.ending.split()[0] for result in report.results} == {"Completed"}
    assert {case.strategy for case in cases} == {"Alternate", "InPlace"}
    assert len(report.results) == len(cases)


@pytest.mark.long
async def test_random_rotations_under_random_faults_keep_every_promise(
    ca: CertificateAuthority, tmp_path: Path
) -> None:
    """
    A round of the soak from a fixed seed: kills, duplicates, neighbours, and clients that never fail.
    """
    report = await run_soak(rounds=1, seed=7, directory=tmp_path, ca=ca)

    assert not report.broken
    assert report.rotations > 20
    assert report.faults > 20
    assert report.changes > 0
    assert report.calls > 0


def test_a_plan_follows_from_the_seed_alone() -> None:
    """
    The same seed gives the same plan, another one another.
    """
    plans = [[make_plan(seed, number, slot) for number in range(5) for slot in range(5)] for seed in (7, 7, 8)]

    assert plans[0] == plans[1]
    assert plans[0] != plans[2]


@pytest.fixture
async def scene(ca: CertificateAuthority, tmp_path: Path) -> Scene:
    """
    Return a scene that is yet to be entered.
    """
    return Scene(tmp_path, ca=ca)


async def test_the_judge_sees_what_is_broken(scene: Scene) -> None:
    """
    A lost tag, a key in use that is regenerated, a version without a key, an event of no rotation: all are found.
    """
    async with scene:
        subject = await make_subject(scene.cloud, KINDS[0], "broken")
        scene.subjects.append(subject)
        await rotate(scene, subject)
        assert not scene.judge()

        current = subject.vault.current(subject.secrets[0])
        subject.vault.update(replace(current, tags=current.tags | {"owner": "nobody", "ValidityPeriodDays": "31"}))
        lost = [broken.evidence.split()[1] for broken in scene.judge()]
        assert lost == ["ValidityPeriodDays", "owner"]
        subject.vault.update(current)

        target = subject.target
        target.regenerate("Secondary")
        found = {broken.promise for broken in scene.judge()}
        assert found == {1, 2}

        scene.cloud.vault.set(subject.secrets[0], "no key at all", tags=subject.vault.current(subject.secrets[0]).tags)
        found = {broken.promise for broken in scene.judge()}
        assert found == {1, 2, 3}

        scene.answers.append(f"the key is {target.value('Primary')}")
        assert {broken.promise for broken in scene.judge()} == {1, 2, 3, 5}


async def rotate(scene: Scene, subject: Subject) -> None:
    """
    Rotate a subject's secret without any fault.
    """
    rotation = subject.rotation_id(subject.secrets[0])
    await scene.tell(subject, subject.secrets[0])
    assert await scene.until(lambda: scene.is_over(rotation), seconds=20)


async def test_no_call_fails_of_clients_that_cache_for_the_grace_time(ca: CertificateAuthority, tmp_path: Path) -> None:
    """
    Rotations of every kind of target follow one another under faults, wait for what clients hold, and complete.
    """
    report = await run_caching(steps=STEPS, seed=8, directory=tmp_path, ca=ca)

    assert not report.broken
    assert report.failed_calls == 0
    assert report.deferred > 0
    assert report.calls_with_previous > 0


async def test_without_the_grace_time_calls_of_clients_that_cache_fail(
    ca: CertificateAuthority, tmp_path: Path
) -> None:
    """
    ROTATION_GRACE_HOURS=0: so it is the grace time that keeps their keys alive. No other promise rests on it.
    """
    report = await run_caching(
        steps=STEPS, seed=8, directory=tmp_path, ca=ca, grace=LONG_GRACE, ROTATION_GRACE_HOURS="0"
    )

    assert report.failed_calls > 0
    assert report.deferred == report.too_soon == 0
    assert {broken.promise for broken in report.broken} == {1}
