"""
The benchmark's own work: each app that it measures does what it is measured for, and asks for what is known.
"""

from collections import Counter
from itertools import pairwise

import pytest

from benchmarks import limit
from benchmarks.kind import BARE, OURS, Kind
from benchmarks.measured import FailedError, Run, measure, rotate
from benchmarks.rotatable import Fleet, NotRotatedError
from benchmarks.stage import SUBSCRIPTIONS, Stage, open_stage

BATCH, WORKFLOW = Kind.BATCH, Kind.WORKFLOW
REGENERATE = {BATCH: "Batch.RegenerateKeys", WORKFLOW: "Workflow.RegenerateAccessKey"}
READ = {BATCH: "Batch.ListKeys", WORKFLOW: "Workflow.ListCallbackUrl"}


def of_a_sample(kind: Kind) -> Counter[str]:
    """
    Return the requests of one call: its client asks for a token of its own.
    """
    return Counter({"Identity.Token": 1, REGENERATE[kind]: 1})


def of_the_tutorial(kind: Kind) -> Counter[str]:
    """
    Return the requests of one rotation: two clients, and the four steps of the tutorial.
    """
    return of_a_sample(kind) + Counter({"Identity.Token": 1, READ[kind]: 1, "Vault.GetSecret": 1, "Vault.SetSecret": 1})


def of_ours(kind: Kind) -> Counter[str]:
    """
    Return the requests of one rotation: those that it cannot do without, and those that cost no time.
    """
    return limit.requests(kind) + limit.beside(kind)


async def last_of_three(stage: Stage, app: str, kind: Kind) -> tuple[Run, Counter[str]]:
    """
    Rotate three targets, the first alone; return the run, and what the last rotation has asked for.
    """
    run = await rotate(stage, app, await stage.add(kind, 3))
    last = run.rotations[-1]
    return run, Counter(entry.operation for entry in stage.took(last.began, last.ended))


@pytest.mark.parametrize("kind", Kind)
async def test_every_app_asks_for_what_is_known(kind: Kind) -> None:
    """
    What is compared are rotations that were done, by the requests that the documentation names.
    """
    async with open_stage(latency=0.0) as stage:
        run, asked = await last_of_three(stage, OURS, kind)
        _, asked_by_tutorial = await last_of_three(stage, kind.tutorial, kind)
        _, asked_by_sample = await last_of_three(stage, kind.sample, kind)

    assert asked == of_ours(kind)
    assert asked_by_tutorial == of_the_tutorial(kind)
    assert asked_by_sample == of_a_sample(kind)
    assert list(run.marks) == ["started", "indexed", "acknowledged", "first", "all"]
    assert len(run.rotations) == 3
    assert run.peak > 0
    assert all(rotation.memory > 0 for rotation in run.rotations)


async def test_a_sweep_is_measured_in_its_parts() -> None:
    """
    A sweep is measured that has looked at all secrets of all vaults, and compared each with its target.
    """
    fleet = Fleet(30, sharing=4, due_one_in=10, subscriptions=SUBSCRIPTIONS)
    async with open_stage(latency=0.0) as stage:
        await stage.open_vaults(3)
        await fleet.fill(stage.azure, stage.vaults)
        run = await measure(stage, OURS)
        look, verification, attention = (
            Counter(entry.operation for entry in stage.took(run.marks[former].at, run.marks[later].at))
            for former, later in pairwise(["first", "swept", "verified", "all"])
        )

    assert run.found_due == fleet.due == 3
    assert (look["Vault.ListSecrets"], look["Vault.GetSecret"]) == (3, fleet.due)
    assert (verification["Vault.GetSecret"], verification["Batch.ListKeys"]) == (30, fleet.targets)
    assert set(attention) == {"Ledger.Query", "Ledger.Read"}


async def test_a_fleet_is_spread_over_its_subscriptions() -> None:
    """
    Each has as many targets as the others, and each target as many secrets.
    """
    fleet = Fleet(60, sharing=4, due_one_in=10, subscriptions=SUBSCRIPTIONS)
    async with open_stage(latency=0.0) as stage:
        await stage.open_vaults(3)
        await fleet.fill(stage.azure, stage.vaults)
        secrets = [stage.vaults[number % 3].current(f"secret-{number:06d}") for number in range(60)]

    targets = Counter(secret.tags["ProviderAddress"] for secret in secrets)
    assert set(targets.values()) == {4}
    assert Counter(target.split("/")[2] for target in targets) == dict.fromkeys(SUBSCRIPTIONS, 3)


async def test_imports_are_watched_where_they_are_asked_for() -> None:
    """
    They come with the instants between which they ran, and only then.
    """
    async with open_stage(latency=0.0) as stage:
        watched = await measure(stage, BARE, options=["--watch-imports"])
        unwatched = await measure(stage, BARE)

    assert "azure.functions" in {each.module for each in watched.imports}
    assert all(watched.spawned <= each.began <= each.ended for each in watched.imports)
    assert not unwatched.imports


async def test_what_was_not_done_is_not_measured() -> None:
    """
    An app that fails, or does nothing, gives no figure.
    """
    async with open_stage(latency=0.0) as stage:
        (rotatable,) = await stage.add(BATCH, 1)
        with pytest.raises(NotRotatedError, match=r"still the old one"):
            rotatable.require_stored()
        with pytest.raises(FailedError, match=r"No module named"):
            await measure(stage, "no_such_app")
