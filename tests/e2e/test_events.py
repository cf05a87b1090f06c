import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.delivery_schedule import RetryPolicy
from localcloud.azure.event import Schema
from localcloud.cloud import LocalCloud
from localcloud.kinds.batch import add_batch_account
from rotation.vocabulary.request import Trigger, request_for_event
from rotation.vocabulary.secret import SecretId
from tests.e2e.client import Client, Subject

SCHEMAS: list[Schema] = ["EventGridSchema", "CloudEventSchemaV1_0"]


def event_of(subject: Subject, **changes: Any) -> dict[str, Any]:
    """
    Return a near-expiry event as Key Vault sends it, with some of its parts changed.
    """
    data = {
        "Id": f"{subject.uri}/{subject.version}",
        "VaultName": "kv-local",
        "ObjectType": "Secret",
        "ObjectName": subject.secret,
        "Version": subject.version,
        "NBF": None,
        "EXP": 1789999999,
    }
    event = {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/11111111-1111-4111-8111-111111111111/providers/Microsoft.KeyVault/vaults/kv-local",
        "subject": subject.secret,
        "eventType": "Microsoft.KeyVault.SecretNearExpiry",
        "data": data,
        "dataVersion": "1",
        "metadataVersion": "1",
        "eventTime": datetime.now(UTC).isoformat(),
    }
    return event | changes


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("trigger", [Trigger.SECRET_NEAR_EXPIRY, Trigger.SECRET_EXPIRED])
async def test_an_event_rotates_the_secret(
    cloud: LocalCloud, client: Client, kind: str, schema: Schema, trigger: Trigger
) -> None:
    """
    Published by the vault in either schema, through the webhook, the queue and the official SDKs.
    """
    subject = await client.subject(kind)
    rotation_id = subject.rotation_id(trigger)
    await cloud.subscribe(schema)

    (delivery,) = await cloud.vault.publish(subject.secret, str(trigger))
    record = await client.ended(rotation_id)

    assert delivery.outcome == "delivered"
    assert (record["state"], record["trigger"], record["keyName"]) == ("Completed", str(trigger), "Secondary")
    assert subject.holds("Secondary")
    assert subject.regenerations() == 1
    event = await client.told(f"{rotation_id}:completed")
    assert (event.type, event.content["source"]) == ("KeyRotator.RotationCompleted", subject.target.arm_id)
    assert event.content["subject"] == subject.uri
    assert event.data == record


async def test_an_event_delivered_many_times_rotates_once(cloud: LocalCloud, client: Client, kind: str) -> None:
    """
    Event Grid delivers at least once; the key is regenerated once, the secret gets one version.
    """
    subject = await client.subject(kind)
    rotation_id = subject.rotation_id()
    await cloud.subscribe()

    await cloud.vault.publish(subject.secret, duplicates=5)
    await client.ended(rotation_id)
    again = await client.deliver([event_of(subject) | {"data": {"Id": f"{subject.uri}/{'0' * 32}"}}])

    assert again == 202
    assert subject.regenerations() == 1
    assert len(cloud.vault.versions(subject.secret)) == 2


async def test_one_delivery_may_hold_several_events(client: Client) -> None:
    """
    Ours are accepted, whatever stands beside them.
    """
    subjects = [await client.subject("batch"), await client.subject("workflow")]
    ids = [subject.rotation_id() for subject in subjects]
    other = event_of(subjects[0], eventType="Microsoft.KeyVault.KeyNearExpiry")

    status = await client.deliver([event_of(subjects[0]), other, event_of(subjects[1])])

    assert status == 202
    assert [(await client.ended(rotation_id))["state"] for rotation_id in ids] == ["Completed", "Completed"]


def cloud_event_of(event: dict[str, Any]) -> dict[str, Any]:
    """
    Return the same event in the other schema.
    """
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["topic"],
        "type": event["eventType"],
        "subject": event["subject"],
        "time": event["eventTime"],
        "data": event["data"],
    }


def filled_in(data: Any, subject: Subject) -> Any:
    """
    Return data with the words in braces replaced by what they name.
    """
    vault = subject.uri.partition("/secrets/")[0]
    words = {
        "uri": subject.uri,
        "vault": vault,
        "authority": vault.removeprefix("https://"),
        "upper": f"{subject.uri}/{subject.version}".upper(),
        "AUTHORITY": vault.removeprefix("https://").upper(),
        "version": subject.version,
        "name": subject.secret,
    }
    if isinstance(data, dict):
        return {key: filled_in(value, subject) for key, value in data.items()}
    if isinstance(data, list):
        return [filled_in(value, subject) for value in data]
    for word, value in words.items():
        data = data.replace(f"{{{word}}}", value) if isinstance(data, str) else data
    return data


NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"
TYPES = {"upper case": NEAR_EXPIRY.upper(), "blanks": f" {NEAR_EXPIRY} "}
NAMED = {"VaultName": "localhost", "ObjectName": "{name}", "Version": "{version}"}
FORMS = {
    "blanks": {"Id": "{uri}/ {version}", "ObjectName ": "{name}"},
    "numbers as texts": {" id": "{uri}/{version}", "NBF": "1700000000", "EXP": "1789999999"},
    "slash at the end": {"Id": "{uri}/{version}/", "NBF": None, "EXP": 1.5},
    "query": {"Id": "{uri}/{version}?api-version=7.4"},
    "byte order mark": {"\ufeffId": "\ufeff{uri}/{version}"},
    "no scheme": {"Id": "{authority}/secrets/{name}/{version}"},
    "version beside": {"Id": "{uri}", "Version": "{version}"},
    "names alone": NAMED,
    "names in lower case": {"vaultname": "localhost", "objectname": "{name}", "version": "{version}"},
    "padded names": {"VaultName ": " localhost", "ObjectName ": " {name}", "Version": " {version}"},
    "vault as URI": NAMED | {"VaultName": "{vault}/"},
    "vault as host": NAMED | {"VaultName": "{authority}"},
    "empty id": NAMED | {"Id": ""},
    "upper case": {"Id": "{upper}"},
    "host in upper case": {"Id": "HTTPS://{AUTHORITY}/secrets/{name}/{version}"},
    "text": '{"Id": "{uri}/{version}"}',
    "list of one": [{"Id": "{uri}/{version}"}],
}


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_events_as_people_send_them_are_understood(client: Client, schema: Schema) -> None:
    """
    What samples, relays and templates make of an event rotates the version that it means.
    """
    subjects = {form: await client.subject() for form in FORMS}
    ids = {form: subject.rotation_id() for form, subject in subjects.items()}
    for form, subject in subjects.items():
        event = event_of(subject, data=filled_in(FORMS[form], subject), eventType=TYPES.get(form, NEAR_EXPIRY))
        await client.deliver([event] if schema == "EventGridSchema" else cloud_event_of(event))

    states = {form: (await client.ended(rotation_id))["state"] for form, rotation_id in ids.items()}

    assert states == dict.fromkeys(FORMS, "Completed")


async def test_an_event_without_a_version_means_the_current_one_if_it_is_due(client: Client) -> None:
    """
    Delivered twice it rotates once; another such event afterwards finds that nothing is due.
    """
    forms: list[Any] = [{"Id": "{uri}"}, {"Id": "{uri}/", "Version": None}, NAMED | {"Version": ""}]
    subjects = [await client.subject() for _ in forms]

    async def told(number: int, event: dict[str, Any]) -> dict[str, Any]:
        vault, _, name = subjects[number].uri.partition("/secrets/")
        request = request_for_event(
            SecretId(vault, name), Trigger.SECRET_NEAR_EXPIRY, datetime.now(UTC), event_id=event["id"]
        )
        return await client.ended(request.id)

    for number, (form, subject) in enumerate(zip(forms, subjects, strict=True)):
        event, late = (event_of(subject, data=filled_in(form, subject)) for _ in range(2))
        await client.deliver([event, event])
        rotated = await told(number, event)
        await client.deliver([late])
        superseded = await told(number, late)

        assert rotated["state"] == "Completed"
        assert (superseded["state"], superseded["skipReason"]) == ("Skipped", "superseded")
        assert subject.regenerations() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"eventType": "Microsoft.KeyVault.SecretNewVersionCreated"}, "its type is"),
        ({"data": {"Id": "https://kv.vault.azure.net/secrets/one/" + "a" * 32}}, "none of the vaults"),
        ({"data": {"Id": "https://kv.vault.azure.net@evil.example/secrets/one/" + "a" * 32}}, "is not a vault's URI"),
        ({"data": {"Id": "https://kv.vault.azure.net/keys/one/" + "a" * 32}}, "is not the id of a secret"),
        ({"data": {"Id": "https://kv.vault.azure.net/secrets/one"}}, "none of the vaults"),
        ({"data": {"VaultName": "kv-of-others", "ObjectName": "one"}}, "https://kv-of-others is none of the vaults"),
        ({"data": {"VaultName": "localhost"}}, "data.ObjectName"),
        ({"data": {"VaultName": "localhost", "ObjectName": "a/b"}}, "is not the id of a secret"),
        ({"data": {"Id": 7}}, "data.Id"),
        ({"data": {}}, "data.Id"),
        ({"data": None}, "data.Id"),
        ({"data": ["x"]}, "data.Id"),
        ({"data": "x" * 5000}, "data.Id"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
async def test_what_is_not_ours_is_acknowledged_and_logged_once(
    cloud: LocalCloud, client: Client, changes: dict[str, Any], says: str
) -> None:
    """
    No record, no request to any vault, no second delivery: one warning that names the event.
    """
    subject = await client.subject()
    event = event_of(subject, **changes)
    before = len(list(cloud.azure.requests))

    status = await client.deliver([event])

    assert status == 202
    (line,) = client.log_lines(f"event {event['id']} dropped")
    assert line["level"] == "WARNING"
    assert says in line["message"]
    assert len(list(cloud.azure.requests)) == before


async def test_a_foreign_cloud_event_is_dropped_too(client: Client) -> None:
    """
    The other schema takes the same path.
    """
    data = {"Id": "https://kv.vault.azure.net/secrets/one/" + "a" * 32}
    event = cloud_event_of(event_of(await client.subject(), data=data))

    assert await client.deliver(event) == 202
    assert len(client.log_lines(f"event {event['id']} dropped")) == 1


@pytest.mark.parametrize(
    ("tags", "state", "code", "says"),
    [
        ({"ValidityPeriodDays": "7"}, "Failed", "misconfigured", "ValidityPeriodDays is '7'; it must be 31 to 3650"),
        (
            {"ProviderAddress": "{group}/providers/Microsoft.Storage/storageAccounts/a"},
            "Failed",
            "misconfigured",
            "rotate",
        ),
        ({"ProviderAddress": "{other}/providers/Microsoft.Batch/batchAccounts/abc"}, "Failed", "forbidden", "SCOPES"),
        (
            {"ProviderAddress": "{group}/providers/Microsoft.Web/sites/s1/workflows/.."},
            "Failed",
            "misconfigured",
            "rotate",
        ),
        ({"RotationPaused": "true"}, "Skipped", "paused", ""),
    ],
    ids=["validity", "provider", "scope", "dot dot", "paused"],
)
async def test_a_badly_tagged_secret_ends_clearly_and_nothing_is_regenerated(
    cloud: LocalCloud, client: Client, tags: dict[str, str], state: str, code: str, says: str
) -> None:
    """
    The record names the secret, the tag and the remedy, ARM is never asked, and the failure is published.
    """
    group = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-local"
    subject = await client.subject(**{k: v.format(group=group, other=group + "2") for k, v in tags.items()})
    rotation_id = subject.rotation_id()
    before = cloud.azure.requests.count("Batch.ListKeys") + cloud.azure.requests.count("Unknown")

    await client.deliver([event_of(subject)])
    record = await client.ended(rotation_id)

    assert record["state"] == state
    if state == "Failed":
        assert record["error"]["code"] == code
        assert record["error"]["message"].startswith(f"secret '{subject.secret}': ")
        assert says in record["error"]["message"]
        await client.told(f"{rotation_id}:failed")
    else:
        assert record["skipReason"] == code
    assert cloud.azure.requests.count("Batch.ListKeys") + cloud.azure.requests.count("Unknown") == before
    assert subject.regenerations() == 0


async def test_a_secret_without_tags_is_skipped(cloud: LocalCloud, client: Client) -> None:
    """
    An unmanaged secret's event leaves a record that says so, and no event.
    """
    subject = await client.subject()
    cloud.vault.set(subject.secret, "not a key", tags={})
    rotation_id = subject.rotation_id()

    await client.deliver([event_of(subject)])

    record = await client.ended(rotation_id)
    assert (record["state"], record["skipReason"]) == ("Skipped", "unmanaged")
    assert subject.regenerations() == 0


async def test_an_account_without_shared_key_fails_with_arms_words(cloud: LocalCloud, client: Client) -> None:
    """
    What ARM says is passed on, with what the account allows.
    """
    subject = await client.subject()
    name = f"aad{subject.secret.replace('-', '')}"
    account = await add_batch_account(cloud.azure, name, authentication_modes=("AAD",))
    cloud.put_secret(subject.secret, account.value("Primary"), account.arm_id)
    rotation_id = subject.rotation_id()

    await client.deliver([event_of(subject)])

    record = await client.ended(rotation_id)
    assert (record["state"], record["error"]["code"]) == ("Failed", "provider_refused")
    assert "SharedKey" in record["error"]["message"]
    assert cloud.azure.requests.count("Batch.RegenerateKeys", target=account.arm_id, took_effect=True) == 0


OLDER_LIBRARY = """
import json
import azure.functions as func
from azure.functions import eventgrid

def decode(cls, data, *, trigger_metadata):
    body = json.loads(data.value)
    return func.EventGridEvent(
        id=body.get("id"), topic=body.get("topic"), subject=body.get("subject"), event_type=body.get("eventType"),
        event_time=None, data=body.get("data"), data_version=body.get("dataVersion"),
    )

del func.CloudEvent
eventgrid.EventGridEventInConverter.decode = classmethod(decode)
"""


async def test_an_older_library_on_the_path_is_loud_and_loses_no_event(
    ca: CertificateAuthority, tmp_path: Path
) -> None:
    """
    azure-functions 1.23 gives a CloudEvent out without its type: an error, 503 of health, and Event Grid tries again.
    """
    (tmp_path / "sitecustomize.py").write_text(OLDER_LIBRARY)
    async with LocalCloud(tmp_path / "cloud", ca=ca, PYTHONPATH=str(tmp_path)) as cloud:
        client = Client(cloud)
        subject = await client.subject()
        subscription = await cloud.vault.subscribe(
            cloud.host.webhook_url("on_secret_event"),
            schema="CloudEventSchemaV1_0",
            is_function=True,
            retry_policy=RetryPolicy(max_delivery_attempts=2),
        )

        (delivery,) = await cloud.vault.publish(subject.secret)
        status, health, _ = await client.ask("GET", "/health")

        assert [attempt.status for attempt in delivery.attempts] == [500, 500]
        assert subscription.dead_letters == [delivery]
        errors = client.log_lines(f"event {delivery.event_id} is refused")
        assert [line["level"] for line in errors] == ["ERROR", "ERROR"]
        assert all("PYTHON_ISOLATE_WORKER_DEPENDENCIES" in line["message"] for line in errors)
        assert (status, health["status"], health["checks"]["events"]) == (503, "Unhealthy", "settings")
