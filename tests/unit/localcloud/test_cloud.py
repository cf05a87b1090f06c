import asyncio
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import requests
from yarl import URL

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.identity import ARM
from localcloud.kinds import KINDS
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.openai import add_openai_account
from localcloud.kinds.storage import add_storage_account
from localcloud.kinds.workflow import add_workflow

AIOHTTP_IS_ABSENT = "import sys, localcloud.azure.certificates; sys.exit('aiohttp' in sys.modules)"


def test_the_ca_is_made_before_aiohttp() -> None:
    """
    Importing the certificates leaves aiohttp, which reads SSL_CERT_FILE at import, for later.
    """
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", AIOHTTP_IS_ABSENT], cwd=root, check=True)  # noqa: S603 - Our own words.


def test_the_ca_makes_the_directory_of_its_bundle(tmp_path: Path) -> None:
    """
    `make chaos` has many clouds, each with a directory of its own that is not there yet.
    """
    ca = CertificateAuthority(tmp_path / "one" / "two")

    assert ca.bundle.read_text().startswith("-----BEGIN CERTIFICATE-----")


async def test_requests_trusts_the_bundle_too(azure: LocalAzure) -> None:
    """
    The bundle is a plain PEM file.
    """
    answer = await asyncio.to_thread(requests.get, azure.arm_uri, verify=str(azure.ca.bundle), timeout=10)

    assert answer.status_code == 404


async def test_the_environment_names_every_service(azure: LocalAzure) -> None:
    """
    With these settings, and no other, an app finds the local Azure.
    """
    settings = azure.environment()

    assert set(settings) == {
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "SSL_CERT_FILE",
        "ROTATION_ARM_ENDPOINT",
        "ROTATION_TOPIC_ENDPOINT",
        "ROTATION_VERIFY_VAULT_DOMAIN",
        "ROTATION_DATA_PLANE_SUFFIXES",
        "ROTATION_GRACE_HOURS",
    }
    for name in ("IDENTITY_ENDPOINT", "ROTATION_ARM_ENDPOINT", "ROTATION_TOPIC_ENDPOINT"):
        assert settings[name].startswith("https://localhost:")


async def test_the_environment_names_the_host_of_every_data_plane(azure: LocalAzure) -> None:
    """
    With it the app may send a key there.
    """
    suffixes = azure.environment()["ROTATION_DATA_PLANE_SUFFIXES"].split(",")

    account = await add_batch_account(azure, "renders")
    blobs = await add_storage_account(azure, "blobs1")
    models = await add_openai_account(azure, "models1")
    assert {URL(made).host for made in (account.endpoint, blobs.blob_endpoint, models.endpoint)} == set(suffixes)


async def test_every_vault_and_every_logic_app_has_a_port(azure: LocalAzure) -> None:
    """
    Two workflows of one Logic App share it.
    """
    first, second = await azure.add_vault("kv-1"), await azure.add_vault("kv-2")
    one, two = [await add_workflow(azure, name, resource_group="rg", site="site") for name in ("one", "two")]
    elsewhere = await add_workflow(azure, "one", resource_group="rg", site="elsewhere")

    assert first.uri != second.uri
    assert one.origin == two.origin != elsewhere.origin


async def test_nothing_is_created_twice(azure: LocalAzure) -> None:
    """
    Names ignore case, as in Azure.
    """
    await add_batch_account(azure, "renders")
    await azure.add_vault("kv")
    await add_workflow(azure, "one", resource_group="rg", site="site")

    with pytest.raises(ValueError, match="exists already"):
        await add_batch_account(azure, "Renders")
    with pytest.raises(ValueError, match="exists already"):
        await azure.add_vault("KV")
    with pytest.raises(ValueError, match="exists already"):
        await add_workflow(azure, "ONE", resource_group="RG", site="SITE")


async def test_the_log_holds_no_signature(azure: LocalAzure, http: aiohttp.ClientSession) -> None:
    """
    A callback URL's query, where its signature is, does not reach the log; nor does a repr show a key.
    """
    workflow = await add_workflow(azure, "one", resource_group="rg", site="site")
    account = await add_batch_account(azure, "renders")
    vault = await azure.add_vault("kv")
    vault.set("batch-key", account.value("Primary"))
    async with http.post(workflow.callback_url()):
        pass

    shown = repr([*azure.requests, *azure.key_history, account, vault.current("batch-key")])
    assert not [value for value in azure.key_history.values() if value in shown]


async def test_closing_lets_go_of_what_hangs(ca: CertificateAuthority, http: aiohttp.ClientSession) -> None:
    """
    A test that ends in the middle of a fault ends at once.
    """
    async with LocalAzure(KINDS, ca=ca) as azure:
        account = await add_batch_account(azure, "renders")
        fault = azure.faults.add(Fault(operation="Batch.GetAccount", kind="hang"))
        headers = {"Authorization": f"Bearer {azure.identity.issue(ARM)}"}
        url = f"{azure.arm_uri}{account.arm_id}?api-version=2025-06-01"
        request = asyncio.create_task(http.get(url, headers=headers))
        await fault.reached()

    (answer,) = await asyncio.gather(request)
    assert answer.status == 200
