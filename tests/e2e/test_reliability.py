import asyncio
import json
from datetime import UTC, datetime

import aiohttp
import msgspec
import pytest

from localcloud.azure.faults import Fault
from localcloud.azure.request_log import LoggedRequest
from localcloud.azure.site_host import wrapped
from localcloud.cloud import LocalCloud
from localcloud.functions_host.process import FunctionsHost
from localcloud.kinds import KINDS
from rotation.vocabulary.request import Trigger, request_for_event
from rotation.vocabulary.secret import SecretId
from tests.e2e.client import Client, eventually
from tests.e2e.test_events import event_of


async def test_a_503_after_the_work_was_done_regenerates_once(cloud: LocalCloud, client: Client) -> None:
    """
    The second of two attempts is answered 503 after doing the work: the key has been regenerated once.
    """
    subject = await client.subject("batch")
    cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="answer", status=503, when="before"))
    cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="answer", status=503, when="after"))

    status, record = await client.rotate(subject)

    assert (status, record["state"], record["attempts"]) == (200, "Completed", 1)
    assert cloud.azure.requests.count(subject.regenerate, target=subject.target.arm_id) == 2
    assert subject.regenerations() == 1
    assert subject.holds("Secondary")


@pytest.mark.parametrize(("status", "body"), [(503, None), (400, wrapped())], ids=["503", "wrapped"])
async def test_what_is_answered_for_a_site_is_no_answer_and_regenerates_once(
    cloud: LocalCloud, client: Client, status: int, body: bytes | None
) -> None:
    """
    The caller gets 202, the claim is kept, and the next attempt finds in the keys that the work was done.
    """
    subject = await client.subject("workflow")
    fault = Fault(operation=subject.regenerate, kind="answer", status=status, body=body, when="after")
    cloud.azure.faults.add(fault)

    answered, record = await client.rotate(subject)
    assert (answered, record["state"]) == (202, "Regenerating")
    await client.pass_time()
    await client.host.run("resume_rotations")
    record = await client.ended(record["id"])

    assert (record["state"], record["attempts"]) == ("Completed", 2)
    assert subject.regenerations() == 1
    assert subject.holds("Secondary")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_worker_killed_while_it_regenerates_loses_nothing(own_cloud: LocalCloud, when: str) -> None:
    """
    SIGKILL around the effect, for each kind: the next worker completes it, with one regeneration and one outcome.
    """
    client = Client(own_cloud)
    subjects = [await client.subject(kind.name) for kind in KINDS]
    ids = [subject.rotation_id() for subject in subjects]
    sent: list[LoggedRequest] = []
    killed = asyncio.Event()

    async def kill(request: LoggedRequest) -> None:
        sent.append(request)
        if len(sent) == len(subjects):
            await own_cloud.host.kill()
            killed.set()
        await killed.wait()

    hook = own_cloud.azure.faults.before if when == "before" else own_cloud.azure.faults.after
    for subject in subjects:
        hook(subject.regenerate, kill, target=subject.target.arm_id)
    await client.deliver([event_of(subject) for subject in subjects])
    async with asyncio.timeout(30):
        await killed.wait()
    assert all(subject.holds("Primary") for subject in subjects)

    async with own_cloud.new_host() as host:
        client = Client(own_cloud, host)
        await client.pass_time()
        await host.run("resume_rotations")
        records = [await client.ended(rotation_id) for rotation_id in ids]

        assert [(record["state"], record["keyName"]) for record in records] == [("Completed", "Secondary")] * len(ids)
        assert all(subject.holds("Secondary") for subject in subjects)
        # Killed before the effect, the request is done all the same: the service had it. So one regeneration is
        # right in both cases, and a second one would be the bug.
        assert [subject.regenerations() for subject in subjects] == [1] * len(subjects)
        for rotation_id in ids:
            await client.told(f"{rotation_id}:completed")


async def test_a_message_that_keeps_failing_ends_failed_and_is_told(own_cloud: LocalCloud) -> None:
    """
    With its vault down, a rotation goes to the poison queue, ends Failed(exhausted), and the target is free.
    """
    client = Client(own_cloud)
    subject = await client.subject()
    rotation_id = subject.rotation_id()
    own_cloud.azure.faults.add(
        Fault(operation="Vault.GetSecret", kind="answer", status=429, retry_after=3600, times=None)
    )

    await client.deliver([event_of(subject)])
    record = await client.ended(rotation_id)

    assert (record["state"], record["error"]["code"]) == ("Failed", "exhausted")
    await client.told(f"{rotation_id}:failed")
    retries = json.loads((own_cloud.app / "host.json").read_text())["extensions"]["queues"]["maxDequeueCount"]
    assert (await own_cloud.host.counts("run_rotation")).failed == retries
    own_cloud.azure.faults.clear()
    assert (await client.rotate(subject))[0] == 200


async def test_a_poisoned_message_that_cannot_be_ended_is_reported_once_and_ended_once(own_cloud: LocalCloud) -> None:
    """
    While the ledger refuses everything it is tried again and again, which one alert and one count must stand for.
    """
    client = Client(own_cloud)
    subject = await client.subject()
    pinned = SecretId(own_cloud.vault.uri, subject.secret, subject.version)
    request = request_for_event(pinned, Trigger.SECRET_NEAR_EXPIRY, datetime.now(UTC))
    down = [
        own_cloud.storage.faults.add(Fault(operation=operation, kind="answer", status=403, times=None))
        for operation in ("Ledger.Insert", "Ledger.Query")
    ]
    await client.poison(msgspec.json.encode(request))

    async def has_failed() -> bool:
        return (await own_cloud.host.counts("on_poisoned_rotation")).failed >= 3

    await eventually(has_failed, lambda: "three tries")
    assert len(client.log_lines(": poisoned (message ")) == 1
    own_cloud.storage.faults.clear()
    record = await client.ended(request.id)
    await client.told(f"{request.id}:failed")

    assert all(fault.fired for fault in down)
    assert (record["state"], record["error"]["code"]) == ("Failed", "exhausted")
    assert len(client.log_lines(": poisoned (message ")) == 1
    assert len(client.log_lines(": Failed (exhausted)")) == 1


async def test_an_outcome_that_cannot_be_published_waits_in_the_outbox(
    cloud: LocalCloud, client: Client, kind: str
) -> None:
    """
    The rotation has completed, its target is free, and the event comes when the topic is back.
    """
    subject = await client.subject(kind)
    cloud.azure.faults.add(Fault(operation="EventGrid.Publish", kind="answer", status=403, times=2))

    status, record = await client.rotate(subject)
    assert (status, record["state"]) == (200, "Completed")
    assert not [event for event in cloud.azure.events if event.id.startswith(record["id"])]
    assert await client.get(record["id"]) == record
    assert (await client.rotate(subject))[0] == 200
    await client.pass_time()
    await client.host.run("resume_rotations")

    event = await client.told(f"{record['id']}:completed")
    assert event.data["id"] == record["id"]


async def test_two_instances_rotate_a_burst_of_duplicates_once(own_cloud: LocalCloud) -> None:
    """
    Two hosts on one queue and one ledger: each version is rotated once, whichever host gets its events.
    """
    async with own_cloud.new_host() as second:
        clients = [Client(own_cloud), Client(own_cloud, second)]
        subjects = [await clients[0].subject(kind) for kind in ("batch", "batch", "workflow", "workflow")]
        ids = [subject.rotation_id() for subject in subjects]
        burst = [event_of(subject) for subject in subjects for _ in range(5)]

        await asyncio.gather(*(client.deliver(burst) for client in clients))

        records = [await clients[0].ended(rotation_id) for rotation_id in ids]
        for client in clients:
            await client.idle()
        assert [record["state"] for record in records] == ["Completed"] * 4
        assert [subject.regenerations() for subject in subjects] == [1] * 4
        assert [len(own_cloud.vault.versions(subject.secret)) for subject in subjects] == [2] * 4


async def test_a_missing_setting_is_named_wherever_it_is_missed(own_cloud: LocalCloud) -> None:
    """
    Health and API name the setting and what it must be; an event is not acknowledged, so that it comes again.
    """
    settings = own_cloud.settings | {"ROTATION_VAULTS": "", "AZURE_CLIENT_ID": "internal-name"}
    host = FunctionsHost(app=own_cloud.app, environment=settings, log=own_cloud.log.with_suffix(".second"))
    async with host:
        client = Client(own_cloud, host)
        subject = await client.subject()

        status, health, _ = await client.ask("GET", "/health")
        assert status == 503
        assert health["checks"]["settings"].startswith("ROTATION_VAULTS must be vault URIs")
        status, problem = await client.rotate(subject)
        assert (status, problem["code"]) == (503, "settings")
        assert "ROTATION_VAULTS" in problem["detail"]
        assert await client.deliver([event_of(subject)]) == 500


async def test_health_says_what_is_down_without_naming_it(own_cloud: LocalCloud) -> None:
    """
    503 with the part that fails; no vault, no host, no key in a public answer.
    """
    client = Client(own_cloud)
    own_cloud.azure.faults.add(Fault(operation="Vault.ListSecrets", kind="answer", status=403, times=None))

    status, health, _ = await client.ask("GET", "/health")

    assert (status, health["status"], health["checks"]["vaults"]) == (503, "Unhealthy", "declined")
    assert "localhost" not in str(health)


async def test_the_webhook_shakes_hands(client: Client) -> None:
    """
    The validation that Event Grid sends before the first event is answered by the host.
    """
    validation = {
        "id": "1",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "code-1", "validationUrl": "https://x.example"},
        "subject": "",
        "eventTime": "2026-01-01T00:00:00Z",
        "dataVersion": "1",
    }
    url = client.host.webhook_url("on_secret_event")
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=[validation], headers={"aeg-event-type": "SubscriptionValidation"}) as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"validationResponse": "code-1"})
