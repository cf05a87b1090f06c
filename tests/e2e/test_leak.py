"""
A leaked key dies, whichever secrets hold it, and none of their clients fails.
"""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from localcloud.kinds import named
from localcloud.witness import Witness
from tests.chaos.kinds import KILL_KINDS
from tests.chaos.leaking import run_leaks
from tests.e2e.client import Client, Subject, eventually

HOUR = timedelta(hours=1)


@pytest.fixture
async def subject(cloud: LocalCloud, client: Client, kind: str) -> Subject:
    """
    Return a target whose primary key two secrets hold.
    """
    made = await client.subject(kind)
    cloud.put_secret(second(made), made.target.value("Primary"), made.target.address)
    return made


def second(subject: Subject) -> str:
    """
    Return the name of the other secret.
    """
    return f"{subject.secret}-too"


async def shown(client: Client, subject: Subject) -> dict[str, Any]:
    """
    Return what the list shows of leaked keys, by the names of the secrets that hold them.
    """
    _, page, _ = await client.ask("GET", f"/secrets?refresh=true&target={subject.target.arm_id}")
    return {item["secret"]["name"]: item["leakedKey"] for item in page["secrets"] if item["leakedKey"]}


async def report(client: Client, subject: Subject) -> str:
    """
    Report the leak, and return the id of its revocation.
    """
    status, record = await client.rotate(subject, revokePreviousAfter="PT1H", reason="leaked in a log")
    assert (status, record["state"]) == (200, "Completed"), record
    return str(record["revocation"]["id"])


async def test_a_leaked_key_that_two_secrets_hold_dies_and_no_client_fails(
    cloud: LocalCloud, client: Client, subject: Subject
) -> None:
    """
    The report moves one, a rotation of its own the other; an hour after that the key is regenerated once.
    """
    leaked = subject.target.value("Primary")
    names = [subject.secret, second(subject)]
    async with AsyncExitStack() as running:
        witnesses = [
            await running.enter_async_context(Witness(cloud.azure, cloud.vault, name, subject.target.consumer()))
            for name in names
        ]
        revocation = await report(client, subject)
        assert (await client.get(revocation))["state"] == "Scheduled"

        async def has_moved() -> bool:
            return bool(cloud.vault.current(second(subject)).value == subject.target.value("Secondary"))

        await eventually(has_moved, lambda: "the other secret to move")
        await client.host.run("resume_rotations")
        await client.idle()
        assert subject.target.value("Primary") == leaked

        await client.pass_time(HOUR)
        await client.host.run("resume_rotations")
        ended = await client.ended(revocation)
        for witness in witnesses:
            await witness.see_more(2)

    assert (ended["state"], ended["keyName"], ended["secret"]) == ("Completed", "Primary", None)
    assert ended["reason"] == "leaked in a log"
    assert subject.target.value("Primary") != leaked
    assert subject.regenerations() == 2
    assert [witness.failures for witness in witnesses] == [[], []]
    assert await client.told(f"{revocation}:completed")


async def test_a_secret_that_cannot_be_moved_shows_the_leaked_key(
    cloud: LocalCloud, client: Client, subject: Subject
) -> None:
    """
    It is paused: the key lives, the list says who holds it, and unpausing is all that it takes.
    """
    current = cloud.vault.current(second(subject))
    cloud.put_secret(second(subject), current.value, subject.target.address, RotationPaused="true")
    revocation = await report(client, subject)

    found = await shown(client, subject)
    assert found.keys() == {second(subject)}
    assert found[second(subject)]["revocation"] == revocation
    assert found[second(subject)]["dueOn"]
    await client.pass_time(2 * HOUR)
    await client.host.run("resume_rotations")
    await client.idle()
    assert (await client.get(revocation))["state"] == "Scheduled"

    cloud.put_secret(second(subject), current.value, subject.target.address)
    for _ in range(3):
        await client.host.run("resume_rotations")
        await client.idle()
        await client.pass_time(HOUR)
    assert (await client.ended(revocation))["state"] == "Completed"
    assert await shown(client, subject) == {}


async def test_a_revocation_is_cancelled(client: Client, subject: Subject) -> None:
    """
    200 with the record, twice; then it is over, the key lives, and what has ended cannot be cancelled.
    """
    revocation = await report(client, subject)
    moved = await client.rotate(subject, key="Secondary")

    answers = [await client.ask("DELETE", f"/rotations/{revocation}") for _ in range(2)]
    status, problem, _ = await client.ask("DELETE", f"/rotations/{moved[1]['rotationId']}")

    assert [(status, record["state"], record["skipReason"]) for status, record, _ in answers] == [
        (200, "Skipped", "cancelled")
    ] * 2
    assert answers[0][1] == answers[1][1] == await client.get(revocation)
    assert (status, problem["code"], problem["rotationId"]) == (409, "not_cancellable", moved[1]["rotationId"])
    await client.pass_time(HOUR)
    await client.host.run("resume_rotations")
    await client.idle()
    assert subject.regenerations() == 1


@pytest.mark.parametrize("rotation", ["0b112d10-c79f-56c4-a589-e94e094e8418", "none", "%00"])
async def test_a_rotation_that_nobody_knows_cannot_be_cancelled(client: Client, rotation: str) -> None:
    """
    404, whatever the id looks like.
    """
    status, problem, _ = await client.ask("DELETE", f"/rotations/{rotation}")

    assert (status, problem["code"]) == (404, "rotation_not_found")


async def test_the_other_key_waits_until_the_first_is_dead(cloud: LocalCloud, client: Client, subject: Subject) -> None:
    """
    409 with the revocation that waits, for a secret that held it all the time.
    """
    cloud.put_secret(f"{subject.secret}-other", subject.target.value("Secondary"), subject.target.address)
    revocation = await report(client, subject)
    await client.idle()

    status, problem, headers = await client.ask(
        "POST", "/rotations", body={"secret": f"{subject.uri}-other", "revokePreviousAfter": "PT1H"}
    )

    assert (status, problem["code"], problem["rotationId"]) == (409, "revocation_pending", revocation)
    assert "Retry-After" in headers
    assert subject.regenerations() == 0


async def test_a_report_that_finds_its_target_taken_is_done_by_itself(client: Client, subject: Subject) -> None:
    """
    202: the leak is on record, and repeated under its key it is the same report.
    """
    fault = Fault(operation=subject.regenerate, kind="hang", when="before", target=subject.target.arm_id)
    armed = client.cloud.azure.faults.add(fault)
    other = asyncio.create_task(client.ask("POST", "/rotations", body={"secret": f"{subject.uri}-too"}))
    await armed.reached()
    body, headers = {"secret": subject.uri, "revokePreviousAfter": "PT1H"}, {"Idempotency-Key": subject.secret}

    first = await client.ask("POST", "/rotations", body=body, headers=headers)
    again = await client.ask("POST", "/rotations", body=body, headers=headers)
    armed.release()
    await other

    assert (first[0], again[0]) == (202, 202)
    assert first[1] == again[1]
    assert (await client.ended(first[1]["id"]))["revocation"]["id"] == first[1]["revocation"]["id"]
    await client.idle()
    assert subject.regenerations() == 1


async def test_a_report_that_is_accepted_moves_everything_through_the_queue(client: Client, subject: Subject) -> None:
    """
    202 names the revocation already.
    """
    status, accepted, _ = await client.ask(
        "POST",
        "/rotations",
        body={"secret": subject.uri, "revokePreviousAfter": "PT1H"},
        headers={"Prefer": "respond-async"},
    )
    await client.idle()

    assert status == 202
    assert (await client.get(accepted["revocation"]["id"]))["state"] == "Scheduled"
    assert (await client.ended(accepted["id"]))["state"] == "Completed"
    assert await shown(client, subject) == {}
    assert subject.regenerations() == 1


@pytest.mark.parametrize(
    "every", [6, pytest.param(1, marks=pytest.mark.long)], ids=["every sixth", "left to make explore and make chaos"]
)
async def test_a_leak_survives_a_kill_at_each_of_its_requests(
    ca: CertificateAuthority, tmp_path: Path, every: int
) -> None:
    """
    Of the report, the moves, the looks and the revocation: no outage even then, and in the end the key is dead.
    """
    report = await run_leaks(named("batch"), KILL_KINDS[0], tmp_path, ca, every=every)

    assert not report.broken
    assert report.leaks > 60 / every
    # How many requests a leak makes depends on who comes first: some of the last ones may not be there to be killed at.
    assert report.kills > 0.6 * report.leaks
