from collections.abc import Mapping

import pytest
from azure.core.exceptions import HttpResponseError

from adapters.arm_answers import is_likely_of_resource_manager, is_of_resource_manager, text_of

LEFT = "x-ms-ratelimit-remaining-subscription-"
GATEWAY = {"x-ms-failure-cause": "gateway"}
SERVICE = {"x-ms-failure-cause": "service"}


def said(code: str) -> str:
    """
    Return a body in ARM's own shape.
    """
    return f'{{"error": {{"code": "{code}", "message": "Please try again after \'10\' seconds."}}}}'


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (429, GATEWAY, ""),
        (429, GATEWAY | {f"{LEFT}writes": "199"}, said("TooManyRequests")),
        (429, {"x-ms-failure-cause": " Gateway "}, ""),
        (429, {}, said("SubscriptionRequestsThrottled")),
        (429, {}, said("TenantRequestsThrottled")),
        (429, {f"{LEFT}resource-requests": "11999"}, said("SubscriptionRequestsThrottled")),
        (503, GATEWAY, ""),
        (504, GATEWAY, said("GatewayTimeout")),
    ],
)
def test_what_arm_says_of_itself_is_its_own(status: int, headers: Mapping[str, str], body: str) -> None:
    """
    By its failure cause, or its own code for throttling.
    """
    assert is_of_resource_manager(status, headers, body)


@pytest.mark.parametrize(
    "headers",
    [
        {f"{LEFT}writes": "0"},
        {f"{LEFT}reads": "0", f"{LEFT}global-reads": "3749"},
        {f"{LEFT}writes": "199", f"{LEFT}global-writes": "0"},
    ],
)
def test_an_empty_bucket_is_a_reason_to_send_less_and_no_proof(headers: Mapping[str, str]) -> None:
    """
    The request that took the last token was passed on, so that its 429 may be a site's: it may take effect yet.
    """
    assert is_likely_of_resource_manager(429, headers, "")
    assert not is_of_resource_manager(429, headers, "")
    assert not is_likely_of_resource_manager(429, {**headers, **SERVICE}, "")
    assert not is_likely_of_resource_manager(503, headers, "")


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        # As recorded: full buckets, or a header that counts something else.
        (429, SERVICE | {"Retry-After": "5", f"{LEFT}writes": "199", f"{LEFT}global-writes": "2999"}, ""),
        (429, {"Retry-After": "5", f"{LEFT}resource-requests": "11999"}, ""),
        (429, {f"{LEFT}resource-requests": "0"}, ""),
        (429, {}, ""),
        (429, {f"{LEFT}writes": "1"}, ""),
        (429, {f"{LEFT}writes": "few"}, ""),
        # The cause goes before what else might be a sign.
        (429, SERVICE | {f"{LEFT}writes": "0"}, said("SubscriptionRequestsThrottled")),
        # Not in ARM's shape: the code may be quoted by anybody.
        (429, {}, '{"Code": "SubscriptionRequestsThrottled", "Message": "..."}'),
        (429, {}, "SubscriptionRequestsThrottled"),
        (429, {}, "[" * 100_000),
        (429, {}, "[]"),
        (429, {}, '{"error": "SubscriptionRequestsThrottled"}'),
        (429, {}, '{"error": {"code": ["SubscriptionRequestsThrottled"]}}'),
        (429, {"x-ms-failure-cause": "proxy"}, said("TooManyRequests")),
        (503, {}, said("SubscriptionRequestsThrottled")),
        (503, {f"{LEFT}writes": "0"}, ""),
        (500, SERVICE, ""),
    ],
)
def test_what_may_be_of_a_provider_is_not_arms_own(status: int, headers: Mapping[str, str], body: str) -> None:
    """
    Without proof nothing is.
    """
    assert not is_of_resource_manager(status, headers, body)


def test_a_body_that_was_not_read_is_empty() -> None:
    """
    A streamed answer, a broken encoding, or no response at all raise nothing.
    """

    class Streamed:
        def text(self) -> str:
            raise RuntimeError("the stream was not read")

    assert text_of(Streamed()) == ""
    assert text_of(HttpResponseError().response) == ""
