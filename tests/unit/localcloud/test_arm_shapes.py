"""
What each answer of Azure Resource Manager and of Batch must have, as recorded.
"""

import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.identity import ARM
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.batch.accounts import BatchAccount
from localcloud.kinds.workflow import add_workflow

CAUSE = "x-ms-failure-cause"
WRITES = "x-ms-ratelimit-remaining-subscription-writes"
JSON = "application/json; charset=utf-8"
LINES = r"\nRequestId:[0-9a-f-]{36}\nTime:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z"
PROPERTIES = [
    "accountEndpoint",
    "nodeManagementEndpoint",
    "provisioningState",
    "dedicatedCoreQuota",
    "dedicatedCoreQuotaPerVMFamily",
    "dedicatedCoreQuotaPerVMFamilyEnforced",
    "lowPriorityCoreQuota",
    "poolQuota",
    "activeJobAndJobScheduleQuota",
    "poolAllocationMode",
    "publicNetworkAccess",
    "privateEndpointConnections",
    "encryption",
    "allowedAuthenticationModes",
]


class Client:
    """
    A client of ARM that shows answers as they come.
    """

    def __init__(self, azure: LocalAzure, http: aiohttp.ClientSession) -> None:
        self._azure = azure
        self._http = http
        self.token = azure.identity.issue(ARM)

    async def ask(
        self, path: str, method: str = "POST", body: object = None, version: str = "2024-07-01"
    ) -> tuple[int, Mapping[str, str], Any]:
        """
        Send a request; return status, headers and body.
        """
        url = f"{self._azure.arm_uri}{path}?api-version={version}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.json()


@pytest.fixture
def client(azure: LocalAzure, http: aiohttp.ClientSession) -> Client:
    """
    Return a client.
    """
    return Client(azure, http)


@pytest.fixture
async def account(azure: LocalAzure) -> BatchAccount:
    """
    Return a Batch account.
    """
    return await add_batch_account(azure, "demobatch", authentication_modes=("SharedKey", "AAD"))


async def test_an_account_shows_its_properties(client: Client, account: BatchAccount, azure: LocalAzure) -> None:
    """
    The endpoint is a bare host, the ETag is quoted; modes that were never stated are absent.
    """
    old = await add_batch_account(azure, "old", authentication_modes=None)

    status, headers, body = await client.ask(account.arm_id, "GET")
    _, _, body_of_old = await client.ask(old.arm_id, "GET")

    assert (status, headers["Content-Type"]) == (200, JSON)
    assert re.fullmatch(r'"0x8D[0-9A-F]+"', headers["ETag"])
    assert headers["Last-Modified"].endswith(" GMT")
    assert list(body) == ["id", "name", "type", "location", "properties", "identity"]
    assert list(body["properties"]) == PROPERTIES
    assert "/" not in body["properties"]["accountEndpoint"]
    assert list(body_of_old["properties"]) == PROPERTIES[:-1]


async def test_keys_come_in_pairs(client: Client, account: BatchAccount) -> None:
    """
    Listing and regenerating answer the same shape, count as writes, and leave the other key as it is.
    """
    status, headers, listed = await client.ask(f"{account.arm_id}/listKeys")
    _, _, made = await client.ask(f"{account.arm_id}/regenerateKeys", body={"keyName": "Primary"})

    assert status == 200
    assert WRITES in headers
    assert list(listed) == list(made) == ["accountName", "primary", "secondary"]
    assert {len(listed["primary"]), len(made["primary"])} == {88}
    assert made["secondary"] == listed["secondary"]
    assert made["primary"] != listed["primary"]


async def test_an_account_that_is_gone_is_missed_by_its_provider_or_by_arm(
    client: Client, account: BatchAccount
) -> None:
    """
    Each says so in its own words; only ARM's answer has the gateway as its cause.
    """
    account.is_gone = True
    status, headers, body = await client.ask(f"{account.arm_id}/listKeys")
    assert status == 404
    assert CAUSE not in headers
    assert list(body["error"]) == ["code", "message", "target"]
    assert (body["error"]["code"], body["error"]["target"]) == ("AccountNotFound", "BatchAccount")
    assert re.fullmatch(r"The specified account does not exist\." + LINES, body["error"]["message"])

    nowhere = account.arm_id.replace("demobatch", "nowhere")
    status, headers, body = await client.ask(f"{nowhere}/listKeys")
    assert (status, headers[CAUSE], headers["Content-Type"]) == (404, "gateway", JSON)
    assert body["error"]["code"] == "ResourceNotFound"
    assert body["error"]["message"].startswith(
        f"The Resource 'Microsoft.Batch/batchAccounts/nowhere' under resource group '{RESOURCE_GROUP}' was not found."
    )

    status, headers, body = await client.ask(account.arm_id.replace(RESOURCE_GROUP, "does-not-exist"), "GET")
    assert (status, headers[CAUSE]) == (404, "gateway")
    assert body["error"] == {
        "code": "ResourceGroupNotFound",
        "message": "Resource group 'does-not-exist' could not be found.",
    }


async def test_a_bad_body_has_target_and_details(client: Client, account: BatchAccount) -> None:
    """
    As Batch's own errors have.
    """
    status, _, body = await client.ask(f"{account.arm_id}/regenerateKeys", body={"keyName": "Third"})

    assert status == 400
    assert list(body["error"]) == ["code", "message", "target", "details"]
    assert body["error"]["code"] == "InvalidRequestBody"
    assert re.fullmatch(r"The specified Request Body is not syntactically valid\." + LINES, body["error"]["message"])
    assert body["error"]["details"][0]["code"] == "Reason"


async def test_an_expired_token_and_an_unknown_version_are_told(
    client: Client, account: BatchAccount, azure: LocalAzure
) -> None:
    """
    In ARM's words.
    """
    _, _, body = await client.ask(account.arm_id, "GET", version="2014-12-01-preview")
    assert body["error"]["code"] == "NoRegisteredProviderFound"
    assert re.match(
        r"No registered resource provider found for location '\w+' and API version '2014-12-01-preview' for type "
        r"'batchAccounts'\. The supported api-versions are '2025-06-01, .*'\. The supported locations are '\w+'\.",
        body["error"]["message"],
    )

    azure.identity.expire_all()
    status, _, body = await client.ask(account.arm_id, "GET")
    assert (status, body["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert re.fullmatch(
        r"The access token expiry UTC time '[^']+ [AP]M' is earlier than current UTC time '[^']+ [AP]M'\.",
        body["error"]["message"],
    )


async def test_a_429_of_arm_names_the_bucket_of_one_caller(
    client: Client, account: BatchAccount, azure: LocalAzure
) -> None:
    """
    It is the gateway's, and says when to come back.
    """
    azure.throttle_arm(bucket=1, per_second=0.1)
    await client.ask(f"{account.arm_id}/listKeys")

    status, headers, body = await client.ask(f"{account.arm_id}/listKeys")

    assert (status, headers[CAUSE], headers[WRITES]) == (429, "gateway", "0")
    assert int(headers["Retry-After"]) > 0
    assert body["error"]["code"] == "SubscriptionRequestsThrottled"
    assert re.fullmatch(
        rf"Number of 'write' requests for subscription '{SUBSCRIPTION}' actor '[0-9a-f-]{{36}}' exceeded\. "
        r"Please try again after '\d+' seconds\.",
        body["error"]["message"],
    )


@pytest.mark.parametrize(
    ("fault", "code", "cause", "text"),
    [
        ({"status": 401}, "ExpiredAuthenticationToken", None, "The access token expiry UTC time"),
        ({"status": 403}, "AuthorizationFailed", None, "action 'Microsoft.Batch/batchAccounts/listKeys/action'"),
        ({"status": 404}, "AccountNotFound", None, "\nRequestId:"),
        ({"status": 404, "code": "ResourceNotFound"}, "ResourceNotFound", "gateway", "batchAccounts/demobatch'"),
        ({"status": 409}, "ResourceGroupBeingDeleted", None, f"The resource group '{RESOURCE_GROUP}'"),
        ({"status": 429, "retry_after": 5}, "TooManyRequests", "service", ""),
        (
            {"status": 429, "retry_after": 5, "code": "SubscriptionRequestsThrottled"},
            "SubscriptionRequestsThrottled",
            "gateway",
            "Number of 'write' requests",
        ),
        ({"status": 500}, "InternalError", "service", "\nRequestId:"),
        ({"status": 502}, "BadGateway", "gateway", ""),
        ({"status": 503}, "ServerBusy", "service", "\nTime:"),
        ({"status": 504}, "GatewayTimeout", "gateway", "did not receive a response from 'Microsoft.Batch' within"),
        ({"status": 418}, "I'maTeapot", None, ""),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else None,
)
async def test_a_scripted_status_is_worded_as_azure_does(
    azure: LocalAzure, client: Client, account: BatchAccount, fault: Any, code: str, cause: str | None, text: str
) -> None:
    """
    Whatever a fault breaks looks like the real thing, and says whose fault it is.
    """
    azure.faults.add(Fault(operation="Batch.ListKeys", kind="answer", **fault))

    status, headers, body = await client.ask(f"{account.arm_id}/listKeys")

    assert status == fault["status"]
    assert body["error"]["code"] == code
    assert headers.get(CAUSE) == cause
    assert headers.get("Retry-After") == (str(fault["retry_after"]) if "retry_after" in fault else None)
    assert text in body["error"]["message"]


async def test_a_429_of_a_site_is_microsoft_webs_own(azure: LocalAzure, client: Client) -> None:
    """
    In PascalCase, from the service, and without a word about writes.
    """
    workflow = await add_workflow(azure, "demoflow", site="demosite")
    azure.faults.add(Fault(operation="Workflow.ListCallbackUrl", kind="answer", status=429, retry_after=300))
    site, _, name = workflow.arm_id.partition("/workflows/")
    management = f"{site}/hostruntime/runtime/webhooks/workflow/api/management/workflows/{name}"

    status, headers, body = await client.ask(f"{management}/triggers/manual/listCallbackUrl", version="2024-04-01")

    assert (status, headers[CAUSE], headers["Retry-After"]) == (429, "service", "300")
    assert WRITES not in headers
    assert list(body) == ["Code", "Message", "Target", "Details", "Innererror"]


async def test_an_error_of_the_batch_service_is_not_wrapped(account: BatchAccount, http: aiohttp.ClientSession) -> None:
    """
    Its message is an object and ends with the lines of the request; the id of the client is sent back if asked for.
    """
    url = f"{account.endpoint}/pools?api-version=2024-07-01.20.0"
    asked = {"client-request-id": "44444444-4444-4444-8444-444444444444", "return-client-request-id": "true"}
    async with http.get(url, headers=asked | {"Authorization": "SharedKey nobody:xyz"}) as answer:
        body = await answer.json()

    assert answer.status == 403
    assert answer.headers["Content-Type"] == "application/json; odata=minimalmetadata"
    assert answer.headers["DataServiceVersion"] == "3.0"
    assert len(answer.headers["request-id"]) == 36
    assert answer.headers["client-request-id"] == asked["client-request-id"]
    assert list(body) == ["odata.metadata", "code", "message", "values"]
    assert body["code"] == "AuthenticationFailed"
    assert body["message"]["lang"] == "en-US"
    assert re.search(LINES + "$", body["message"]["value"])
    assert body["values"][0]["key"] == "AuthenticationErrorDetail"
