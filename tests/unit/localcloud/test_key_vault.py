from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.identity import ARM, KEY_VAULT
from localcloud.azure.vault import Vault


@pytest.fixture
async def vault(azure: LocalAzure) -> Vault:
    """
    Return an empty vault.
    """
    return await azure.add_vault("kv-demo")


@pytest.fixture
async def client(vault: Vault, credential: ManagedIdentityCredential) -> AsyncIterator[SecretClient]:
    """
    Yield the client that the app uses.
    """
    async with SecretClient(vault.uri, credential, verify_challenge_resource=False) as client:
        yield client


async def test_a_secret_comes_back_as_it_was_set(azure: LocalAzure, client: SecretClient, vault: Vault) -> None:
    """
    Value, tags, content type and dates survive, and both sides see the same version.
    """
    expires_on = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    made = await client.set_secret("batch-key", "v1", tags={"a": "b"}, content_type="text/plain", expires_on=expires_on)
    found = await client.get_secret("BATCH-key")

    assert found.value == "v1"
    assert found.properties.tags == {"a": "b"}
    assert found.properties.content_type == "text/plain"
    assert found.properties.expires_on == expires_on
    assert found.properties.version == made.properties.version == vault.current("batch-key").version
    assert len(vault.current("batch-key").version) == 32
    assert found.id == f"{vault.uri}/secrets/batch-key/{made.properties.version}"
    assert azure.requests.count("Vault.SetSecret") == 1
    assert azure.requests.count("Vault.GetSecret", target=f"{vault.uri}/secrets/batch-key") == 1


async def test_setting_makes_a_new_version_and_keeps_the_old(client: SecretClient, vault: Vault) -> None:
    """
    The newest version is the current one; every older one is read by its version.
    """
    first = vault.set("batch-key", "v1", tags={"n": "1"})
    second = (await client.set_secret("batch-key", "v2")).properties.version

    assert [version.version for version in vault.versions("batch-key")] == [first, second]
    assert (await client.get_secret("batch-key")).value == "v2"
    assert (await client.get_secret("batch-key", first)).properties.tags == {"n": "1"}
    listed = {properties.version async for properties in client.list_properties_of_secret_versions("batch-key")}
    assert listed == {first, second}


async def test_a_version_read_before_does_not_change_with_an_update(client: SecretClient, vault: Vault) -> None:
    """
    An update touches what it names and nothing else, and what a test held is still what was.
    """
    version = vault.set("batch-key", "v1", tags={"n": "1"}, content_type="text/plain")
    before = vault.current("batch-key")
    expires_on = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    await client.update_secret_properties("batch-key", version, tags={"n": "2"}, expires_on=expires_on)

    after = vault.current("batch-key")
    assert (before.tags, before.expires_on) == ({"n": "1"}, None)
    assert (after.tags, after.expires_on) == ({"n": "2"}, expires_on)
    assert (after.value, after.content_type, after.created_on) == ("v1", "text/plain", before.created_on)
    assert [known.version for known in vault.versions("batch-key")] == [version]


async def test_a_disabled_version_does_not_give_its_value(client: SecretClient, vault: Vault) -> None:
    """
    It answers 403 SecretDisabled, is still listed, and can be enabled again.
    """
    version = vault.set("batch-key", "v1", tags={"keep": "me"})
    await client.update_secret_properties("batch-key", version, enabled=False)

    with pytest.raises(HttpResponseError) as refused:
        await client.get_secret("batch-key")
    assert refused.value.status_code == 403
    assert "SecretDisabled" in str(refused.value.response.text() if refused.value.response else "")
    assert [properties.enabled async for properties in client.list_properties_of_secrets()] == [False]
    assert vault.current("batch-key").tags == {"keep": "me"}
    await client.update_secret_properties("batch-key", version, enabled=True)
    assert (await client.get_secret("batch-key")).value == "v1"


async def test_secrets_are_listed_25_a_page_without_versions(
    azure: LocalAzure, client: SecretClient, vault: Vault
) -> None:
    """
    All pages together hold every secret once, by its name, whichever was made first.
    """
    for number in reversed(range(60)):
        vault.set(f"{'sS'[number % 2]}ecret-{number:02}", "v")

    listed = [properties async for properties in client.list_properties_of_secrets()]

    assert [str(properties.name).lower() for properties in listed] == [f"secret-{number:02}" for number in range(60)]
    assert {properties.version for properties in listed} == {None}
    assert azure.requests.count("Vault.ListSecrets", target=vault.uri) == 3


async def test_what_is_missing_is_404(client: SecretClient, vault: Vault) -> None:
    """
    A missing secret and a missing version are SecretNotFound.
    """
    vault.set("there", "v")
    for name, version in (("nowhere", None), ("there", "0" * 32)):
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            await client.get_secret(name, version)
    with pytest.raises(KeyError):
        vault.current("nowhere")


async def test_tokens_that_expire_are_replaced(azure: LocalAzure, client: SecretClient, vault: Vault) -> None:
    """
    The challenge makes a client with a dead token come back with a live one, unless its credential has none.
    """
    vault.set("there", "v")
    await client.get_secret("there")
    azure.identity.expire_all()

    with pytest.raises(ClientAuthenticationError):
        await client.get_secret("there")


async def test_a_request_without_a_token_is_challenged(
    azure: LocalAzure, http: aiohttp.ClientSession, vault: Vault
) -> None:
    """
    The challenge names the resource; the log does not count it as the operation.
    """
    async with http.get(f"{vault.uri}/secrets/x?api-version=7.6") as answer:
        assert answer.status == 401
        assert 'resource="https://vault.azure.net"' in answer.headers["WWW-Authenticate"]
    async with http.get(
        f"{vault.uri}/secrets/x?api-version=7.6", headers={"Authorization": f"Bearer {azure.identity.issue(ARM)}"}
    ) as answer:
        assert answer.status == 401
    assert azure.requests.count("Vault.Challenge") == 1
    assert azure.requests.count("Vault.GetSecret") == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v"}, 200),
        ("PUT", "/secrets/x", {"value": "v"}, 400),
        ("PUT", "/secrets/x?api-version=6.0", {"value": "v"}, 400),
        ("PUT", "/secrets/under_score?api-version=7.6", {"value": "v"}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {"value": 7}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v" * 25_001}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v", "content_type": "t"}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v", "attributes": {"expires": 1}}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v", "attributes": {"exp": "soon"}}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v", "tags": {str(n): "" for n in range(15)}}, 200),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v", "tags": {str(n): "" for n in range(16)}}, 400),
        ("PUT", "/secrets/x?api-version=7.6", {"value": "v", "tags": {"n": "v" * 257}}, 400),
        ("PATCH", "/secrets/x/0?api-version=7.6", {"value": "v"}, 404),
        ("POST", "/secrets/x?api-version=7.6", {}, 405),
        ("GET", "/keys?api-version=7.6", {}, 404),
        ("GET", "/secrets?api-version=7.6&maxresults=26", {}, 400),
        ("GET", "/secrets?api-version=7.6&$skiptoken=???", {}, 400),
    ],
)
async def test_a_vault_is_strict(
    azure: LocalAzure,
    http: aiohttp.ClientSession,
    vault: Vault,
    *,
    method: str,
    path: str,
    body: dict[str, Any],
    status: int,
) -> None:
    """
    What Key Vault would refuse is refused with its error, and makes no version.
    """
    headers = {"Authorization": f"Bearer {azure.identity.issue(KEY_VAULT)}"}

    async with http.request(method, vault.uri + path, json=body, headers=headers) as answer:
        assert answer.status == status
        content = await answer.json()
    assert len(vault.versions("x")) == (1 if status == 200 else 0)
    if status != 200:
        assert {"code", "message"} <= set(content["error"])
