"""
What the body of an error answer states.

Azure Resource Manager, Key Vault and Event Grid state an error as `{"error": {"code", "message"}}`, Table storage as
`{"odata.error": {"code", "message": {"value"}}}`.

App Service has another shape for what the host of a site answered, or did not: HTTP 400 with `{"Code", "Message":
"Encountered an error (ServiceUnavailable) from host runtime.", ...}`. It says nothing about the request (reported:
LogicAppsUX issues 6161 and 9445, azure-functions-host issue 6568).

It rests on assumptions 1, 8, 10 and 90 of docs/fidelity.md.
"""

import json
from typing import Any

from msgspec import Struct

_FROM_A_SITES_HOST = "Encountered an error ("


class StatedError(Struct, frozen=True):
    """
    Code and message of an error.

    `is_of_the_service` says whether the service that was asked states it, in its own shape, and not App Service about
    the host of a site.
    """

    code: str | None
    message: str | None
    is_of_the_service: bool


def stated_error(body: str) -> StatedError | None:
    """
    Return the error that a body states, None for a body of another shape, such as the page of a proxy.
    """
    answer = _object_in(body)
    for name in ("error", "odata.error"):
        if isinstance(error := answer.get(name), dict):
            code, message = _text(error.get("code")), _text(error.get("message"))
            is_passed_on = message is not None and message.startswith(_FROM_A_SITES_HOST)
            return StatedError(code, message, is_of_the_service=code is not None and not is_passed_on)
    code, message = _text(answer.get("Code")), _text(answer.get("Message"))
    return StatedError(code, message, is_of_the_service=False) if code or message else None


def code_in(body: str) -> str | None:
    """
    Return the code of an error in the body of a data plane, of which some state it at the top.
    """
    answer = _object_in(body)
    error = answer.get("error")
    return _text((error if isinstance(error, dict) else answer).get("code"))


def _object_in(body: str) -> dict[str, Any]:
    """
    Return the JSON object that a body is, an empty one for any other body.
    """
    try:
        answer = json.loads(body.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _text(stated: Any) -> str | None:
    if isinstance(stated, dict):
        stated = stated.get("value")
    return stated if isinstance(stated, str) and stated else None
