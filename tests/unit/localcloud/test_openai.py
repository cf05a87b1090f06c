from collections.abc import AsyncIterator

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient

from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.consumers import CallFailed
from localcloud.kinds.openai import OpenAIAccount, add_openai_account


@pytest.fixture
async def account(azure: LocalAzure) -> OpenAIAccount:
    """
    Return an account with two keys.
    """
    return await add_openai_account(azure, "models1")


@pytest.fixture
async def management(
    azure: LocalAzure, credential: ManagedIdentityCredential
) -> AsyncIterator[CognitiveServicesManagementClient]:
    """
    Yield the client that the app uses.
    """
    async with CognitiveServicesManagementClient(credential, SUBSCRIPTION, base_url=azure.arm_uri) as client:
        yield client


async def test_regenerating_replaces_one_key_at_once(
    azure: LocalAzure,
    management: CognitiveServicesManagementClient,
    account: OpenAIAccount,
    http: aiohttp.ClientSession,
) -> None:
    """
    The old value is dead, the new and the other one work; keys look as recorded.
    """
    old, other = account.value("Primary"), account.value("Secondary")

    answer = await management.accounts.regenerate_key(RESOURCE_GROUP, "models1", "Key1")

    assert (answer.key1, answer.key2) == (account.value("Primary"), other)
    assert len(old) == len(account.value("Primary")) == 32
    for key in (account.value("Primary"), other):
        await account.consumer().use("version", key, http)
    with pytest.raises(CallFailed) as refused:
        await account.consumer().use("version", old, http)
    assert (refused.value.status, refused.value.code) == (401, "401")
    assert azure.requests.count("OpenAI.RegenerateKey", target=account.arm_id, took_effect=True) == 1
    assert azure.requests.count("OpenAI.ListModels", target=account.arm_id) == 2


async def test_an_account_that_allows_no_keys_still_has_them(
    azure: LocalAzure, management: CognitiveServicesManagementClient, http: aiohttp.ClientSession
) -> None:
    """
    They open nothing.
    """
    account = await add_openai_account(azure, "closed", disables_local_auth=True)

    keys = await management.accounts.list_keys(RESOURCE_GROUP, "closed")
    found = await management.accounts.get(RESOURCE_GROUP, "closed")

    assert found.properties is not None
    assert found.properties.disable_local_auth
    with pytest.raises(CallFailed, match="AuthenticationTypeDisabled"):
        await account.consumer().use("version", keys.key1 or "", http)


@pytest.mark.parametrize("name", ["Primary", "key1", "Key3"])
async def test_another_name_regenerates_nothing(
    management: CognitiveServicesManagementClient, account: OpenAIAccount, name: str
) -> None:
    """
    ARM is strict here, so that no other spelling is relied on.
    """
    before = account.value("Primary")

    with pytest.raises(HttpResponseError) as refused:
        await management.accounts.regenerate_key(RESOURCE_GROUP, "models1", name)

    assert refused.value.status_code == 400
    assert account.value("Primary") == before


@pytest.mark.parametrize("key", ["", "0" * 32, "line\nbreak"])
async def test_a_value_that_is_no_key_opens_nothing(
    account: OpenAIAccount, http: aiohttp.ClientSession, key: str
) -> None:
    """
    It fails as any call does.
    """
    with pytest.raises(CallFailed):
        await account.consumer().use("version", key, http)


async def test_models_are_listed_by_a_known_version_alone(account: OpenAIAccount, http: aiohttp.ClientSession) -> None:
    """
    As in Azure, another one is not there.
    """
    url = f"{account.endpoint}/openai/models"
    async with http.get(url, params={"api-version": "2020-01-01"}, headers={"api-key": account.value("Primary")}) as it:
        assert it.status == 404
