import asyncio
import json
import uuid
from typing import Any

import aiohttp
import pytest

from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION
from localcloud.cloud import LocalCloud
from tests.e2e.client import Client
from tests.e2e.test_events import event_of

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
OTHER_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
BATCH = "providers/Microsoft.Batch/batchAccounts"
WEB = "providers/Microsoft.Web/sites"


def arm_requests(cloud: LocalCloud) -> int:
    """
    Return how many requests ARM has seen, whatever became of them.
    """
    return sum(request.service == "arm" for request in cloud.azure.requests)


@pytest.mark.parametrize(
    "address",
    [
        f"{GROUP}2/{BATCH}/victim",
        f"{GROUP}-2/{BATCH}/victim",
        f"{GROUP.upper()}2/{BATCH}/victim",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/../resourceGroups/{RESOURCE_GROUP}2/{BATCH}/victim",
        f"{GROUP}/../other/{BATCH}/victim",
        f"{GROUP}%2F..%2Fother/{BATCH}/victim",
        f"{GROUP}/{BATCH}/..",
        f"{GROUP}/{BATCH}/victim/../../../../other/{BATCH}/victim",
        f"{GROUP}2/{BATCH}/victim?api-version=1",
        f"{GROUP}/{BATCH}/victim#x",
        f"{GROUP}/{BATCH}/victim/regenerateKeys",
        f"{GROUP}./{BATCH}/victim",
        f"{GROUP}/{WEB}/site1/workflows/..",
        f"{GROUP}/{WEB}/site1/workflows/.",
        f"{GROUP}/{WEB}/../workflows/w",
        f"{GROUP}/{WEB}/site1/workflows/w/triggers/..",
        f"{GROUP}/{WEB}/site1/workflows/w/triggers/a%2F..%2Fb",
        f"{GROUP}/{WEB}/site1/hostruntime/admin/host/systemkeys/_master",
        f"{GROUP}/{WEB}/site1\\..\\other/workflows/w",
        f"/subscriptions/{OTHER_SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/{BATCH}/victim",
        f"https://management.azure.com{GROUP}2/{BATCH}/victim",
        f"//evil.example{GROUP}/{BATCH}/victim",
        f"{GROUP}/{BATCH}/vi\u212atim",
        GROUP.replace("rg-local", "r\u0261-local") + f"/{BATCH}/victim",
    ],
)
async def test_a_tag_cannot_steer_the_identity_out_of_its_scopes(
    cloud: LocalCloud, client: Client, address: str
) -> None:
    """
    The rotation ends Failed, and the local cloud's log shows that ARM was never asked for anything.
    """
    subject = await client.subject(ProviderAddress=address)
    rotation_id = subject.rotation_id()
    before = arm_requests(cloud)

    assert await client.deliver([event_of(subject)]) == 202
    record = await client.ended(rotation_id)

    assert record["state"] == "Failed"
    assert record["error"]["code"] in {"misconfigured", "forbidden"}
    assert arm_requests(cloud) == before


async def test_a_tag_that_names_somebody_elses_account_changes_nothing_there(client: Client) -> None:
    """
    Inside the scopes, too, a key is regenerated only for a secret that holds the account's other key.
    """
    victim = await client.subject()
    attacker = await client.subject(ProviderAddress=victim.target.arm_id)

    status, problem = await client.rotate(attacker)

    assert (status, problem["code"]) == (409, "drift")
    assert victim.regenerations() == 0
    assert victim.holds("Primary")


@pytest.mark.parametrize(
    "vault",
    [
        "{vault}.evil.example",
        "{vault}@evil.example",
        "https://evil.example/{vault}",
        "{vault}\\@evil.example",
        "{vault}%00.evil.example",
        "{vault}/../..",
        "{vault}\u3002evil.example",
        "http{rest}",
    ],
)
async def test_a_look_alike_of_the_vault_is_never_asked(cloud: LocalCloud, client: Client, vault: str) -> None:
    """
    Neither an event nor a request reaches a vault that is not configured to the letter.
    """
    subject = await client.subject()
    alike = vault.format(vault=cloud.vault.uri, rest=cloud.vault.uri.removeprefix("https"))
    secret = f"{alike}/secrets/{subject.secret}"
    before = len(list(cloud.azure.requests))

    assert await client.deliver([event_of(subject, data={"Id": f"{secret}/{subject.version}"})]) == 202
    status, problem, _ = await client.ask("POST", "/rotations", body={"secret": secret})

    assert (status, problem["code"]) in {(400, "malformed"), (403, "forbidden")}
    assert len(list(cloud.azure.requests)) == before


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 16_000,
        b'{"a":' * 3_000,
        b'{"secret": "\\ud800"}',
        b'{"reason": "' + b"\\u0000" * 400 + b'"}',
    ],
    ids=["deep list", "deep object", "lone surrogate", "no secret"],
)
async def test_a_hostile_body_is_malformed(client: Client, body: bytes) -> None:
    """
    400, quickly, and never 500.
    """
    status, problem, _ = await client.ask("POST", "/rotations", raw=body)

    assert (status, problem["code"]) == (400, "malformed")


@pytest.mark.parametrize("body", [b'{"secret": "' + b"a" * 1_000_000 + b'"}', b"[" * 100_000], ids=["text", "lists"])
async def test_a_huge_body_is_too_large_and_says_how_large_it_may_be(client: Client, body: bytes) -> None:
    """
    413, without a look at what it holds.
    """
    status, problem, _ = await client.ask("POST", "/rotations", raw=body)

    assert (status, problem["code"]) == (413, "too_large")
    assert "at most 16,384" in problem["detail"]


async def test_events_need_the_webhooks_key(cloud: LocalCloud, client: Client) -> None:
    """
    A forged event without the system key is refused by the host.
    """
    subject = await client.subject()
    url = client.host.webhook_url("on_secret_event").partition("&code=")[0]
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=[event_of(subject)], headers={"aeg-event-type": "Notification"}) as answer,
    ):
        assert answer.status == 401
    assert subject.regenerations() == 0


async def test_replayed_and_forged_events_rotate_nothing_twice(cloud: LocalCloud, client: Client) -> None:
    """
    Old versions, made-up versions and floods of the present one: one regeneration, one new version.
    """
    subject = await client.subject()
    first = event_of(subject)
    rotation_id = subject.rotation_id()
    await client.deliver([first] * 10)
    await client.ended(rotation_id)

    forged = [event_of(subject, data={"Id": f"{subject.uri}/{number:032x}"}) for number in range(10)]
    await asyncio.gather(*(client.deliver([event]) for event in [first, *forged]))
    await client.idle()

    assert subject.regenerations() == 1
    assert len(cloud.vault.versions(subject.secret)) == 2


async def test_a_forged_queue_message_changes_nothing(client: Client) -> None:
    """
    Anyone who can write to the queue cannot widen what the app does: vault and scope are checked again when it runs.
    """
    subject = await client.subject(ProviderAddress=f"{GROUP}2/{BATCH}/victim")
    foreign = {"vault": "https://evil.example", "name": "one", "version": "a" * 32}
    ours = {"vault": client.cloud.vault.uri, "name": subject.secret, "version": subject.version}
    message: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "trigger": "Http",
        "accepted_on": "2026-01-01T00:00:00Z",
        "force": True,
    }
    before = arm_requests(client.cloud)

    await client.host.run("run_rotation", json.dumps(message | {"secret": foreign}))
    await client.host.run("run_rotation", json.dumps(message | {"secret": ours, "claimed": subject.target.arm_id}))

    assert arm_requests(client.cloud) == before
    assert subject.regenerations() == 0
