"""
Throttling as Azure Resource Manager does it, met by the official clients as the app wires them.
"""

import asyncio
from datetime import timedelta

import pytest

from adapters.throttling import Throttling
from localcloud.azure.cloud import LocalAzure
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.workflow import add_workflow
from rotation.vocabulary.errors import Unavailable
from rotation.vocabulary.limits import CALM, PACE, SCARCE_AT
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock
from tests.twins.targets import parse_target
from wiring.parts import Wiring

OTHER_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
async def account(azure: LocalAzure) -> Target:
    """
    Return a Batch account.
    """
    made = await add_batch_account(azure, "account1")
    return parse_target(made.arm_id)


@pytest.fixture
async def workflow(azure: LocalAzure) -> Target:
    """
    Return a trigger of a workflow in the same subscription.
    """
    made = await add_workflow(azure, "orders", site="site1")
    return parse_target(f"{made.arm_id}/triggers/manual")


def refused(azure: LocalAzure) -> int:
    """
    Return how many requests were refused.
    """
    return sum(request.status == 429 for request in azure.requests)


async def test_a_burst_is_answered_with_few_refusals(
    azure: LocalAzure, wiring: Wiring, account: Target, workflow: Target, deadline: Deadline
) -> None:
    """
    Of 20 requests by both clients at once most are refused, and none again and again.
    """
    azure.throttle_arm(bucket=3, per_second=10)
    accounts, workflows = await wiring.providers.provider_for(account), await wiring.providers.provider_for(workflow)

    found = await asyncio.gather(
        *(accounts.read_keys(account, deadline) for _ in range(10)),
        *(workflows.read_keys(workflow, deadline) for _ in range(5)),
    )

    assert all(set(keys) == set(KeyName) for keys in found)
    assert 0 < refused(azure) <= 20


async def test_a_long_refusal_of_one_client_puts_the_other_off(
    azure: LocalAzure, wiring: Wiring, account: Target, workflow: Target, clock: HandClock
) -> None:
    """
    A regeneration that would be refused is not even sent; once the time is over it is, once.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    azure.throttle_arm(bucket=1, per_second=0.01)
    accounts, workflows = await wiring.providers.provider_for(account), await wiring.providers.provider_for(workflow)
    await accounts.read_keys(account, Deadline(clock))
    with pytest.raises(Unavailable, match="429 SubscriptionRequestsThrottled"):
        await accounts.read_keys(account, Deadline(clock))

    with pytest.raises(Unavailable) as put_off:
        await workflows.regenerate(workflow, KeyName.PRIMARY, Deadline(clock))

    assert azure.requests.count("Workflow.RegenerateAccessKey") == 0
    assert put_off.value.retry_after is not None
    assert put_off.value.retry_after > timedelta(seconds=90)
    clock.advance(put_off.value.retry_after)
    azure.throttle_arm(bucket=1, per_second=0.01)
    await workflows.regenerate(workflow, KeyName.PRIMARY, Deadline(clock))
    assert azure.requests.count("Workflow.RegenerateAccessKey") == 1


async def test_another_subscription_goes_on(
    azure: LocalAzure, wiring: Wiring, account: Target, clock: HandClock
) -> None:
    """
    Its accounts are read while those of the throttled one are not asked for.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    azure.throttle_arm(bucket=1, per_second=0.01)
    made = await add_batch_account(azure, "account2", subscription=OTHER_SUBSCRIPTION)
    accounts = await wiring.providers.provider_for(account)
    await accounts.read_keys(account, Deadline(clock))
    for _ in range(3):
        with pytest.raises(Unavailable):
            await accounts.read_keys(account, Deadline(clock))

    keys = await accounts.read_keys(parse_target(made.arm_id), Deadline(clock))

    assert set(keys) == set(KeyName)
    assert azure.requests.count("Batch.ListKeys", target=account.arm_id) == 2


async def test_a_wait_counts_against_the_deadline(
    azure: LocalAzure, wiring: Wiring, account: Target, clock: HandClock
) -> None:
    """
    A key is regenerated after a wait that the attempt has the time for, and not asked for otherwise.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    azure.throttle_arm(bucket=1, per_second=0.2)
    accounts = await wiring.providers.provider_for(account)
    await accounts.regenerate(account, KeyName.PRIMARY, Deadline(clock))
    with pytest.raises(Unavailable, match="429 SubscriptionRequestsThrottled"):
        await accounts.regenerate(account, KeyName.PRIMARY, Deadline(clock))
    azure.throttle_arm(bucket=1, per_second=0.2)

    with pytest.raises(Unavailable, match="was not sent"):
        await accounts.regenerate(account, KeyName.PRIMARY, Deadline(clock, timedelta(seconds=3)))
    ample = Deadline(clock)
    await accounts.regenerate(account, KeyName.PRIMARY, ample)

    assert ample.elapsed == pytest.approx(5)
    assert azure.requests.count("Batch.RegenerateKeys") == 3
    assert azure.requests.count("Batch.RegenerateKeys", took_effect=True) == 2


async def test_what_can_wait_goes_no_faster_than_the_bucket_is_filled(wiring: Wiring, account: Target) -> None:
    """
    A whole burst of it takes nothing from rotations; another subscription has a pace of its own.
    """
    clock = HandClock()
    wiring.__dict__["throttling"] = Throttling(clock)
    begun = clock.monotonic()
    other = account.identity.replace("11111111-1111-4111-8111-111111111111", OTHER_SUBSCRIPTION)

    for _ in range(10):
        assert await wiring.providers.has_room_for(account.identity)
        assert await wiring.providers.has_room_for(other)

    assert clock.monotonic() - begun == pytest.approx(9 * PACE)


async def test_a_kind_whose_keys_take_two_requests_takes_two_turns(wiring: Wiring, workflow: Target) -> None:
    """
    Each callback URL of a workflow is asked for by itself.
    """
    clock = HandClock()
    wiring.__dict__["throttling"] = Throttling(clock)
    begun = clock.monotonic()

    for _ in range(10):
        assert await wiring.providers.has_room_for(workflow.identity)

    assert clock.monotonic() - begun == pytest.approx(9 * 2 * PACE)


async def test_what_can_wait_stands_back_while_requests_are_scarce(
    azure: LocalAzure, wiring: Wiring, account: Target, clock: HandClock
) -> None:
    """
    Until there is a sign that there are enough again, or no sign of scarcity for some time.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    azure.throttle_arm(bucket=SCARCE_AT + 1, per_second=0.01)
    accounts = await wiring.providers.provider_for(account)
    assert await wiring.providers.has_room_for(account.identity)

    await accounts.read_keys(account, Deadline(clock))

    assert not await wiring.providers.has_room_for(account.identity)
    clock.advance(timedelta(seconds=CALM))
    assert await wiring.providers.has_room_for(account.identity)


async def test_what_can_wait_stands_back_while_azure_refuses(
    azure: LocalAzure, wiring: Wiring, account: Target, clock: HandClock
) -> None:
    """
    For as long as it asks for, and a while after that.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    azure.throttle_arm(bucket=1, per_second=0.01)
    accounts = await wiring.providers.provider_for(account)
    await accounts.read_keys(account, Deadline(clock))
    with pytest.raises(Unavailable):
        await accounts.read_keys(account, Deadline(clock))

    assert not await wiring.providers.has_room_for(account.identity)
