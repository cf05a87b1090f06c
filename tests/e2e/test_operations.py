"""
The runbook and its how-to pages: every procedure as it stands there.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from localcloud.cloud import MAX_POLLING_INTERVAL, OFTEN
from tests.e2e.markdown_page import RUNBOOK, Block, blocks, read
from tests.e2e.test_demo import PATIENCE
from tests.e2e.test_start import READY, Run, start

Check = Callable[[Run, str], None]
"""Looks at what has become of the secrets, and at what the commands have printed."""

BLOCKS = [block for page in RUNBOOK for block in blocks(read(page))]
RUNNABLE = [block for block in BLOCKS if not block.needs_azure]


@dataclass(frozen=True)
class Step:
    """
    One block of a page, by how its first command begins.
    """

    command: str
    leaves: Check
    needs: Callable[[Run], object] = lambda _: None
    """Brings about what the page does not."""
    state: str = ""
    """`ID` in the block stands for the newest rotation in this state."""
    about: str = ""
    """The name of that rotation's target, where there may be several: one that is put off becomes the newest."""
    key: str = ""
    """What `KEY` in the block stands for."""


def rotations(run: Run, state: str) -> list[Any]:
    """
    Return the rotations in a state, newest first.
    """
    found: list[Any] = run.request("GET", f"rotations?state={state}")["rotations"]
    return found


def let_one_wait(run: Run) -> None:
    """
    Ask for a rotation that comes too soon.
    """
    secret = run.secrets()["batch-key"]["secret"]
    run.request("POST", "rotations", secret=f"{secret['vault']}/secrets/{secret['name']}")
    eventually(lambda: bool(waiting(run)))


def waiting(run: Run) -> list[Any]:
    """
    Return the rotations that wait for the end of the grace time.
    """
    return [one for one in rotations(run, "Scheduled") if one["secret"]]


def revocations(run: Run) -> dict[str, str]:
    """
    Return the ids of what is to revoke a leaked key, by the names of the targets.
    """
    return {one["target"].split("/")[-1]: one["id"] for one in rotations(run, "Scheduled") if not one["secret"]}


def let_no_key_be_leaked(run: Run) -> None:
    """
    Cancel what is to revoke a leaked key.
    """
    for revocation in revocations(run).values():
        run.request("DELETE", f"rotations/{revocation}")


def let_no_timer_come(_: Run) -> None:
    """
    Wait where `resume_rotations` is about to run, which would move the secret before the page does.
    """
    eventually(lambda: time.time() % 300 < 285)


def says(*words: str) -> Check:
    """
    Return a check of what the commands have printed.
    """

    def check(_: Run, printed: str) -> None:
        assert [word for word in words if word not in printed] == []

    return check


def is_well(*names: str) -> Check:
    """
    Return a check of secrets that hold a live key which is not due; of all of them where none is named.
    """

    def check(run: Run, _: str) -> None:
        items = run.secrets()
        stand = {name: (items[name]["status"], items[name]["verified"]["result"]) for name in names or items}
        assert set(stand.values()) == {("UpToDate", "Live")}, stand

    return check


def is_managed(name: str) -> Check:
    """
    Return a check of a secret that is managed and not due.
    """

    def check(run: Run, _: str) -> None:
        assert run.secrets()[name]["status"] == "UpToDate"

    return check


def needs_nobody(run: Run, _: str) -> None:
    """
    See nothing but what is due, and what is paused to be resumed later.
    """
    assert {item["status"] for item in run.secrets().values()} == {"UpToDate", "Due", "Paused"}


def is_paused_and_resumed(run: Run, printed: str) -> None:
    """
    See that the list of what is paused has named it.
    """
    says("Paused  localhost", "2 Paused")(run, printed)
    assert run.secrets()["batch-key"]["status"] == "Due"


def is_let_go(run: Run, _: str) -> None:
    """
    See that the app manages it no longer.
    """
    assert "openai-key" not in run.secrets()


def is_rotated_at_once(run: Run, printed: str) -> None:
    """
    See the plan, and then the rotation.
    """
    says("Planned", "Completed (Primary -> Secondary)")(run, printed)
    is_well("batch-key")(run, printed)


def is_swept(run: Run, _: str) -> None:
    """
    Wait until what is due is rotated.
    """
    due = ("batch-key", "workflow-url", "storage-connection")
    eventually(lambda: {run.secrets()[name]["status"] for name in due} == {"UpToDate"})
    is_well(*due)(run, "")


def is_rotated_although_one_waits(run: Run, printed: str) -> None:
    """
    See that the one which waits stays.
    """
    says("Completed (Secondary -> Primary)")(run, printed)
    assert len(waiting(run)) == 1


def is_to_be_revoked(run: Run, _: str) -> None:
    """
    See that the secret has moved, and that its key dies later.
    """
    item = run.secrets()["batch-key"]
    assert (item["keyName"], item["leakedKey"]) == ("Secondary", None)
    assert set(revocations(run)) == {"mybatch", "partners"}


def is_moved(run: Run, _: str) -> None:
    """
    See that no secret holds a leaked key any more.
    """
    items = run.secrets()
    assert (items["partner-key"]["status"], items["partner-key"]["keyName"]) == ("UpToDate", "Secondary")
    assert {item["leakedKey"] for item in items.values()} == {None}


def is_cancelled(run: Run, printed: str) -> None:
    """
    See that the leaked key stays alive, and that the other revocation stands.
    """
    says("cancelled")(run, printed)
    assert set(revocations(run)) == {"partners"}


def is_all_reported(run: Run, _: str) -> None:
    """
    See that every secret has moved, and that the key which it held is to be revoked.
    """
    items = run.secrets()
    assert {(item["lastRotation"]["state"], item["leakedKey"]) for item in items.values()} == {("Completed", None)}
    assert set(revocations(run)) == {item["target"].split("/")[-1] for item in items.values()}


#: In the order of the pages.
STEPS = (
    Step("rotator health", says("Healthy", "Drifted", "Misconfigured", "Live now", "ScopeLocked"), state="Failed"),
    Step("rotator status", says("NearlyManaged", "provider_refused", "Planned")),
    Step("rotator rotate render-key --force", is_well("render-key")),
    Step("rotator show search-key", says("Failed (provider_refused)")),
    Step("rotator rotate search-key", is_well("search-key")),
    Step("rotator manage archive-key", is_managed("archive-key")),
    Step("rotator set report-key", is_managed("report-key")),
    Step("rotator status --refresh", needs_nobody),
    Step("rotator pause batch-key", is_paused_and_resumed),
    Step("rotator unmanage openai-key", is_let_go),
    Step("rotator rotate batch-key --dry-run", is_rotated_at_once),
    Step('echo "x-functions-key', is_swept),
    Step("rotator history --state failed", says("provider_refused"), state="Failed"),
    Step("rotator history --state scheduled", says("too_soon until"), needs=let_one_wait),
    Step("rotator rotate batch-key --ignore-grace", is_rotated_although_one_waits),
    Step("rotator leak batch-key", is_to_be_revoked),
    Step("rotator resume partner-key", is_moved, needs=let_no_timer_come),
    Step("rotator cancel ID", is_cancelled, state="Scheduled", about="/mybatch"),
    Step("rotator rotate search-key --key KEY --force", says("Completed (Secondary -> Secondary)"), key="Secondary"),
    Step("rotator rotate --target", says("batchAccounts/archive: Completed (Secondary)")),
    Step("rotator rotate --all", is_all_reported, needs=let_no_key_be_leaked),
    Step("rotator history --since 12h --state failed", is_well()),
    Step("rotator history --state regenerating", says("no rotations")),
)
PROCEDURES = [pytest.param(block, step, id=step.command) for block, step in zip(RUNNABLE, STEPS, strict=False)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """
    Yield a run in which a second rotation comes too soon, and in which no message waits long.
    """
    folder = tmp_path_factory.mktemp("runbook")
    settings = {"ROTATION_GRACE_HOURS": "24", MAX_POLLING_INTERVAL: OFTEN}
    with start(folder, folder / "run", 2 * PATIENCE, **settings) as run:
        run.read(READY)
        yield run


def eventually(is_so: Callable[[], bool]) -> None:
    """
    Wait until something is so.
    """
    for _ in range(2 * PATIENCE):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("it has not become so")


@pytest.mark.parametrize(("block", "step"), PROCEDURES)
def test_every_procedure_does_what_the_page_says(run: Run, block: Block, step: Step) -> None:
    """
    One after another, on the secrets of one `make start`, with a person who says yes.
    """
    step.needs(run)
    commands = block.text
    if step.state:
        found = [one["id"] for one in rotations(run, step.state) if (one["target"] or "").endswith(step.about)]
        commands = re.sub(r"\bID\b", found[0], commands)
    commands = re.sub(r"\bKEY\b", step.key or "KEY", commands)

    shell = run.shell(run.pasted, "set -e", "{", commands, "} <<YES", "y", "YES")

    assert shell.returncode == 0, shell.stdout + shell.stderr
    step.leaves(run, shell.stdout + shell.stderr)


def test_every_block_is_run_or_needs_azure() -> None:
    """
    The steps are the blocks of the pages, in their order.
    """
    names = [block.name for block in RUNNABLE]

    assert [name[: len(step.command)] for name, step in zip(names, STEPS, strict=False)] == [s.command for s in STEPS]
    assert names[len(STEPS) :] == []


def test_what_needs_azure_is_a_command_of_azure() -> None:
    """
    Nothing that the local cloud could run is left out.
    """
    marked = [block.text for block in BLOCKS if block.needs_azure]

    assert marked
    assert [text for text in marked if not re.match(r"(MASTER_KEY=\$\()?azd? ", text)] == []
