"""
One secret is shown as the list shows it, with the other secrets of its target and which key each is known to hold.
"""

from datetime import timedelta

import pytest
from msgspec import structs

from rotation.overview.one_secret import Neighbour, SecretDetails, show_secret
from rotation.overview.review import review
from rotation.overview.secrets import SecretStatus, Wanted, list_secrets
from rotation.overview.sweep import look
from rotation.ports.inventory import Result, Status
from rotation.vocabulary.endings import VaultRefused
from rotation.vocabulary.errors import Declined, Forbidden, RotationError, Unavailable, UnknownSecret, UnreadableRow
from rotation.vocabulary.record import State
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.targets import batch_account
from tests.twins.vaults import MemoryVaults
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, TwinWorld

PRIMARY, SECONDARY = KeyName
LEAD = timedelta(days=10)
MINUTE = timedelta(minutes=1)
SECOND_VAULT = "https://a-second.vault.azure.net"


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world with two vaults, for each kind of target; the first vault's one secret holds the primary key.
    """
    world = TwinWorld(request.param)
    world.vaults = MemoryVaults(world.clock, [VAULT, SECOND_VAULT], world.faults)
    world.put()
    world.rotator = world.worker()
    return world


def put_elsewhere(world: TwinWorld, name: str, key: KeyName, **tags: str) -> None:
    """
    Make a secret of the same target in the second vault.
    """
    managed = {"ProviderAddress": world.address, "CredentialId": str(key), "ValidityPeriodDays": "90"}
    world.vaults.put(
        SecretId(SECOND_VAULT, name),
        world.provider.value(world.target, key),
        tags=managed | tags,
        expires_on=world.clock.now() + timedelta(days=60),
    )


async def sweep(world: TwinWorld, *, verify: bool = True) -> None:
    """
    Look through the vaults a minute later, and compare all secrets with their targets.
    """
    world.clock.advance(MINUTE)
    looks = await look(world.ports, LEAD, within=MINUTE)
    await review(world.ports, LEAD, looks, before=world.clock.now() if verify else None, within=MINUTE)


async def show(world: TwinWorld, name: str = "one", vault: str = VAULT) -> SecretDetails:
    """
    Return what is shown of one secret.
    """
    return await show_secret(world.ports, SecretId(vault, name), lead=LEAD)


async def line(world: TwinWorld, name: str = "one") -> SecretStatus:
    """
    Return what the list shows of one secret.
    """
    page = await list_secrets(world.ports, Wanted(), lead=LEAD, top=200, continuation=None)
    (found,) = [each for each in page.secrets if each.secret.name == name]
    return found


def questions(world: TwinWorld) -> int:
    """
    Return how often vaults and targets were asked for something.
    """
    return sum(world.faults.count(call) for call in ("read_current", "read_keys", "list_pages", "list_managed"))


async def test_one_secret_is_shown_as_the_list_shows_it(world: TwinWorld) -> None:
    """
    Member for member, in any spelling of its name, and nothing is asked of vault or target for it.
    """
    await sweep(world)
    world.clock.advance(MINUTE)
    await world.rotate()
    asked = questions(world)

    shown = await show(world, "ONE")

    expected = structs.asdict(await line(world))
    assert {name: value for name, value in structs.asdict(shown).items() if name in expected} == expected
    assert shown.held_key is SECONDARY
    assert shown.last_rotation is not None
    assert questions(world) == asked


async def test_the_other_secrets_are_shown_with_the_key_that_was_seen_in_each(world: TwinWorld) -> None:
    """
    In every vault, beside what the tag claims; none of another target, and not the secret itself.
    """
    world.put("two", key=SECONDARY, tags={"CredentialId": "Primary"})
    put_elsewhere(world, "three", PRIMARY)
    other = batch_account(SUBSCRIPTION, "rg", "another")
    world.provider.add(other)
    world.put("alone", {"ProviderAddress": other.arm_id}, value=world.provider.value(other, PRIMARY))
    await sweep(world)

    shown = await show(world)

    three, two = shown.neighbours
    assert [f"{each.secret.vault}/secrets/{each.secret.name}" for each in shown.neighbours] == shown.shares_target_with
    assert (two.secret.name, two.key_name, two.held_key, two.status) == ("two", PRIMARY, SECONDARY, Status.UP_TO_DATE)
    assert (three.secret.vault, three.key_name, three.held_key) == (SECOND_VAULT, PRIMARY, PRIMARY)
    assert two.verified is not None
    assert two.verified.result is Result.LIVE


async def test_a_tag_alone_is_no_key_that_was_seen(world: TwinWorld) -> None:
    """
    Where nothing was compared, where the value holds neither key, and where what was seen is about an older version.
    """
    world.put("two")
    await sweep(world, verify=False)
    (unverified,) = (await show(world)).neighbours
    assert (unverified.key_name, unverified.held_key, unverified.verified) == (PRIMARY, None, None)
    assert (await show(world)).held_key is None

    world.put("two", value="no key of anything")
    await sweep(world)
    (drifted,) = (await show(world)).neighbours
    assert (drifted.key_name, drifted.held_key, drifted.status) == (PRIMARY, None, Status.DRIFTED)

    world.clock.advance(MINUTE)
    world.put("two")
    await sweep(world, verify=False)
    (stored,) = (await show(world)).neighbours
    assert (stored.held_key, stored.verified) == (None, None)


async def test_a_neighbour_whose_tags_name_another_target_says_nothing_of_this_one(world: TwinWorld) -> None:
    """
    It may still hold a key, and so it is listed until a rotation has seen that it does not.
    """
    other = batch_account(SUBSCRIPTION, "rg", "another")
    world.provider.add(other)
    world.put("two")
    await sweep(world)
    world.put("two", {"ProviderAddress": other.arm_id}, value=world.provider.value(other, PRIMARY))
    await sweep(world)

    (moved,) = (await show(world)).neighbours

    assert (moved.key_name, moved.held_key, moved.status, moved.verified) == (None, None, Status.UP_TO_DATE, None)


async def test_a_neighbour_that_no_look_finds_any_more_is_named_alone(world: TwinWorld) -> None:
    """
    The ledger knows that it held a key.
    """
    world.put("two")
    await sweep(world)
    world.delete("two")
    await sweep(world)

    two = Neighbour((await show(world)).neighbours[0].secret, None, None, None, None, None)

    assert (await show(world)).neighbours == [two]


async def test_a_secret_that_no_look_has_found_yet_is_read_from_its_vault(world: TwinWorld) -> None:
    """
    It was put under management a minute ago; its neighbours are known, and nothing is kept by showing it.
    """
    await sweep(world)
    world.put("new", key=SECONDARY)

    shown = await show(world, "new")

    assert (shown.status, shown.key_name, shown.seen_on) == (Status.UP_TO_DATE, SECONDARY, world.clock.now())
    assert (shown.held_key, shown.verified, shown.last_rotation) == (None, None, None)
    assert [each.secret.name for each in shown.neighbours] == ["one"]
    assert shown.expires_on == world.current("new").expires_on
    assert await world.inventory.read_entry(SecretId(VAULT, "new")) is None


async def test_a_new_secret_is_shown_with_the_rotation_that_has_failed(world: TwinWorld) -> None:
    """
    Before any look: its error is what somebody asks for.
    """
    world.put("new", value="no key of anything")
    rotation = await world.rotate(world.manual("new"))

    shown = await show(world, "new")

    assert rotation.state is State.FAILED
    assert shown.last_rotation is not None
    assert (shown.last_rotation.id, shown.last_rotation.error) == (rotation.id, "drift")


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_secret_that_is_nearly_managed_is_shown_with_the_remedy(world: TwinWorld, *, is_known: bool) -> None:
    """
    Before and after a look; it shares no target.
    """
    world.vaults.put(SecretId(VAULT, "nearly"), "x", tags={"ProviderAdress": world.address})
    if is_known:
        await sweep(world)

    shown = await show(world, "nearly")

    assert (shown.status, shown.target, shown.neighbours) == (Status.NEARLY_MANAGED, None, [])
    assert "must be named ProviderAddress" in str(shown.why)


async def test_a_disabled_secret_that_no_look_has_found_is_shown_as_paused(world: TwinWorld) -> None:
    """
    Key Vault shows its tags, and not its value.
    """
    world.put("new", enabled=False)

    shown = await show(world, "new")

    assert (shown.status, shown.why) == (Status.PAUSED, "its current version is disabled")
    assert shown.next_rotation_on is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "there is no secret https://kv.vault.azure.net/secrets/nothing; .* GET /api/secrets lists"),
        ("plain", "https://kv.vault.azure.net/secrets/plain is there, and is not managed: .* no tag ProviderAddress"),
    ],
)
async def test_what_is_not_there_and_what_is_not_managed_are_told_apart(world: TwinWorld, name: str, said: str) -> None:
    """
    Both are not found, each with its own remedy.
    """
    world.put("plain", bare=True)
    await sweep(world)

    with pytest.raises(UnknownSecret, match=said):
        await show(world, name)


async def test_nothing_is_asked_of_a_vault_that_is_not_configured(world: TwinWorld) -> None:
    """
    Nor is the inventory, where rows of a vault may be left that was configured once.
    """
    put_elsewhere(world, "three", PRIMARY)
    await sweep(world)
    world.vaults = MemoryVaults(world.clock, [VAULT], world.faults)
    world.put()
    calls = len(world.faults.calls)

    with pytest.raises(Forbidden, match="ROTATION_VAULTS"):
        await show(world, "three", SECOND_VAULT)

    assert len(world.faults.calls) == calls
    assert (await show(world)).neighbours == []


@pytest.mark.parametrize(
    ("call", "fault", "raised"),
    [
        ("read_current", Declined("403 Forbidden"), VaultRefused),
        ("read_current", Unavailable("503"), Unavailable),
        ("read_entry", Unavailable("503"), Unavailable),
        ("read_entry", UnreadableRow("written by 9.8.7"), UnreadableRow),
        ("bound_secrets", Unavailable("503"), Unavailable),
    ],
)
async def test_what_cannot_be_read_is_an_error_and_not_an_empty_answer(
    world: TwinWorld, call: str, fault: RotationError, raised: type[RotationError]
) -> None:
    """
    Nobody is told that a secret is not there because a service is down.
    """
    world.put("new")
    world.faults.before(call, fault)

    with pytest.raises(raised):
        await show(world, "new")
