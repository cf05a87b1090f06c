import asyncio
import uuid

import pytest

from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from tests.e2e.client import Client

ASYNC = {"Prefer": "wait=5, respond-async"}
CHANGES = {"Batch.RegenerateKeys", "Workflow.RegenerateAccessKey", "Vault.SetSecret", "Vault.UpdateSecret"}
LEDGER_WRITES = ("Ledger.Insert", "Ledger.Replace", "Ledger.Upsert", "Ledger.Transaction", "Ledger.Delete")


async def test_a_caller_that_does_not_wait_is_answered_before_anything_happens(client: Client, kind: str) -> None:
    """
    202 with a Location that resolves at once; the queue does the rest.
    """
    subject = await client.subject(kind)
    hanging = client.cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="hang"))

    status, record, headers = await client.ask(
        "POST", "/rotations", body={"secret": subject.uri, "reason": "async"}, headers=ASYNC
    )

    assert (status, record["state"], record["reason"]) == (202, "Accepted", "async")
    assert headers["Location"] == f"/api/rotations/{record['id']}"
    assert headers["Preference-Applied"] == "respond-async"
    assert (await client.get(record["id"]))["id"] == record["id"]
    await hanging.reached()
    hanging.release()
    assert (await client.ended(record["id"]))["state"] == "Completed"
    assert subject.holds("Secondary")


async def test_an_accepted_rotation_whose_message_was_lost_is_done_all_the_same(client: Client) -> None:
    """
    The ledger's row outlives the message: later it is put into the queue again, and forgotten in the end.
    """
    subject = await client.subject()
    taken = client.cloud.azure.faults.add(Fault(operation="Vault.GetSecret", kind="hang", skip=1))
    _, record, _ = await client.ask("POST", "/rotations", body={"secret": subject.uri}, headers=ASYNC)
    await taken.reached()
    await client.pass_time()
    taken.release()

    await client.host.run("resume_rotations")

    assert (await client.ended(record["id"]))["state"] == "Completed"
    await client.idle()
    assert subject.regenerations() == 1
    assert await client.rows("live", f"accepted:{record['id']}") == []


async def test_an_accepted_rotation_of_a_busy_target_is_skipped_and_says_so(client: Client, kind: str) -> None:
    """
    Nobody is left waiting: it ends Skipped(busy), and the running one goes on.
    """
    subject = await client.subject(kind)
    hanging = client.cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="hang"))
    running = asyncio.create_task(client.rotate(subject))
    await hanging.reached()

    status, record, _ = await client.ask("POST", "/rotations", body={"secret": subject.uri}, headers=ASYNC)
    ended = await client.ended(record["id"])
    hanging.release()
    await running

    assert status == 202
    assert (ended["state"], ended["skipReason"]) == ("Skipped", "busy")
    assert subject.regenerations() == 1


async def test_the_same_idempotency_key_is_the_same_rotation(client: Client, kind: str) -> None:
    """
    While it runs 202, afterwards the record; the key is regenerated once.
    """
    subject = await client.subject(kind)
    headers = {"Idempotency-Key": f"key-{uuid.uuid4()}"}
    hanging = client.cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="hang"))
    body = {"secret": subject.uri, "reason": "once"}
    running = asyncio.create_task(client.ask("POST", "/rotations", body=body, headers=headers))
    await hanging.reached()

    meanwhile, shown, _ = await client.ask("POST", "/rotations", body=body, headers=headers)
    hanging.release()
    status, record, _ = await running
    again, same, _ = await client.ask("POST", "/rotations", body=body, headers=headers)
    later, also, _ = await client.ask("POST", "/rotations", body=body, headers=headers | ASYNC)

    assert (meanwhile, status, again, later) == (202, 200, 200, 200)
    assert record == same == also
    assert shown["id"] == record["id"]
    assert subject.regenerations() == 1


async def test_an_idempotency_key_with_another_body_is_refused(client: Client) -> None:
    """
    422 before anything happens to the other secret, and the order of the members makes no other body.
    """
    subject, other = await client.subject(), await client.subject()
    headers = {"Idempotency-Key": f"key-{uuid.uuid4()}"}
    _, record, _ = await client.ask("POST", "/rotations", body={"secret": subject.uri, "reason": "x"}, headers=headers)

    status, problem, _ = await client.ask("POST", "/rotations", body={"secret": other.uri}, headers=headers)
    same, repeated, _ = await client.ask(
        "POST", "/rotations", body={"reason": "x", "secret": subject.uri}, headers=headers
    )

    assert (status, problem["code"]) == (422, "idempotency_conflict")
    assert other.regenerations() == 0
    assert (same, repeated["id"]) == (200, record["id"])


async def test_two_bodies_under_one_idempotency_key_at_the_same_time_are_one_rotation(client: Client) -> None:
    """
    However they meet, one of the two secrets is rotated and the other request is refused.
    """
    subjects = [await client.subject() for _ in range(2)]
    headers = {"Idempotency-Key": f"key-{uuid.uuid4()}"}

    answers = await asyncio.gather(
        *(client.ask("POST", "/rotations", body={"secret": subject.uri}, headers=headers) for subject in subjects)
    )

    assert sorted(status for status, *_ in answers) == [200, 422]
    assert sum(subject.regenerations() for subject in subjects) == 1


async def test_a_failed_rotation_is_replayed_as_the_problem_it_was(client: Client) -> None:
    """
    The same key again returns the same failure, and tries nothing.
    """
    subject = await client.subject(ValidityPeriodDays="7")
    headers = {"Idempotency-Key": f"key-{uuid.uuid4()}"}

    first = await client.ask("POST", "/rotations", body={"secret": subject.uri}, headers=headers)
    second = await client.ask("POST", "/rotations", body={"secret": subject.uri}, headers=headers)

    assert (first[0], first[1]["code"]) == (409, "misconfigured")
    assert second[1] == first[1]


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "\u00fc"])
async def test_an_idempotency_key_of_no_use_is_malformed(client: Client, key: str) -> None:
    """
    400, and nothing is rotated.
    """
    subject = await client.subject()

    status, problem, _ = await client.ask(
        "POST", "/rotations", body={"secret": subject.uri}, headers={"Idempotency-Key": key}
    )

    assert (status, problem["code"]) == (400, "malformed")
    assert "must have 1 to 255 characters" in problem["detail"]
    assert subject.regenerations() == 0


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({}, "tidy"),
        ({"revokePreviousAfter": "PT1H"}, "tidy"),
        ({"key": "Primary"}, "end"),
    ],
    ids=["plain", "revocation", "active key"],
)
async def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    cloud: LocalCloud, client: Client, kind: str, options: dict[str, str], last: str
) -> None:
    """
    200, Planned, with steps; no key, no version, and not a row of the ledger has changed.
    """
    subject = await client.subject(kind)
    version = subject.version
    await client.idle()
    before = len(cloud.azure.requests)
    writes = sum(cloud.storage.requests.count(name) for name in LEDGER_WRITES)

    status, record = await client.rotate(subject, dryRun=True, reason="what if", **options)

    assert (status, record["state"], record["reason"]) == (200, "Planned", "what if")
    assert record["steps"][-1]["step"] == last
    assert all(step["detail"] for step in record["steps"])
    assert (record["error"] or {}).get("code") == ("active_key" if options.get("key") else None)
    assert not {entry.operation for entry in list(cloud.azure.requests)[before:]} & CHANGES
    assert sum(cloud.storage.requests.count(name) for name in LEDGER_WRITES) == writes
    assert subject.version == version
    assert await client.get(record["id"]) is None


async def test_the_previous_key_is_dead_some_time_after_a_leak(client: Client, kind: str) -> None:
    """
    The rotation names the revocation, which is there from that moment; when it is due, the leaked key dies, once.
    """
    subject = await client.subject(kind)
    leaked = subject.target.value("Primary")

    status, record = await client.rotate(subject, revokePreviousAfter="PT1H", reason="leaked")
    scheduled = await client.get(record["revocation"]["id"])
    await client.host.run("resume_rotations")
    assert subject.target.value("Primary") == leaked
    await client.pass_time()
    await client.host.run("resume_rotations")
    ended = await client.ended(scheduled["id"])

    assert (status, record["state"]) == (200, "Completed")
    assert (scheduled["state"], scheduled["reason"]) == ("Scheduled", "leaked")
    assert (ended["state"], ended["keyName"]) == ("Completed", "Primary")
    assert subject.target.value("Primary") != leaked
    assert subject.holds("Secondary")
    assert subject.regenerations() == 2
    await client.idle()
    await client.host.run("resume_rotations")
    await client.idle()
    assert subject.regenerations() == 2
    assert await client.get(scheduled["id"]) == ended


async def test_a_leaked_key_that_is_dead_already_is_not_regenerated_again(client: Client) -> None:
    """
    Two rotations have killed it meanwhile: Skipped(revoked).
    """
    subject = await client.subject()
    _, record = await client.rotate(subject, revokePreviousAfter="PT1H")
    await client.rotate(subject, ignoreGrace=True)
    regenerated = subject.regenerations()

    await client.pass_time()
    await client.host.run("resume_rotations")

    ended = await client.ended(record["revocation"]["id"])
    assert (ended["state"], ended["skipReason"]) == ("Skipped", "revoked")
    assert subject.regenerations() == regenerated


@pytest.mark.parametrize("duration", ["1h", "PT", "P", "-PT1H", "P1Y", "P366D", "P99999999999D", "PT1H\n"])
async def test_a_duration_that_cannot_be_meant_is_malformed(client: Client, duration: str) -> None:
    """
    400, and nothing is rotated.
    """
    subject = await client.subject()

    status, problem = await client.rotate(subject, revokePreviousAfter=duration)

    assert (status, problem["code"]) == (400, "malformed")
    assert subject.regenerations() == 0


async def test_a_key_that_no_secret_holds_is_regenerated_and_goes_nowhere(client: Client, kind: str) -> None:
    """
    200 without a secret; the version stays, and the event's subject is the target.
    """
    subject = await client.subject(kind)
    version, alternate = subject.version, subject.target.value("Secondary")

    status, record, _ = await client.ask(
        "POST", "/rotations", body={"target": subject.target.arm_id, "key": "Secondary", "reason": "handed out"}
    )

    assert (status, record["state"], record["secret"], record["keyName"]) == (200, "Completed", None, "Secondary")
    assert subject.target.value("Secondary") != alternate
    assert subject.version == version
    event = await client.told(f"{record['id']}:completed")
    assert event.content["subject"] == event.content["source"] == subject.target.arm_id
    assert await client.get(record["id"]) == record


async def test_a_key_that_a_secret_holds_is_not_regenerated_unless_forced(client: Client, kind: str) -> None:
    """
    409 active_key, whatever is known of the secret; force overrides.
    """
    subject = await client.subject(kind)
    body = {"target": subject.target.arm_id, "key": "Primary"}

    status, problem, _ = await client.ask("POST", "/rotations", body=body)
    assert (status, problem["code"]) == (409, "active_key")
    assert subject.regenerations() == 0
    forced, record, _ = await client.ask("POST", "/rotations", body=body | {"force": True})

    assert (forced, record["state"]) == (200, "Completed")
    assert subject.regenerations() == 1


async def test_a_target_outside_the_scopes_is_forbidden(cloud: LocalCloud, client: Client) -> None:
    """
    403 before anything is asked of Azure.
    """
    before = len(cloud.azure.requests)
    target = f"/subscriptions/{uuid.uuid4()}/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/foreign"

    status, problem, _ = await client.ask("POST", "/rotations", body={"target": target, "key": "Primary"})

    assert (status, problem["code"]) == (403, "forbidden")
    assert len(cloud.azure.requests) == before
