import pytest

from benchmarks.breakdown import (
    COMPUTING,
    INDEXING,
    INTERPRETER,
    WAITING,
    Breakdown,
    Share,
    break_down,
    without_small_ones,
)
from benchmarks.measured import Import, Mark, Run


def run(*imports: Import) -> Run:
    """
    Return a run of 10 seconds: a second until the interpreter is up, two more until the app is indexed.
    """
    marks = {"started": Mark(1.0, 0.0), "indexed": Mark(3.0, 0.0), "first": Mark(10.0, 0.0), "all": Mark(11.0, 0.0)}
    return Run(marks=marks, rotations=[], imports=imports, found_due=0, peak=0, spawned=0.0)


def seconds(found: Breakdown) -> dict[str, float]:
    """
    Return the seconds of each share.
    """
    return {name: share.seconds for name, share in found.shares.items()}


def test_every_instant_belongs_to_one_line() -> None:
    """
    Requests at the same time count once, and the shares add up to the whole.
    """
    found = break_down(run(), [(4.0, 6.0), (5.0, 7.0)], "first")

    assert seconds(found) == {INTERPRETER: 1.0, INDEXING: 2.0, COMPUTING: 4.0, WAITING: 3.0}
    assert found.seconds == 10.0


def test_an_import_counts_without_those_that_it_makes() -> None:
    """
    The code of a module that runs inside another's belongs to its own package.
    """
    outer, inner = Import("azure.identity.aio", 4.0, 8.0), Import("msal.application", 5.0, 6.0)

    found = break_down(run(outer, inner), [], "first")

    assert seconds(found)["import of azure.identity"] == 3.0
    assert seconds(found)["import of msal"] == 1.0


def test_an_import_that_hides_behind_a_request_is_told() -> None:
    """
    It keeps the process busy, so it is no waiting; how much of it cost no time stands beside it.
    """
    found = break_down(run(Import("azure.mgmt.batch", 4.0, 8.0)), [(5.0, 9.0)], "first")

    assert found.shares["import of azure.mgmt.batch"] == Share(4.0, 3.0)
    assert found.shares[WAITING] == Share(1.0, 1.0)


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("rotation.run.rotator", "this app"),
        ("json.decoder", "the standard library"),
        ("azure.functions.meta", "azure.functions"),
        ("azure.keyvault.secrets.aio", "azure.keyvault.secrets"),
        ("aiohttp.client", "aiohttp"),
        ("benchmarks.worker.serving", "the measuring worker, and rivals"),
    ],
)
def test_a_module_is_counted_with_its_package(module: str, package: str) -> None:
    """
    The namespace of Azure holds many packages.
    """
    assert f"import of {package}" in break_down(run(Import(module, 4.0, 5.0)), [], "first").shares


def test_small_imports_are_counted_together_where_they_are_small_everywhere() -> None:
    """
    A line that matters in one column is kept in all.
    """
    small, large, waiting = Share(0.001), Share(0.1), Share(0.002)
    breakdowns = {
        "Batch": Breakdown({"import of attr": small, "import of idna": small, WAITING: waiting}),
        "workflow": Breakdown({"import of attr": large}),
    }

    found = without_small_ones(breakdowns)

    assert set(found["Batch"].shares) == {"import of attr", "import of other packages", WAITING}
    assert set(found["workflow"].shares) == {"import of attr"}
