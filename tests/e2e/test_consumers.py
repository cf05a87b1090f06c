"""
The client of docs/consumers.md, as it stands there, while its secret is rotated in the local cloud.
"""

import asyncio
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import KeyVaultSecret, SecretClient
from azure.storage.blob import BlobServiceClient

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from localcloud.consumers import CallFailed
from localcloud.kinds import KINDS
from tests.e2e.client import Client, Subject
from tests.e2e.markdown_page import read

PAGE = read("docs/consumers.md")
CLIENT, USE = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def trust(cloud: LocalCloud, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let the SDKs' own clients find the identity and believe the certificates of the local cloud.
    """
    for name, value in cloud.azure.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca.bundle))


class CountedVault:
    """
    A vault's client that counts what is read.
    """

    def __init__(self, uri: str) -> None:
        self.reads = 0
        # Azure's vaults end in what the challenge names; this one does not.
        self._client = SecretClient(uri, ManagedIdentityCredential(), verify_challenge_resource=False, retry_total=0)

    def get_secret(self, name: str) -> KeyVaultSecret:
        """
        Return the current version.
        """
        self.reads += 1
        return self._client.get_secret(name)


class Workload:
    """
    Who calls an account over and over with the page's client.
    """

    def __init__(self, cloud: LocalCloud, subject: Subject, **options: float) -> None:
        page: dict[str, Any] = {}
        exec(CLIENT, page)  # noqa: S102 - what the page shows
        self.vault = CountedVault(cloud.vault.uri)
        self.uses = 0
        self._secret = page["RotatedSecret"](self.vault, subject.secret, **options)

    async def call(self, use: Callable[[str], object] | None = None) -> object:
        """
        Make one call, in a thread. Raises `HttpResponseError` where that is refused.
        """
        return await asyncio.to_thread(self._secret.call, use or self.list_containers)

    def list_containers(self, value: str) -> list[str]:
        """
        Use the account, as a client does.
        """
        self.uses += 1
        with BlobServiceClient.from_connection_string(value, retry_total=0) as account:
            return [container.name for container in account.list_containers()]


@pytest.fixture
async def subject(client: Client, trust: None) -> Subject:
    """
    Return a Storage account with a secret that holds its connection string.
    """
    return await client.subject("storage")


async def test_a_client_that_caches_notices_no_rotation_and_survives_the_next(
    cloud: LocalCloud, client: Client, subject: Subject
) -> None:
    """
    One read at first; the second rotation kills what is cached, and the refused call is made once more.
    """
    workload = Workload(cloud, subject, pause=0)
    await workload.call()

    await client.rotate(subject)
    await workload.call()
    assert (workload.vault.reads, workload.uses) == (1, 2)

    await client.rotate(subject)
    await workload.call()
    assert (workload.vault.reads, workload.uses) == (2, 4)


async def test_a_value_is_read_again_when_it_is_old(cloud: LocalCloud, client: Client, subject: Subject) -> None:
    """
    Then no call is refused at all, however often the secret is rotated.
    """
    workload = Workload(cloud, subject, max_age=0)

    for _ in range(3):
        await workload.call()
        await client.rotate(subject)
    await workload.call()

    assert workload.uses == workload.vault.reads == 4


async def test_what_is_refused_with_the_newest_value_is_refused_once(
    cloud: LocalCloud, client: Client, subject: Subject
) -> None:
    """
    One more read, no second try; and for a while the next refusals read nothing.
    """
    workload = Workload(cloud, subject, pause=0)
    await workload.call()
    subject.target.regenerate("Primary")

    with pytest.raises(HttpResponseError) as refused:
        await workload.call()
    assert refused.value.status_code == 403
    assert (workload.vault.reads, workload.uses) == (2, 2)

    patient = Workload(cloud, subject)
    for _ in range(3):
        with pytest.raises(HttpResponseError):
            await patient.call()
    assert (patient.vault.reads, patient.uses) == (1, 3)


async def test_another_error_is_no_reason_to_read(cloud: LocalCloud, subject: Subject) -> None:
    """
    A container that is not there, for example.
    """
    workload = Workload(cloud, subject, pause=0)

    def look(value: str) -> None:
        with BlobServiceClient.from_connection_string(value, retry_total=0) as account:
            account.get_container_client("nothing").get_container_properties()

    with pytest.raises(HttpResponseError) as missing:
        await workload.call(look)

    assert (missing.value.status_code, workload.vault.reads) == (404, 1)


async def test_a_vault_that_does_not_answer_stops_nobody_who_has_a_value(cloud: LocalCloud, subject: Subject) -> None:
    """
    The first read has to succeed; after that the value that was read is used on.
    """
    workload = Workload(cloud, subject, max_age=0)
    down = Fault(operation="Vault.GetSecret", kind="answer", status=503, times=None)
    cloud.azure.faults.add(down)
    with pytest.raises(HttpResponseError):
        await workload.call()
    cloud.azure.faults.clear()
    await workload.call()
    cloud.azure.faults.add(down)

    await workload.call()

    assert (workload.vault.reads, workload.uses) == (3, 2)


async def test_many_calls_that_are_refused_at_once_read_once(
    cloud: LocalCloud, client: Client, subject: Subject
) -> None:
    """
    The others find that another value is there by then.
    """
    workload = Workload(cloud, subject, pause=0)
    await workload.call()
    for _ in range(2):
        await client.rotate(subject)
    refused = threading.Barrier(5)

    def use(value: str) -> list[str]:
        try:
            return workload.list_containers(value)
        except HttpResponseError:
            refused.wait(30)
            raise

    await asyncio.gather(*(workload.call(use) for _ in range(5)))

    assert (workload.vault.reads, workload.uses) == (2, 11)


async def test_the_lines_that_use_it_work(cloud: LocalCloud, subject: Subject) -> None:
    """
    With the names of a vault and a secret that are there.
    """
    page: dict[str, Any] = {}
    exec(CLIENT, page)  # noqa: S102 - what the page shows
    page["SecretClient"] = partial(SecretClient, verify_challenge_resource=False)
    lines = USE.replace("https://my-vault.vault.azure.net", cloud.vault.uri)
    lines = lines.replace("storage-connection", subject.secret)

    await asyncio.to_thread(exec, lines, page)

    assert page["names"] == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_dead_key_is_refused_as_the_table_says(client: Client, kind: Any) -> None:
    """
    Of every kind, in the words of its service.
    """
    subject = await client.subject(kind.name)
    dead = subject.target.value("Primary")
    subject.target.regenerate("Primary")
    consumer = subject.target.consumer()
    connector = aiohttp.TCPConnector(ssl=client.cloud.azure.ca.client_context)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(CallFailed) as refused:
            await consumer.use("dead", dead, session)
        await consumer.forget("dead")
    (row,) = re.findall(rf"^\| `{kind.deployed.provider}` \| [^|]* \| ([^|]*) \|", PAGE, re.MULTILINE)

    status, _, code = row.partition(" ")
    assert str(refused.value.status) == status
    assert not code or code == f"`{refused.value.code}`"
