"""
The whole app: the official SDKs against a local Azure, real tables and queues, in a host of its own.
"""

from collections.abc import AsyncIterator

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.cloud import OFTEN, LocalCloud
from localcloud.leaks import Place, find_leaks, places_of
from tests.e2e.client import Client


@pytest.fixture(scope="session")
async def shared_cloud(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield one cloud for all tests that do not kill it.
    """
    async with LocalCloud(tmp_path_factory.mktemp("cloud"), ca=ca, max_polling_interval=OFTEN) as cloud:
        yield cloud


@pytest.fixture
async def cloud(shared_cloud: LocalCloud) -> AsyncIterator[LocalCloud]:
    """
    Yield the shared cloud, without what an earlier test has set up, and look for leaks afterwards.
    """
    yield shared_cloud
    shared_cloud.azure.faults.clear()
    await Client(shared_cloud).idle()
    assert_nothing_leaked(shared_cloud)
    shared_cloud.vault.subscriptions.clear()


@pytest.fixture
async def own_cloud(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield a cloud that the test may break, whose queue retries at once, and look for leaks afterwards.
    """
    async with LocalCloud(
        tmp_path_factory.mktemp("own-cloud"),
        ca=ca,
        AzureFunctionsJobHost__extensions__queues__visibilityTimeout="00:00:00",
        LOCAL_QUEUE_HIDDEN_SECONDS="1",
        max_polling_interval=OFTEN,
    ) as cloud:
        yield cloud
        assert_nothing_leaked(cloud)


@pytest.fixture
async def client(cloud: LocalCloud) -> AsyncIterator[Client]:
    """
    Yield a client of the app, and look for leaks in what it was answered.
    """
    client = Client(cloud)
    yield client
    answers = [Place("answers", answer) for answer in client.answers]
    assert not find_leaks(cloud.azure.key_history, answers).leaks


def assert_nothing_leaked(cloud: LocalCloud) -> None:
    """
    Hold everything that the app has written against every key that ever existed.
    """
    assert not find_leaks(cloud.azure.key_history, places_of(cloud)).leaks


@pytest.fixture(params=["batch", "workflow"])
def kind(request: pytest.FixtureRequest) -> str:
    """
    Return each kind of target.
    """
    return str(request.param)
