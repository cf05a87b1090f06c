"""
Secrets are put under management, paused and taken out of it through the API: no key on anybody's disk, no tag lost.
"""

import asyncio
from typing import Any

import pytest

from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from localcloud.witness import Witness
from tests.e2e.client import Client, Subject


def path_of(client: Client, secret: str) -> str:
    """
    Return the path of a secret in the API.
    """
    return f"/secrets/{client.cloud.vault.uri.removeprefix('https://')}/{secret}"


async def put(client: Client, secret: str, subject: Subject, **body: Any) -> tuple[int, Any]:
    """
    Put a secret under management for the subject's target.
    """
    asked = {"target": subject.target.arm_id, "validityPeriodDays": 90} | body
    status, answer, _ = await client.ask("PUT", path_of(client, secret), body=asked)
    return status, answer


async def patch(client: Client, secret: str, **body: Any) -> tuple[int, Any]:
    """
    Change how a secret is managed.
    """
    status, answer, _ = await client.ask("PATCH", path_of(client, secret), body=body)
    return status, answer


@pytest.mark.parametrize("kind", ["batch", "openai", "workflow"])
async def test_a_created_secret_is_used_and_rotated_and_nobody_saw_its_key(
    cloud: LocalCloud, client: Client, kind: str
) -> None:
    """
    201; two secrets of one target end up on one key, and a client of the new one never fails.
    """
    subject = await client.subject(kind)
    await client.rotate(subject)
    name = f"{subject.secret}-new"

    status, made = await put(client, name, subject, create=True)
    assert (status, made["keyName"], made["status"], made["verified"]) == (201, "Secondary", "UpToDate", None)
    assert made["sharesTargetWith"] == [subject.uri]
    assert cloud.vault.current(name).value == subject.target.value("Secondary")
    assert (await put(client, name, subject, create=True))[0] == 200
    assert len(cloud.vault.versions(name)) == 1

    async with Witness(cloud.azure, cloud.vault, name, subject.target.consumer()) as witness:
        await client.rotate(subject, ignoreGrace=True)
        await witness.see_more(2)
    assert witness.failures == []
    assert cloud.vault.current(name).value == subject.target.value("Secondary")


async def test_a_secret_that_is_there_is_taken_over_with_its_tags(cloud: LocalCloud, client: Client) -> None:
    """
    200, the same again changes nothing, and another target is refused.
    """
    subject, other = await client.subject(), await client.subject()
    cloud.vault.set("plain", subject.target.value("Secondary"), tags={"owner": "somebody"})

    status, item = await put(client, "plain", subject, strategy="InPlace")
    tags = cloud.vault.current("plain").tags
    assert (status, item["keyName"], item["target"]) == (200, "Secondary", subject.target.arm_id)
    assert tags == {
        "owner": "somebody",
        "ProviderAddress": subject.target.arm_id,
        "CredentialId": "Secondary",
        "ValidityPeriodDays": "90",
        "RotationStrategy": "InPlace",
    }
    assert cloud.vault.current("plain").expires_on is not None
    assert (await put(client, "plain", subject, strategy="InPlace"))[0] == 200
    status, problem = await put(client, "plain", other)
    assert (status, problem["code"]) == (409, "already_managed")
    assert subject.target.arm_id in problem["detail"]
    assert cloud.vault.current("plain").tags == tags


async def test_a_paused_secret_is_left_alone_until_it_is_resumed(cloud: LocalCloud, client: Client) -> None:
    """
    Its event is skipped; tags of others stay; unmanaged, it is gone from the list.
    """
    subject = await client.subject(owner="somebody")

    status, item = await patch(client, subject.secret, paused=True)
    assert (status, item["status"], item["nextRotationOn"]) == (200, "Paused", None)
    rotation_id = subject.rotation_id()
    await cloud.subscribe()
    await cloud.vault.publish(subject.secret)
    assert (await client.ended(rotation_id))["skipReason"] == "paused"

    status, item = await patch(client, subject.secret, paused=False, validityPeriodDays=180)
    assert (status, item["status"]) == (200, "Overdue")
    assert (await client.rotate(subject))[1]["state"] == "Completed"
    tags = cloud.vault.current(subject.secret).tags
    assert (tags["owner"], tags["ValidityPeriodDays"]) == ("somebody", "180")
    assert "RotationPaused" not in tags

    status, nothing = await patch(client, subject.secret, managed=False)
    assert (status, nothing) == (204, None)
    assert cloud.vault.current(subject.secret).tags == {"owner": "somebody"}
    status, problem, _ = await client.ask("GET", path_of(client, subject.secret))
    assert (status, problem["code"]) == (404, "secret_not_found")


async def test_nothing_is_changed_while_a_rotation_runs(cloud: LocalCloud, client: Client) -> None:
    """
    409 with its id and when to come back; afterwards it works.
    """
    subject = await client.subject()
    armed = cloud.azure.faults.add(
        Fault(operation=subject.regenerate, kind="hang", when="before", target=subject.target.arm_id)
    )
    rotating = asyncio.create_task(client.rotate(subject))
    await armed.reached()

    status, problem, headers = await client.ask("PATCH", path_of(client, subject.secret), body={"paused": True})
    armed.release()
    record = (await rotating)[1]

    assert (status, problem["code"], problem["rotationId"]) == (409, "busy", record["id"])
    assert "Retry-After" in headers
    assert (await patch(client, subject.secret, paused=True))[0] == 200


async def test_a_change_without_an_answer_is_not_undone_by_a_rotation(own_cloud: LocalCloud) -> None:
    """
    503; until the request can take effect no more, nothing else touches the target. Then anybody may.
    """
    client = Client(own_cloud)
    subject = await client.subject()
    own_cloud.azure.faults.add(Fault(operation="Vault.UpdateSecret", kind="drop", when="after"))

    status, problem = await patch(client, subject.secret, validityPeriodDays=180)
    assert (status, problem.get("code")) == (503, "unavailable"), problem
    status, problem = await client.rotate(subject)
    assert (status, problem["code"], problem.get("rotationId")) == (409, "busy", None)

    await client.free_changes()
    assert (await client.rotate(subject))[1]["state"] == "Completed"
    assert own_cloud.vault.current(subject.secret).tags["ValidityPeriodDays"] == "180"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "such as"),
        ({"paused": "yes"}, "paused"),
        ({"validityPeriodDays": 7}, "31"),
        ({"strategy": "Both"}, "Alternate, InPlace"),
        ({"managed": True}, "PUT"),
        ({"managed": False, "paused": True}, "alone"),
        ({"pause": True}, "pause"),
    ],
    ids=str,
)
async def test_a_change_that_cannot_be_meant_says_what_can(client: Client, body: dict[str, Any], words: str) -> None:
    """
    400, before anything is read.
    """
    subject = await client.subject()

    status, problem = await patch(client, subject.secret, **body)

    assert (status, problem["code"]) == (400, "malformed")
    assert words in problem["detail"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"target": "/subscriptions/x"}, (400, "malformed")),
        ({"validityPeriodDays": 30}, (400, "malformed")),
        ({"target": None}, (400, "malformed")),
        ({"key": "auto"}, (400, "malformed")),
    ],
    ids=str,
)
async def test_a_management_that_cannot_be_meant_is_refused(
    client: Client, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    """
    With what there could be.
    """
    subject = await client.subject()

    status, problem = await put(client, subject.secret, subject, **change)

    assert (status, problem["code"]) == expected


async def test_nothing_outside_scopes_and_vaults_is_managed(cloud: LocalCloud, client: Client) -> None:
    """
    A caller who may write here steers the app's identity: 403, and nothing is read.
    """
    subject = await client.subject()
    elsewhere = subject.target.arm_id.replace("/resourceGroups/rg-local/", "/resourceGroups/rg-other/")
    before = len(cloud.azure.requests)

    status, problem = await put(client, subject.secret, subject, target=elsewhere)
    assert (status, problem["code"]) == (403, "forbidden")
    status, problem, _ = await client.ask("PATCH", "/secrets/other.vault.azure.net/one", body={"paused": True})
    assert (status, problem["code"]) == (403, "forbidden")

    assert not [entry for entry in list(cloud.azure.requests)[before:] if entry.service in {"vault", "arm"}]


async def test_a_secret_that_cannot_be_managed_says_why(cloud: LocalCloud, client: Client) -> None:
    """
    Not there, no live key, a deleted name: each with the remedy.
    """
    subject = await client.subject()
    cloud.vault.set("stale", "no key at all")
    cloud.vault.set("gone", "x")
    cloud.vault.delete("gone")

    answers = [
        await put(client, "nowhere", subject),
        await put(client, "stale", subject),
        await put(client, "gone", subject, create=True),
        await put(client, "new", subject, create=True, target=f"{subject.target.arm_id}none"),
    ]

    assert [(status, problem["code"]) for status, problem in answers] == [
        (404, "secret_not_found"),
        (409, "drift"),
        (409, "name_deleted"),
        (404, "target_not_found"),
    ]
    assert '"create": true' in answers[0][1]["detail"]
    assert "recover" in answers[2][1]["detail"]


async def test_a_body_that_is_too_large_names_the_limit(client: Client) -> None:
    """
    413, of every call that takes a body.
    """
    subject = await client.subject()
    raw = b'{"reason": "' + b"x" * 20_000 + b'"}'

    for method, path in (
        ("POST", "/rotations"),
        ("PUT", path_of(client, subject.secret)),
        ("PATCH", path_of(client, subject.secret)),
    ):
        status, problem, _ = await client.ask(method, path, raw=raw)
        assert (status, problem["code"]) == (413, "too_large")
        assert "16,384" in problem["detail"]
