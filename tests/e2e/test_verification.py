"""
Drift is seen in a day, from outside: the list, the event, the health, and what makes it go away.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from localcloud.kinds import KINDS
from tests.e2e.client import Client, Subject, eventually
from tests.e2e.conftest import assert_nothing_leaked

CHANGES = ("regenerate", "SetSecret", "UpdateSecret")


@pytest.fixture
async def client(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """
    Yield a client of an app of its own.
    """
    async with LocalCloud(tmp_path_factory.mktemp("verified-cloud"), ca=ca, is_impatient=True) as cloud:
        yield Client(cloud)
        assert_nothing_leaked(cloud)


async def item(client: Client, subject: Subject, *, refresh: bool = False) -> dict[str, Any]:
    """
    Return how a secret stands.
    """
    _, page, _ = await client.ask("GET", f"/secrets?refresh={str(refresh).lower()}")
    (found,) = [each for each in page["secrets"] if each["secret"]["name"] == subject.secret]
    return dict(found)


async def sweep(client: Client) -> None:
    """
    Let the timer come, and wait until what it has found is done.
    """
    await client.host.run("sweep_vaults")
    await client.idle()


def attention(client: Client) -> list[ReceivedEvent]:
    """
    Return the events about secrets that need a person.
    """
    return [event for event in client.cloud.azure.events if event.type == "KeyRotator.SecretNeedsAttention"]


def changes(client: Client) -> int:
    """
    Return how many requests have changed a key or a secret.
    """
    return sum(any(word in str(request.operation) for word in CHANGES) for request in client.cloud.azure.requests)


def listings(client: Client) -> int:
    """
    Return how often keys were asked for: of a workflow, the URLs that both give.
    """
    asked = [str(request.operation) for request in client.cloud.azure.requests]
    return sum("ListKeys" in operation for operation in asked) + sum("ListCallbackUrl" in each for each in asked) // 2


async def rotated(client: Client, kind: str) -> Subject:
    """
    Return a subject whose secret is not due any more.
    """
    subject = await client.subject(kind)
    assert (await client.rotate(subject))[0] == 200
    return subject


async def test_every_kind_is_verified_with_one_read_of_its_keys(client: Client) -> None:
    """
    Two secrets of each target, and nothing is changed.
    """
    subjects = [await rotated(client, kind.name) for kind in KINDS]
    for subject in subjects:
        client.cloud.put_secret(f"{subject.secret}-too", subject.target.value("Secondary"), subject.target.address)
    before, reads = changes(client), listings(client)

    _, page, _ = await client.ask("GET", "/secrets?refresh=true")

    found = {each["secret"]["name"]: each["verified"] for each in page["secrets"]}
    assert len(found) == 2 * len(KINDS)
    assert {(verified["result"], verified["why"]) for verified in found.values()} == {("Live", None)}
    assert changes(client) == before
    assert listings(client) - reads == len(KINDS)


async def test_a_key_regenerated_by_hand_is_seen_told_and_gone_when_it_is_put_right(
    client: Client,
) -> None:
    """
    Of every kind: Drifted in the list, one event for each, health that says that something needs attention; then well.
    """
    subjects = [await rotated(client, kind.name) for kind in KINDS]
    for subject in subjects:
        subject.target.regenerate("Secondary")  # The key that the secret holds by now.

    found = [await item(client, subject, refresh=subject is subjects[0]) for subject in subjects]

    assert {(each["status"], each["verified"]["result"]) for each in found} == {("Drifted", "Drift")}
    assert all("neither key" in each["why"] for each in found)
    _, drifted, _ = await client.ask("GET", "/secrets?status=Drifted")
    assert len(drifted["secrets"]) == len(KINDS)
    events = attention(client)
    assert {event.content["subject"] for event in events} == {subject.uri for subject in subjects}
    assert len({event.id for event in events}) == len(events) == len(KINDS)
    for each in found:
        (event,) = [event for event in events if event.data["secret"] == each["secret"]]
        assert (event.content["source"], event.data["status"]) == (each["target"], "Drifted")
    assert await health(client) == ("Healthy", "needs attention")

    for subject in subjects:
        status, record = await client.rotate(subject, force=True)
        assert (status, record["state"]) == (200, "Completed")
        await eventually(partial(is_live, client, subject), lambda: "the inventory to show the rotation")
    await sweep(client)
    assert [(await item(client, subject))["status"] for subject in subjects] == ["UpToDate"] * len(KINDS)
    assert len(attention(client)) == len(KINDS)


async def is_live(client: Client, subject: Subject) -> bool:
    """
    Return whether the list says that a secret's key is live.
    """
    return bool((await item(client, subject))["verified"]["result"] == "Live")


async def health(client: Client) -> tuple[str, str]:
    """
    Return the app's health, and what it says of secrets.
    """
    _, answer, _ = await client.ask("GET", "/health")
    return answer["status"], answer["checks"]["secrets"]


async def test_a_target_that_is_gone_is_missing_after_two_looks(client: Client) -> None:
    """
    The first look doubts its own eyes.
    """
    subject = await rotated(client, "batch")
    client.cloud.azure.faults.add(
        Fault(operation="Batch.ListKeys", kind="answer", status=404, target=subject.target.arm_id, times=2)
    )

    first = await item(client, subject, refresh=True)
    second = await item(client, subject, refresh=True)
    third = await item(client, subject, refresh=True)

    assert (first["status"], first["verified"]["result"]) == ("UpToDate", "Unreachable")
    assert (second["status"], second["verified"]["result"]) == ("TargetMissing", "TargetMissing")
    assert (third["status"], third["verified"]["result"]) == ("UpToDate", "Live")
    assert [event.data["status"] for event in attention(client)] == ["TargetMissing"]


async def test_a_secret_whose_tag_is_misspelt_is_listed_with_the_remedy(client: Client) -> None:
    """
    It is not managed, and nothing else is done about it.
    """
    subject = await rotated(client, "batch")
    client.cloud.vault.set("nearly", "x", tags={"ProviderAdress": subject.target.address})

    _, page, _ = await client.ask("GET", "/secrets?refresh=true&status=NearlyManaged")

    (found,) = page["secrets"]
    assert (found["secret"]["name"], found["target"], found["verified"]) == ("nearly", None, None)
    assert "must be named ProviderAddress" in found["why"]
    assert attention(client) == []


async def test_a_topic_that_is_down_is_told_by_the_next_sweep(client: Client) -> None:
    """
    With the id that it would have had.
    """
    subject = await rotated(client, "batch")
    subject.target.regenerate("Secondary")
    client.cloud.azure.faults.add(Fault(operation="EventGrid.Publish", kind="answer", status=403, times=None))
    assert (await item(client, subject, refresh=True))["status"] == "Drifted"
    assert attention(client) == []
    client.cloud.azure.faults.clear()

    await sweep(client)
    await sweep(client)

    (event,) = attention(client)
    assert event.data["status"] == "Drifted"
