from datetime import timedelta

import pytest

from providers import KINDS
from providers.kind import Kind, Name
from rotation.overview.sweep import sweep
from rotation.run.acceptance import accept_target
from rotation.run.rehearsal import rehearse
from rotation.vocabulary.limits import CLAIM_TTL, LOOKS
from rotation.vocabulary.record import OpenRotation, State
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.target import KeyName
from tests.twins.providers import Form, MemoryProvider
from tests.twins.targets import accepted_record
from tests.twins.world import SUBSCRIPTION, TwinWorld

DATABASE = Kind(
    provider="Microsoft.DocumentDB/databaseAccounts",
    title="a database account",
    form="/providers/Microsoft.DocumentDB/databaseAccounts/{account}",
    names={"account": Name("[a-z0-9][a-z0-9-]{1,42}[a-z0-9]")},
    package="made.up",
    example={"account": "mydatabase"},
)
TARGET = DATABASE.target({"subscription": SUBSCRIPTION, "resource_group": "rg", "account": "db-1"})


def world_of(form: Form) -> TwinWorld:
    """
    Return a world in which the table of kinds has one more line.
    """
    provider = MemoryProvider(kinds=(*KINDS, DATABASE), forms={DATABASE.provider: form})
    return TwinWorld(provider=provider, target=TARGET)


@pytest.fixture(
    params=[Form(), Form(answers_with_keys=True), Form(reads_until_new=3)],
    ids=["answers nothing", "answers with the keys", "answers nothing and settles late"],
)
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world with a target of the new kind, however it answers a regeneration.
    """
    return world_of(request.param)


async def test_a_kind_that_was_added_to_the_table_rotates(world: TwinWorld) -> None:
    """
    From the event to the announced end, twice, with nothing else changed.
    """
    for turn in (1, 2):
        rotation = await world.rotate()

        assert (rotation.state, rotation.provider, rotation.target) == ("Completed", DATABASE.provider, TARGET.arm_id)
        assert world.holds_live_key()
        assert world.regenerations() == turn
        world.clock.advance(timedelta(days=80))
    assert world.outages == 0
    assert len(world.announcer.published) == 2


async def test_it_is_swept_and_listed(world: TwinWorld) -> None:
    """
    The inventory names its kind.
    """
    due: list[RotationRequest] = []

    await sweep(world.ports, world.lead, due.append, within=timedelta(minutes=1))

    entries = [entry async for entry in world.inventory.list_entries(world.secret.vault, "")]
    assert [(entry.facts.provider, entry.facts.misconfigured) for entry in entries] == [(DATABASE.provider, None)]
    assert (await world.rotate(due[0])).state is State.COMPLETED


async def test_its_keys_can_be_regenerated_for_no_secret(world: TwinWorld) -> None:
    """
    The request travels as its ARM id.
    """
    request = accept_target(world.ports, TARGET, KeyName.SECONDARY)

    assert (await rehearse(world.ports, request)).state is State.PLANNED
    rotation = await world.rotate(request)

    assert (rotation.state, rotation.target, rotation.key_name) == ("Completed", TARGET.arm_id, KeyName.SECONDARY)
    assert world.regenerations() == 1


async def test_a_regeneration_that_takes_longer_than_an_attempt_is_resumed() -> None:
    """
    As after a long-running operation: the next attempt reads the keys, and regenerates nothing again.
    """
    world = world_of(Form(reads_until_new=LOOKS))

    first = await world.rotate()
    assert first.state is State.REGENERATING
    # It may take effect yet: nobody else begins anything.
    assert await world.resume(timedelta(seconds=1)) == []
    (second,) = await world.resume(CLAIM_TTL)

    assert second.state is State.COMPLETED
    assert world.holds_live_key()
    assert (world.regenerations(), world.outages) == (1, 0)


@pytest.mark.parametrize("is_claimed", [False, True], ids=["message", "row of the ledger"])
async def test_a_target_of_a_kind_that_this_version_does_not_know_fails_visibly(*, is_claimed: bool) -> None:
    """
    After a step back to an older version: its record names it, and its claim is given back.
    """
    world = TwinWorld()
    request = accept_target(world_of(Form()).ports, TARGET, KeyName.SECONDARY)
    if is_claimed:
        row = OpenRotation(request, accepted_record(request, world.clock.now()), "lease", world.clock.now())
        await world.ledger.claim(TARGET.identity, row)
        (rotation,) = await world.resume(CLAIM_TTL)
    else:
        rotation = await world.rotate(request)

    assert (rotation.state, rotation.target) == (State.FAILED, TARGET.arm_id)
    assert rotation.error is not None
    assert rotation.error.code == "misconfigured"
    assert world.ledger.claims() == []
