from datetime import UTC, datetime, timedelta

import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.courier import HandshakeError
from localcloud.azure.delivery_schedule import RetryPolicy
from localcloud.azure.event import Schema
from tests.unit.localcloud.webhook import Webhook


async def test_an_event_names_the_secret_version_as_azure_does(azure: LocalAzure) -> None:
    """
    Event Grid's own schema: an array of one, the vault as topic, id, version and expiry in the data.
    """
    vault = await azure.add_vault("kv-demo")
    expires_on = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    version = vault.set("batch-key", "value", expires_on=expires_on)
    async with Webhook() as webhook:
        await vault.subscribe(webhook.url, name="rotate")
        (delivery,) = await vault.publish("batch-key")

    (notification,) = webhook.notifications
    (event,) = notification.content
    assert notification.headers["aeg-subscription-name"] == "ROTATE"
    assert notification.headers["aeg-delivery-count"] == "0"
    assert notification.headers["content-type"].startswith("application/json")
    assert event["topic"] == vault.arm_id
    assert event["subject"] == "batch-key"
    assert event["eventType"] == "Microsoft.KeyVault.SecretNearExpiry"
    assert event["data"] == {
        "Id": f"{vault.uri}/secrets/batch-key/{version}",
        "VaultName": "kv-demo",
        "ObjectType": "Secret",
        "ObjectName": "batch-key",
        "Version": version,
        "NBF": None,
        "EXP": int(expires_on.timestamp()),
    }
    assert delivery.outcome == "delivered"
    assert delivery.event_id == event["id"]


@pytest.mark.parametrize("is_function", [True, False])
async def test_cloud_events_carry_the_same_data(azure: LocalAzure, is_function: bool) -> None:
    """
    A single object with the vault as source; a Functions host is validated by POST, any other webhook by OPTIONS.
    """
    vault = await azure.add_vault("kv-demo")
    version = vault.set("batch-key", "value")
    async with Webhook() as webhook:
        await vault.subscribe(webhook.url, schema="CloudEventSchemaV1_0", is_function=is_function)
        await vault.publish(version, "SecretExpired")

    assert webhook.received[0].method == ("POST" if is_function else "OPTIONS")
    (notification,) = webhook.notifications
    assert notification.headers["content-type"].startswith("application/cloudevents+json")
    assert notification.content["specversion"] == "1.0"
    assert notification.content["source"] == vault.arm_id
    assert notification.content["type"] == "Microsoft.KeyVault.SecretExpired"
    assert notification.content["data"]["Version"] == version


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
async def test_a_webhook_that_does_not_agree_gets_no_subscription(azure: LocalAzure, schema: Schema) -> None:
    """
    The handshake fails, and nothing is ever sent.
    """
    vault = await azure.add_vault("kv-demo")
    vault.set("batch-key", "value")
    async with Webhook(agrees=False) as webhook:
        with pytest.raises(HandshakeError):
            await vault.subscribe(webhook.url, schema=schema)
        assert await vault.publish("batch-key") == []
        assert webhook.notifications == []


async def test_a_webhook_that_is_not_there_gets_no_subscription(azure: LocalAzure) -> None:
    """
    The destination has to exist before the subscription does.
    """
    vault = await azure.add_vault("kv-demo")
    async with Webhook() as webhook:
        pass
    with pytest.raises(HandshakeError):
        await vault.subscribe(webhook.url)


async def test_delivery_is_tried_again_until_it_succeeds(azure: LocalAzure) -> None:
    """
    Anything but 2xx brings the same event again, and the log has every attempt.
    """
    vault = await azure.add_vault("kv-demo")
    vault.set("batch-key", "value")
    async with Webhook(statuses=iter([500, 404])) as webhook:
        subscription = await vault.subscribe(webhook.url)
        (delivery,) = await vault.publish("batch-key")

    assert [attempt.status for attempt in delivery.attempts] == [500, 404, 200]
    assert [one.headers["aeg-delivery-count"] for one in webhook.notifications] == ["0", "1", "2"]
    assert len({one.content[0]["id"] for one in webhook.notifications}) == 1
    assert subscription.deliveries == [delivery]


async def test_an_event_nobody_takes_is_dead_lettered(azure: LocalAzure) -> None:
    """
    After the last attempt, here against a closed port, it is given up, and an operator finds it with the reason.
    """
    vault = await azure.add_vault("kv-demo")
    vault.set("batch-key", "value")
    async with Webhook() as webhook:
        subscription = await vault.subscribe(webhook.url, retry_policy=RetryPolicy(max_delivery_attempts=3))
    (delivery,) = await vault.publish("batch-key")

    assert delivery.outcome == "dead-lettered"
    assert [attempt.status for attempt in delivery.attempts] == [None, None, None]
    assert subscription.dead_letters == [delivery]
    assert delivery.given_up_because == "3 attempts have failed"
    assert delivery.event_id in str(delivery.payload)


async def test_only_wanted_types_are_delivered_and_duplicates_share_an_id(azure: LocalAzure) -> None:
    """
    A subscription's event types filter; a duplicate is the same event once more.
    """
    vault = await azure.add_vault("kv-demo")
    vault.set("batch-key", "value")
    async with Webhook() as webhook:
        await vault.subscribe(webhook.url, event_types=["SecretNearExpiry"])
        assert await vault.publish("batch-key", "SecretNewVersionCreated") == []
        await vault.publish("batch-key", duplicates=2)

    assert len(webhook.notifications) == 3
    assert len({one.content[0]["id"] for one in webhook.notifications}) == 1
