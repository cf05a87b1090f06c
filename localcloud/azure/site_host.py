"""
What App Service answers for the host of a Logic App: HTTP 400 in a shape of its own, around the host's status by name.

Public reports have it (LogicAppsUX issues 6161, 9445 and 6271, azure-functions-host issue 6568), no recording does. It
says nothing about the request, which may have taken effect, or may yet.

It rests on assumption 8 of docs/fidelity.md.
"""

from itertools import product
from typing import Literal, TypeAlias

import msgspec

Status: TypeAlias = Literal[
    "ServiceUnavailable", "InternalServerError", "BadGateway", "GatewayTimeout", "NotFound", "Unauthorized"
]
Source: TypeAlias = Literal["host runtime", "extensions API"]
STATUSES: tuple[Status, ...] = (
    "ServiceUnavailable",
    "InternalServerError",
    "BadGateway",
    "GatewayTimeout",
    "NotFound",
    "Unauthorized",
)
SOURCES: tuple[Source, ...] = ("host runtime", "extensions API")


def wrapped(status: Status = "ServiceUnavailable", source: Source = "host runtime") -> bytes:
    """
    Return the body of the 400.
    """
    code, message = "BadRequest", f"Encountered an error ({status}) from {source}."
    details = [{"Message": message}, {"Code": code}, {"ErrorEntity": {"Code": code, "Message": message}}]
    return msgspec.json.encode(
        {"Code": code, "Message": message, "Target": None, "Details": details, "Innererror": None}
    )


def every_body() -> tuple[bytes, ...]:
    """
    Return the body for each status and each source.
    """
    return tuple(wrapped(status, source) for status, source in product(STATUSES, SOURCES))
