"""
Examples of the problems in the description of the API, in the words that the app says them in.
"""

from typing import Any

from handlers.examples import ALLOWED_ON, ROTATION_ID, SECRET_ID, TARGET_ID, WHY_DRIFTED
from handlers.problems import STATUS, TYPE

_DETAILS = {
    "malformed": "the body is empty; it must be JSON",
    "unauthorized": (
        "nobody has signed in; sign in at /.auth/login/aad, or send a token of the app registration as Bearer"
    ),
    "too_large": "the body has 20,000 bytes; it must have at most 16,384",
    "already_managed": (f'{SECRET_ID} is managed for {TARGET_ID}-too; PATCH it with {{"managed": false}} first'),
    "name_deleted": (
        "set of secret 'my-key': 409 ObjectIsDeletedButRecoverable: a deleted secret has this name. Recover the "
        "deleted secret (az keyvault secret recover) or purge it, then ask again"
    ),
    "observing": (
        "the app only observes (ROTATION_MODE=observe) and changes no secret; set ROTATION_MODE=rotate first"
    ),
    "forbidden": "https://other.vault.azure.net is none of the vaults of ROTATION_VAULTS",
    "secret_not_found": f"there is no secret {SECRET_ID}",
    "target_not_found": f"listKeys of {TARGET_ID}: 404 ResourceNotFound: no such resource",
    "rotation_not_found": f"there is no rotation {ROTATION_ID}",
    "busy": f"rotation {ROTATION_ID} of the same target is still running; try again when it has ended",
    "active_key": f"Primary of {TARGET_ID} is the key that the secret holds",
    "drift": WHY_DRIFTED,
    "single_key": "both keys give the same credential, so there is no alternate to move to",
    "too_soon": (
        f"a managed secret held Primary of {TARGET_ID} until a while ago, and clients that have cached it may go on "
        f"with it until {ALLOWED_ON}; ask again then, with another Idempotency-Key if you gave one, or say ignoreGrace "
        "to regenerate it at once"
    ),
    "misconfigured": "secret 'my-key': tag ValidityPeriodDays is '7'; it must be 31 to 3650",
    "revocation_pending": (
        f"the other key of {TARGET_ID} was reported as leaked before, and is revoked by rotation {ROTATION_ID}: until "
        "that has ended, clients need this one. Report it again then, or cancel that rotation with "
        f"DELETE /rotations/{ROTATION_ID}"
    ),
    "not_cancellable": (
        f"rotation {ROTATION_ID} cannot be cancelled: it has ended (Completed); only a rotation in the state Scheduled "
        "can be"
    ),
    "provider_refused": f"regenerateKeys of {TARGET_ID}: 403 AuthorizationFailed: no right to do that",
    "vault_refused": "set of secret 'my-key': 403 Forbidden: no right to do that",
    "key_refused": (
        f"secret 'my-key': the new Secondary of {TARGET_ID} does not work, and the key in use does: "
        "mybatch.westeurope.batch.azure.com: 403 AuthenticationFailed. It is not stored; the secret still holds its "
        "live key"
    ),
    "exhausted": "10 attempts ended without a result; the secret still holds its live key",
    "idempotency_conflict": "the Idempotency-Key was used with another body before",
    "unavailable": "get of secret 'my-key': no connection",
    "settings": "the app is not set up: setting ROTATION_VAULTS must be vault URIs with commas between them",
}
_WITH_A_ROTATION = {"busy", "active_key", "drift", "single_key", "misconfigured", "target_not_found"}
_WITH_A_ROTATION |= {"key_refused", "exhausted", "too_soon", "revocation_pending", "not_cancellable"}


def problem_example(code: str) -> dict[str, Any]:
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
    if code in _WITH_A_ROTATION:
        shown["rotationId"] = ROTATION_ID
    return shown | ({"allowedOn": ALLOWED_ON} if code == "too_soon" else {})
