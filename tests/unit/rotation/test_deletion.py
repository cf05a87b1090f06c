"""
What becomes of a rotation whose secret is deleted, at each point of its course.
"""

import pytest

from rotation.vocabulary.limits import MAX_ATTEMPTS_TO_FINISH
from rotation.vocabulary.record import Rotation, State
from tests.twins.world import TARGETS, TwinWorld

# The calls of a rotation in their order, each with how many of the same name come before it.
BEFORE_THE_LOOK = (("read_current", 0), ("claim", 0), ("read_current", 1))
AFTER_THE_LOOK = (
    ("read_keys", 0),
    ("bound_secrets", 0),
    ("list_managed", 0),
    ("begin", 0),
    ("regenerate", 0),
    ("store", 0),
)


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target.
    """
    return TwinWorld(request.param)


def delete_before(world: TwinWorld, call: tuple[str, int], *, is_done: bool = True) -> None:
    """
    Let the secret be deleted right before a call.
    """

    async def delete() -> None:
        world.unmanage("one")
        world.vaults.delete(world.secret, is_done=is_done)

    operation, earlier = call
    world.faults.before(operation, *[None] * earlier, delete)


async def run_to_the_end(world: TwinWorld, rotation: Rotation, tries: int = 20) -> Rotation:
    """
    Resume a rotation until it has ended.
    """
    for _ in range(tries):
        if rotation.completed_on:
            return rotation
        (rotation,) = await world.resume()
    raise AssertionError("it never ends")


@pytest.mark.parametrize("call", BEFORE_THE_LOOK, ids=str)
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_secret_that_is_gone_is_skipped(world: TwinWorld, call: tuple[str, int], *, is_done: bool) -> None:
    """
    Before the look nothing is changed, and the target is free again.
    """
    delete_before(world, call, is_done=is_done)

    rotation = await world.rotate()

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "deleted")
    assert world.regenerations() == 0
    assert await world.ledger.find_claimed(rotation.id) is None


@pytest.mark.parametrize("call", AFTER_THE_LOOK, ids=str)
async def test_a_secret_that_is_deleted_later_fails_with_what_to_do(world: TwinWorld, call: tuple[str, int]) -> None:
    """
    The new key is stored nowhere; what is recovered holds its live key, and can be rotated again.
    """
    before = world.current()
    delete_before(world, call)

    rotation = await world.rotate()

    assert rotation.state is State.FAILED
    assert rotation.error is not None
    assert rotation.error.code == "vault_refused"
    assert "recover or purge it" in rotation.error.message
    assert world.regenerations() == 1
    assert world.is_live(before)
    assert len(world.announcer.published) == 1
    world.vaults.recover(world.secret)
    world.vaults.settle(world.secret, recovered=True)
    assert (await world.rotate(world.manual())).state is State.COMPLETED
    assert world.holds_live_key()


@pytest.mark.parametrize("call", AFTER_THE_LOOK, ids=str)
async def test_a_deletion_under_way_is_no_refusal(world: TwinWorld, call: tuple[str, int]) -> None:
    """
    The rotation is resumed, and finds the secret deleted.
    """
    before = world.current()
    delete_before(world, call, is_done=False)

    rotation = await world.rotate()
    assert rotation.state is State.REGENERATING
    world.vaults.settle(world.secret)
    ended = await run_to_the_end(world, rotation)

    assert (ended.state, ended.skip_reason) == (State.SKIPPED, "deleted")
    assert world.regenerations() == 1
    assert world.is_live(before)


@pytest.mark.parametrize("call", AFTER_THE_LOOK, ids=str)
async def test_a_secret_that_is_recovered_gets_its_key(world: TwinWorld, call: tuple[str, int]) -> None:
    """
    A rotation that met the deletion goes on where it was, and regenerates nothing twice.
    """
    delete_before(world, call, is_done=False)

    rotation = await world.rotate()
    world.vaults.settle(world.secret, recovered=True)
    ended = await run_to_the_end(world, rotation)

    assert ended.state is State.COMPLETED
    assert world.regenerations() == 1
    assert world.holds_live_key()
    assert world.current().tags["RotationId"] == rotation.id


@pytest.mark.parametrize("call", [("regenerate", 0), ("store", 0)], ids=str)
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_secret_rotated_in_place_gets_its_key_once_it_is_recovered(
    world: TwinWorld, call: tuple[str, int], *, is_done: bool
) -> None:
    """
    Its old key is dead, so that nothing but the new one helps its clients: a refusal does not end it.
    """
    world.put(tags={"RotationStrategy": "InPlace"})
    delete_before(world, call, is_done=is_done)

    rotation = await world.rotate()
    assert rotation.state is State.REGENERATING
    if is_done:
        world.vaults.recover(world.secret)
    world.vaults.settle(world.secret, recovered=True)
    ended = await run_to_the_end(world, rotation)

    assert ended.state is State.COMPLETED
    assert world.regenerations() == 1
    assert world.holds_live_key()


async def test_a_secret_rotated_in_place_is_waited_for(world: TwinWorld) -> None:
    """
    Recovered late, it would hold its dead key for good if the rotation had ended meanwhile.
    """
    world.put(tags={"RotationStrategy": "InPlace"})
    delete_before(world, ("store", 0))
    rotation = await world.rotate()
    for _ in range(3):
        (rotation,) = await world.resume()
        assert rotation.state is State.REGENERATING

    world.vaults.recover(world.secret)
    world.vaults.settle(world.secret, recovered=True)
    ended = await run_to_the_end(world, rotation)

    assert ended.state is State.COMPLETED
    assert world.holds_live_key()


async def test_a_secret_rotated_in_place_is_not_waited_for_without_end(world: TwinWorld) -> None:
    """
    The rotation is visibly failed in the end, and says what to do.
    """
    world.put(tags={"RotationStrategy": "InPlace"})
    delete_before(world, ("store", 0))

    ended = await run_to_the_end(world, await world.rotate(), tries=MAX_ATTEMPTS_TO_FINISH + 1)

    assert ended.state is State.FAILED
    assert ended.error is not None
    assert ended.error.code == "exhausted"
    assert "may hold a dead key: rotate it with force" in ended.error.message


async def test_a_secret_that_is_deleted_once_it_is_stored_does_not_undo_the_rotation(world: TwinWorld) -> None:
    """
    Nor what is cleaned up after it: there are no versions to look at any more.
    """
    delete_before(world, ("list_versions", 0))

    assert (await world.rotate()).state is State.COMPLETED
    assert world.faults.count("read_version") == 0
