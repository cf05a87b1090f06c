import pytest

from benchmarks.kind import Kind
from benchmarks.units import Cost, billed, ceilings, gigabyte_seconds, units

BATCH = Cost(
    0.56,
    {
        "Vault.GetSecret": 2,
        "Vault.SetSecret": 1,
        "Batch.GetAccount": 3,
        "Batch.RegenerateKeys": 1,
        "Ledger.Insert": 1,
    },
)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0, 1.0), (0.56, 1.0), (1.0, 1.0), (1.01, 1.1), (1.1, 1.1), (2.34, 2.4)]
)
def test_a_short_execution_is_billed_as_a_second(seconds: float, expected: float) -> None:
    """
    Above that, tenths of a second are rounded up.
    """
    assert billed(seconds) == pytest.approx(expected)


def test_a_gigabyte_second_is_a_second_of_a_gigabyte() -> None:
    """
    An instance of half the memory costs half.
    """
    assert gigabyte_seconds(3.0, 512) == pytest.approx(1.5)


def test_units_count_what_was_asked() -> None:
    """
    Every operation that was logged is in the table, below the sum of its service.
    """
    rows = {name: values for name, *values in units({Kind.BATCH: BATCH}, {Kind.BATCH: 0.05}).rows}

    assert rows["requests to Key Vault"] == ["3"]
    assert rows["· Vault.SetSecret"] == ["1"]
    assert rows["requests to topic"] == ["0"]
    assert rows["GB-s at 2,048 MB, alone"] == ["4.00"]
    assert rows["GB-s at 2,048 MB, in bulk"] == ["0.100"]


def test_the_narrowest_bound_is_the_first() -> None:
    """
    What breaks first stands first: ten writes a second of ARM, at one for a rotation. Reads are none.
    """
    rows = ceilings({Kind.BATCH: BATCH}, {Kind.BATCH: 50.0}, 36_000).rows

    assert rows[0] == ["ARM, writes of a subscription, Batch", "10.0", "1.0 h"]
    assert [float(rate) for _, rate, _ in rows] == sorted(float(rate) for _, rate, _ in rows)
