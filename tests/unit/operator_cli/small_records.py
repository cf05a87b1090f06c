"""
The secrets and the records of the small app.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

VAULT = "https://kv-prod.vault.azure.net"
GROUP = "/subscriptions/0f9c2b1a-5a0b-4c57-9a5e-5d4a3f1b7c20/resourceGroups/my-group/providers"
OTHER = {"Primary": "Secondary", "Secondary": "Primary"}


def batch_account(name: str) -> str:
    """
    Return an ARM id.
    """
    return f"{GROUP}/Microsoft.Batch/batchAccounts/{name}"


@dataclass
class Secret:
    """
    A managed secret; `ends` is the state that its rotations end in, with the reason or the error's code.

    Scheduled is no end: the rotation is too soon, and the reason the time until which it waits.
    """

    name: str
    target: str = batch_account("mybatch")
    vault: str = VAULT
    key: str = "Primary"
    status: str = "UpToDate"
    why: str | None = None
    days: int | None = 60
    ends: tuple[str, str | None] = ("Completed", None)
    shares: list[str] = field(default_factory=list)
    last: dict[str, Any] | None = None
    verified: tuple[str, str | None] | None = None
    """The result of the last comparison, two hours ago, and why."""
    is_new: bool = False
    """Whether only a look at the vault finds it: refresh=true, or a question about this very secret."""
    held: str | None = None
    next_rotation: timedelta | None = None
    neighbours: list[dict[str, Any]] = field(default_factory=list)
    finds: tuple[str, str | None] | None = ("Live", None)
    """What the next comparison finds, None where its target may not be asked."""
    becomes: str | None = None
    """The status that the next comparison finds, if another one."""
    leaked: dict[str, Any] | None = None
    """`leakedKey`, while it holds a key that was reported."""

    @property
    def id(self) -> str:
        """
        The id without a version.
        """
        return f"{self.vault}/secrets/{self.name}"


def begun(body: dict[str, Any], secret: Secret | None, version: str) -> dict[str, Any]:
    """
    Return the record of a rotation that was accepted.
    """
    about = {"vault": secret.vault, "name": secret.name, "version": version} if secret else None
    return {
        "id": str(uuid.uuid4()),
        "state": "Accepted",
        "trigger": "Http",
        "provider": "Microsoft.Batch/batchAccounts",
        "target": secret.target if secret else body["target"],
        "keyName": body.get("key"),
        "previousKeyName": None,
        "secret": about and {**about, "previousVersion": None, "expiresOn": None},
        "adopted": False,
        "startedOn": "2026-11-22T04:17:01Z",
        "completedOn": None,
        "attempts": 1,
        "reason": body.get("reason"),
        "error": None,
        "aFieldOfALaterVersion": "kept",
    }


def planned(body: dict[str, Any], secret: Secret | None, sharing: list[str]) -> dict[str, Any]:
    """
    Return what a dry run answers.
    """
    record = begun(body, secret, f"{7:032x}") | {"state": "Planned"}
    record["steps"] = steps_of(record)
    if "revokePreviousAfter" in body and sharing:
        detail = f"rotate at once what holds Primary too: {', '.join(sharing)}"
        record["steps"].append({"step": "move", "detail": detail})
    if secret and secret.ends[0] == "Failed":
        record["error"] = {"code": secret.ends[1], "message": "this is what would happen", "retryable": False}
    if secret and secret.ends[0] == "Scheduled" and not is_waived(body, secret):
        record["allowedOn"] = secret.ends[1]
        record["steps"][1:] = [{"step": "end", "detail": "Skipped: too_soon. Clients may go on with Primary"}]
    return record


def steps_of(record: dict[str, Any]) -> list[dict[str, str]]:
    """
    Return the steps that a rotation would take.
    """
    return [
        {"step": "claim", "detail": f"claim {record['target']}"},
        {"step": "regenerate", "detail": "regenerate Secondary"},
        {"step": "announce", "detail": "publish KeyRotator.RotationCompleted"},
    ]


def is_waived(body: dict[str, Any], secret: Secret) -> bool:
    """
    Return whether a rotation that is too soon begins all the same.
    """
    return secret.ends[0] == "Scheduled" and "ignoreGrace" in body


def listed(secret: Secret) -> dict[str, Any]:
    """
    Return a secret as the list tells it.
    """
    expires_on = datetime.now(UTC) + timedelta(days=secret.days, hours=1) if secret.days is not None else None
    next_on = datetime.now(UTC) + secret.next_rotation if secret.next_rotation is not None else None
    return {
        "secret": {"vault": secret.vault, "name": secret.name or None},
        "target": secret.target or None,
        "provider": "Microsoft.Batch/batchAccounts",
        "keyName": secret.key or None,
        "expiresOn": expires_on and expires_on.isoformat(),
        "status": secret.status,
        "why": secret.why,
        "sharesTargetWith": secret.shares,
        "lastRotation": secret.last,
        "seenOn": "2026-11-22T03:00:00Z",
        "verified": secret.verified and verification(*secret.verified),
        "nextRotationOn": next_on and next_on.isoformat(),
        "leakedKey": secret.leaked,
    }


def detailed(secret: Secret) -> dict[str, Any]:
    """
    Return a secret as it is told alone.
    """
    return {**listed(secret), "heldKey": secret.held, "neighbours": secret.neighbours}


def verification(result: str, why: str | None) -> dict[str, Any]:
    """
    Return what came of a comparison, two hours ago.
    """
    on = datetime.now(UTC) - timedelta(hours=2, minutes=1)
    return {"on": on.isoformat(), "result": result, "why": why}
