"""
The examples of the API's description, about a target of the first kind. A test holds each against its schema.
"""

from typing import Any

from handlers.problems import STATUS, TYPE
from providers import KINDS

ROTATION_ID = "0b112d10-c79f-56c4-a589-e94e094e8418"

_VAULT = "https://my-vault.vault.azure.net"
_SECRET = f"{_VAULT}/secrets/my-key"
_KIND = KINDS[0]
_PLACE = {"subscription": "00000000-0000-0000-0000-000000000000", "resource_group": "my-group"}
_TARGET = _KIND.target(_PLACE | dict(_KIND.example)).shown_by
_CONTINUATION = "WyIyNTE2NDQyOTE4NzY1NDMyMTA6MGIxMTJkMTAiXQ"

_RECORD: dict[str, Any] = {
    "id": ROTATION_ID,
    "state": "Completed",
    "trigger": "Http",
    "provider": _KIND.provider,
    "target": _TARGET,
    "keyName": "Secondary",
    "previousKeyName": "Primary",
    "secret": {
        "vault": _VAULT,
        "name": "my-key",
        "version": "bb15d3a2f0c34ea9a7a5b5cfe32a4f61",
        "previousVersion": "9959a6e8cc2b4f0c8a0c4d1c2f8f5d4e",
        "expiresOn": "2027-02-20T04:17:01Z",
    },
    "adopted": False,
    "startedOn": "2026-11-22T04:17:01.323875Z",
    "completedOn": "2026-11-22T04:17:01.460964Z",
    "attempts": 1,
    "reason": "quarterly",
    "error": None,
    "skipReason": None,
    "proven": True,
}
_PINNED = {
    "vault": _VAULT,
    "name": "my-key",
    "version": "9959a6e8cc2b4f0c8a0c4d1c2f8f5d4e",
    "previousVersion": None,
    "expiresOn": None,
}
_UNFINISHED = _RECORD | {
    "state": "Accepted",
    "provider": None,
    "target": None,
    "keyName": None,
    "previousKeyName": None,
    "secret": _PINNED,
    "completedOn": None,
}

REQUESTS: dict[str, Any] = {
    "secret": {"summary": "Rotate a secret", "value": {"secret": _SECRET, "reason": "quarterly"}},
    "dryRun": {"summary": "Say what would happen", "value": {"secret": _SECRET, "dryRun": True}},
    "leak": {
        "summary": "After a leak: move the clients, and kill the leaked key an hour later",
        "value": {"secret": _SECRET, "reason": "leaked in a log", "revokePreviousAfter": "PT1H"},
    },
    "target": {
        "summary": "Regenerate a key that no secret holds",
        "value": {"target": _TARGET, "key": "Secondary", "reason": "handed to a supplier"},
    },
}

ENDED: dict[str, Any] = {
    "completed": {"value": _RECORD},
    "skipped": {
        "value": _RECORD
        | {"state": "Skipped", "keyName": None, "previousKeyName": None, "secret": _PINNED, "skipReason": "paused"}
    },
    "planned": {
        "value": _RECORD
        | {
            "state": "Planned",
            "secret": _PINNED,
            "completedOn": None,
            "steps": [
                {"step": "claim", "detail": f"claim {_TARGET}, so that nobody else rotates it meanwhile"},
                {"step": "inspect", "detail": f"read both keys of {_TARGET}: the secret holds Primary"},
                {"step": "regenerate", "detail": "regenerate Secondary; its present value is dead from then on"},
                {"step": "store", "detail": f"make a new version of {_SECRET} with Secondary"},
                {"step": "end", "detail": "Completed"},
            ],
        }
    },
}
ACCEPTED: dict[str, Any] = {"accepted": {"value": _UNFINISHED}}

ROTATIONS_QUERY: dict[str, Any] = {
    "target": _TARGET,
    "secret": _SECRET,
    "state": "Failed",
    "since": "2026-11-01T00:00:00Z",
    "top": 50,
    "continuation": _CONTINUATION,
}
ROTATIONS: dict[str, Any] = {"page": {"value": {"rotations": [_RECORD], "continuation": None}}}

SECRETS_QUERY: dict[str, Any] = {
    "target": _TARGET,
    "status": "Overdue",
    "refresh": False,
    "top": 100,
    "continuation": _CONTINUATION,
}
SECRETS: dict[str, Any] = {
    "page": {
        "value": {
            "secrets": [
                {
                    "secret": {"vault": _VAULT, "name": "my-key"},
                    "target": _TARGET,
                    "provider": _KIND.provider,
                    "keyName": "Secondary",
                    "expiresOn": "2027-02-20T04:17:01Z",
                    "status": "UpToDate",
                    "why": None,
                    "sharesTargetWith": [f"{_VAULT}/secrets/my-key-of-billing"],
                    "lastRotation": {
                        "id": ROTATION_ID,
                        "state": "Completed",
                        "trigger": "Http",
                        "completedOn": "2026-11-22T04:17:01.460964Z",
                        "error": None,
                    },
                    "seenOn": "2026-11-24T03:00:00Z",
                    "verified": {"on": "2026-11-24T03:00:04Z", "result": "Live", "why": None},
                }
            ],
            "asOf": "2026-11-24T03:00:00Z",
            "continuation": None,
        }
    }
}

_CHECKS = {
    "settings": "ok",
    "ledger": "ok",
    "vaults": "ok",
    "identity": "ok",
    "events": "ok",
    "secrets": "needs attention",
}
HEALTHY: dict[str, Any] = {"healthy": {"value": {"status": "Healthy", "checks": _CHECKS}}}
UNHEALTHY: dict[str, Any] = {
    "unhealthy": {"value": {"status": "Unhealthy", "checks": _CHECKS | {"vaults": "declined"}}}
}

_DETAILS = {
    "malformed": "the body is empty; it must be JSON",
    "forbidden": "https://other.vault.azure.net is none of the vaults of ROTATION_VAULTS",
    "secret_not_found": f"there is no secret {_SECRET}",
    "target_not_found": f"listKeys of {_TARGET}: 404 ResourceNotFound: no such resource",
    "rotation_not_found": f"there is no rotation {ROTATION_ID}",
    "busy": f"rotation {ROTATION_ID} of the same target is still running; try again when it has ended",
    "active_key": f"Primary of {_TARGET} is the key that the secret holds",
    "drift": f"the secret's value is neither key of {_TARGET}: a key was regenerated by hand",
    "single_key": "both keys give the same credential, so there is no alternate to move to",
    "too_soon": (
        f"a managed secret held Primary of {_TARGET} until a while ago, and clients that have cached it may go on with "
        "it until 2026-11-25T04:17:02Z; ask again then, or say ignoreGrace to regenerate it at once"
    ),
    "misconfigured": "secret 'my-key': tag ValidityPeriodDays is '7'; it must be 31 to 3650",
    "provider_refused": f"regenerateKeys of {_TARGET}: 403 AuthorizationFailed: no right to do that",
    "vault_refused": "set of secret 'my-key': 403 Forbidden: no right to do that",
    "key_refused": (
        f"secret 'my-key': the new Secondary of {_TARGET} does not work, and the key in use does: "
        "mybatch.westeurope.batch.azure.com: 403 AuthenticationFailed. It is not stored; the secret still holds its "
        "live key"
    ),
    "exhausted": "10 attempts ended without a result; the secret still holds its live key",
    "idempotency_conflict": "the Idempotency-Key was used with another body before",
    "unavailable": "get of secret 'my-key': no connection",
    "settings": "the app is not set up: setting ROTATION_VAULTS must be vault URIs with commas between them",
}
_WITH_A_ROTATION = {"busy", "active_key", "drift", "single_key", "misconfigured", "target_not_found"}
_WITH_A_ROTATION |= {"key_refused", "exhausted", "too_soon"}


def problem(code: str) -> dict[str, Any]:
    """
    Return an example of a problem.
    """
    status = STATUS[code]
    shown: dict[str, Any] = {
        "type": f"{TYPE}{code}",
        "title": status.phrase,
        "status": int(status),
        "code": code,
        "detail": _DETAILS[code],
    }
    return shown | ({"rotationId": ROTATION_ID} if code in _WITH_A_ROTATION else {})
