"""
A local Azure for each test, and the official clients that talk to it.
"""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from azure.identity.aio import ManagedIdentityCredential

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import LocalAzure
from localcloud.kinds import KINDS


@pytest.fixture
async def azure(ca: CertificateAuthority) -> AsyncIterator[LocalAzure]:
    """
    Yield an empty Azure.
    """
    async with LocalAzure(KINDS, ca=ca) as running:
        yield running


@pytest.fixture
def environment(azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """
    Put this process where the app would be: its settings name the local Azure.
    """
    settings = azure.environment()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
async def credential(environment: dict[str, str]) -> AsyncIterator[ManagedIdentityCredential]:
    """
    Yield the credential that the app has in Azure.
    """
    async with ManagedIdentityCredential() as credential:
        yield credential


@pytest.fixture
async def http(ca: CertificateAuthority) -> AsyncIterator[aiohttp.ClientSession]:
    """
    Yield a bare client, for requests that no SDK would send.
    """
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ca.client_context)) as session:
        yield session
