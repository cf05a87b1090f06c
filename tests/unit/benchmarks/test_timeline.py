from datetime import UTC, datetime

import pytest

from benchmarks.timeline import draw, rounds
from localcloud.azure.instant import Instant
from localcloud.azure.request_log import LoggedRequest


def request(began: float, ended: float, operation: str = "Vault.GetSecret") -> LoggedRequest:
    """
    Return a request between two instants.
    """
    entry = LoggedRequest(1, "vault", "GET", "/", operation)
    entry.received, entry.ended = (Instant(datetime.now(UTC), instant) for instant in (began, ended))
    return entry


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([], 0),
        ([(0, 2), (1, 3)], 1),
        ([(0, 1), (1, 2)], 2),
        ([(0, 2), (0, 3), (2, 4), (3, 5)], 2),
        ([(0, 9), (1, 2), (3, 4)], 2),
    ],
)
def test_rounds_are_those_that_waited_for_one_another(requests: list[tuple[float, float]], expected: int) -> None:
    """
    Requests that are under way at the same time are one round trip.
    """
    assert rounds([request(*each) for each in requests]) == expected


def test_bars_show_what_was_under_way_together() -> None:
    """
    A bar begins where its request did, and is as long.
    """
    lines = draw([request(10.0, 10.5), request(10.5, 11.0, "Ledger.Insert")], 10.0, 11.0)

    first, second = (line.split("|")[1] for line in lines[1:3])
    assert first.strip() == second.strip() == "█" * 30
    assert (first.index("█"), second.index("█")) == (0, 30)
    assert [line.split("| ")[-1] for line in lines[1:]] == ["Vault.GetSecret", "Ledger.Insert", "the end"]
