import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from rotation.ports.announcer import Announcement, Announcer, announcement_of
from rotation.run import outcome
from rotation.vocabulary.errors import DependencyError
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from tests.contract.conftest import Received
from tests.contract.sides import sides
from tests.twins.announcer import MemoryAnnouncer
from tests.twins.targets import accepted_record
from wiring.parts import Wiring

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def announcement() -> Announcement[Rotation]:
    """
    Return the event of a completed rotation.
    """
    request = RotationRequest(
        str(uuid.uuid4()), Trigger.SWEEP, SecretId("https://kv.vault.azure.net", "one", "a" * 32), NOW
    )
    made = announcement_of(outcome.completed_record(accepted_record(request, NOW), NOW))
    assert made is not None
    return made


@pytest.fixture(params=sides("event grid"))
def announcer(request: pytest.FixtureRequest) -> Announcer:
    """
    Return the twin, then the adapter.
    """
    found: Announcer = MemoryAnnouncer() if request.param == "twin" else request.getfixturevalue("wiring").announcer
    return found


@pytest.mark.assumption(62)
async def test_an_event_may_be_published_again(announcer: Announcer, announcement: Announcement[Rotation]) -> None:
    """
    At least once means more than once is fine.
    """
    await announcer.publish(announcement)
    await announcer.publish(announcement)


@pytest.mark.assumption(62)
async def test_the_topic_receives_the_record_as_a_cloud_event(
    wiring: Wiring, received: Received, announcement: Announcement[Rotation]
) -> None:
    """
    Id, type, source, subject and data arrive as the contract has them.
    """
    await wiring.announcer.publish(announcement)

    event = await received(announcement.id)
    assert event["id"] == f"{announcement.data.id}:completed"
    assert event["type"] == "KeyRotator.RotationCompleted"
    assert (event["source"], event["subject"]) == (announcement.source, announcement.subject)
    assert event["data"] == msgspec.to_builtins(announcement.data)
    assert event["data"]["startedOn"] == "2026-03-01T12:00:00Z"
    assert event["data"]["secret"]["previousVersion"] is None


@pytest.mark.parametrize(
    "script", [{"kind": "answer", "status": 503}, {"kind": "answer", "status": 403}, {"kind": "drop"}]
)
@pytest.mark.usefixtures("impatience")
async def test_a_topic_that_goes_on_failing_is_left_to_the_outbox(
    azure: LocalAzure, wiring: Wiring, announcement: Announcement[Rotation], script: dict[str, Any]
) -> None:
    """
    A few tries of ours, none of the SDK's; then the outbox tries again later.
    """
    azure.faults.add(Fault(operation="EventGrid.Publish", times=None, **script))

    with pytest.raises(DependencyError):
        await wiring.announcer.publish(announcement)

    assert azure.requests.count("EventGrid.Publish") == (1 if script.get("status") == 403 else 4)


@pytest.mark.usefixtures("impatience")
async def test_a_passing_fault_of_the_topic_is_got_over(
    azure: LocalAzure, wiring: Wiring, announcement: Announcement[Rotation]
) -> None:
    """
    Publishing again does no harm, so a single failure delays nothing.
    """
    azure.faults.add(Fault(operation="EventGrid.Publish", kind="drop", when="after"))

    await wiring.announcer.publish(announcement)

    assert {event.id for event in azure.events} == {announcement.id}
