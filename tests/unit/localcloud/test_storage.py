import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.storage.aio import StorageManagementClient
from azure.storage.blob.aio import BlobServiceClient

from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.identity import ARM
from localcloud.consumers import CallFailed
from localcloud.kinds.storage import add_storage_account
from localcloud.kinds.storage.accounts import StorageAccount

KEY = ["creationTime", "keyName", "value", "permissions"]
RESOURCE_REQUESTS = "x-ms-ratelimit-remaining-subscription-resource-requests"
WRITES = "x-ms-ratelimit-remaining-subscription-writes"


@pytest.fixture
async def account(azure: LocalAzure) -> StorageAccount:
    """
    Return an account with two keys.
    """
    return await add_storage_account(azure, "blobs1")


@pytest.fixture
async def management(
    azure: LocalAzure, credential: ManagedIdentityCredential
) -> AsyncIterator[StorageManagementClient]:
    """
    Yield the client that the app uses.
    """
    async with StorageManagementClient(credential, SUBSCRIPTION, base_url=azure.arm_uri) as client:
        yield client


async def use(value: str, http: aiohttp.ClientSession, account: StorageAccount) -> None:
    """
    Make a call with a connection string, as the clients of a secret do.
    """
    consumer = account.consumer()
    try:
        await consumer.use("version", value, http)
    finally:
        await consumer.forget("version")


async def ask(azure: LocalAzure, http: aiohttp.ClientSession, path: str, body: Any = None) -> tuple[Any, Any]:
    """
    Post to ARM; return headers and body of the answer.
    """
    headers = {"Authorization": f"Bearer {azure.identity.issue(ARM)}"}
    url = f"{azure.arm_uri}{path}?api-version=2026-09-01"
    async with http.post(url, headers=headers, json=body) as answer:
        return answer.headers, await answer.json()


async def test_azurite_refuses_a_key_from_the_moment_it_is_regenerated(
    azure: LocalAzure, management: StorageManagementClient, account: StorageAccount, http: aiohttp.ClientSession
) -> None:
    """
    It is the real one, and takes its keys from the resource manager alone; the new and the other key work.
    """
    old = account.value("Primary")
    await use(old, http, account)

    answer = await management.storage_accounts.regenerate_key(RESOURCE_GROUP, "blobs1", {"keyName": "key1"})

    assert [key.value for key in answer.keys_property or []] == [account.keys["Primary"], account.keys["Secondary"]]
    with pytest.raises(CallFailed) as refused:
        await use(old, http, account)
    assert (refused.value.status, refused.value.code) == (403, "AuthenticationFailed")
    for key in ("Primary", "Secondary"):
        await use(account.value(key), http, account)
    assert not azure.key_history.is_live(old.partition("AccountKey=")[2].partition(";")[0])
    assert azure.requests.count("Storage.RegenerateKey", target=account.arm_id.upper(), took_effect=True) == 1
    assert azure.requests.count("Blobs.ListContainers", target=account.arm_id) == 4


async def test_accounts_know_no_keys_of_each_other(
    azure: LocalAzure, account: StorageAccount, http: aiohttp.ClientSession
) -> None:
    """
    Also one that is made while others are in use, and many that change at the same time.
    """
    await use(account.value("Primary"), http, account)
    others = [await add_storage_account(azure, f"more{number}") for number in range(5)]

    async def turn(other: StorageAccount) -> None:
        old = other.value("Secondary")
        await use(old, http, other)
        other.regenerate("Secondary")
        await use(other.value("Secondary"), http, other)
        with pytest.raises(CallFailed):
            await use(old, http, other)

    await asyncio.gather(*map(turn, others))
    stranger = account.value("Primary").replace(account.keys["Primary"], others[0].keys["Primary"])
    with pytest.raises(CallFailed):
        await use(stranger, http, account)


async def test_a_wrong_key_is_refused_in_azures_words(account: StorageAccount, http: aiohttp.ClientSession) -> None:
    """
    Header and body name one code, which is not the one that Azurite has for it.
    """
    headers = {"Authorization": f"SharedKey {account.name}:bm9wZQ==", "x-ms-version": "2021-12-02"}

    async with http.get(f"{account.blob_endpoint}/?comp=list", headers=headers) as answer:
        body = await answer.text()

    assert (answer.status, answer.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
    assert "<Code>AuthenticationFailed</Code>" in body
    assert "AuthorizationFailure" not in body


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("never one", "NotAConnectionString"),
        ("AccountName=nobody;AccountKey=a2V5;BlobEndpoint={origin}/nobody", "ResourceNotFound"),
    ],
)
async def test_what_opens_no_account_fails_with_a_reason(
    account: StorageAccount, http: aiohttp.ClientSession, value: str, code: str
) -> None:
    """
    It is told without the value.
    """
    with pytest.raises(CallFailed, match=f"^{code}$"):
        await use(value.format(origin=account.origin), http, account)


async def test_an_account_that_allows_no_keys_still_has_them(
    azure: LocalAzure, management: StorageManagementClient, http: aiohttp.ClientSession
) -> None:
    """
    They are listed, and open nothing.
    """
    account = await add_storage_account(azure, "closed", allows_shared_key=False)

    keys = await management.storage_accounts.list_keys(RESOURCE_GROUP, "closed")

    assert [key.value for key in keys.keys_property or []] == [account.keys["Primary"], account.keys["Secondary"]]
    assert (await management.storage_accounts.get_properties(RESOURCE_GROUP, "closed")).allow_shared_key_access is False
    with pytest.raises(CallFailed, match="KeyBasedAuthenticationNotPermitted"):
        await use(account.value("Primary"), http, account)


async def test_keys_look_as_recorded(azure: LocalAzure, account: StorageAccount, http: aiohttp.ClientSession) -> None:
    """
    Two of them, with the time of the one that was regenerated moved; the answers count differently.
    """
    headers, listed = await ask(azure, http, f"{account.arm_id}/listKeys")
    again, made = await ask(azure, http, f"{account.arm_id}/regenerateKey", {"keyName": "key1"})

    assert (headers["Content-Type"], RESOURCE_REQUESTS in headers, WRITES in headers) == (
        "application/json",
        True,
        False,
    )
    assert (again["Content-Type"], RESOURCE_REQUESTS in again, WRITES in again) == ("application/json", False, True)
    assert [list(key) for key in listed["keys"] + made["keys"]] == [KEY] * 4
    assert [key["keyName"] for key in made["keys"]] == ["key1", "key2"]
    assert {key["permissions"] for key in listed["keys"]} == {"FULL"}
    assert made["keys"][0]["creationTime"] > listed["keys"][0]["creationTime"]
    assert made["keys"][0]["value"] != listed["keys"][0]["value"]
    assert made["keys"][1] == listed["keys"][1]


@pytest.mark.parametrize(("account_has", "expand", "names"), [(True, True, 4), (True, False, 2), (False, True, 2)])
async def test_keys_for_kerberos_are_listed_where_there_are_some_and_they_are_asked_for(
    azure: LocalAzure, management: StorageManagementClient, account_has: bool, expand: bool, names: int
) -> None:
    """
    As the SDK does by default.
    """
    joined = await add_storage_account(azure, "joined", has_kerberos_keys=account_has)
    asked: dict[str, Any] = {} if expand else {"expand": None}

    keys = await management.storage_accounts.list_keys(RESOURCE_GROUP, "joined", **asked)

    assert len(keys.keys_property or []) == names
    assert joined.kerberos_listings == (names == 4)


@pytest.mark.parametrize("name", ["Primary", "kerb1", "key3"])
async def test_another_name_regenerates_nothing(
    management: StorageManagementClient, account: StorageAccount, name: str
) -> None:
    """
    ARM is strict.
    """
    before = account.value("Primary")

    with pytest.raises(HttpResponseError) as refused:
        await management.storage_accounts.regenerate_key(RESOURCE_GROUP, "blobs1", {"keyName": name})

    assert refused.value.status_code == 400
    assert account.value("Primary") == before


async def test_a_client_of_its_own_reaches_it_by_the_endpoint_that_arm_tells(
    management: StorageManagementClient, account: StorageAccount
) -> None:
    """
    Nothing but the name of the account and a key is needed.
    """
    found = await management.storage_accounts.get_properties(RESOURCE_GROUP, "blobs1")
    assert found.primary_endpoints is not None
    assert found.primary_endpoints.blob is not None
    credential = {"account_name": "blobs1", "account_key": account.keys["Secondary"]}

    async with BlobServiceClient(found.primary_endpoints.blob, credential=credential) as client:
        assert [container async for container in client.list_containers()] == []
