"""
What Batch says with each status, as resource provider and as data plane.

It rests on assumptions 2, 3 and 17 of docs/fidelity.md.
"""

from localcloud.azure.dialect import Wording
from localcloud.azure.wordings import SERVICE

_TOO_MANY = "The request rate is too high.{request_lines}"
_INTERNAL = "Server encountered an internal error. Please try again after some time.{request_lines}"
_BUSY = "Server is busy currently. Please retry after sometime.{request_lines}"
_ABOUT = {"target": "BatchAccount"}

MANAGEMENT = (
    Wording(404, "AccountNotFound", "The specified account does not exist.{request_lines}", more=_ABOUT),
    Wording(429, "TooManyRequests", _TOO_MANY, headers=SERVICE, more=_ABOUT),
    Wording(500, "InternalError", _INTERNAL, headers=SERVICE),
    Wording(503, "ServerBusy", _BUSY, headers=SERVICE),
)
DATA_PLANE = (
    Wording(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
        "including the signature.{request_lines}",
    ),
    Wording(429, "TooManyRequests", _TOO_MANY),
    Wording(500, "InternalError", _INTERNAL),
    Wording(503, "ServerBusy", _BUSY),
)
