import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseTimeoutError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.batch.aio import BatchManagementClient
from azure.mgmt.batch.models import BatchAccountKeys

from localcloud.azure.cloud import SUBSCRIPTION, LocalAzure
from localcloud.azure.faults import Fault, When
from localcloud.azure.identity import ARM
from localcloud.azure.request_log import LoggedRequest
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.batch.accounts import BatchAccount

REGENERATE = "Batch.RegenerateKeys"


@pytest.fixture
async def client(azure: LocalAzure, credential: ManagedIdentityCredential) -> AsyncIterator[BatchManagementClient]:
    """
    Yield a client that sends every request once.
    """
    async with BatchManagementClient(credential, SUBSCRIPTION, base_url=azure.arm_uri, retry_total=0) as client:
        yield client


@pytest.fixture
async def account(azure: LocalAzure) -> BatchAccount:
    """
    Return the account whose key is regenerated.
    """
    return await add_batch_account(azure, "renders", resource_group="rg")


async def regenerate(client: BatchManagementClient, read_timeout: float = 10) -> BatchAccountKeys:
    """
    Send one request and wait so many seconds for the answer.
    """
    wanted = {"keyName": "Primary"}
    return await client.batch_account.regenerate_key("rg", "renders", parameters=wanted, read_timeout=read_timeout)


@pytest.mark.parametrize(("when", "changes"), [("before", False), ("after", True)])
async def test_an_error_comes_before_or_after_the_effect(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount, when: When, changes: bool
) -> None:
    """
    The answer is the same; whether the key changed is not, and the log tells.
    """
    old = account.value("Primary")
    fault = azure.faults.add(Fault(operation=REGENERATE, kind="answer", when=when, code="ServerBusy"))

    with pytest.raises(HttpResponseError) as refused:
        await regenerate(client)

    assert refused.value.status_code == 503
    assert refused.value.error is not None
    assert refused.value.error.code == "ServerBusy"
    assert (account.value("Primary") != old) is changes
    assert azure.requests.count(REGENERATE, took_effect=changes) == 1
    assert fault.fired == 1
    assert (await regenerate(client)).primary == account.value("Primary")


@pytest.mark.parametrize(("when", "changes"), [("before", False), ("after", True)])
async def test_a_connection_is_cut_before_or_after_the_effect(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount, when: When, changes: bool
) -> None:
    """
    The caller sees no answer in either case.
    """
    old = account.value("Primary")
    azure.faults.add(Fault(operation=REGENERATE, kind="drop", when=when))

    with pytest.raises(ServiceRequestError):
        await regenerate(client)

    (entry,) = azure.requests.of(REGENERATE)
    assert (entry.ended is not None, entry.status, entry.took_effect) == (True, None, changes)
    assert (account.value("Primary") != old) is changes


async def test_a_request_given_up_by_its_caller_still_takes_effect(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount
) -> None:
    """
    It hangs before the effect, the caller times out, and after its release the key changes.
    """
    old, has_happened = account.value("Primary"), asyncio.Event()

    async def note(_: LoggedRequest) -> None:
        has_happened.set()

    azure.faults.after(REGENERATE, note)
    fault = azure.faults.add(Fault(operation=REGENERATE, kind="hang"))

    with pytest.raises(ServiceResponseTimeoutError):
        await regenerate(client, read_timeout=0.2)
    assert account.value("Primary") == old
    fault.release()
    await has_happened.wait()

    assert account.value("Primary") != old


async def test_a_test_can_act_exactly_when_something_hangs(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount
) -> None:
    """
    Reached tells when, and the request goes on when released.
    """
    fault = azure.faults.add(Fault(operation=REGENERATE, kind="hang", when="after"))
    request = asyncio.create_task(regenerate(client))
    await fault.reached()
    changed = account.value("Primary")
    assert not request.done()
    fault.release()

    assert (await request).primary == changed


async def test_a_delay_passes(azure: LocalAzure, client: BatchManagementClient, account: BatchAccount) -> None:
    """
    A delayed request is answered, later.
    """
    azure.faults.add(Fault(operation=REGENERATE, kind="delay", seconds=0.1))
    await regenerate(client)

    (entry,) = azure.requests.of(REGENERATE)
    assert entry.ended is not None
    assert entry.ended.monotonic - entry.received.monotonic >= 0.1


@pytest.mark.parametrize("body", [None, b"null", b"[]"])
async def test_an_odd_success_has_taken_effect(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount, body: bytes | None
) -> None:
    """
    A 200 without keys in it: the service did its work, the answer says nothing.
    """
    old = account.value("Primary")
    azure.faults.add(Fault(operation=REGENERATE, kind="answer", when="after", status=200, body=body))

    try:
        answer = await regenerate(client)
    except (AzureError, ValueError):
        answer = None
    assert not answer
    assert account.value("Primary") != old


async def test_a_fault_chooses_its_requests(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount
) -> None:
    """
    Operation, target, skip and times decide.
    """
    await add_batch_account(azure, "other", resource_group="rg")
    fault = azure.faults.add(
        Fault(operation="Batch.ListKeys", kind="answer", status=429, target=account.arm_id, skip=1, times=2)
    )
    outcomes = []
    for name in ("renders", "other", "renders", "other", "renders", "renders"):
        with suppress(HttpResponseError):
            await client.batch_account.get_keys("rg", name)
        outcomes.append([entry.status for entry in azure.requests][-1])

    assert outcomes == [200, 200, 429, 200, 429, 200]
    assert fault.fired == 2


async def test_a_refusal_may_say_when_to_come_back(
    azure: LocalAzure, http: aiohttp.ClientSession, account: BatchAccount
) -> None:
    """
    Retry-After is a header of the scripted answer.
    """
    azure.faults.add(Fault(operation="Batch.GetAccount", kind="answer", status=429, retry_after=7))
    headers = {"Authorization": f"Bearer {azure.identity.issue(ARM)}"}

    url = f"{azure.arm_uri}{account.arm_id}?api-version=2025-06-01"
    async with http.get(url, headers=headers) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


async def test_hooks_see_the_moment_before_and_after(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount
) -> None:
    """
    What a hook finds is the state on that side of the effect.
    """
    old, seen = account.value("Primary"), []

    async def look(request: LoggedRequest) -> None:
        seen.append((request.took_effect, account.value("Primary") == old))

    azure.faults.before(REGENERATE, look, target=account.arm_id)
    azure.faults.after(REGENERATE, look)
    await regenerate(client)

    assert seen == [(False, True), (True, False)]


async def test_latency_holds_for_every_service(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount
) -> None:
    """
    Every request, that for the token included, takes at least so long; the log numbers them in order.
    """
    azure.latency = 0.05
    await client.batch_account.get("rg", "renders")

    assert [entry.number for entry in azure.requests] == [1, 2]
    assert {entry.service for entry in azure.requests} == {"identity", "arm"}
    for entry in azure.requests:
        assert entry.ended is not None
        assert entry.ended.monotonic - entry.received.monotonic >= 0.05


async def test_a_refused_request_meets_no_fault(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount
) -> None:
    """
    A fault after the effect needs an effect.
    """
    fault = azure.faults.add(Fault(operation=REGENERATE, kind="drop", when="after"))

    with pytest.raises(HttpResponseError):
        await client.batch_account.regenerate_key("rg", "nothere", parameters={"keyName": "Primary"})
    assert fault.fired == 0
    assert azure.requests.count(REGENERATE, took_effect=True) == 0


async def test_somebody_may_answer_for_a_service_that_is_still_at_work(
    azure: LocalAzure, client: BatchManagementClient, account: BatchAccount
) -> None:
    """
    The caller has its error, the request is under way until its effect, and the log says so.
    """
    old = account.value("Primary")
    azure.faults.add(Fault(operation=REGENERATE, kind="answer", status=400, body=b"{}", effect_after=0.05))

    with pytest.raises(HttpResponseError):
        await regenerate(client)
    (entry,) = azure.requests.of(REGENERATE)
    async with asyncio.timeout(30):
        while entry.ended is None:  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0.01)

    assert (entry.status, entry.took_effect) == (400, True)
    assert account.value("Primary") != old
