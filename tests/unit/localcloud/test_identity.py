import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.batch.aio import BatchManagementClient

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import SUBSCRIPTION, LocalAzure
from localcloud.azure.identity import EVENT_GRID, KEY_VAULT
from localcloud.kinds import KINDS
from localcloud.kinds.batch import add_batch_account

ACCOUNT_PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/acc"


async def test_the_official_credential_gets_a_token_for_one_audience(
    azure: LocalAzure, credential: ManagedIdentityCredential
) -> None:
    """
    What ManagedIdentityCredential sends is what the endpoint takes.
    """
    token = await credential.get_token("https://management.azure.com/.default")

    assert len(token.token) > 40
    assert azure.requests.count("Identity.Token") == 1


async def test_a_user_assigned_identity_is_known_by_its_client_id(
    ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The configured client id gets a token, another one does not.
    """
    async with LocalAzure(KINDS, ca=ca, client_id="22222222-2222-4222-8222-222222222222") as azure:
        settings = azure.environment()
        for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
            monkeypatch.setenv(name, settings[name])
        async with ManagedIdentityCredential(client_id=settings["AZURE_CLIENT_ID"]) as right:
            assert (await right.get_token("https://vault.azure.net/.default")).token
        async with ManagedIdentityCredential(client_id="33333333-3333-4333-8333-333333333333") as wrong:
            with pytest.raises(ClientAuthenticationError):
                await wrong.get_token("https://vault.azure.net/.default")


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("wrong", "resource=https://vault.azure.net&api-version=2019-08-01", 401),
        (None, "resource=https://vault.azure.net&api-version=2019-08-01", 401),
        ("right", "resource=https://vault.azure.net", 400),
        ("right", "resource=https://vault.azure.net&api-version=2017-09-01", 400),
        ("right", "resource=https://example.org&api-version=2019-08-01", 400),
        ("right", "api-version=2019-08-01", 400),
        ("right", "resource=https://vault.azure.net&api-version=2019-08-01&clientid=x", 400),
        ("right", "resource=https://vault.azure.net/&api-version=2019-08-01", 200),
    ],
)
async def test_only_a_correct_request_gets_a_token(
    azure: LocalAzure, http: aiohttp.ClientSession, header: str | None, query: str, status: int
) -> None:
    """
    Header, version, resource and parameter names are all checked.
    """
    settings = azure.environment()
    headers = {} if header is None else {"X-IDENTITY-HEADER": header}
    if header == "right":
        headers["X-IDENTITY-HEADER"] = settings["IDENTITY_HEADER"]

    async with http.get(f"{settings['IDENTITY_ENDPOINT']}?{query}", headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize("token", ["none", "unknown", "vault", "eventgrid", "expired"])
async def test_arm_refuses_every_token_but_its_own(azure: LocalAzure, http: aiohttp.ClientSession, token: str) -> None:
    """
    A missing, unknown or expired token and one for another audience are 401 with ARM's error.
    """
    await add_batch_account(azure, "acc", resource_group="rg")
    headers = {"Authorization": "Bearer made-up"}
    if token == "none":
        headers = {}
    elif token in {"vault", "eventgrid"}:
        audience = KEY_VAULT if token == "vault" else EVENT_GRID
        headers = {"Authorization": f"Bearer {azure.identity.issue(audience)}"}
    elif token == "expired":
        azure.identity.lifetime = -1
        headers = {"Authorization": f"Bearer {azure.identity.issue('https://management.azure.com')}"}

    async with http.get(f"{azure.arm_uri}{ACCOUNT_PATH}?api-version=2025-06-01", headers=headers) as answer:
        assert answer.status == 401
        assert set((await answer.json())["error"]) == {"code", "message"}
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_an_audience_may_end_in_a_slash(azure: LocalAzure, http: aiohttp.ClientSession) -> None:
    """
    Old and new spellings of an audience are one.
    """
    await add_batch_account(azure, "acc", resource_group="rg")
    headers = {"Authorization": f"Bearer {azure.identity.issue('https://management.azure.com/')}"}

    async with http.get(f"{azure.arm_uri}{ACCOUNT_PATH}?api-version=2025-06-01", headers=headers) as answer:
        assert answer.status == 200


async def test_tokens_can_be_made_to_expire(azure: LocalAzure, credential: ManagedIdentityCredential) -> None:
    """
    After expire_all a client with a cached token is refused.
    """
    await add_batch_account(azure, "acc", resource_group="rg")
    async with BatchManagementClient(credential, SUBSCRIPTION, base_url=azure.arm_uri) as client:
        await client.batch_account.get("rg", "acc")
        azure.identity.expire_all()

        with pytest.raises(ClientAuthenticationError):
            await client.batch_account.get("rg", "acc")
