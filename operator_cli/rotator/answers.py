"""
What an answer means, from the app, the host in front of it, or something else at that address.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from rotator.errors import CommandError, NotAdmitted, OutOfReach, Refusal

# An older app answers them as it answers a wrong address.
_NEW_METHODS = frozenset({"PUT", "PATCH", "DELETE"})
_KEY_REMEDY = (
    "KEY_ROTATOR_FUNCTION_KEY must be a function key of this app: "
    "az functionapp keys list --name my-rotator --resource-group my-group; where callers sign in, set "
    "KEY_ROTATOR_AUDIENCE instead"
)
_SIGN_IN_REMEDY = (
    "check that the audience, KEY_ROTATOR_AUDIENCE, is that of the app's sign-in, and that you are signed in to its "
    "tenant: az login --tenant"
)
_URL_REMEDY = "check --url or KEY_ROTATOR_URL, and that the app is deployed and running"


def content_of(response: httpx.Response, *, also: HTTPStatus | None = None) -> Any:
    """
    Return the JSON of a success, or of a status that is no failure of this call.

    Raises the `CommandError` that any other answer means.
    """
    if response.status_code != also or _problem(response):
        require_success(response)
    try:
        return response.json()
    except ValueError:
        raise OutOfReach(f"{_place(response)} answers {response.status_code} without JSON", _URL_REMEDY) from None


def require_success(response: httpx.Response) -> None:
    """
    Raise the `CommandError` that an answer means which is no success.
    """
    if not response.is_success:
        raise _meaning_of(response)


def wait_asked_by(response: httpx.Response) -> float | None:
    """
    Return the seconds of `Retry-After`, in either of its forms, None where there are none.
    """
    written = response.headers.get("Retry-After", "")
    if written.isascii() and written.isdigit():
        return float(written)
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def code_of(response: httpx.Response) -> str | None:
    """
    Return the code of the app's problem, None for an answer that is not one.
    """
    problem = _problem(response)
    return str(problem["code"]) if problem else None


def _meaning_of(response: httpx.Response) -> CommandError:
    problem = _problem(response)
    if problem and response.status_code != HTTPStatus.UNAUTHORIZED:
        rotation_id = problem.get("rotationId")
        detail = str(problem.get("detail") or problem.get("title") or "no detail")
        return Refusal(str(problem["code"]), detail, rotation_id and str(rotation_id), problem)
    status, place = response.status_code, _place(response)
    if status == HTTPStatus.UNAUTHORIZED:
        return _not_admitted(response)
    if status == HTTPStatus.FORBIDDEN:
        return NotAdmitted(
            f"{place} lets nobody in from here with this credential (403)",
            "check the app's access restrictions, whether it is stopped, and its sign-in",
        )
    if response.is_redirect:
        return NotAdmitted(
            f"{place} sends elsewhere ({status}), most likely to a sign-in",
            "give --audience, or KEY_ROTATOR_AUDIENCE, the audience of the app's sign-in; use https",
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return _not_there(response)
    return OutOfReach(f"{place} answers {status} {response.reason_phrase}".rstrip(), _URL_REMEDY)


def _not_there(response: httpx.Response) -> OutOfReach:
    place, status = _place(response), response.status_code
    if response.request.method in _NEW_METHODS:
        return OutOfReach(
            f"{place} does not know this call ({status})",
            "deploy the app in the version of this command line (rotator --version), or check KEY_ROTATOR_URL",
        )
    return OutOfReach(f"there is no key rotator at {place} ({status})", _URL_REMEDY)


def _not_admitted(response: httpx.Response) -> NotAdmitted:
    detail = (_problem(response) or {}).get("detail")
    return NotAdmitted(
        f"{_place(response)} does not accept the credential (401){f': {detail}' if detail else ''}",
        _SIGN_IN_REMEDY if "Authorization" in response.request.headers else _KEY_REMEDY,
    )


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    """
    Return the problem that the app itself has answered with.
    """
    try:
        problem = response.json()
    except ValueError:
        return None
    return problem if isinstance(problem, dict) and isinstance(problem.get("code"), str) else None


def _place(response: httpx.Response) -> str:
    url = response.request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
