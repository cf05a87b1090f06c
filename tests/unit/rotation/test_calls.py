"""
What a rotation asks of the world: each thing once, and nothing that it could do without.
"""

import asyncio
from datetime import timedelta

import pytest
from msgspec import structs

from adapters.concurrency import gather
from rotation.run.rotator import Rotator
from rotation.vocabulary.record import State
from rotation.vocabulary.target import KeyName
from tests.twins.calls import KEY_REGENERATION, ROTATION
from tests.twins.targets import batch_account
from tests.twins.world import SUBSCRIPTION, TARGETS, TwinWorld

ONCE_IN_A_WHILE = ("list_managed", "bind")  # for five minutes, for a secret's first rotation


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target.
    """
    return TwinWorld(request.param)


def expected(world: TwinWorld, calls: tuple[str, ...]) -> list[str]:
    """
    Return the calls for the world's kind of target: what regenerating a workflow's key gave has to be read, not asked.
    """
    made = list(calls)
    if world.target is TARGETS["workflow"]:
        made = [call for call in made if call not in {"probe", "ask"}]
        made.insert(made.index("regenerate") + 1, "read_keys")
    return made


async def test_a_first_rotation_asks_for_what_it_needs(world: TwinWorld) -> None:
    """
    Which includes, the first time, who else holds a key of the target.
    """
    await world.rotate()

    assert world.faults.calls == expected(world, ROTATION)


async def test_a_later_rotation_asks_for_less(world: TwinWorld) -> None:
    """
    The vaults are listed once in five minutes and a secret is registered once; by now there is a dead version.
    """
    await world.rotate()
    world.faults.calls.clear()

    await world.rotate()

    wanted = [call for call in expected(world, ROTATION) if call not in ONCE_IN_A_WHILE]
    assert world.faults.calls == [*wanted, "read_version", "disable"]


async def test_a_target_that_was_listed_is_claimed_without_reading_the_secret_first(world: TwinWorld) -> None:
    """
    The look under the claim reads it. After that it is read first again: what comes next is a duplicate, most likely.
    """
    world.put("two", key=KeyName.SECONDARY)
    await world.rotate(world.event("one"))
    world.faults.calls.clear()

    second = world.event("two")
    await world.rotate(second)
    assert world.faults.calls[:2] == ["claim", "read_current"]

    world.faults.calls.clear()
    await world.rotate(second)
    assert world.faults.calls[:2] == ["read_current", "claim"]
    assert world.faults.count("read_keys") == 0


@pytest.mark.parametrize("minutes", [4, 6])
async def test_a_secret_that_left_the_listed_target_is_rotated_at_its_own(world: TwinWorld, minutes: int) -> None:
    """
    Whatever the listing says, and however old it is: no key of the target that was listed dies, and its claim is free.
    """
    other = batch_account(SUBSCRIPTION, "rg", "account9")
    world.provider.add(other)
    world.put("two", key=KeyName.SECONDARY)
    await world.rotate(world.event("one"))
    regenerations = world.regenerations()
    world.clock.advance(timedelta(minutes=minutes))
    world.put("two", {"ProviderAddress": other.arm_id}, value=world.provider.value(other, KeyName.PRIMARY))
    world.unmanage("two")

    rotation = await world.rotate(world.event("two"))

    assert (rotation.state, rotation.target) == (State.COMPLETED, other.arm_id)
    assert world.regenerations() == regenerations
    assert world.provider.regenerations(other, KeyName.SECONDARY) == 1
    assert world.ledger.claims() == []


async def test_a_duplicate_of_what_has_ended_changes_nothing(world: TwinWorld) -> None:
    """
    It claims, looks, and gives the claim back.
    """
    request = world.event()
    await world.rotate(request)
    world.faults.calls.clear()

    await world.rotate(request)

    assert world.faults.calls == [
        "read_current",
        "claim",
        "read_current",
        "read_standing",
        "release",
        "read_outcome",
    ]


async def test_the_regeneration_of_a_key_asks_for_what_it_needs(world: TwinWorld) -> None:
    """
    Whether a managed secret holds the key, in any case.
    """
    request = structs.replace(world.manual(key=KeyName.SECONDARY), secret=None, target=world.target.written)

    await world.rotate(request)

    assert world.faults.calls == expected(world, KEY_REGENERATION)


@pytest.mark.parametrize("is_for_a_secret", [True, False])
async def test_the_keys_are_read_while_the_look_is_under_way(world: TwinWorld, is_for_a_secret: bool) -> None:
    """
    What does not have to wait does not: each trip that others wait for makes an outage of a key longer.
    """
    request, looking = world.event(), "read_current"
    if not is_for_a_secret:
        request = structs.replace(world.manual(key=KeyName.SECONDARY), secret=None, target=world.target.written)
        looking = "bound_secrets"
    are_read = asyncio.Event()

    async def wait() -> None:
        async with asyncio.timeout(5):
            await are_read.wait()

    async def note() -> None:
        are_read.set()

    world.faults.before(looking, *[None] * is_for_a_secret, wait)
    world.faults.before("read_keys", note)

    record = await Rotator(structs.replace(world.ports, gather=gather)).rotate(request)

    assert record.state is State.COMPLETED
