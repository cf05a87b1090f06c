"""
Putting secrets under management while somebody else is at work, or with what fails half way: no key waits or dies.
"""

from datetime import timedelta

import pytest

from rotation.manage.change import Change, change_secret, unmanage_secret
from rotation.manage.manage import Wish, manage_secret
from rotation.overview.one_secret import show_secret
from rotation.ports.inventory import Status
from rotation.vocabulary.endings import Misconfigured, OutOfScope, RevocationPending, VaultRefused
from rotation.vocabulary.errors import Busy, Declined, NameDeleted, NoAnswer, Unavailable
from rotation.vocabulary.record import State
from tests.twins.targets import batch_account, parse_target
from tests.twins.world import SUBSCRIPTION, TARGETS, Killed, TwinWorld
from tests.unit.rotation.test_manage import DAYS_90, PRIMARY, SECONDARY, TWO, manage

A_DAY = timedelta(hours=24)


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, with one managed secret that holds the primary key.
    """
    world = TwinWorld(request.param)
    world.clock.advance(timedelta(seconds=1))
    return world


async def test_a_secret_known_by_its_tags_alone_keeps_its_key_for_the_grace_time_after_it_was_unmanaged(
    world: TwinWorld,
) -> None:
    """
    Its clients go on with what they have read, also where its value was replaced after that.
    """
    world.grace = A_DAY
    world.put("two", key=SECONDARY)
    world.clock.advance(timedelta(minutes=1))
    await unmanage_secret(world.ports, TWO)
    world.put("two", value="of somebody else", bare=True)
    world.clock.advance(timedelta(minutes=1))

    record = await world.worker().rotate(world.manual())

    assert (record.state, record.skip_reason) == (State.SKIPPED, "too_soon")
    assert world.regenerations() == 0


@pytest.mark.parametrize("refused", ["deleted", "declined", "killed"])
async def test_a_secret_that_was_never_created_lets_no_rotation_wait(world: TwinWorld, refused: str) -> None:
    """
    It is bound before it is stored; where that fails it never held a key.
    """
    world.grace = A_DAY
    world.clock.advance(timedelta(days=3))
    if refused == "deleted":
        world.put("two", bare=True)
        world.delete("two")
    else:
        world.faults.before("store", Declined("403") if refused == "declined" else Killed())
    with pytest.raises((NameDeleted, VaultRefused, Killed)):
        await manage(world, create=True)
    world.clock.advance(timedelta(minutes=11))

    record = await world.worker().rotate(world.manual())

    assert (record.state, world.regenerations()) == (State.COMPLETED, 1)
    assert "two" not in {bound.secret.name for bound in await world.ledger.bound_secrets(world.target.identity)}


async def test_a_secret_that_was_deleted_keeps_its_grace_time_when_it_is_not_created_again(world: TwinWorld) -> None:
    """
    Clients may go on with the key that it held, whatever a caller tries.
    """
    world.grace = A_DAY
    world.put("two", key=SECONDARY)
    await world.ledger.bind(world.target.identity, TWO)
    world.delete("two")
    with pytest.raises(NameDeleted):
        await manage(world, create=True)

    record = await world.worker().rotate(world.manual())

    assert (record.state, record.skip_reason) == (State.SKIPPED, "too_soon")


async def test_a_secret_whose_tags_were_refused_is_no_neighbour(world: TwinWorld) -> None:
    """
    It was not managed before, and is not now.
    """
    world.put("two", key=SECONDARY, bare=True)
    world.faults.before("write_tags", Declined("403"))
    with pytest.raises(VaultRefused):
        await manage(world)

    record = await world.worker().rotate(world.manual())

    assert not record.adopted


@pytest.mark.parametrize("has_leaked", [False, True])
async def test_the_same_creation_again_changes_nothing(world: TwinWorld, *, has_leaked: bool) -> None:
    """
    Also where the key that it names was not the one to store: the first answer may have been lost.
    """
    if has_leaked:
        world.put(tags={"RotationPaused": "true"})
        await world.report()
    wanted = PRIMARY if has_leaked else SECONDARY

    assert await manage(world, create=True, key=wanted)
    stored = world.current("two")
    assert not await manage(world, create=True, key=wanted)

    assert world.current("two") == stored


async def test_a_leaked_key_that_another_trigger_shows_keeps_its_holder_managed() -> None:
    """
    The same key stands there in another URL.
    """
    world = TwinWorld("workflow")
    other = parse_target(f"{world.target.arm_id}/triggers/other")
    world.put("two", {"ProviderAddress": other.shown_by}, value=world.provider.value(other, PRIMARY))
    await world.report_only()

    with pytest.raises(RevocationPending):
        await unmanage_secret(world.ports, TWO)


async def test_a_leaked_key_keeps_a_secret_managed_whose_target_is_named_twice(world: TwinWorld) -> None:
    """
    Either name makes it a holder.
    """
    world.put("two", {"provideraddress": world.address}, key=PRIMARY)
    await world.report_only()

    with pytest.raises(RevocationPending):
        await unmanage_secret(world.ports, TWO)


@pytest.mark.parametrize("doubled", ["the same", "typo"])
async def test_a_target_that_is_named_twice_is_named_once_after_it(world: TwinWorld, doubled: str) -> None:
    """
    What is managed can be rotated.
    """
    world.put("two", {"provideraddress": world.address if doubled == "the same" else "typo"}, key=PRIMARY)

    await manage(world)

    shown = await show_secret(world.ports, TWO, lead=world.lead)
    assert shown.status is not Status.MISCONFIGURED


async def test_a_pause_that_cannot_be_read_is_refused(world: TwinWorld) -> None:
    """
    Managed like that, it would never be rotated.
    """
    world.put("two", {"RotationPaused": "yes"}, key=PRIMARY)

    with pytest.raises(Misconfigured, match="RotationPaused"):
        await manage(world)


async def test_a_tag_that_somebody_sets_while_keys_are_read_stays(world: TwinWorld) -> None:
    """
    Throttled, that may take minutes.
    """
    world.put("two", key=PRIMARY, bare=True)

    async def tag() -> None:
        world.vaults.tag(world.current("two").id, {"owner": "me"})
        world.clock.advance(timedelta(seconds=60))

    world.faults.before("read_keys", tag)
    await manage(world)

    assert world.current("two").tags["owner"] == "me"


async def test_a_version_that_somebody_makes_while_keys_are_read_is_looked_at_again(world: TwinWorld) -> None:
    """
    No tags are written on the version before, and the caller asks again.
    """
    world.put("two", key=PRIMARY, bare=True)

    async def store() -> None:
        world.put("two", key=SECONDARY, bare=True)

    world.faults.before("read_keys", store)
    with pytest.raises(Unavailable, match="ask again"):
        await manage(world)
    await manage(world)

    assert world.current("two").tags["CredentialId"] == "Secondary"


@pytest.mark.parametrize("call", ["read_current", "list_versions"])
async def test_a_question_without_an_answer_blocks_no_target(world: TwinWorld, call: str) -> None:
    """
    Nothing is under way then that could take effect.
    """
    world.faults.before(call, *([None] if call == "read_current" else []), NoAnswer("504"))

    with pytest.raises(NoAnswer):
        await manage(world, create=True)

    assert world.ledger.changes() == []


async def test_a_vault_that_lists_no_versions_is_named_after_a_creation(world: TwinWorld) -> None:
    """
    The secret is stored, and whether somebody else made one at the same time is not known.
    """
    world.faults.before("list_versions", Declined("403"))

    with pytest.raises(VaultRefused, match="is stored"):
        await manage(world, create=True)

    assert world.holds_live_key("two")
    assert world.ledger.changes() == []


async def test_a_new_secret_does_not_share_the_key_of_one_that_is_rotated_in_place(world: TwinWorld) -> None:
    """
    Its clients would be locked out by the next rotation.
    """
    world.put(tags={"RotationStrategy": "InPlace"})

    await manage(world, create=True)

    assert world.current("two").tags["CredentialId"] == "Secondary"


async def test_a_secret_whose_rotation_runs_on_another_target_is_left_alone(world: TwinWorld) -> None:
    """
    The rotation may store that target's key yet.
    """
    other = batch_account(SUBSCRIPTION, "rg", "account9")
    world.provider.add(other)
    refused = []

    async def move() -> None:
        with pytest.raises(Busy) as busy:
            await manage_secret(world.ports, world.secret, Wish(other, DAYS_90), may_create=True)
        refused.append(busy.value.running)

    world.faults.before("regenerate", move)
    record = await world.rotate(world.manual())

    assert refused == [record.id]


async def test_tags_leave_room_for_what_a_rotation_writes(world: TwinWorld) -> None:
    """
    Key Vault takes fifteen; a pause that takes the last place would leave the secret misconfigured.
    """
    world.put(tags={f"tag{number}": "x" for number in range(11)})
    await change_secret(world.ports, world.secret, Change(validity_days=90))

    with pytest.raises(Misconfigured, match="16 tags"):
        await change_secret(world.ports, world.secret, Change(paused=True))


@pytest.mark.parametrize("doubled", [False, True])
async def test_a_target_out_of_scope_is_out_of_reach(world: TwinWorld, *, doubled: bool) -> None:
    """
    However it is written, and whatever is asked for.
    """
    if doubled:
        world.put(tags={"provideraddress": world.address})
    world.scopes.clear()

    with pytest.raises(OutOfScope):
        await change_secret(world.ports, world.secret, Change(paused=True))
    with pytest.raises(OutOfScope):
        await unmanage_secret(world.ports, world.secret)


async def test_a_secret_that_was_unmanaged_already_stays_so(world: TwinWorld) -> None:
    """
    The answer to the first call may have been lost.
    """
    await unmanage_secret(world.ports, world.secret)
    await unmanage_secret(world.ports, world.secret)

    assert "ProviderAddress" not in world.current().tags


async def test_a_secret_of_a_certificate_is_refused_with_what_to_do(world: TwinWorld) -> None:
    """
    Another one has to be named.
    """
    world.put("two", bare=True)
    world.vaults.make_certificate(TWO)

    with pytest.raises(Misconfigured, match=r"two belongs to a certificate.*name another secret"):
        await manage(world)
