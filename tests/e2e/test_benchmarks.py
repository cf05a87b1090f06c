"""
The benchmark's own work: each app that it measures does what it is measured for, and asks for what is known.
"""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import limit
from benchmarks.apps import BARE, MEASURED, OURS, SAMPLE, TUTORIAL, App, checked_out
from benchmarks.measurements import DUE_ONE_IN, SHARING, VAULTS, fill, rotate_again
from benchmarks.stage import SUBSCRIPTIONS, FailedError, Stage, open_stage
from benchmarks.timeline import rounds
from localcloud.kinds.kind import LocalKind

UNPROVEN = OURS._replace(settings={"ROTATION_PROVE_KEYS": "false"})


async def last_rotation(stage: Stage, app: App, kind: LocalKind) -> Counter[str]:
    """
    Return what the last of three rotations has asked for.
    """
    run = await rotate_again(stage, app, kind, 1)
    assert list(run.marks) == ["indexed", "first", "all"]
    assert min(run.peak, *(memory for _, _, memory in run.rotations)) > 10_000_000
    return Counter(entry.operation for entry in stage.took(run.rotations[-1]))


@pytest.mark.parametrize("kind", MEASURED.values())
async def test_every_app_asks_for_what_is_known(kind: LocalKind) -> None:
    """
    What is compared are rotations that were done: ours as the limit says, the rivals by the steps of their names.
    """
    of_a_sample = Counter({"Identity.Token": 1, kind.regenerate: 1})
    of_a_tutorial = Counter({"Identity.Token": 1, kind.read: 1, "Vault.GetSecret": 1, "Vault.SetSecret": 1})
    async with open_stage() as stage:
        assert await last_rotation(stage, OURS, kind) == limit.requests(kind)
        assert await last_rotation(stage, UNPROVEN, kind) == limit.requests(kind, proven=False)
        assert await last_rotation(stage, SAMPLE, kind) == of_a_sample
        assert await last_rotation(stage, TUTORIAL, kind) == of_a_sample + of_a_tutorial


@pytest.mark.parametrize("kind", MEASURED.values())
async def test_a_warm_process_waits_for_no_more_than_the_trips(kind: LocalKind) -> None:
    """
    It fetches a token for each service once, and does with the connections that it has: where nothing else disturbs it.
    """
    async with open_stage() as stage:
        run = await rotate_again(stage, OURS, kind, 3)
        known, opened, trips = set[int | None](), [], []
        for rotation in run.rotations:
            asked = stage.took(rotation)
            callers = {entry.caller for entry in asked}
            opened.append(len(callers - known))
            known |= callers
            trips.append(rounds(asked))

    assert min(trips[1:]) == len(limit.trips(kind))
    assert min(opened) == 0
    assert stage.requests.count("Identity.Token") == 3


async def test_a_sweep_has_compared_every_secret() -> None:
    """
    Its targets are spread over the subscriptions, and each holds the keys of as many secrets.
    """
    secrets = 60
    async with open_stage() as stage:
        await fill(stage, secrets)
        stage.slow_down(0.0)
        run = await stage.measure(OURS)
        asked = Counter(entry.operation for entry in stage.requests)
        tags = [vault.current(name).tags for vault in stage.vaults for name in vault.names()]

    assert len(stage.vaults) == VAULTS
    assert run.due == secrets // DUE_ONE_IN + 1
    assert (asked["Batch.ListKeys"], asked["Vault.GetSecret"]) == (secrets // SHARING, secrets + run.due)
    targets = Counter(each["ProviderAddress"] for each in tags)
    assert set(targets.values()) == {SHARING}
    assert Counter(target.split("/")[2] for target in targets) == dict.fromkeys(SUBSCRIPTIONS, 3)


@pytest.fixture
def other_commit(tmp_path: Path) -> Path:
    """
    Return a repository whose last commit has another app, and other code beside it.
    """
    for name in ("function_app.py", "localcloud/functions_host/calling.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("raise RuntimeError(f'imported from {__file__}')\n")
    identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.com"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "One"]):
        subprocess.run(["/usr/bin/env", "git", "-C", str(tmp_path), *arguments], check=True)  # noqa: S603 - ours
    (tmp_path / "function_app.py").write_text("app = None\n")
    return tmp_path


async def test_the_app_of_another_commit_is_measured_from_its_own_folder(other_commit: Path) -> None:
    """
    Its modules are its own; what serves and what stands in for Azure is ours.
    """
    async with open_stage() as stage:
        with checked_out("HEAD", other_commit) as before, pytest.raises(FailedError, match=str(before.folder)):
            await stage.measure(before)
        assert not before.folder.exists()
        (rotated,) = await stage.add(MEASURED["Batch"], 1)
        await stage.rotate(before._replace(folder=OURS.folder), [rotated])


async def test_what_was_not_done_is_not_measured() -> None:
    """
    An app that fails, or does nothing, gives no figure.
    """
    async with open_stage() as stage:
        secrets = await stage.add(MEASURED["Batch"], 1)
        with pytest.raises(FailedError, match=r"still the old one"):
            await stage.rotate(BARE, secrets)
        with pytest.raises(FailedError, match=r"No module named"):
            await stage.measure(App("gone", "no_such_app"))
