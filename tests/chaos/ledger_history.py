"""
What the ledger said, and when: every write that took effect, as it passed the storage tap.
"""

import json
import re
from collections import defaultdict
from datetime import datetime
from typing import Any

from adapters.ledger_keys import ACCEPTED, OPEN, OUTBOX, SCHEDULED, STANDING
from localcloud.azure.instant import Instant
from localcloud.azure.request_log import LoggedRequest

_JSON_LINE = re.compile(rb"^\{.*\}\s*$", re.MULTILINE)


class LedgerHistory:
    """
    Watches a storage tap. Rotations are known by their ids, targets by the row key of their claim.
    """

    def __init__(self) -> None:
        self.rotations: set[str] = set()
        """All that have begun. One that has changed nothing may give its claim back: then it has not begun."""
        self.deferred: set[str] = set()
        """All that were once to wait until their key may be regenerated."""
        self.outcomes: dict[str, dict[str, Any]] = {}
        """The record with which each has ended."""
        self._untold: set[str] = set()
        self._running: dict[str, str] = {}
        self._journals: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)

    def take(self, entry: LoggedRequest, body: bytes) -> None:
        """
        Take in a request that has taken effect.
        """
        if entry.operation == "Ledger.Delete":
            self._forget_row(entry.target)
        if entry.operation not in {"Ledger.Insert", "Ledger.Replace", "Ledger.Transaction"}:
            return
        written = _JSON_LINE.findall(body) if entry.operation == "Ledger.Transaction" else [body]
        for text in written:
            self._take_row(json.loads(text))

    def outcome(self, rotation: str) -> dict[str, Any] | None:
        """
        Return the record with which a rotation has ended.
        """
        return self.outcomes.get(rotation)

    def is_settled(self, rotation: str) -> bool:
        """
        Whether a rotation has ended and nothing is left to be published.
        """
        return rotation in self.outcomes and rotation not in self._untold

    def journaled(self, target: str, moment: datetime) -> str | None:
        """
        Return the rotation that had last journaled on a target before a moment: it sent what came in then.
        """
        earlier = [rotation for at, rotation in self._journals[claim_key(target)] if at <= moment]
        return earlier[-1] if earlier else None

    def _forget_row(self, key: str) -> None:
        """
        Take note that an outcome was published, or a claim given back: its caller knows, or its message comes again.
        """
        if key.startswith(OUTBOX):
            self._untold.discard(key.removeprefix(OUTBOX))
        elif (rotation := self._running.get(key, "")) not in self.outcomes:
            self.rotations.discard(rotation)

    def _take_row(self, entity: dict[str, Any]) -> None:
        rotation, key = entity.get("RotationId"), entity.get("RowKey", "")
        if rotation is None or key.startswith(STANDING):
            return
        row = json.loads(entity["Row"])
        if key.startswith((ACCEPTED, SCHEDULED)):
            if row["request"].get("deferred"):
                self.deferred.add(rotation)
            return
        self.rotations.add(rotation)
        if key.startswith(OPEN):
            self._running[key] = rotation
            if row["journal"]:
                self._journals[key].append((Instant.now().wall, rotation))
        elif key.startswith(OUTBOX):
            self._untold.add(rotation)
            self.outcomes[rotation] = row["record"]


def claim_key(target: str) -> str:
    """
    Return the row key of the claim on a target, given by its ARM id.
    """
    return OPEN + target.casefold().replace("/", "|")
