import io
import json
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient
from azure.identity.aio import ManagedIdentityCredential

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.identity import EVENT_GRID
from tests.unit.localcloud.webhook import Webhook

GOOD = {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}
BATCH = "application/cloudevents-batch+json; charset=utf-8"


async def test_the_publisher_client_is_understood(azure: LocalAzure, credential: ManagedIdentityCredential) -> None:
    """
    What it sends is kept, in order and with its duplicates.
    """
    event = CloudEvent(
        source="/target", type="KeyRotator.RotationCompleted", data={"n": 1}, subject="s", id="r:completed"
    )
    async with EventGridPublisherClient(azure.topic_uri, credential) as client:
        await client.send(event)
        await client.send([event, CloudEvent(source="/target", type="KeyRotator.RotationFailed", data=None)])

    assert [one.type.rpartition(".")[2] for one in azure.events] == [
        "RotationCompleted",
        "RotationCompleted",
        "RotationFailed",
    ]
    assert (azure.events[0].id, azure.events[0].content["subject"], azure.events[0].data) == (
        "r:completed",
        "s",
        {"n": 1},
    )
    assert azure.requests.count("EventGrid.Publish") == 2


async def test_subscribers_get_what_was_published(azure: LocalAzure, credential: ManagedIdentityCredential) -> None:
    """
    The event passes unchanged, again after a failure.
    """
    async with Webhook(statuses=iter([503])) as webhook:
        await azure.topic.subscribe(webhook.url)
        async with EventGridPublisherClient(azure.topic_uri, credential) as client:
            await client.send(CloudEvent(source="/target", type="t", data={"n": 1}))
        await azure.topic.settle()

    assert webhook.received[0].method == "OPTIONS"
    assert [one.content for one in webhook.notifications] == [azure.events[0].content] * 2


async def test_a_topic_wants_a_token_of_its_own(azure: LocalAzure, credential: ManagedIdentityCredential) -> None:
    """
    A client whose tokens have expired is 401, and nothing is kept.
    """
    async with EventGridPublisherClient(azure.topic_uri, credential) as client:
        await client.send(CloudEvent(source="/target", type="t"))
        azure.identity.expire_all()
        with pytest.raises(ClientAuthenticationError):
            await client.send(CloudEvent(source="/target", type="t"))
    assert len(azure.events) == 1


@pytest.mark.parametrize(
    ("query", "content_type", "content", "status"),
    [
        ("?api-version=2018-01-01", BATCH, [GOOD], 200),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "time": "2026-01-01T00:00:00Z", "traceparent": "x"}], 200),
        ("", BATCH, [GOOD], 400),
        ("?api-version=2024-06-01", BATCH, [GOOD], 400),
        ("?api-version=2018-01-01", "application/json", [GOOD], 400),
        ("?api-version=2018-01-01", BATCH, GOOD, 400),
        ("?api-version=2018-01-01", BATCH, [], 400),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "id": ""}], 400),
        ("?api-version=2018-01-01", BATCH, [GOOD, {"id": "2"}], 400),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "specversion": "0.3"}], 400),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "subject": 7}], 400),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "time": "2026-01-01"}], 400),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "Not-A-Name": "x"}], 400),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "data": 1, "data_base64": "AA=="}], 400),
        ("?api-version=2018-01-01", BATCH, [{**GOOD, "data": "x" * 1024 * 1024}], 413),
    ],
)
async def test_a_topic_is_strict(
    azure: LocalAzure, http: aiohttp.ClientSession, *, query: str, content_type: str, content: Any, status: int
) -> None:
    """
    A batch is taken as a whole or not at all.
    """
    headers = {"Authorization": f"Bearer {azure.identity.issue(EVENT_GRID)}", "Content-Type": content_type}
    payload = io.BytesIO(json.dumps(content).encode())

    async with http.post(azure.topic_uri + query, data=payload, headers=headers) as answer:
        assert answer.status == status
    assert len(azure.events) == (1 if status == 200 else 0)
