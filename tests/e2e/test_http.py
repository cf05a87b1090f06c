import asyncio
import uuid

import pytest

from handlers.examples import HEALTHY
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION
from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud
from localcloud.kinds.workflow import add_workflow
from tests.e2e.client import Client

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"


async def test_a_manual_rotation_answers_with_its_record(client: Client, kind: str) -> None:
    """
    200 with the record, the same that GET shows from then on.
    """
    subject = await client.subject(kind)
    previous = subject.version

    status, record = await client.rotate(subject, reason="quarterly")

    assert status == 200
    assert (record["state"], record["trigger"], record["reason"]) == ("Completed", "Http", "quarterly")
    assert record["secret"] | {"expiresOn": ""} == {
        "vault": client.cloud.vault.uri,
        "name": subject.secret,
        "version": subject.version,
        "previousVersion": previous,
        "expiresOn": "",
    }
    assert await client.get(record["id"]) == record
    assert subject.holds("Secondary")


async def test_the_previous_version_works_until_the_next_rotation_and_is_disabled_by_it(
    client: Client, kind: str
) -> None:
    """
    Two rotations later the version that holds the dead key is disabled, the two newest are not.
    """
    subject = await client.subject(kind)
    for _ in range(2):
        assert (await client.rotate(subject))[0] == 200

    enabled = [version.enabled for version in client.cloud.vault.versions(subject.secret)]
    assert enabled == [False, True, True]
    assert subject.holds("Primary")


async def test_an_explicit_key_is_taken_at_its_word(client: Client, kind: str) -> None:
    """
    The alternate may be named; the key in use needs force.
    """
    subject = await client.subject(kind)

    status, problem = await client.rotate(subject, key="Primary")
    assert (status, problem["code"]) == (409, "active_key")
    assert await client.get(problem["rotationId"]) is not None
    assert subject.regenerations() == 0
    assert (await client.rotate(subject, key="Secondary"))[0] == 200
    status, record = await client.rotate(subject, key="Secondary", force=True)

    assert (status, record["keyName"], record["previousKeyName"]) == (200, "Secondary", "Secondary")
    assert record["gapSeconds"] >= 0
    assert subject.holds("Secondary")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"{}",
        b'{"secret": 7}',
        b'{"secret": "batch-key"}',
        b'{"secret": "http://localhost/secrets/one"}',
        b'{"secret": "https://kv.vault.azure.net/keys/one"}',
        b'{"secret": "https://kv.vault.azure.net/secrets/o ne"}',
        b'{"secret": "https://kv.vault.azure.net/secrets/../one"}',
        b'{"secret": "https://kv.vault.azure.net/secrets/one", "forse": true}',
        b'{"secret": "https://kv.vault.azure.net/secrets/one", "key": "primary"}',
        b'{"secret": "https://kv.vault.azure.net/secrets/one", "force": "yes"}',
        b'{"secret": "https://kv.vault.azure.net/secrets/one", "revokePreviousAfter": "1h"}',
        b'{"secret": "https://kv.vault.azure.net/secrets/one", "target": "/subscriptions/x", "key": "Primary"}',
        b'{"target": "/subscriptions/x"}',
        b'{"secret": "https://kv.vault.azure.net/secrets/one", "reason": "' + b"x" * 501 + b'"}',
    ],
    ids=lambda raw: raw[:70].decode("latin-1"),
)
async def test_a_body_that_cannot_be_read_is_malformed(cloud: LocalCloud, client: Client, raw: bytes) -> None:
    """
    400 with the part and the remedy; nothing is asked of Azure.
    """
    before = len(list(cloud.azure.requests))

    status, problem, headers = await client.ask("POST", "/rotations", raw=raw)

    assert (status, problem["code"], problem["status"]) == (400, "malformed", 400)
    assert headers["Content-Type"].startswith("application/problem+json")
    assert "must" in problem["detail"] or "needs" in problem["detail"]
    assert len(list(cloud.azure.requests)) == before


async def test_a_foreign_vault_is_forbidden(cloud: LocalCloud, client: Client) -> None:
    """
    403 before anything is read there.
    """
    other = await cloud.azure.add_vault(f"kv-{uuid.uuid4().hex[:8]}")
    other.set("one", "value", tags={})
    before = len(list(cloud.azure.requests))

    status, problem, _ = await client.ask("POST", "/rotations", body={"secret": f"{other.uri}/secrets/one"})

    assert (status, problem["code"]) == (403, "forbidden")
    assert len(list(cloud.azure.requests)) == before


async def test_an_unknown_secret_or_rotation_is_not_found(cloud: LocalCloud, client: Client) -> None:
    """
    404 with a code that tells which.
    """
    status, problem, _ = await client.ask("POST", "/rotations", body={"secret": f"{cloud.vault.uri}/secrets/nothing"})
    assert (status, problem["code"]) == (404, "secret_not_found")
    for rotation_id in (uuid.uuid4(), "x", "..%2f..", "a'b"):
        status, problem, _ = await client.ask("GET", f"/rotations/{rotation_id}")
        assert (status, problem["code"]) == (404, "rotation_not_found")


async def test_an_unknown_target_is_not_found(client: Client) -> None:
    """
    The record of the failed rotation is named.
    """
    subject = await client.subject(ProviderAddress=f"{GROUP}/providers/Microsoft.Batch/batchAccounts/nowhere")

    status, problem = await client.rotate(subject)

    assert (status, problem["code"]) == (404, "target_not_found")
    assert (await client.get(problem["rotationId"]))["state"] == "Failed"


@pytest.mark.parametrize(
    ("tags", "status", "code"),
    [
        ({"ValidityPeriodDays": "7"}, 409, "misconfigured"),
        (
            {"ProviderAddress": f"{GROUP}2/providers/Microsoft.Batch/batchAccounts/a1b"},
            403,
            "forbidden",
        ),
    ],
    ids=["misconfigured", "out of scope"],
)
async def test_a_badly_tagged_secret_is_a_conflict(
    client: Client, tags: dict[str, str], status: int, code: str
) -> None:
    """
    The caller learns what an operator has to mend.
    """
    subject = await client.subject(**tags)

    answered, problem = await client.rotate(subject)

    assert (answered, problem["code"]) == (status, code)
    assert subject.secret in problem["detail"]


async def test_a_paused_secret_is_skipped_with_the_reason(client: Client) -> None:
    """
    Skipped is no error: 200 with the record.
    """
    subject = await client.subject(RotationPaused="true")

    status, record = await client.rotate(subject)

    assert (status, record["state"], record["skipReason"]) == (200, "Skipped", "paused")


async def test_drift_is_a_conflict_that_force_heals(client: Client, kind: str) -> None:
    """
    After a regeneration by hand the rotation says so; with force it stores a live value and regenerates nothing.
    """
    subject = await client.subject(kind)
    subject.target.regenerate("Primary")

    status, problem = await client.rotate(subject)
    assert (status, problem["code"]) == (409, "drift")
    status, record = await client.rotate(subject, force=True)

    assert (status, record["state"], record["keyName"]) == (200, "Completed", "Primary")
    assert subject.holds("Primary")
    assert subject.regenerations() == 0


async def test_a_workflow_that_signs_with_one_key_is_a_conflict(cloud: LocalCloud, client: Client) -> None:
    """
    Both URLs carry the same signature: rotating would lock clients out, unless the tag says InPlace.
    """
    name = f"one{uuid.uuid4().hex[:8]}"
    workflow = await add_workflow(cloud.azure, "orders", site=name, signs_with_one_key=True)
    subject = await client.subject("workflow")
    subject.target = workflow
    cloud.put_secret(subject.secret, workflow.callback_url(), workflow.arm_id)

    status, problem = await client.rotate(subject)
    assert (status, problem["code"]) == (409, "single_key")
    cloud.put_secret(subject.secret, workflow.callback_url(), workflow.arm_id, RotationStrategy="InPlace")
    status, record = await client.rotate(subject)

    assert (status, record["state"]) == (200, "Completed")
    assert subject.holds("Primary")


async def test_a_refusal_by_the_provider_is_passed_on(client: Client, kind: str) -> None:
    """
    424 with ARM's own code and message.
    """
    subject = await client.subject(kind)
    client.cloud.azure.faults.add(
        Fault(operation=subject.regenerate, kind="answer", status=403, code="AuthorizationFailed")
    )

    status, problem = await client.rotate(subject)

    assert (status, problem["code"]) == (424, "provider_refused")
    assert "AuthorizationFailed" in problem["detail"]
    assert subject.regenerations() == 0


async def test_a_vault_that_throttles_is_unavailable(client: Client) -> None:
    """
    503 with Retry-After, and no record of what never began.
    """
    subject = await client.subject()
    client.cloud.azure.faults.add(
        Fault(operation="Vault.GetSecret", kind="answer", status=429, retry_after=77, times=None)
    )

    status, problem, headers = await client.ask("POST", "/rotations", body={"secret": subject.uri})

    assert (status, problem["code"], headers["Retry-After"]) == (503, "unavailable", "77")


async def test_a_target_that_is_being_rotated_is_busy(cloud: LocalCloud, client: Client, kind: str) -> None:
    """
    409 with the running rotation's id, and when to ask again.
    """
    subject = await client.subject(kind)
    hanging = cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="hang"))
    running = asyncio.create_task(client.rotate(subject))
    await hanging.reached()

    status, problem, headers = await client.ask("POST", "/rotations", body={"secret": subject.uri})
    hanging.release()
    _, record = await running

    assert (status, problem["code"], headers["Retry-After"]) == (409, "busy", "30")
    assert problem["rotationId"] == record["id"]
    assert subject.regenerations() == 1


async def test_an_outcome_that_is_not_known_yet_is_accepted(cloud: LocalCloud, client: Client, kind: str) -> None:
    """
    202 with a Location that resolves at once; resumed later, the rotation completes with one regeneration.
    """
    subject = await client.subject(kind)
    cloud.azure.faults.add(Fault(operation=subject.regenerate, kind="drop", when="after"))

    status, record, headers = await client.ask("POST", "/rotations", body={"secret": subject.uri})
    assert (status, record["state"]) == (202, "Regenerating")
    assert headers["Location"] == f"/api/rotations/{record['id']}"
    assert (await client.get(record["id"]))["state"] == "Regenerating"
    assert subject.holds("Primary")
    await client.pass_time()
    await client.host.run("resume_rotations")

    ended = await client.ended(record["id"])
    assert (ended["state"], ended["attempts"]) == ("Completed", 2)
    assert subject.regenerations() == 1
    assert subject.holds("Secondary")


async def test_the_api_needs_the_function_key_and_health_does_not(client: Client) -> None:
    """
    Auth level function everywhere but for health.
    """
    calls = ["POST /rotations", f"GET /rotations/{uuid.uuid4()}", "GET /rotations", "GET /secrets", "GET /openapi.json"]
    calls += ["GET /secrets/my-vault.vault.azure.net/one", "POST /secrets/my-vault.vault.azure.net/one/verify"]
    for method, path in map(str.split, calls):
        assert (await client.ask(method, path, headers={"x-functions-key": "wrong"}))[0] == 401
    status, health, _ = await client.ask("GET", "/health", headers={"x-functions-key": "wrong"})
    assert (status, health["status"]) == (200, "Healthy")
    assert set(health["checks"]) == set(HEALTHY["healthy"]["value"]["checks"])
    assert {name: health["checks"][name] for name in ("settings", "ledger", "vaults", "identity")} == dict.fromkeys(
        ["settings", "ledger", "vaults", "identity"], "ok"
    )
