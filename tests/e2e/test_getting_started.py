from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.markdown_page import FIRST_STEPS, blocks, read
from tests.e2e.test_start import READY, Run, start


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """
    Yield a run of `make start`.
    """
    with start(tmp_path, tmp_path / "run") as run:
        run.read(READY)
        yield run


def test_every_command_for_this_machine_does_what_the_page_says(run: Run) -> None:
    """
    Run them one after another: secrets of each kind are created, rotated, paused, resumed and managed.
    """
    started, *commands = [block.text for page in FIRST_STEPS for block in blocks(read(page)) if not block.needs_azure]
    assert started == "make start"

    shell = run.shell(run.pasted, "set -e", *commands)

    assert shell.returncode == 0, shell.stderr
    items = run.secrets()
    created = {name: items[name] for name in ("render-farm", "orders-url", "images", "assistant")}
    assert {(item["status"], item["keyName"]) for item in created.values()} == {
        ("UpToDate", "Primary"),
        ("UpToDate", "Secondary"),
    }
    assert {item["provider"] for item in created.values()} == {
        "Microsoft.Batch/batchAccounts",
        "Microsoft.Web/sites/workflows",
        "Microsoft.Storage/storageAccounts",
        "Microsoft.CognitiveServices/accounts",
    }
    assert items["render-farm"]["keyName"] == items["batch-key"]["keyName"] == "Secondary"
    assert items["batch-key"]["lastRotation"]["state"] == "Completed"
    assert "Planned" in shell.stdout
    assert "Paused" in shell.stdout
    assert items["render-farm"]["leakedKey"] is None
    assert {items[name]["status"] for name in ("render-nightly", "archive-key")} == {"UpToDate"}
