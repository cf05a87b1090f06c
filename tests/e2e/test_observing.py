"""
The mode `observe` from outside: whatever comes, no key and no secret is changed.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.request_log import LoggedRequest
from localcloud.cloud import LocalCloud
from localcloud.functions_host.process import FunctionsHost
from localcloud.kinds import KINDS
from tests.e2e.client import Client, Subject, eventually
from tests.e2e.conftest import assert_nothing_leaked
from tests.e2e.test_events import event_of

_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)
# What a POST may ask for: the keys of a target, and that an event is published.
HARMLESS = ("ListKeys", "ListCallbackUrl", "Publish")


@pytest.fixture
async def client(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """
    Yield a client of an app that observes.
    """
    async with LocalCloud(
        tmp_path_factory.mktemp("observed-cloud"), ca=ca, is_impatient=True, ROTATION_MODE="observe"
    ) as cloud:
        client = Client(cloud)
        yield client
        assert_nothing_leaked(cloud, client.answers)


def host_of(cloud: LocalCloud, mode: str) -> FunctionsHost:
    """
    Return one more host with the app in a mode, yet to be entered: a changed setting starts the app again.
    """
    return FunctionsHost(app=cloud.app, environment=cloud.settings | {"ROTATION_MODE": mode}, log=cloud.log)


def changes(cloud: LocalCloud) -> list[str]:
    """
    Return every request to Azure that is not a look: with another method, or for another thing than keys and events.
    """
    return [
        f"{entry.method} {entry.operation} {entry.target}"
        for entry in cloud.azure.requests
        if entry.method != "GET" and not (entry.method == "POST" and entry.operation.endswith(HARMLESS))
    ]


def secrets_of(cloud: LocalCloud) -> list[Any]:
    """
    Return all versions of all secrets, with their values and tags, and without their ages, which a test may change.
    """
    return [
        replace(version, created_on=_SOME_TIME)
        for name in sorted(cloud.vault.names())
        for version in cloud.vault.versions(name)
    ]


async def sweep(client: Client) -> None:
    """
    Let the timer come, and wait until what it has found is done.
    """
    await client.host.run("sweep_vaults")
    await client.idle()


async def listed(client: Client, subject: Subject) -> list[dict[str, Any]]:
    """
    Return the rotations of a secret, the newest first.
    """
    _, page, _ = await client.ask("GET", f"/rotations?secret={subject.uri}")
    return list(page["rotations"])


async def test_nothing_is_changed_outside_the_ledger(client: Client) -> None:
    """
    Event, sweep and HTTP in all its forms, for each kind: each ends with its steps, and the vault is as it was.
    """
    cloud = client.cloud
    subjects = [await client.subject(kind.name) for kind in KINDS]
    await cloud.subscribe()
    before = secrets_of(cloud)
    events = [subject.rotation_id() for subject in subjects]
    records: list[dict[str, Any]] = []

    for subject in subjects:
        await cloud.vault.publish(subject.secret)
    # One rotation of a target at a time, also where it is only observed.
    await client.idle()
    for subject in subjects:
        target = {"target": subject.target.arm_id, "key": "Secondary"}
        for body in ({"secret": subject.uri}, {"secret": subject.uri, "force": True, "key": "Primary"}, target):
            status, record, _ = await client.ask("POST", "/rotations", body=body)
            assert (status, record["state"]) == (200, "Skipped")
            records.append(record)
        status, plan = await client.rotate(subject, dryRun=True)
        assert (status, plan["state"]) == (200, "Planned")
        assert plan["steps"] == records[-3]["steps"]
        report = await client.rotate(subject, revokePreviousAfter="PT1H")
        assert "schedule" in [step["step"] for step in report[1]["steps"]]
        records.append(report[1])
        status, accepted, headers = await client.ask(
            "POST", "/rotations", body={"secret": subject.uri}, headers={"Prefer": "respond-async"}
        )
        assert (status, headers["Location"]) == (202, f"/api/rotations/{accepted['id']}")
        records.append(await client.ended(accepted["id"]))
    await sweep(client)
    status, page, _ = await client.ask("GET", "/secrets?refresh=true")
    await client.pass_time()
    await client.host.run("resume_rotations")
    await client.idle()

    assert not [row for record in records for row in await client.rows("live", f"accepted:{record['id']}")]
    records += [await client.ended(rotation_id) for rotation_id in events]
    swept = [record for subject in subjects for record in await listed(client, subject) if record["trigger"] == "Sweep"]
    assert len(swept) == len(subjects)
    for record in [*records, *swept]:
        assert (record["state"], record["skipReason"], record["error"]) == ("Skipped", "observing", None)
        assert [step["detail"].startswith("Completed") for step in record["steps"] if step["step"] == "end"] == [True]
        assert "revocation" not in record
    assert [(line["verified"]["result"], line["lastRotation"]["state"]) for line in page["secrets"]] == [
        ("Live", "Skipped")
    ] * len(subjects)
    assert (await client.ask("GET", "/rotations?state=Scheduled"))[1]["rotations"] == []
    assert changes(cloud) == []
    assert secrets_of(cloud) == before
    # They are due, and nothing rotates them: people still hear of that.
    assert {line["why"] for line in page["secrets"]} == {"its last rotation was skipped: observing"}
    assert {event.type for event in cloud.azure.events} == {"KeyRotator.SecretNeedsAttention"}


async def test_drift_is_told_and_left_as_it_is(client: Client) -> None:
    """
    A key that somebody regenerates by hand is found by verification, and a rotation of it fails as ever.
    """
    subject = await client.subject()
    subject.target.regenerate("Primary")

    status, problem = await client.rotate(subject)
    _, page, _ = await client.ask("GET", "/secrets?refresh=true")

    assert (status, problem["code"]) == (409, "drift")
    await client.told(f"{problem['rotationId']}:failed")
    assert [line["status"] for line in page["secrets"]] == ["Drifted"]
    assert "KeyRotator.SecretNeedsAttention" in {event.type for event in client.cloud.azure.events}
    assert changes(client.cloud) == []


async def test_health_says_so_and_the_app_is_healthy(client: Client) -> None:
    """
    With 200; an app that rotates has no such check.
    """
    observed = await client.ask("GET", "/health")
    async with host_of(client.cloud, "rotate") as host:
        rotates = await Client(client.cloud, host).ask("GET", "/health")

    assert (observed[0], observed[1]["status"], observed[1]["checks"]["mode"]) == (200, "Healthy", "observing")
    assert (rotates[0], rotates[1]["status"]) == (200, "Healthy")
    assert observed[1]["checks"] == rotates[1]["checks"] | {"mode": "observing"}


async def test_a_mode_that_there_is_not_lets_nothing_begin(client: Client) -> None:
    """
    The setting is named, with what it must be.
    """
    subject = await client.subject()
    async with host_of(client.cloud, "observing") as host:
        mistaken = Client(client.cloud, host)

        status, health, _ = await mistaken.ask("GET", "/health")
        answer, problem = await mistaken.rotate(subject)

    assert (status, health["checks"]) == (503, {"settings": "ROTATION_MODE must be rotate or observe"})
    assert (answer, problem["code"]) == (503, "settings")
    assert "ROTATION_MODE must be rotate or observe" in problem["detail"]
    assert changes(client.cloud) == []


async def test_the_next_sweep_rotates_when_the_app_may(client: Client) -> None:
    """
    On the same day, too: what was only observed was not this rotation.
    """
    cloud = client.cloud
    subjects = [await client.subject(kind.name) for kind in KINDS]
    await sweep(client)
    assert changes(cloud) == []
    await cloud.host.stop()

    async with host_of(cloud, "rotate") as host:
        client = Client(cloud, host)
        await sweep(client)

        for subject in subjects:
            rotated, observed = await listed(client, subject)
            assert (rotated["state"], rotated["trigger"]) == ("Completed", "Sweep")
            assert (observed["state"], observed["skipReason"]) == ("Skipped", "observing")
            assert "steps" not in rotated
            assert (subject.holds("Secondary"), subject.regenerations()) == (True, 1)


async def test_what_has_journaled_is_finished_and_what_was_scheduled_waits(
    ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """
    A worker is killed while it regenerates, a revocation is scheduled, and then somebody lets the app observe.
    """
    async with LocalCloud(tmp_path_factory.mktemp("halted-cloud"), ca=ca, is_impatient=True) as cloud:
        client = Client(cloud)
        subject, leaked = await client.subject(), await client.subject()
        _, report = await client.rotate(leaked, revokePreviousAfter="PT1H")
        rotation_id, revocation = subject.rotation_id(), report["revocation"]["id"]
        killed = asyncio.Event()

        async def kill(request: LoggedRequest) -> None:
            await cloud.host.kill()
            killed.set()

        cloud.azure.faults.after(subject.regenerate, kill, target=subject.target.arm_id)
        await client.deliver([event_of(subject)])
        async with asyncio.timeout(30):
            await killed.wait()

        async with host_of(cloud, "observe") as host:
            client = Client(cloud, host)

            async def has_run_both() -> bool:
                return (await host.counts("run_rotation")).succeeded >= len((subject, leaked))

            await client.pass_time()
            await host.run("resume_rotations")
            record = await client.ended(rotation_id)
            await eventually(has_run_both, lambda: "both messages")

            assert (record["state"], record["keyName"]) == ("Completed", "Secondary")
            assert (subject.holds("Secondary"), subject.regenerations()) == (True, 1)
            assert (await client.get(revocation))["state"] == "Scheduled"
            assert leaked.regenerations() == 1
            await host.stop()

        async with host_of(cloud, "rotate") as host:
            client = Client(cloud, host)
            await client.pass_time()
            await host.run("resume_rotations")

            assert (await client.ended(revocation))["state"] == "Completed"
            assert leaked.regenerations() == 2
        assert_nothing_leaked(cloud, client.answers)
