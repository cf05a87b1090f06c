from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.batch.aio import BatchManagementClient
from yarl import URL

from localcloud.azure.cloud import SUBSCRIPTION, LocalAzure
from localcloud.azure.identity import ARM
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.batch.accounts import BatchAccount

GROUP = "rg-batch"


@pytest.fixture
async def management(azure: LocalAzure, credential: ManagedIdentityCredential) -> AsyncIterator[BatchManagementClient]:
    """
    Yield the client that the app uses.
    """
    async with BatchManagementClient(credential, SUBSCRIPTION, base_url=azure.arm_uri) as client:
        yield client


@pytest.fixture
async def account(azure: LocalAzure) -> BatchAccount:
    """
    Return an account with two keys.
    """
    return await add_batch_account(azure, "renders", resource_group=GROUP)


async def use(account: BatchAccount, key: str, made: datetime | None = None) -> None:
    """
    Make a cheap call with a key, dated now or when told. Raises what the SDK raises.
    """
    async with BatchClient(account.endpoint, AzureNamedKeyCredential(account.name, key)) as client:
        # azure-batch dates a request with utcnow(), which Python 3.12 and later warn about: it takes ours instead.
        async for _ in client.list_pools(ocp_date=made or datetime.now(UTC)):
            pass


async def test_the_management_client_reads_account_and_keys(
    management: BatchManagementClient, account: BatchAccount
) -> None:
    """
    Account, modes and both keys come back through the SDK's models.
    """
    found = await management.batch_account.get(GROUP.upper(), "RENDERS")
    keys = await management.batch_account.get_keys(GROUP, "renders")

    assert found.id == account.arm_id
    assert found.allowed_authentication_modes == ["SharedKey", "AAD"]
    shown = (account.value("Primary"), account.value("Secondary"))
    assert (keys.account_name, keys.primary, keys.secondary) == ("renders", *shown)


async def test_regenerating_replaces_one_key_at_once(
    azure: LocalAzure, management: BatchManagementClient, account: BatchAccount
) -> None:
    """
    The old value is dead, the new and the other one work, and the history knows when.
    """
    old, other = account.value("Primary"), account.value("Secondary")

    answer = await management.batch_account.regenerate_key(GROUP, "renders", parameters={"keyName": "Primary"})

    assert (answer.primary, answer.secondary) == (account.value("Primary"), other)
    await use(account, account.value("Primary"))
    await use(account, other)
    with pytest.raises(HttpResponseError) as refused:
        await use(account, old)
    assert refused.value.status_code == 403
    assert "AuthenticationFailed" in str(refused.value)
    former, present = azure.key_history.of(account.arm_id, "Primary")
    assert former.until == present.since
    assert former.value == old
    assert not azure.key_history.is_live(old)
    assert {old, other, account.value("Primary")} <= azure.key_history.values()
    assert azure.requests.count("Batch.RegenerateKeys", target=account.arm_id.upper(), took_effect=True) == 1


@pytest.mark.parametrize("minutes", [-16, 16])
async def test_a_request_of_another_time_is_refused(account: BatchAccount, minutes: int) -> None:
    """
    A good signature does not help a request that is more than 15 minutes away.
    """
    with pytest.raises(HttpResponseError) as refused:
        await use(account, account.value("Primary"), datetime.now(UTC) + timedelta(minutes=minutes))
    assert refused.value.status_code == 403


async def test_an_account_without_shared_key_has_no_keys_to_manage(
    azure: LocalAzure, management: BatchManagementClient
) -> None:
    """
    Listing, regenerating and using a key all fail.
    """
    closed = await add_batch_account(azure, "closed", resource_group=GROUP, authentication_modes=("AAD",))
    before = closed.value("Primary")

    with pytest.raises(HttpResponseError):
        await management.batch_account.get_keys(GROUP, "closed")
    with pytest.raises(HttpResponseError):
        await management.batch_account.regenerate_key(GROUP, "closed", parameters={"keyName": "Primary"})
    with pytest.raises(HttpResponseError):
        await use(closed, before)
    assert closed.value("Primary") == before


async def test_modes_that_were_never_said_allow_everything(
    azure: LocalAzure, management: BatchManagementClient
) -> None:
    """
    None is what Azure returns for such an account, and its keys work.
    """
    silent = await add_batch_account(azure, "silent", resource_group=GROUP, authentication_modes=None)

    assert (await management.batch_account.get(GROUP, "silent")).allowed_authentication_modes is None
    await use(silent, silent.value("Secondary"))


@pytest.mark.parametrize(
    ("subscription", "group", "name", "code"),
    [
        ("99999999-9999-4999-8999-999999999999", GROUP, "renders", "SubscriptionNotFound"),
        (SUBSCRIPTION, "rg-none", "renders", "ResourceGroupNotFound"),
        (SUBSCRIPTION, GROUP, "nothere", "ResourceNotFound"),
    ],
)
async def test_what_is_missing_is_named(
    azure: LocalAzure,
    credential: ManagedIdentityCredential,
    account: BatchAccount,
    *,
    subscription: str,
    group: str,
    name: str,
    code: str,
) -> None:
    """
    A 404 says which part of the id does not exist.
    """
    async with BatchManagementClient(credential, subscription, base_url=azure.arm_uri) as client:
        with pytest.raises(ResourceNotFoundError) as missing:
            await client.batch_account.get(group, name)
    assert missing.value.error is not None
    assert missing.value.error.code == code


@pytest.mark.parametrize(
    ("method", "path", "query", "content_type", "body", "status", "code"),
    [
        (
            "POST",
            "/regenerateKeys",
            "",
            "application/json",
            '{"keyName": "Primary"}',
            400,
            "MissingApiVersionParameter",
        ),
        (
            "POST",
            "/regenerateKeys",
            "api-version=1999-01-01",
            "application/json",
            '{"keyName": "Primary"}',
            400,
            "NoRegisteredProviderFound",
        ),
        ("POST", "/regenerateKeys", "ok", "text/plain", '{"keyName": "Primary"}', 415, "UnsupportedMediaType"),
        ("POST", "/regenerateKeys", "ok", "application/json", "", 400, "InvalidRequestBody"),
        ("POST", "/regenerateKeys", "ok", "application/json", "[]", 400, "InvalidRequestBody"),
        ("POST", "/regenerateKeys", "ok", "application/json", '{"keyName": "primary"}', 400, "InvalidRequestBody"),
        ("POST", "/regenerateKeys", "ok", "application/json", '{"keyName": "Both"}', 400, "InvalidRequestBody"),
        (
            "POST",
            "/regenerateKeys",
            "ok",
            "application/json",
            '{"keyName": "Primary", "force": true}',
            400,
            "InvalidRequestBody",
        ),
        ("GET", "/regenerateKeys", "ok", None, "", 405, "MethodNotAllowed"),
        ("POST", "/rotateKeys", "ok", None, "", 404, "NotFound"),
        ("POST", "/../regenerateKeys", "ok", None, "", 405, "MethodNotAllowed"),
        ("POST", "/../../regenerateKeys", "ok", None, "", 404, "NotFound"),
    ],
)
async def test_arm_is_strict(
    azure: LocalAzure,
    http: aiohttp.ClientSession,
    account: BatchAccount,
    *,
    method: str,
    path: str,
    query: str,
    content_type: str | None,
    body: str,
    status: int,
    code: str,
) -> None:
    """
    A request that ARM would refuse is refused, has no effect, and the error is ARM's.
    """
    before = (account.value("Primary"), account.value("Secondary"))
    headers = {"Authorization": f"Bearer {azure.identity.issue(ARM)}"}
    if content_type:
        headers["Content-Type"] = content_type
    query = "api-version=2025-06-01" if query == "ok" else query

    url = f"{azure.arm_uri}{account.arm_id}{path}?{query}"
    async with http.request(method, url, headers=headers, data=body.encode() or None) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == code
    assert (account.value("Primary"), account.value("Secondary")) == before


@pytest.mark.parametrize("name", ["..", ".", "%2E%2E"])
async def test_a_path_that_collapses_leads_nowhere(
    azure: LocalAzure, http: aiohttp.ClientSession, account: BatchAccount, name: str
) -> None:
    """
    Dots that reach the wire name no account.
    """
    headers = {"Authorization": f"Bearer {azure.identity.issue(ARM)}"}
    path = account.arm_id.replace("renders", name)

    async with http.get(URL(f"{azure.arm_uri}{path}?api-version=2025-06-01", encoded=True), headers=headers) as answer:
        assert answer.status == 404
    assert [entry.path for entry in azure.requests] == [path]


async def test_the_data_plane_wants_a_version_it_knows(account: BatchAccount) -> None:
    """
    The SDK reads the service's own error format.
    """
    credential = AzureNamedKeyCredential(account.name, account.value("Primary"))
    async with BatchClient(account.endpoint, credential, api_version="2012-01-01") as client:
        with pytest.raises(HttpResponseError, match="InvalidQueryParameterValue"):
            await anext(client.list_supported_images(ocp_date=datetime.now(UTC)))


async def test_the_data_plane_takes_no_bearer_and_no_stranger(
    azure: LocalAzure, http: aiohttp.ClientSession, account: BatchAccount
) -> None:
    """
    Without a key there is nothing to see.
    """
    url = f"{account.endpoint}/pools?api-version=2025-06-01"
    for authorization, status in (
        (None, 401),
        (f"Bearer {azure.identity.issue(ARM)}", 403),
        ("SharedKey renders:bm9wZQ==", 403),
        ("SharedKey stranger:bm9wZQ==", 403),
    ):
        headers = {} if authorization is None else {"Authorization": authorization}
        async with http.get(url, headers=headers) as answer:
            assert answer.status == status
            assert {"code", "message"} <= set(await answer.json())
