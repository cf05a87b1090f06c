"""
What Microsoft.Web itself says with each status, in the shape of App Service (reported for its 400s).

It rests on assumptions 1, 2, 3 and 9 of docs/fidelity.md.
"""

from localcloud.azure.dialect import Wording
from localcloud.azure.site_host import error_body
from localcloud.azure.wordings import SERVICE

MANAGEMENT = tuple(
    Wording(status, code, message, headers=SERVICE, explain=lambda refusal: error_body(refusal.code, refusal.message))
    for status, code, message in (
        (429, "TooManyRequests", "Too many requests. Please try again."),
        (500, "InternalServerError", "An error has occurred."),
        (503, "ServiceUnavailable", "Service is unavailable."),
    )
)
