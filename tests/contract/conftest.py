"""
The adapters as the app is wired, against a local Azure and Azurite.
"""

from collections.abc import AsyncIterator

import pytest

from adapters.wiring import Wiring
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.vault import Vault
from localcloud.azurite import Azurite
from rotation.timing import Deadline
from tests.twins.clock import HandClock


@pytest.fixture
async def azure(ca: CertificateAuthority) -> AsyncIterator[LocalAzure]:
    """
    Yield an Azure of the test's own.
    """
    async with LocalAzure(ca=ca) as running:
        yield running


@pytest.fixture
async def vault(azure: LocalAzure) -> Vault:
    """
    Return the one vault that the app is set up for.
    """
    return await azure.add_vault("kv-contract")


@pytest.fixture
async def wiring(
    azure: LocalAzure, vault: Vault, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wiring]:
    """
    Yield the app's own composition, with the settings of the local cloud.
    """
    settings = azure.environment() | {
        "ROTATION_VAULTS": vault.uri,
        "ROTATION_ALLOWED_SCOPES": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}",
        "AzureWebJobsStorage": azurite.connection_string,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    made = Wiring(settings)
    yield made
    await made.close()


@pytest.fixture
def clock() -> HandClock:
    """
    Return a clock that passes at once whatever is slept on it.
    """
    return HandClock()


@pytest.fixture
def deadline(clock: HandClock) -> Deadline:
    """
    Return a fresh deadline.
    """
    return Deadline(clock)
