"""
Promise 1 from outside: a key that clients may have cached is not regenerated yet.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.cloud import LocalCloud
from tests.e2e.client import Client, Subject
from tests.e2e.conftest import assert_nothing_leaked

DAY = timedelta(hours=24)


@pytest.fixture(scope="module")
async def patient_cloud(
    ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalCloud]:
    """
    Yield a cloud whose app knows a grace time of a day.
    """
    async with LocalCloud(
        tmp_path_factory.mktemp("patient-cloud"), ca=ca, is_impatient=True, ROTATION_GRACE_HOURS="24"
    ) as cloud:
        yield cloud
        assert_nothing_leaked(cloud)


@pytest.fixture
def client(patient_cloud: LocalCloud) -> Client:
    """
    Return a client of its app.
    """
    return Client(patient_cloud)


def let_time_pass(cloud: LocalCloud, subject: Subject, time: timedelta) -> None:
    """
    Make the versions of a secret look that much older.
    """
    for version in cloud.vault.versions(subject.secret):
        cloud.vault.update(replace(version, created_on=version.created_on - time))


async def test_a_second_rotation_within_a_day_is_refused_with_the_time(client: Client, kind: str) -> None:
    """
    409 with `allowedOn` and `Retry-After`, the same for the same Idempotency-Key; the record says why.
    """
    subject = await client.subject(kind)
    await client.rotate(subject)
    made_on = client.cloud.vault.current(subject.secret).created_on.replace(microsecond=0)

    answers = [
        await client.ask("POST", "/rotations", body={"secret": subject.uri}, headers={"Idempotency-Key": f"k-{kind}"})
        for _ in range(2)
    ]

    for status, problem, headers in answers:
        assert (status, problem["code"], problem["status"]) == (409, "too_soon", 409)
        assert headers["Content-Type"] == "application/problem+json"
        assert datetime.fromisoformat(problem["allowedOn"]) == made_on + DAY
        assert DAY.total_seconds() - 300 < int(headers["Retry-After"]) <= DAY.total_seconds()
        assert "ignoreGrace" in problem["detail"]
    assert answers[0][1] == answers[1][1]
    assert "another Idempotency-Key" in answers[0][1]["detail"]
    record = await client.get(answers[0][1]["rotationId"])
    assert (record["state"], record["skipReason"], record["reason"]) == ("Skipped", "too_soon", None)
    assert (record["keyName"], record["allowedOn"]) == ("Primary", answers[0][1]["allowedOn"])
    assert subject.regenerations() == 1


async def test_a_dry_run_says_so_and_ignoring_it_rotates(client: Client, kind: str) -> None:
    """
    Nothing is written by the one; the other kills the key that clients may have.
    """
    subject = await client.subject(kind)
    await client.rotate(subject)

    status, plan = await client.rotate(subject, dryRun=True)

    assert (status, plan["state"], plan["error"]) == (200, "Planned", None)
    assert plan["steps"][-1]["detail"].startswith("Skipped: too_soon. ")
    assert plan["allowedOn"] is not None
    status, record = await client.rotate(subject, ignoreGrace=True)
    assert (status, record["state"]) == (200, "Completed")
    assert "allowedOn" not in record
    assert subject.regenerations() == 2


async def test_an_event_waits_and_rotates_by_itself(client: Client, kind: str) -> None:
    """
    Scheduled, and listed as that; `resume_rotations` puts it into the queue when its time has come.
    """
    subject = await client.subject(kind)
    await client.rotate(subject)
    rotation = subject.rotation_id()
    event = client.cloud.vault.event(subject.secret, "SecretNearExpiry").in_schema("EventGridSchema")
    payload = json.loads(msgspec.json.encode(event))

    for _ in range(2):
        assert await client.deliver(payload) == 202
        await client.idle()

    record = await client.get(rotation)
    assert (record["state"], record["completedOn"]) == ("Scheduled", None)
    _, listed, _ = await client.ask("GET", f"/rotations?state=Scheduled&secret={subject.uri}")
    assert [found["id"] for found in listed["rotations"]] == [rotation]
    await client.host.run("resume_rotations")
    await client.idle()
    assert (await client.get(rotation))["state"] == "Scheduled"

    let_time_pass(client.cloud, subject, DAY)
    await client.pass_time(DAY)
    await client.host.run("resume_rotations")

    assert (await client.ended(rotation))["state"] == "Completed"
    await client.told(f"{rotation}:completed")
    await client.idle()
    assert (subject.regenerations(), subject.holds("Primary")) == (2, True)
    assert await client.rows("live", f"accepted:{rotation}") == []


async def test_what_was_answered_202_waits_in_the_same_row(client: Client) -> None:
    """
    Its Location goes on to resolve.
    """
    subject = await client.subject()
    await client.rotate(subject)

    status, accepted, headers = await client.ask(
        "POST", "/rotations", body={"secret": subject.uri}, headers={"Prefer": "respond-async"}
    )
    await client.idle()
    _, record, _ = await client.ask("GET", headers["Location"].removeprefix("/api"))

    assert (status, accepted["state"], record["state"]) == (202, "Accepted", "Scheduled")
    assert len(await client.rows("live", f"accepted:{record['id']}")) == 1
    assert await client.rows("live", f"scheduled:{record['id']}") == []


async def test_a_leaked_key_does_not_wait(client: Client) -> None:
    """
    The secret moves at once, and the leaked key dies when it is due.
    """
    subject = await client.subject()
    await client.rotate(subject)

    status, record = await client.rotate(subject, revokePreviousAfter="PT1H")

    assert (status, record["state"]) == (200, "Completed")
    await client.pass_time()
    await client.host.run("resume_rotations")
    assert (await client.ended(record["revocation"]["id"]))["state"] == "Completed"
    assert subject.regenerations() == 3


async def test_a_key_of_a_target_is_refused_in_the_same_way(client: Client) -> None:
    """
    The key that clients of a secret may have, asked for without a secret.
    """
    subject = await client.subject()
    await client.rotate(subject)
    body = {"target": subject.target.arm_id, "key": "Primary"}

    status, problem, headers = await client.ask("POST", "/rotations", body=body)

    assert (status, problem["code"]) == (409, "too_soon")
    assert {"allowedOn", "rotationId"} <= problem.keys()
    assert "Retry-After" in headers
    status, record, _ = await client.ask("POST", "/rotations", body=body | {"ignoreGrace": True})
    assert (status, record["state"]) == (200, "Completed")
