"""
What the answers of the HTTP API have in common, and how its queries are read.
"""

from http import HTTPStatus
from typing import Any

import azure.functions as func
import msgspec

from handlers.contract import read_target_id
from wiring import wired

# What Azure's host itself reads of a query: a function key, and who it belongs to.
_HOSTS_OWN = {"code", "clientId"}


def query_of(request: func.HttpRequest) -> dict[str, str]:
    """
    Return the parameters that are meant for the app.
    """
    return {name: value for name, value in request.params.items() if name not in _HOSTS_OWN}


def identity_of_target(target: str | None) -> str | None:
    """
    Return the identity of a target that a query names, if it does. Raises `Malformed`.
    """
    return read_target_id(target, wired().providers.parse_target).identity if target else None


def answered(
    body: msgspec.Struct | dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> func.HttpResponse:
    """
    Return an answer with a body.
    """
    return func.HttpResponse(
        msgspec.json.encode(body), status_code=status, mimetype="application/json", headers=headers
    )
