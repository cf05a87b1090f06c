from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.batch.aio import BatchManagementClient

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.refusal import Refusal
from localcloud.azure.throttling import Throttle
from localcloud.kinds.batch import add_batch_account
from tests.twins.clock import HandClock

ACCOUNT = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/P/accounts/a"
OWN = "x-ms-ratelimit-remaining-subscription-"


@pytest.fixture
def clock() -> HandClock:
    """
    Return the clock by which buckets fill.
    """
    return HandClock()


@pytest.fixture
def throttle(clock: HandClock) -> Throttle:
    """
    Return a throttle that lets three requests of a kind pass, and one more every two seconds.
    """
    made = Throttle(clock.monotonic)
    made.limit(bucket=3, per_second=0.5)
    return made


def passed(throttle: Throttle, tries: int, method: str = "POST", path: str = ACCOUNT) -> int:
    """
    Return how many of some requests are let in.
    """
    count = 0
    for _ in range(tries):
        try:
            throttle.admit(method, path)
        except Refusal:
            continue
        count += 1
    return count


async def test_a_bucket_lets_pass_what_it_holds_and_what_it_is_refilled_with(
    throttle: Throttle, clock: HandClock
) -> None:
    """
    An empty bucket refuses, a refused request costs no token, and it never holds more than its size.
    """
    assert passed(throttle, 5) == 3
    await clock.sleep(1.9)
    assert passed(throttle, 2) == 0
    await clock.sleep(0.2)
    assert passed(throttle, 2) == 1
    await clock.sleep(3600)
    assert passed(throttle, 5) == 3


async def test_a_refusal_says_when_to_come_back(throttle: Throttle, clock: HandClock) -> None:
    """
    It has ARM's status, code and whole seconds, and a request after them is let in.
    """
    passed(throttle, 3)
    await clock.sleep(0.5)

    with pytest.raises(Refusal) as refused:
        throttle.admit("POST", ACCOUNT)

    assert (refused.value.status, refused.value.code) == (429, "SubscriptionRequestsThrottled")
    assert refused.value.headers == {"Retry-After": "2", "x-ms-failure-cause": "gateway"}
    await clock.sleep(2)
    assert passed(throttle, 1) == 1


def test_each_subscription_and_each_kind_of_request_has_its_own_bucket(throttle: Throttle) -> None:
    """
    Writes leave reads alone and one subscription leaves another alone, whatever the case of its id.
    """
    other = ACCOUNT.replace("11111111-", "2222aaaa-")

    assert passed(throttle, 4) == 3
    assert passed(throttle, 4, "GET") == 3
    assert passed(throttle, 2, path=other) == 2
    assert passed(throttle, 2, path=other.upper()) == 1
    assert passed(throttle, 4, path="/providers/Microsoft.Batch/operations") == 4


def test_the_headers_say_what_is_left(throttle: Throttle) -> None:
    """
    They are about the kind of request that is answered, and about a subscription only.
    """
    passed(throttle, 1)

    assert throttle.headers("POST", ACCOUNT)[f"{OWN}writes"] == "2"
    assert throttle.headers("GET", ACCOUNT)[f"{OWN}reads"] == "3"
    assert set(throttle.headers("GET", ACCOUNT)) == {f"{OWN}reads", f"{OWN}global-reads"}
    assert throttle.headers("GET", "/providers/Microsoft.Batch/operations") == {}


@pytest.mark.parametrize(
    "path",
    [
        "/Microsoft.Web/sites/demosite/config/appsettings/list",
        "/Microsoft.Web/sites/demosite/hostruntime/runtime/webhooks/workflow/api/management/workflows/w/triggers/t/x",
        "/Microsoft.Storage/storageAccounts/demostorage/listKeys",
    ],
)
def test_some_providers_say_nothing_of_writes(throttle: Throttle, path: str) -> None:
    """
    They count requests of their own; each takes from ARM's bucket all the same.
    """
    path = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers" + path

    assert set(throttle.headers("POST", path)) == {f"{OWN}resource-requests"}
    assert set(throttle.headers("GET", path)) == {f"{OWN}reads", f"{OWN}global-reads"}
    assert passed(throttle, 5, path=path) == 3


def test_without_a_limit_nothing_is_refused() -> None:
    """
    The headers then show the buckets that ARM documents, nearly full.
    """
    throttle = Throttle()

    assert passed(throttle, 1000) == 1000
    assert throttle.headers("POST", ACCOUNT) == {f"{OWN}writes": "199", f"{OWN}global-writes": "2999"}
    assert throttle.headers("GET", ACCOUNT) == {f"{OWN}reads": "249", f"{OWN}global-reads": "3749"}


@pytest.mark.parametrize(("bucket", "per_second"), [(0, 1), (-1, 1), (3, 0), (3, -1)])
def test_a_bucket_that_never_lets_anybody_in_is_a_mistake(bucket: int, per_second: float) -> None:
    """
    It is refused when it is made.
    """
    with pytest.raises(ValueError, match="lets nobody in"):
        Throttle().limit(bucket=bucket, per_second=per_second)


@pytest.fixture
async def client(azure: LocalAzure, credential: ManagedIdentityCredential) -> AsyncIterator[BatchManagementClient]:
    """
    Yield a client that sends every request once.
    """
    made = await add_batch_account(azure, "renders", resource_group="rg")
    subscription = made.arm_id.split("/")[2]
    async with BatchManagementClient(credential, subscription, base_url=azure.arm_uri, retry_total=0) as client:
        yield client


async def test_the_official_client_is_throttled(azure: LocalAzure, client: BatchManagementClient) -> None:
    """
    Listing keys takes a write, reading the account a read; a refusal is ARM's and takes no effect.
    """
    azure.throttle_arm(bucket=1, per_second=0.01)

    await client.batch_account.get_keys("rg", "renders")
    await client.batch_account.get("rg", "renders")
    with pytest.raises(HttpResponseError) as refused:
        await client.batch_account.regenerate_key("rg", "renders", {"keyName": "Primary"})

    assert refused.value.status_code == 429
    assert refused.value.error is not None
    assert refused.value.error.code == "SubscriptionRequestsThrottled"
    answer: Any = refused.value.response
    assert 0 < int(answer.headers["Retry-After"]) <= 100
    assert answer.headers[f"{OWN}writes"] == "0"
    assert azure.requests.count("Batch.RegenerateKeys", took_effect=True) == 0


async def test_only_who_may_come_in_takes_a_token(
    azure: LocalAzure, client: BatchManagementClient, http: aiohttp.ClientSession
) -> None:
    """
    A request without a token is 401, and leaves the bucket as it was.
    """
    azure.throttle_arm(bucket=1, per_second=0.01)
    account = await add_batch_account(azure, "other", resource_group="rg")

    async with http.post(f"{azure.arm_uri}{account.arm_id}/listKeys?api-version=2024-07-01") as answer:
        assert answer.status == 401

    await client.batch_account.get_keys("rg", "renders")
