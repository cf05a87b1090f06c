"""
What the running app publishes, held against the files of docs/schemas that its subscribers validate with.
"""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.openapi_members import FAILURES
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION
from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from localcloud.kinds import KINDS
from localcloud.kinds.workflow import add_workflow
from rotation.overview.standing import NEEDS_ATTENTION
from rotation.ports.announcer import EventType
from tests.e2e.client import Client, Subject
from tests.e2e.conftest import AT_ONCE, assert_events_are_as_described, assert_nothing_leaked
from tests.e2e.test_events import event_of
from tests.event_schemas import problems_of, schema_of

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
BATCH = "providers/Microsoft.Batch/batchAccounts"
HOUR = timedelta(hours=1)
#: It takes an hour until a key counts as refused: tests/unit/test_event_schemas.py has its event.
TAKES_AN_HOUR = "key_refused"


@pytest.fixture(scope="module")
async def client(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """
    Yield a client of an app of its own, all of whose events are looked at in the end.
    """
    async with LocalCloud(
        tmp_path_factory.mktemp("described-cloud"),
        ca=ca,
        is_impatient=True,
        AzureFunctionsJobHost__extensions__queues__visibilityTimeout=AT_ONCE,
        LOCAL_QUEUE_HIDDEN_SECONDS="1",
    ) as cloud:
        client = Client(cloud)
        yield client
        assert_nothing_leaked(cloud, client.answers)
        assert_events_are_as_described(cloud)


def become_drifted(client: Client, subject: Subject) -> None:
    """
    Regenerate the key in use by hand.
    """
    subject.target.regenerate("Primary")


def become_missing(client: Client, subject: Subject) -> None:
    """
    Let Azure not know the target, twice.
    """
    client.cloud.azure.faults.add(
        Fault(operation="Batch.ListKeys", kind="answer", status=404, target=subject.target.arm_id, times=2)
    )


def become_misconfigured(client: Client, subject: Subject) -> None:
    """
    Name no target that can be read.
    """
    value = subject.target.value("Primary")
    client.cloud.put_secret(subject.secret, value, "nonsense")


def become_overdue(client: Client, subject: Subject) -> None:
    """
    Be near expiry for ten days, as every new subject is.
    """


def become_expired(client: Client, subject: Subject) -> None:
    """
    Have expired a minute ago.
    """
    client.cloud.vault.expire(subject.secret, datetime.now(UTC) - timedelta(minutes=1))


WAYS: dict[str, Callable[[Client, Subject], None]] = {
    "Drifted": become_drifted,
    "TargetMissing": become_missing,
    "Misconfigured": become_misconfigured,
    "Overdue": become_overdue,
    "Expired": become_expired,
}


async def test_every_way_to_need_a_person_is_published_as_its_schema_says(client: Client) -> None:
    """
    Two looks find a secret in each of the five. Drift comes before the second one: each look waits to see it again.
    """
    subjects = {status: await client.subject("batch") for status in WAYS}
    for status in sorted(WAYS, key="Drifted".__eq__):
        if status == "Drifted":
            await client.ask("GET", "/secrets?refresh=true")
        WAYS[status](client, subjects[status])
    await client.ask("GET", "/secrets?refresh=true")

    names = {subject.secret: status for status, subject in subjects.items()}
    events = [
        event.content
        for event in client.cloud.azure.events
        if event.type == EventType.SECRET_NEEDS_ATTENTION and event.data["secret"]["name"] in names
    ]

    assert [problem for event in events for problem in problems_of(event)] == []
    found = {(names[event["data"]["secret"]["name"]], event["data"]["status"]) for event in events}
    assert {(status, status) for status in WAYS} <= found
    assert set(WAYS) == {str(status) for status in NEEDS_ATTENTION}
    (misread,) = [event for event in events if event["data"]["status"] == "Misconfigured"]
    assert (misread["source"], misread["data"]["target"]) == (client.cloud.vault.uri, None)


async def published(client: Client, record: dict[str, Any]) -> dict[str, Any]:
    """
    Return the event about a rotation that has ended, which is as its schema says.
    """
    event = (await client.told(f"{record['id']}:{record['state'].lower()}")).content
    assert problems_of(event) == []
    assert event["data"] == record
    return dict(event)


async def completed(client: Client, subject: Subject, **options: Any) -> dict[str, Any]:
    """
    Rotate a secret, and return the event about that.
    """
    status, record = await client.rotate(subject, **options)
    assert (status, record["state"]) == (200, "Completed"), record
    return await published(client, record)


async def test_every_kind_is_published_as_its_schema_says(client: Client) -> None:
    """
    By a caller and by an event of Key Vault, which is a rotation each.
    """
    for kind in KINDS:
        subject = await client.subject(kind.name)
        event = await completed(client, subject, reason="quarterly")
        assert (event["type"], event["data"]["keyName"]) == (EventType.ROTATION_COMPLETED, "Secondary")

        again = subject.rotation_id()
        await client.deliver([event_of(subject)])
        event = await published(client, await client.ended(again))
        assert (event["data"]["trigger"], event["data"]["keyName"]) == ("SecretNearExpiry", "Primary")


async def test_a_key_that_another_secret_holds_is_published_as_adopted(client: Client) -> None:
    """
    Nothing is regenerated for the second secret of a target.
    """
    subject = await client.subject("storage")
    other = Subject(client.cloud, KINDS[0], subject.target, f"{subject.secret}-too")
    client.cloud.put_secret(other.secret, subject.target.value("Primary"), subject.target.address)
    await completed(client, subject)

    event = await completed(client, other)

    assert (event["data"]["adopted"], event["data"]["keyName"]) == (True, "Secondary")


async def test_a_rotation_in_place_is_published_with_its_gap(client: Client) -> None:
    """
    The key in use is regenerated.
    """
    subject = await client.subject("batch", RotationStrategy="InPlace")

    event = await completed(client, subject)

    assert (event["data"]["keyName"], event["data"]["previousKeyName"]) == ("Primary", "Primary")
    assert event["data"]["gapSeconds"] >= 0


async def test_a_target_alone_is_published_without_a_secret(client: Client) -> None:
    """
    The target is the subject.
    """
    subject = await client.subject("openai")
    body = {"target": subject.target.address, "key": "Secondary"}

    _, record, _ = await client.ask("POST", "/rotations", body=body)

    event = await published(client, record)
    assert (event["subject"], event["source"]) == (subject.target.arm_id, subject.target.arm_id)
    assert event["data"]["secret"] is None


async def test_a_leak_is_published_as_a_move_and_as_a_revocation(client: Client) -> None:
    """
    Both are completed rotations: one with a `revocation`, one without a secret.
    """
    subject = await client.subject("batch")

    move = await completed(client, subject, revokePreviousAfter="PT1H", reason="leaked in a log")
    await client.idle()
    await client.pass_time(HOUR)
    await client.host.run("resume_rotations")
    revocation = await published(client, await client.ended(move["data"]["revocation"]["id"]))

    assert move["data"]["secret"]["name"] == subject.secret
    assert (revocation["data"]["state"], revocation["data"]["secret"]) == ("Completed", None)


async def failed(client: Client, subject: Subject, **options: Any) -> str:
    """
    Let a rotation fail, and return the code of the event about that.
    """
    _, problem = await client.rotate(subject, **options)
    event = await published(client, await client.ended(problem["rotationId"]))
    return str(event["data"]["error"]["code"])


async def test_every_failure_is_published_as_its_schema_says(client: Client) -> None:
    """
    Each code that the error of a record can have.
    """
    cloud, faults = client.cloud, client.cloud.azure.faults
    codes = [await failed(client, await client.subject(kind.name), key="Primary") for kind in KINDS]

    drifted = await client.subject("workflow")
    drifted.target.regenerate("Primary")
    codes.append(await failed(client, drifted))

    wrong: list[dict[str, str]] = [
        {"ValidityPeriodDays": "7"},
        {"ProviderAddress": "nonsense"},
        {"ProviderAddress": f"{GROUP}2/{BATCH}/elsewhere"},
        {"ProviderAddress": f"{GROUP}/{BATCH}/nowhere"},
    ]
    codes += [await failed(client, await client.subject("batch", **tags)) for tags in wrong]

    subject = await client.subject("storage")
    faults.add(Fault(operation=subject.regenerate, kind="answer", status=403, code="AuthorizationFailed"))
    codes.append(await failed(client, subject))
    faults.add(Fault(operation="Vault.SetSecret", kind="answer", status=403))
    codes.append(await failed(client, subject))

    one_key = await client.subject("workflow")
    signs = await add_workflow(cloud.azure, "orders", site=f"one{uuid.uuid4().hex[:8]}", signs_with_one_key=True)
    cloud.put_secret(one_key.secret, signs.callback_url(), signs.arm_id)
    codes.append(await failed(client, one_key))

    codes += [await pending(client), await exhausted(client)]

    assert set(codes) == set(FAILURES) - {TAKES_AN_HOUR}


async def pending(client: Client) -> str:
    """
    Let a secret that has left a leaked key be rotated back to it, while another one is paused on it.
    """
    subject = await client.subject("batch")
    paused = f"{subject.secret}-paused"
    client.cloud.put_secret(paused, subject.target.value("Primary"), subject.target.address, RotationPaused="true")
    await completed(client, subject, revokePreviousAfter="PT1H")
    await client.idle()
    return await failed(client, subject)


async def exhausted(client: Client) -> str:
    """
    Let the retries of a message be used up.
    """
    subject = await client.subject("batch")
    rotation_id = subject.rotation_id()
    client.cloud.azure.faults.add(
        Fault(operation="Vault.GetSecret", kind="answer", status=429, retry_after=3600, times=None)
    )
    await client.deliver([event_of(subject)])
    record = await client.ended(rotation_id)
    client.cloud.azure.faults.clear()
    return str((await published(client, record))["data"]["error"]["code"])


async def test_the_app_serves_the_same_schemas(client: Client) -> None:
    """
    In `webhooks` of its description, for each event.
    """
    _, served, _ = await client.ask("GET", "/openapi.json")
    known = json.loads(json.dumps(served["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/"))

    assert set(served["webhooks"]) == set(EventType)
    for event in EventType:
        schema = schema_of(event)
        named = served["webhooks"][event]["post"]["requestBody"]["content"]["application/cloudevents+json"]["schema"]
        assert known[named["$ref"].rpartition("/")[2]]["properties"] == schema["properties"]
        assert {name: known[name] for name in schema["$defs"]} == schema["$defs"]
