from collections import Counter

import pytest

from benchmarks.measured import Mark, Run
from benchmarks.rotatable import Fleet
from benchmarks.stage import SUBSCRIPTIONS
from benchmarks.sweeps import PARTS, WHOLE, Sweep, figures_of, goals_of, table_of

LOOK, VERIFICATION, ATTENTION = PARTS.values()


def sweep(secrets: int, *, verified_after: float, peak: int) -> Sweep:
    """
    Return a sweep whose look takes 2 seconds, and whose count takes one.
    """
    ends = {"first": 10.0, "swept": 12.0, "verified": 12.0 + verified_after, "all": 13.0 + verified_after}
    marks = {name: Mark(at, at / 2) for name, at in ends.items()}
    fleet = Fleet(secrets, sharing=4, due_one_in=100, subscriptions=SUBSCRIPTIONS)
    look = Counter({"Vault.ListSecrets": secrets // 25, "Ledger.Transaction": 2})
    verification = Counter({"Vault.GetSecret": secrets, "Batch.ListKeys": fleet.targets, "Ledger.Query": fleet.targets})
    attention = Counter({"Ledger.Query": 3})
    asked = {LOOK: look, VERIFICATION: verification, ATTENTION: attention, WHOLE: look + verification + attention}
    return Sweep(fleet, Run(marks, (), (), fleet.due, peak), asked)


def test_each_part_of_a_sweep_has_a_row_of_its_own() -> None:
    """
    Time and requests are those between its marks; the peak is the whole sweep's.
    """
    whole, *parts = table_of([sweep(1_000, verified_after=6.0, peak=80_000_000)]).rows

    assert whole == ["1,000 secrets, 250 targets", "9.0", "4.5", "1,040", "250", "255", "80"]
    assert parts == [
        ["· look", "2.0", "1.0", "40", "0", "2", ""],
        ["· verification", "6.0", "3.0", "1,000", "250", "250", ""],
        ["· attention", "1.0", "0.5", "0", "0", "3", ""],
    ]


def test_a_verification_is_held_against_its_pace() -> None:
    """
    Ten targets a second in each subscription: 250 targets in five take five seconds at the least.
    """
    limits = {figure.name: figure.limit for figure in figures_of([sweep(1_000, verified_after=6.0, peak=1)])}

    limit = limits["its verification: 250 targets in 5 subscriptions"]
    assert limit is not None
    assert limit.median == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("verified_after", "peak", "met"),
    [
        (55.0, 110_000_000, [True, True, True]),
        (95.0, 100_000_000, [True, False, True]),
        (150.0, 120_000_000, [False, False, False]),
    ],
)
def test_a_sweep_is_linear_and_paced_and_flat(verified_after: float, peak: int, met: list[bool]) -> None:
    """
    In time against the sweep of a tenth of the secrets, in its verification against the pace, and in its memory.
    """
    few = sweep(1_000, verified_after=6.0, peak=100_000_000)
    many = sweep(10_000, verified_after=verified_after, peak=peak)

    assert [goal.is_met for goal in goals_of([few], [many])] == met
