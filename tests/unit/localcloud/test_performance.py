import pytest

from localcloud.kinds import KINDS
from localcloud.performance import Verdict

ROTATIONS = len(KINDS) + 1
GOOD = {"completed": ROTATIONS, "announced": ROTATIONS, "failed_calls": 0, "idle_clients": 0, "leaks": 0}


def test_the_demo_ends_well() -> None:
    """
    The line is what other tools look for.
    """
    verdict = Verdict(**GOOD)

    assert verdict.line == f"demo: {ROTATIONS} rotations completed, 0 failed client calls, 0 secrets leaked"
    assert verdict.status == 0


@pytest.mark.parametrize(
    ("count", "number"),
    [
        ("completed", ROTATIONS - 1),
        ("completed", 0),
        ("announced", ROTATIONS - 1),
        ("failed_calls", 1),
        ("idle_clients", 1),
        ("leaks", 1),
    ],
)
def test_any_number_that_is_off_is_an_exit_status(count: str, number: int) -> None:
    """
    The line tells what was counted, not what was hoped for.
    """
    verdict = Verdict(**GOOD | {count: number})

    assert verdict.status == 1
    assert (verdict.line == Verdict(**GOOD).line) == (count in {"announced", "idle_clients"})
