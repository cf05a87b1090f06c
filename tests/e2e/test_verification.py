"""
Drift is seen in a day, from outside: the list, the event, the health, and what makes it go away.
"""

import asyncio
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
        client = Client(cloud)
        yield client
        assert_nothing_leaked(cloud, client.answers)


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


async def verify(client: Client, subject: Subject, **more: Any) -> tuple[int, Any, dict[str, str]]:
    """
    Compare one secret now; return status, answer and headers.
    """
    path = subject.uri.removeprefix("https://").replace("/secrets/", "/")
    return await client.ask("POST", f"/secrets/{path}/verify", **more)


async def test_one_secret_of_every_kind_is_verified_on_demand(client: Client) -> None:
    """
    Before a sweep has found it: live, then drifted, then live again; and the list shows what was found.
    """
    await client.ask("GET", "/secrets?refresh=true")
    subjects = [await client.subject(kind.name) for kind in KINDS]
    before = changes(client)

    async def verify_all() -> list[Any]:
        return [document for _, document, _ in await asyncio.gather(*(verify(client, one) for one in subjects))]

    for live in await verify_all():
        assert (live["verified"]["result"], live["heldKey"], live["keyName"]) == ("Live", "Primary", "Primary")

    for subject in subjects:
        subject.target.regenerate("Primary")
    for subject, drifted in zip(subjects, await verify_all(), strict=True):
        listed = await item(client, subject)
        assert (drifted["verified"]["result"], drifted["status"]) == ("Drift", "Drifted")
        assert (drifted["heldKey"], drifted["nextRotationOn"]) == (None, None)
        assert {name: value for name, value in drifted.items() if name in listed} == listed
    assert changes(client) == before

    for subject in subjects:
        spare = subject.target.value("Secondary")
        client.cloud.put_secret(subject.secret, spare, subject.target.address, CredentialId="Secondary")
    for healed in await verify_all():
        assert (healed["verified"]["result"], healed["heldKey"]) == ("Live", "Secondary")


async def test_the_answer_shows_the_tags_of_now(client: Client) -> None:
    """
    Not those of the last sweep.
    """
    subject = await rotated(client, "batch")
    await item(client, subject, refresh=True)
    value, tags = subject.target.value("Secondary"), client.cloud.vault.current(subject.secret).tags
    client.cloud.vault.set(subject.secret, value, tags=tags | {"RotationPaused": "true"})

    _, shown, _ = await verify(client, subject)

    assert (shown["status"], shown["expiresOn"], shown["nextRotationOn"]) == ("Misconfigured", None, None)
    assert "no expiry date" in shown["why"]
    assert shown["verified"]["result"] == "Live"


async def test_a_target_that_is_not_found_once_is_not_missing_on_demand_either(client: Client) -> None:
    """
    The first answer says so, the second one is believed.
    """
    subject = await rotated(client, "batch")
    client.cloud.azure.faults.add(
        Fault(operation="Batch.ListKeys", kind="answer", status=404, target=subject.target.arm_id, times=2)
    )

    first, second, third = [(await verify(client, subject))[1] for _ in range(3)]

    assert (first["status"], first["verified"]["result"]) == ("UpToDate", "Unreachable")
    assert "the next time" in first["verified"]["why"]
    assert (second["status"], second["verified"]["result"]) == ("TargetMissing", "TargetMissing")
    assert (third["status"], third["verified"]["result"]) == ("UpToDate", "Live")


async def test_while_a_rotation_of_the_target_runs_a_caller_is_asked_to_come_back(client: Client) -> None:
    """
    Of every kind: 409 with the running rotation's id; the rotation goes on, and then the secret is live.
    """
    for kind in KINDS:
        subject = await client.subject(kind.name)
        hanging = client.cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="hang"))
        running = asyncio.create_task(client.rotate(subject))
        await hanging.reached()

        status, problem, headers = await verify(client, subject)
        hanging.release()
        _, record = await running

        assert (status, problem["code"], headers["Retry-After"]) == (409, "busy", "30")
        assert problem["rotationId"] == record["id"]
        _, shown, _ = await verify(client, subject)
        assert (shown["verified"]["result"], shown["heldKey"]) == ("Live", "Secondary")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("Vault.GetSecret", (424, "vault_refused")),
        ("Batch.ListKeys", (200, "Refused")),
    ],
)
async def test_what_says_no_is_named(client: Client, operation: str, expected: tuple[int, str]) -> None:
    """
    Without the secret there is nothing to show; without the keys it is shown, and why nobody knows whether it is live.
    """
    subject = await client.subject()
    client.cloud.azure.faults.add(Fault(operation=operation, kind="answer", status=403, times=None))

    status, answer, _ = await verify(client, subject)

    assert (status, answer.get("code") or answer["verified"]["result"]) == expected


async def test_only_what_is_managed_and_ours_is_compared(client: Client) -> None:
    """
    A foreign vault, a secret that is not there, one that is not managed, and a target that is out of scope.
    """
    subject = await client.subject()
    foreign = await client.cloud.azure.add_vault("kv-foreign")
    foreign.set("one", "value", tags=client.cloud.vault.current(subject.secret).tags)
    client.cloud.vault.set("plain", "value", tags={})
    elsewhere = subject.target.address.replace("/resourceGroups/", "/resourceGroups/out-of-scope-")
    client.cloud.put_secret("elsewhere", "value", elsewhere)
    ours, before = client.cloud.vault.uri.removeprefix("https://"), listings(client)

    answers = [
        await client.ask("POST", f"/secrets/{path}/verify")
        for path in (
            f"{foreign.uri.removeprefix('https://')}/one",
            f"{ours}/nothing",
            f"{ours}/plain",
            f"{ours}/elsewhere",
        )
    ]

    found = [(status, answer.get("code") or answer["status"]) for status, answer, _ in answers]
    assert found[:3] == [(403, "forbidden"), (404, "secret_not_found"), (404, "secret_not_found")]
    assert found[3] == (200, "Misconfigured")
    assert "ROTATION_ALLOWED_SCOPES" in answers[3][1]["why"]
    assert listings(client) == before


async def test_a_body_that_asks_for_more_is_refused(client: Client) -> None:
    """
    Nothing that a caller asks for is left out; an empty object asks for nothing.
    """
    subject = await client.subject()

    assert (await verify(client, subject, body={}))[0] == 200
    status, problem, _ = await verify(client, subject, body={"force": True})

    assert (status, problem["code"]) == (400, "malformed")
    assert "no body" in problem["detail"]
