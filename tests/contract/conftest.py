"""
The adapters as the app is wired: against a local Azure and Azurite, or in a place that is described (`make live`).
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from azure.data.tables.aio import TableClient

from adapters.clock import SystemClock
from adapters.transport import SharedTransport
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.vault import Vault
from localcloud.azurite import Azurite
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind
from rotation.vocabulary.target import Target
from rotation.vocabulary.timing import Deadline
from tests.live.description import description, is_live
from tests.live.other_end import RealVault, Subscriber, table_client
from tests.twins.clock import HandClock
from tests.twins.targets import parse_target
from wiring.parts import Wiring

MakeTable = Callable[[SharedTransport], TableClient]
Received = Callable[[str], Awaitable[dict[str, Any]]]


@pytest.fixture
async def azure(ca: CertificateAuthority) -> AsyncIterator[LocalAzure]:
    """
    Yield an Azure of the test's own.
    """
    async with LocalAzure(KINDS, ca=ca) as running:
        yield running


@pytest.fixture
def clock() -> HandClock:
    """
    Return a clock that passes at once whatever is slept on it.
    """
    return HandClock()


@pytest.fixture
def deadline(clock: HandClock) -> Deadline:
    """
    Return a fresh deadline. In a place that is described, pauses are pauses.
    """
    return Deadline(SystemClock() if is_live() else clock)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let what is asked again be asked at once: tests/unit/adapters/test_answers.py holds how long it waits.
    """
    monkeypatch.setattr("adapters.answers.READ_AGAIN_AFTER", (0.0, 0.0, 0.0))


async def _local_vault(azure: LocalAzure) -> Vault:
    return await azure.add_vault("kv-contract")


async def _local_wiring(
    azure: LocalAzure, vault: Vault, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wiring]:
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


async def _local_target(azure: LocalAzure, kind: LocalKind) -> Target:
    return parse_target((await kind.make(azure, "account1")).address)


def _local_table(azurite: Azurite) -> MakeTable:
    def make(transport: SharedTransport) -> TableClient:
        name = f"t{uuid.uuid4().hex}"
        return TableClient.from_connection_string(azurite.connection_string, name, transport=transport, retry_total=0)

    return make


def _local_received(azure: LocalAzure) -> Received:
    async def received(event_id: str) -> dict[str, Any]:
        return next(event.content for event in azure.events if event.id == event_id)

    return received


def _live_vault() -> RealVault:
    return RealVault(description())


async def _live_wiring() -> AsyncIterator[Wiring]:
    made = Wiring(description().settings)
    yield made
    await made.close()


def _live_target(kind: LocalKind) -> Target:
    place = description()
    made = {"batch": [place.batch], "storage": [place.storage], "workflow": place.workflows}.get(kind.name)
    if not made:
        pytest.skip(f"no {kind} was asked for")
    return parse_target(made[0])


def _live_table() -> MakeTable:
    return lambda transport: table_client(description(), f"t{uuid.uuid4().hex}", transport=transport, retry_total=0)


def _live_received() -> Received:
    async def received(event_id: str) -> dict[str, Any]:
        return Subscriber(description()).wait_for(event_id)

    return received


# The one vault that the app is set up for, as somebody else uses it.
vault = pytest.fixture(_live_vault if is_live() else _local_vault, name="vault")
# The app's own composition, with the settings of the place.
wiring = pytest.fixture(_live_wiring if is_live() else _local_wiring, name="wiring")
# A target of a kind: the fixture `kind`.
target = pytest.fixture(_live_target if is_live() else _local_target, name="target")
# What makes a client of a table that does not exist yet.
make_table = pytest.fixture(_live_table if is_live() else _local_table, name="make_table")
# What waits for an event of the topic.
received = pytest.fixture(_live_received if is_live() else _local_received, name="received")
