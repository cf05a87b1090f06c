"""
Azure Resource Manager, as `rotator doctor` asks it.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from localcloud.azure.certificates import CertificateAuthority
from rotator.doctor.resource_manager import NotShown, Place, ResourceManager
from rotator.doctor.resources import AppSettings, Resource
from rotator.errors import OutOfReach
from rotator.sign_in import EntraSignIn
from tests.unit.operator_cli.small_answers import Answer
from tests.unit.operator_cli.small_app import SmallApp

AUDIENCE = "https://management.azure.com"


@pytest.fixture
async def azure(ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallApp]:
    """
    Yield what answers in place of Azure, as arranged, after it has given a token.
    """
    async with SmallApp() as identity, SmallApp(ca.server_context) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.bundle))
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identity.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        yield running


@pytest.fixture
async def manager(azure: SmallApp) -> AsyncIterator[ResourceManager]:
    """
    Yield what asks there.
    """
    made = ResourceManager(Place(azure.url, AUDIENCE), lambda _: None)
    yield made
    await made.close()


async def test_the_token_goes_to_the_address_that_was_given_alone(azure: SmallApp, manager: ResourceManager) -> None:
    """
    Whatever address the link to the next page has: a gateway's pages name Azure itself.
    """
    link = "https://elsewhere.example:443/things?$skipToken=2"
    azure.answers += [Answer(200, {"value": [{"id": "/1"}], "nextLink": link}), Answer(200, {"value": [{"id": "/2"}]})]

    found = await manager.read_list(Resource, "/things", "v")

    assert [one.id for one in found] == ["/1", "/2"]
    assert [(one.path, one.query) for one in azure.requests] == [
        ("/things", {"api-version": "v"}),
        ("/things", {"$skipToken": "2"}),
    ]


async def test_a_list_is_read_once(azure: SmallApp, manager: ResourceManager) -> None:
    """
    However many ask, and at the same time.
    """
    azure.answers += [Answer(200, {"value": None})]

    assert await asyncio.gather(*(manager.read_list(Resource, "/things", "v") for _ in range(5))) == [[]] * 5
    assert len(azure.requests) == 1


async def test_what_is_null_counts_as_left_out(azure: SmallApp, manager: ResourceManager) -> None:
    """
    Azure writes both.
    """
    azure.answers += [Answer(200, {"properties": {"A": "1", "B": None}}), Answer(200, {"properties": None})]

    assert (await manager.get(AppSettings, "/x", "v")).properties == {"A": "1"}
    assert (await manager.get(AppSettings, "/x", "v")).properties == {}


@pytest.mark.parametrize(("status", "is_missing"), [(403, False), (401, False), (404, True), (409, True)])
async def test_a_refusal_says_whether_there_is_nothing(
    azure: SmallApp, manager: ResourceManager, status: int, is_missing: bool
) -> None:
    """
    Or whether the person may not see it; with Azure's code, and without a word of its message.
    """
    azure.answers += [Answer(status, {"error": {"code": "Code", "message": "m"}})]

    with pytest.raises(NotShown, match=rf"^Azure does not show /x: {status} Code$") as refused:
        await manager.get(AppSettings, "/x", "v")
    assert refused.value.is_missing is is_missing


async def test_what_says_nothing_is_not_taken_for_a_want_of_rights(azure: SmallApp, manager: ResourceManager) -> None:
    """
    An answer of another program, and a redirect, which is not followed.
    """
    azure.answers += [Answer(200, "<html>"), Answer(302, "", {"Location": "https://elsewhere.example/"})]

    for _ in range(2):
        with pytest.raises(OutOfReach):
            await manager.get(AppSettings, "/x", "v")
    assert len(azure.requests) == 2


async def test_a_token_is_asked_for_once_however_many_need_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The Azure CLI keeps none, and takes a second for each.
    """
    asked, program = tmp_path / "asked", tmp_path / "az"
    token = {"accessToken": "t", "expires_on": 4_000_000_000, "expiresOn": "2096-10-02 07:06:40.000000"}
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(token)!r})\nopen({str(asked)!r}, 'a').write('asked ')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    sign_in = EntraSignIn(AUDIENCE)

    async def authorize() -> str:
        signed = await anext(sign_in.async_auth_flow(httpx.Request("GET", AUDIENCE)))
        return str(signed.headers["Authorization"])

    try:
        assert set(await asyncio.gather(*(authorize() for _ in range(20)))) == {"Bearer t"}
    finally:
        await sign_in.close()
    assert asked.read_text() == "asked "
