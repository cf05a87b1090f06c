"""
The whole app: the official SDKs against a local Azure, real tables and queues, in a host of its own.
"""

from collections.abc import AsyncIterator

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.cloud import LocalCloud
from tests.e2e.client import Client


@pytest.fixture(scope="session")
async def shared_cloud(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield one cloud for all tests that do not kill it.
    """
    async with LocalCloud(tmp_path_factory.mktemp("cloud"), ca=ca) as cloud:
        yield cloud


@pytest.fixture
async def cloud(shared_cloud: LocalCloud) -> AsyncIterator[LocalCloud]:
    """
    Yield the shared cloud, without what an earlier test has set up, and look for leaks afterwards.
    """
    yield shared_cloud
    await Client(shared_cloud).idle()
    shared_cloud.azure.faults.clear()
    shared_cloud.vault.subscriptions.clear()


@pytest.fixture
async def client(cloud: LocalCloud) -> Client:
    """
    Return a client of the app.
    """
    return Client(cloud)


@pytest.fixture(params=["batch", "workflow"])
def kind(request: pytest.FixtureRequest) -> str:
    """
    Return each kind of target.
    """
    return str(request.param)
