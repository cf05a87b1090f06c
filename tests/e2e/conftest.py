"""
The whole app: the official SDKs against a local Azure, real tables and queues, in a host of its own.
"""

from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.cloud import LocalCloud
from localcloud.functions_host.forking import fork_hosts
from localcloud.kinds import KINDS
from localcloud.leaks import Place, find_leaks, places_of
from tests.e2e.client import Client
from tests.event_schemas import problems_of

# A message whose run has failed is taken again at once.
AT_ONCE = "00:00:00"

fork_hosts()


@pytest.fixture(scope="package")
async def shared_cloud(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield one cloud for all tests that do not kill it.

    It verifies nothing: a refresh would compare the secrets of all earlier tests, ten targets a second. It ends with
    this folder, since an idle host still looks for messages ten times a second.
    """
    async with LocalCloud(
        tmp_path_factory.mktemp("cloud"),
        ca=ca,
        is_impatient=True,
        ROTATION_VERIFY_DAYS="0",
        AzureFunctionsJobHost__extensions__queues__visibilityTimeout=AT_ONCE,
    ) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def answers(shared_cloud: LocalCloud) -> Iterator[list[str]]:
    """
    Yield where the answers to all clients are kept; look for leaks in them, and in the shared cloud, afterwards.

    Once for a module: looking through all of it takes as long as many of the tests. Every event that was published is
    held against its schema, too.
    """
    answers: list[str] = []
    yield answers
    assert_nothing_leaked(shared_cloud, answers)
    assert_events_are_as_described(shared_cloud)


@pytest.fixture
async def cloud(shared_cloud: LocalCloud, answers: list[str]) -> AsyncIterator[LocalCloud]:
    """
    Yield the shared cloud, without what an earlier test has set up.
    """
    yield shared_cloud
    shared_cloud.azure.faults.clear()
    await Client(shared_cloud).idle()
    shared_cloud.vault.subscriptions.clear()


@pytest.fixture
async def own_cloud(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield a cloud that the test may break, whose queue retries at once, and look for leaks afterwards.
    """
    async with LocalCloud(
        tmp_path_factory.mktemp("own-cloud"),
        ca=ca,
        is_impatient=True,
        AzureFunctionsJobHost__extensions__queues__visibilityTimeout=AT_ONCE,
        LOCAL_QUEUE_HIDDEN_SECONDS="1",
    ) as cloud:
        yield cloud
        assert_nothing_leaked(cloud)
        assert_events_are_as_described(cloud)


@pytest.fixture
async def client(cloud: LocalCloud, answers: list[str]) -> AsyncIterator[Client]:
    """
    Yield a client of the app.
    """
    client = Client(cloud)
    yield client
    answers += client.answers


def assert_nothing_leaked(cloud: LocalCloud, answers: Sequence[str] = ()) -> None:
    """
    Hold everything that the app has written, and its answers, against every key that ever existed.
    """
    places = [*places_of(cloud), *(Place("answers", answer) for answer in answers)]
    assert not find_leaks(cloud.azure.key_history, places).leaks


def assert_events_are_as_described(cloud: LocalCloud) -> None:
    """
    Hold every event that the app has published against its schema.
    """
    assert [problem for event in cloud.azure.events for problem in problems_of(event.content)] == []


@pytest.fixture(params=[kind.name for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    """
    Return each kind of target.
    """
    return str(request.param)
