"""
Who answered a request to Azure Resource Manager: itself, or a resource provider behind it.

`x-ms-failure-cause` says it where it is present: `gateway` is Azure Resource Manager, `service` is what it passed the
request on to (recorded answers). A provider's 429 often has no such header, and no header about reads or writes either:
those of `POST .../list` of Microsoft.Web and of listKeys of Microsoft.Storage count
`x-ms-ratelimit-remaining-subscription-resource-requests` instead.

It rests on assumptions 4, 19 and 21 of docs/fidelity.md.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from adapters.error_bodies import stated_error
from rotation.vocabulary.limits import MOST_DIGITS

Kind: TypeAlias = Literal["read", "write"]

# The caller's own bucket, and the one that all callers share.
_LEFT: Mapping[Kind, tuple[str, ...]] = {
    "read": ("x-ms-ratelimit-remaining-subscription-reads", "x-ms-ratelimit-remaining-subscription-global-reads"),
    "write": ("x-ms-ratelimit-remaining-subscription-writes", "x-ms-ratelimit-remaining-subscription-global-writes"),
}
_OWN_CODES = {"SubscriptionRequestsThrottled", "TenantRequestsThrottled"}
_THROTTLED = 429


def is_of_resource_manager(status: int, headers: Mapping[str, str], body: str) -> bool:
    """
    Return whether a 429 or a 5xx is proved to be Azure Resource Manager's own, and not a provider's or a site's.

    Only a 429 can be proved by other means than its `x-ms-failure-cause`: by the code of Azure Resource Manager's own
    throttling, in its own shape. A 429 of its own was passed on to nobody. A 5xx of its own, such as the 504 about a
    provider that is silent, may have been.
    """
    cause = headers.get("x-ms-failure-cause", "").strip().lower()
    if cause in {"gateway", "service"}:
        return cause == "gateway"
    if status != _THROTTLED:
        return False
    stated = stated_error(body)
    return stated is not None and stated.is_of_the_service and stated.code in _OWN_CODES


def is_likely_of_resource_manager(status: int, headers: Mapping[str, str], body: str) -> bool:
    """
    Return whether a 429 or a 5xx is proved to be Azure Resource Manager's own, or comes with an empty bucket.

    That is a reason to send less, and no proof: the request that took the last token was passed on.
    """
    if is_of_resource_manager(status, headers, body):
        return True
    is_empty = 0 in {requests_left(headers, "read"), requests_left(headers, "write")}
    return status == _THROTTLED and is_empty and headers.get("x-ms-failure-cause", "").strip().lower() != "service"


def requests_left(headers: Mapping[str, str], kind: Kind) -> int | None:
    """
    Return how many more requests of a kind Azure Resource Manager would take, None if the answer does not say.
    """
    stated = [count for name in _LEFT[kind] if (count := whole_number(headers.get(name))) is not None]
    return min(stated, default=None)


def whole_number(written: str | None) -> int | None:
    """
    Return a header's number, None for anything else, such as a date.
    """
    if written is None or not (written.isascii() and written.isdigit()) or len(written) > MOST_DIGITS:
        return None
    return int(written)


def text_of(response: Any) -> str:
    """
    Return the body of an azure-core response, empty where it was not read or is not text.
    """
    try:
        return str(response.text())
    except Exception:  # noqa: BLE001 - each kind of response has its own error for a body that was not read
        return ""
