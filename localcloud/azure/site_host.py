"""
What App Service answers for the host of a Logic App: HTTP 400 in a shape of its own, around the host's status by name.

Public reports have it (LogicAppsUX issues 6161, 9445 and 6271, azure-functions-host issue 6568), no recording does. It
says nothing about the request, which may have taken effect, or may yet.

It rests on assumption 8 of docs/fidelity.md.
"""

from itertools import product
from typing import Literal, TypeAlias, get_args

import msgspec

Status: TypeAlias = Literal[
    "ServiceUnavailable", "InternalServerError", "BadGateway", "GatewayTimeout", "NotFound", "Unauthorized"
]
Source: TypeAlias = Literal["host runtime", "extensions API"]


def error_body(code: str, message: str) -> object:
    """
    Return App Service's error object: in PascalCase, and not below `error`.
    """
    said = {"Code": code, "Message": message}
    details = [{"Message": message}, {"Code": code}, {"ErrorEntity": said}]
    return {**said, "Target": None, "Details": details, "Innererror": None}


def wrapped(status: Status = "ServiceUnavailable", source: Source = "host runtime") -> bytes:
    """
    Return the body of the 400.
    """
    return msgspec.json.encode(error_body("BadRequest", f"Encountered an error ({status}) from {source}."))


def every_body() -> tuple[bytes, ...]:
    """
    Return the body for each status and each source.
    """
    return tuple(wrapped(status, source) for status, source in product(get_args(Status), get_args(Source)))
