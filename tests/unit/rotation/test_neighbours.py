import asyncio
from datetime import timedelta

import pytest

from rotation.run.neighbours import Neighbours
from rotation.vocabulary.errors import Declined, NotFound, Unavailable
from rotation.vocabulary.record import State
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.targets import batch_account
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, TwinWorld


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, in which two secrets hold different keys and neither was ever rotated.
    """
    world = TwinWorld(request.param)
    world.put("two", key=KeyName.SECONDARY)
    return world


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
async def test_no_order_of_events_kills_a_neighbours_key(world: TwinWorld, order: tuple[str, str]) -> None:
    """
    A key that another secret holds is adopted, also if that secret was never seen before.
    """
    first = await world.rotate(world.event(order[0]))
    world.clock.advance(timedelta(minutes=1))
    second = await world.rotate(world.event(order[1]))

    assert (first.state, first.adopted) == (State.COMPLETED, True)
    assert second.state is State.COMPLETED
    assert world.outages == 0
    assert world.holds_live_key("one")
    assert world.holds_live_key("two")


async def test_a_healed_secret_is_known_to_its_neighbours(world: TwinWorld) -> None:
    """
    Healing stores a live key without regenerating one; the next rotation of a neighbour leaves that key alone.
    """
    world.put("one", value="https://drifted.example/?sig=x")
    await world.rotate(world.manual("one", force=True))

    rotation = await world.rotate(world.event("two"))

    assert rotation.adopted
    assert world.outages == 0


async def test_a_neighbour_whose_tags_broke_keeps_its_key(world: TwinWorld) -> None:
    """
    Once it is known to share the target, its value counts, whatever its tags say.
    """
    await world.rotate(world.event("one"))
    await world.rotate(world.event("two"))
    world.clock.advance(timedelta(hours=1))
    world.current("two").tags["ProviderAddress"] = "/subscriptions/typo"
    await world.rotate(world.event("one"))
    world.clock.advance(timedelta(hours=1))

    await world.rotate(world.event("one"))

    assert world.outages == 0
    assert world.holds_live_key("two")


async def test_a_disabled_neighbour_is_taken_at_its_tags_word(world: TwinWorld) -> None:
    """
    Nobody can read its value, but somebody may have read it before.
    """
    world.put("two", key=KeyName.SECONDARY, enabled=False)

    rotation = await world.rotate(world.event("one"))

    assert rotation.adopted
    assert world.regenerations() == 0


@pytest.mark.parametrize("is_managed", [True, False])
async def test_a_neighbour_that_moved_away_is_forgotten(world: TwinWorld, *, is_managed: bool) -> None:
    """
    It names another target, or none, and holds no key of this one: nothing keeps its old key alive.
    """
    await world.rotate(world.event("two"))
    await world.rotate(world.event("one"))
    elsewhere = TARGETS["batch"].arm_id.replace("account1", "account9")
    world.put("two", {"ProviderAddress": elsewhere}, value="a key of account9", bare=not is_managed)
    world.unmanage("two")
    world.clock.advance(timedelta(hours=1))

    rotation = await world.rotate(world.event("one"))

    assert not rotation.adopted
    bound = await world.ledger.bound_secrets(world.target.identity)
    assert [each.secret.name for each in bound] == ["one"]


async def test_what_cannot_be_listed_is_not_risked(world: TwinWorld) -> None:
    """
    Without a list of secrets no key can be told unused: refused is Failed, a passing fault is tried again.
    """
    world.faults.before("list_managed", Unavailable("503"), Declined("403 Forbidden"))

    with pytest.raises(Unavailable):
        await world.rotate(world.event("one"))
    rotation = await world.rotate(world.event("one"))

    assert rotation.error is not None
    assert rotation.error.code == "vault_refused"
    assert world.regenerations() == 0


async def test_the_vaults_are_listed_once_in_a_while(world: TwinWorld) -> None:
    """
    A listing serves all rotations of five minutes.
    """
    for _ in range(3):
        await world.rotate(world.event("one"))
    assert world.faults.count("list_managed") == 1
    world.clock.advance(timedelta(minutes=6))
    await world.rotate(world.event("one"))

    assert world.faults.count("list_managed") == 2


async def test_adopting_from_an_expired_secret_is_told_of_at_once(world: TwinWorld) -> None:
    """
    The new version is near its expiry, so that its event comes, and not past it.
    """
    world.clock.advance(timedelta(days=40))

    rotation = await world.rotate(world.event("one"))

    assert rotation.adopted
    assert rotation.secret is not None
    assert rotation.secret.expires_on == world.clock.now() + timedelta(days=1)


async def test_a_neighbours_stale_url_is_no_reason_to_adopt() -> None:
    """
    A secret on another trigger of the workflow that holds a dead URL holds neither key.
    """
    world = TwinWorld("workflow")
    world.put("two", {"ProviderAddress": f"{TARGETS['workflow'].arm_id}/triggers/other"}, value="https://x/?sig=y")
    world.unmanage("two")

    rotation = await world.rotate(world.event("one"))

    assert (rotation.state, rotation.adopted) == (State.COMPLETED, False)


async def test_a_strangers_odd_tags_stop_nobody_else(world: TwinWorld) -> None:
    """
    A secret whose tags mean nothing, or two things, is not the others' business; each target it may mean is spared.
    """
    stranger = {"ProviderAddress": world.address, "provideraddress": "/subscriptions/nothing"}
    world.put("stranger", stranger, value="whatever")
    world.unmanage("stranger")

    rotation = await world.rotate(world.event("one"))

    assert rotation.state is State.COMPLETED
    assert world.outages == 0


async def test_secrets_that_came_after_a_listing_do_not_lose_their_key() -> None:
    """
    A listing that lacks the rotated secret itself is too old to tell who its neighbours are.
    """
    world = TwinWorld("batch")
    await world.rotate()
    other = batch_account(SUBSCRIPTION, "rg", "account2")
    world.provider.add(other)
    for name, key in (("new-one", KeyName.PRIMARY), ("new-two", KeyName.SECONDARY)):
        world.put(name, {"ProviderAddress": other.arm_id}, key=key, value=world.provider.value(other, key))

    rotation = await world.rotate(world.event("new-one"))

    assert (rotation.adopted, rotation.key_name) == (True, KeyName.SECONDARY)
    assert all(world.provider.regenerations(other, key) == 0 for key in KeyName)


async def test_rotations_that_begin_together_share_a_listing(world: TwinWorld) -> None:
    """
    After a leak hundreds begin in one process, and a large vault has thousands of pages.
    """
    neighbours = Neighbours(world.ports)

    async def take_a_while() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    world.faults.before("list_managed", take_a_while, take_a_while)
    learning = (neighbours.find(world.current(name).id, world.target, Deadline(world.clock)) for name in ("one", "two"))
    found = await asyncio.gather(*learning)

    assert [[other.name for other in others.secrets.values()] for others in found] == [["two"], ["one"]]
    assert world.faults.count("list_managed") == 1


ELSEWHERE = batch_account(SUBSCRIPTION, "rg", "account9")
#: What becomes of a neighbour's tags: it names another target, which exists or does not, or none.
MOVES = [ELSEWHERE.arm_id, ELSEWHERE.arm_id.replace("account9", "account8"), None]


def retag(world: TwinWorld, name: str, address: str | None) -> None:
    """
    Let a person change which target a secret names, and leave its value as it is.
    """
    tags = world.current(name).tags
    if address is None:
        tags.clear()
    else:
        tags["ProviderAddress"] = address


@pytest.mark.parametrize("address", MOVES)
async def test_a_neighbour_that_was_retagged_keeps_the_key_that_it_holds(world: TwinWorld, address: str | None) -> None:
    """
    Its clients still use the key of this target, whatever its tags say by now.
    """
    world.provider.add(ELSEWHERE)
    await world.rotate(world.event("one"))
    await world.rotate(world.event("two"))
    retag(world, "two", address)
    world.clock.advance(timedelta(hours=1))

    rotation = await world.rotate(world.event("one"))

    assert rotation.adopted
    assert world.holds_live_key("two")
    assert world.outages == 0


@pytest.mark.parametrize("address", MOVES)
async def test_a_neighbour_is_not_forgotten_while_it_holds_any_key(world: TwinWorld, address: str | None) -> None:
    """
    Not even by a rotation that regenerates the other key.
    """
    world.provider.add(ELSEWHERE)
    await world.rotate(world.event("two"))
    await world.rotate(world.event("one"))
    assert world.current("one").tags["CredentialId"] != world.current("two").tags["CredentialId"]
    await world.rotate(world.event("one"))
    retag(world, "two", address)

    for _ in range(3):
        world.clock.advance(timedelta(hours=1))
        await world.rotate(world.event("one"))

    assert world.holds_live_key("two")
    assert world.outages == 0


@pytest.mark.parametrize("address", MOVES)
async def test_a_disabled_neighbour_is_not_forgotten(world: TwinWorld, address: str | None) -> None:
    """
    Nobody can read which key it holds; once it is enabled again, it may hold one.
    """
    await world.rotate(world.event("two"))
    await world.rotate(world.event("one"))
    retag(world, "two", address)
    await world.vaults.disable(world.current("two").id, Deadline(world.clock))
    world.clock.advance(timedelta(hours=1))

    await world.rotate(world.event("one"))

    bound = await world.ledger.bound_secrets(world.target.identity)
    assert sorted(each.secret.name for each in bound) == ["one", "two"]


async def test_a_neighbour_whose_tags_cannot_be_read_is_not_forgotten(world: TwinWorld) -> None:
    """
    It may be corrected, and hold a key of this target then.
    """
    await world.rotate(world.event("two"))
    await world.rotate(world.event("one"))
    world.put("two", {"ProviderAddress": "/subscriptions/typo"}, value="something else")
    world.unmanage("two")
    world.clock.advance(timedelta(hours=1))

    await world.rotate(world.event("one"))

    bound = await world.ledger.bound_secrets(world.target.identity)
    assert sorted(each.secret.name for each in bound) == ["one", "two"]


async def test_a_disabled_neighbour_whose_tag_means_nothing_claims_no_key(world: TwinWorld) -> None:
    """
    Nobody can say which key it holds; the rotation goes on.
    """
    world.put("two", {"CredentialId": "whatever"}, enabled=False)
    world.unmanage("two")

    rotation = await world.rotate(world.event("one"))

    assert (rotation.state, rotation.adopted) == (State.COMPLETED, False)


async def test_a_neighbour_whose_trigger_is_gone_holds_no_key() -> None:
    """
    No URL of that trigger is of use to anybody.
    """
    world = TwinWorld("workflow")
    world.put("two", {"ProviderAddress": f"{TARGETS['workflow'].arm_id}/triggers/other"}, value="https://x/?sig=y")
    world.unmanage("two")
    world.faults.before("read_keys", None, NotFound("404 WorkflowTriggerNotFound"))

    rotation = await world.rotate(world.event("one"))

    assert (rotation.state, rotation.adopted) == (State.COMPLETED, False)


async def test_in_place_a_key_is_regenerated_although_a_neighbour_holds_it(world: TwinWorld) -> None:
    """
    There is no other key to move to: the tag says that a gap is accepted.
    """
    world.put("one", {"RotationStrategy": "InPlace"}, key=KeyName.SECONDARY)
    world.unmanage("two")

    rotation = await world.rotate(world.event("one"))

    assert (rotation.state, rotation.adopted, rotation.key_name) == (State.COMPLETED, False, KeyName.SECONDARY)
    assert world.regenerations() == 1


async def test_a_neighbour_that_is_gone_hides_no_other(world: TwinWorld) -> None:
    """
    The ledger still knows it, and it is looked at first.
    """
    await world.ledger.bind(world.target.identity, SecretId(VAULT, "gone"))

    rotation = await world.rotate(world.event("one"))

    assert rotation.adopted
    assert world.outages == 0
    bound = await world.ledger.bound_secrets(world.target.identity)
    assert "gone" not in {each.secret.name for each in bound}
