"""
When the judge of the chaos takes a rotation for over.
"""

import json
from typing import Any

from adapters.ledger_keys import ACCEPTED, OUTBOX, STANDING
from localcloud.azure.request_log import LoggedRequest
from tests.chaos.ledger_history import LedgerHistory, claim_key

RECORD = {"state": "Completed"}
CLAIM = claim_key("/subscriptions/s/resourceGroups/g/providers/Microsoft.Batch/batchAccounts/a")


def _row(key: str, row: dict[str, Any]) -> bytes:
    return json.dumps({"RowKey": key, "RotationId": "r", "Row": json.dumps(row)}).encode()


def _write(operation: str, target: str) -> LoggedRequest:
    return LoggedRequest(1, "table", "POST", "/rotations", operation, target)


def test_a_rotation_is_over_only_when_its_outcome_has_been_published() -> None:
    """
    The record is kept before it is published, and the outbox keeps it until then.
    """
    history = LedgerHistory()
    history.take(_write("Ledger.Insert", CLAIM), _row(CLAIM, {"journal": None}))
    assert not history.is_settled("r")
    history.take(
        _write("Ledger.Transaction", CLAIM),
        _row(f"{STANDING}r", RECORD) + b"\n" + _row(f"{OUTBOX}r", {"record": RECORD}),
    )
    assert not history.is_settled("r")
    history.take(_write("Ledger.Delete", f"{OUTBOX}r"), b"")
    assert history.is_settled("r")
    assert history.outcome("r") == RECORD


def test_a_rotation_that_waits_for_its_time_is_not_over() -> None:
    """
    It is told from one that was accepted and has not begun.
    """
    history = LedgerHistory()
    history.take(_write("Ledger.Insert", f"{ACCEPTED}r"), _row(f"{ACCEPTED}r", {"request": {"waits": True}}))
    assert not history.deferred
    history.take(_write("Ledger.Insert", CLAIM), _row(CLAIM, {"journal": None}))
    deferred = _row(f"{ACCEPTED}r", {"request": {"waits": True, "deferred": True}})
    history.take(_write("Ledger.Transaction", CLAIM), deferred)
    assert history.deferred == {"r"} == history.rotations
    assert not history.is_settled("r")
