"""
Errors as callers see them: RFC 9457 `application/problem+json` with a stable `code`.
"""

import logging
import math
from datetime import datetime
from http import HTTPStatus

import azure.functions as func
import msgspec
from msgspec import UNSET

from handlers.contract import ProblemDetails
from rotation.vocabulary.endings import RevocationPending
from rotation.vocabulary.errors import (
    Busy,
    DependencyError,
    NotCancellable,
    RotationError,
    SettingsError,
    Unfinished,
)
from rotation.vocabulary.limits import ASK_AGAIN_AFTER
from rotation.vocabulary.record import Rotation

#: The code of every problem, and its status.
STATUS = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "forbidden": HTTPStatus.FORBIDDEN,
    "secret_not_found": HTTPStatus.NOT_FOUND,
    "target_not_found": HTTPStatus.NOT_FOUND,
    "rotation_not_found": HTTPStatus.NOT_FOUND,
    "busy": HTTPStatus.CONFLICT,
    "active_key": HTTPStatus.CONFLICT,
    "drift": HTTPStatus.CONFLICT,
    "single_key": HTTPStatus.CONFLICT,
    "too_soon": HTTPStatus.CONFLICT,
    "revocation_pending": HTTPStatus.CONFLICT,
    "not_cancellable": HTTPStatus.CONFLICT,
    "already_managed": HTTPStatus.CONFLICT,
    "name_deleted": HTTPStatus.CONFLICT,
    "observing": HTTPStatus.CONFLICT,
    "misconfigured": HTTPStatus.CONFLICT,
    "provider_refused": HTTPStatus.FAILED_DEPENDENCY,
    "vault_refused": HTTPStatus.FAILED_DEPENDENCY,
    "key_refused": HTTPStatus.FAILED_DEPENDENCY,
    "exhausted": HTTPStatus.FAILED_DEPENDENCY,
    "idempotency_conflict": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "settings": HTTPStatus.SERVICE_UNAVAILABLE,
}
# RFC 9110 asks for it.
_HEADERS = {"unauthorized": {"WWW-Authenticate": "Bearer"}}
TYPE = "urn:azure-key-rotator:problem:"

_log = logging.getLogger(__name__)


def answer_to(error: RotationError) -> func.HttpResponse:
    """
    Return the answer to a call that has raised an error.
    """
    match error:
        case SettingsError():
            _log.error("%s", error)
            # Without the value, which may be an internal name.
            detail = f"the app is not set up: setting {error.setting} must be {error.expected}"
            return _answer("settings", detail, retry_after=ASK_AGAIN_AFTER)
        case Busy():
            return _answer(error.code, str(error), rotation_id=error.running, retry_after=ASK_AGAIN_AFTER)
        case RevocationPending():
            return _answer(error.code, str(error), rotation_id=error.revocation, retry_after=ASK_AGAIN_AFTER)
        case NotCancellable():
            return _answer(error.code, str(error), rotation_id=error.rotation)
        case DependencyError() | Unfinished():
            _log.warning("answered 503: %s", error)
            return _unavailable(error)
    return _answer(error.code, str(error))


def failure(rotation: Rotation) -> func.HttpResponse:
    """
    Return the answer about a rotation that has failed.
    """
    if rotation.error is None:
        raise ValueError(f"rotation {rotation.id} has not failed")
    return _answer(rotation.error.code, rotation.error.message, rotation_id=rotation.id)


def too_soon(rotation: Rotation, now: datetime) -> func.HttpResponse:
    """
    Return the answer about a rotation that was skipped because clients may go on with the key.
    """
    if rotation.allowed_on is UNSET:
        raise ValueError(f"rotation {rotation.id} was not too soon")
    detail = (
        f"a managed secret held {rotation.key_name} of {rotation.target} until a while ago, and clients that have "
        f"cached it may go on with it until {rotation.allowed_on:%Y-%m-%dT%H:%M:%SZ}; ask again then, with another "
        "Idempotency-Key if you gave one, or say ignoreGrace to regenerate it at once"
    )
    return _answer(
        "too_soon",
        detail,
        rotation_id=rotation.id,
        # After that time the same key gets the same answer.
        retry_after=seconds_until(rotation.allowed_on, now) if rotation.allowed_on > now else None,
        allowed_on=rotation.allowed_on,
    )


def seconds_until(moment: datetime, now: datetime) -> int:
    """
    Return what `Retry-After` says: a second at least.
    """
    return max(1, math.ceil((moment - now).total_seconds()))


def _unavailable(error: DependencyError | Unfinished) -> func.HttpResponse:
    asked_for = error.retry_after if isinstance(error, DependencyError) else None
    seconds = int(asked_for.total_seconds()) if asked_for else ASK_AGAIN_AFTER
    return _answer("unavailable", str(error), retry_after=max(1, seconds))


def _answer(
    code: str,
    detail: str,
    *,
    rotation_id: str | None = None,
    retry_after: int | None = None,
    allowed_on: datetime | None = None,
) -> func.HttpResponse:
    status = STATUS[code]
    problem = ProblemDetails(f"{TYPE}{code}", status.phrase, status, code, detail, rotation_id, allowed_on)
    return func.HttpResponse(
        msgspec.json.encode(problem),
        status_code=status,
        mimetype="application/problem+json",
        headers=({"Retry-After": str(retry_after)} if retry_after else {}) | _HEADERS.get(code, {}),
    )
