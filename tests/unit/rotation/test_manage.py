"""
Putting secrets under management and changing how they are managed: no tag and no key is lost by it.
"""

from datetime import timedelta

import pytest

from rotation.manage.change import Change, change_secret, unmanage_secret
from rotation.manage.manage import Wish, manage_secret
from rotation.overview.secrets import Wanted, list_secrets
from rotation.policy.tags import Strategy
from rotation.vocabulary.endings import (
    Drift,
    Failure,
    KeyRefused,
    Misconfigured,
    OutOfScope,
    Refused,
    RevocationPending,
    TargetNotFound,
    VaultRefused,
)
from rotation.vocabulary.errors import (
    AlreadyManaged,
    Busy,
    Declined,
    Forbidden,
    NameDeleted,
    NoAnswer,
    NotFound,
    Observing,
    Unavailable,
    UnknownSecret,
)
from rotation.vocabulary.limits import CLAIM_TTL
from rotation.vocabulary.record import State
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.targets import batch_account
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, Killed, TwinWorld

PRIMARY, SECONDARY = KeyName
DAYS_90 = timedelta(days=90)
TWO = SecretId(VAULT, "two")


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, with one managed secret that holds the primary key.
    """
    world = TwinWorld(request.param)
    world.clock.advance(timedelta(seconds=1))
    return world


def wish(world: TwinWorld, key: KeyName | None = None, strategy: Strategy | None = None) -> Wish:
    """
    Return how a secret of the world's target is to be managed.
    """
    return Wish(world.target, DAYS_90, key, strategy)


async def manage(world: TwinWorld, secret: SecretId = TWO, *, create: bool = False, key: KeyName | None = None) -> bool:
    """
    Put a secret under management.
    """
    return await manage_secret(world.ports, secret, wish(world, key), may_create=create)


def assert_at_rest(world: TwinWorld) -> None:
    """
    Hold that nothing is claimed any more, and no client is locked out.
    """
    assert world.ledger.changes() == []
    assert world.ledger.claims() == []
    assert world.outages == 0


async def test_a_secret_is_paused_and_resumed(world: TwinWorld) -> None:
    """
    Its other tags stay; a rotation is skipped meanwhile.
    """
    world.put(tags={"owner": "somebody", "RotationId": "r"})
    before = dict(world.current().tags)

    await change_secret(world.ports, world.secret, Change(paused=True))
    assert world.current().tags == before | {"RotationPaused": "true"}
    assert (await world.rotate()).skip_reason == "paused"

    await change_secret(world.ports, world.secret, Change(paused=False))
    assert world.current().tags == before
    assert (await world.rotate(world.manual())).state is State.COMPLETED
    assert world.current().tags["owner"] == "somebody"
    assert_at_rest(world)


async def test_validity_and_strategy_are_changed_in_the_spelling_found(world: TwinWorld) -> None:
    """
    One tag stays one tag; None takes it away.
    """
    world.put(tags={"rotationstrategy": "Alternate"})

    await change_secret(world.ports, world.secret, Change(validity_days=180, strategy=Strategy.IN_PLACE))
    tags = world.current().tags
    assert (tags["ValidityPeriodDays"], tags["rotationstrategy"]) == ("180", "InPlace")
    assert "RotationStrategy" not in tags

    await change_secret(world.ports, world.secret, Change(strategy=None))
    assert "rotationstrategy" not in world.current().tags
    assert world.current().tags["ValidityPeriodDays"] == "180"


async def test_a_change_that_changes_nothing_writes_nothing(world: TwinWorld) -> None:
    """
    The same again is the same.
    """
    await change_secret(world.ports, world.secret, Change(paused=True))
    await change_secret(world.ports, world.secret, Change(paused=True))

    assert world.faults.count("write_tags") == 1


async def test_the_list_shows_a_change_at_once(world: TwinWorld) -> None:
    """
    And a secret that is managed no more is gone from it.
    """
    await change_secret(world.ports, world.secret, Change(paused=True))
    page = await list_secrets(world.ports, Wanted(), lead=world.lead, top=10, continuation=None)
    assert [(item.secret.name, item.status) for item in page.secrets] == [("one", "Paused")]

    await unmanage_secret(world.ports, world.secret)
    page = await list_secrets(world.ports, Wanted(), lead=world.lead, top=10, continuation=None)
    assert page.secrets == []


async def test_unmanaging_takes_all_six_tags_and_no_other(world: TwinWorld) -> None:
    """
    The value stays as it is.
    """
    world.put(tags={"owner": "somebody", "RotationId": "r", "rotationpaused": "true", "RotationStrategy": "InPlace"})

    await unmanage_secret(world.ports, world.secret)

    assert world.current().tags == {"owner": "somebody"}
    assert world.holds_live_key()
    with pytest.raises(UnknownSecret, match="not managed"):
        await change_secret(world.ports, world.secret, Change(paused=True))


async def test_a_secret_that_holds_a_leaked_key_stays_managed(world: TwinWorld) -> None:
    """
    Or nobody would move it away from the key.
    """
    world.put("two", {"RotationPaused": "true"}, key=PRIMARY)
    await world.report()
    waiting = world.ledger.waiting()[0].record.id

    with pytest.raises(RevocationPending, match=waiting):
        await unmanage_secret(world.ports, TWO)
    await unmanage_secret(world.ports, world.secret)

    assert world.current("two").tags["ProviderAddress"]


@pytest.mark.parametrize("change", ["change", "unmanage", "manage"])
async def test_nothing_is_changed_while_a_rotation_of_the_target_runs(world: TwinWorld, change: str) -> None:
    """
    409 with its id.
    """
    request = world.event()
    refused = []

    async def ask() -> None:
        match change:
            case "change":
                await change_secret(world.ports, world.secret, Change(paused=True))
            case "unmanage":
                await unmanage_secret(world.ports, world.secret)
            case _:
                await manage(world, world.secret)

    async def interfere() -> None:
        with pytest.raises(Busy) as busy:
            await ask()
        refused.append(busy.value.running)

    world.faults.before("store", interfere)
    await world.rotate(request)

    assert refused == [request.id]
    assert "RotationPaused" not in world.current().tags
    assert_at_rest(world)


async def test_no_rotation_begins_while_tags_are_changed(world: TwinWorld) -> None:
    """
    Its trigger tries again; an accepted one does not end as busy.
    """
    accepted = await world.promise()
    refused = []

    async def interfere() -> None:
        for request in (world.event(), accepted):
            with pytest.raises(Busy) as busy:
                await world.worker().rotate(request)
            refused.append(busy.value.running)

    world.faults.before("write_tags", interfere)
    await change_secret(world.ports, world.secret, Change(validity_days=60))

    assert refused == [None, None]
    assert (await world.rotate(accepted)).state is State.COMPLETED
    assert_at_rest(world)


@pytest.mark.parametrize("error", [Killed(), NoAnswer("dropped")], ids=["killed", "no answer"])
async def test_a_change_without_an_answer_keeps_its_claim_for_a_while(world: TwinWorld, error: BaseException) -> None:
    """
    It may take effect yet. Nobody resumes it, and once expired anybody frees it.
    """
    world.faults.before("write_tags", error)
    with pytest.raises(type(error)):
        await change_secret(world.ports, world.secret, Change(paused=True))

    assert len(world.ledger.changes()) == 2
    with pytest.raises(Busy):
        await world.rotate()
    with pytest.raises(Busy):
        await change_secret(world.ports, world.secret, Change(paused=True))
    assert await world.resume(after=CLAIM_TTL) == []

    assert (await world.rotate()).state is State.COMPLETED
    await change_secret(world.ports, world.secret, Change(paused=True))
    assert_at_rest(world)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(Declined("403 Forbidden"), VaultRefused), (NotFound("404"), VaultRefused), (Unavailable("503"), Unavailable)],
)
async def test_a_change_that_was_answered_gives_its_claim_back(
    world: TwinWorld, error: Exception, raised: type[Exception]
) -> None:
    """
    A no is a no, and what is over is over.
    """
    world.faults.before("write_tags", error)
    with pytest.raises(raised):
        await change_secret(world.ports, world.secret, Change(paused=True))

    assert_at_rest(world)


async def test_the_tags_of_the_version_that_is_current_under_the_claim_are_changed(world: TwinWorld) -> None:
    """
    A rotation may have made another one since they were read first.
    """

    async def rotate() -> None:
        await world.worker().rotate(world.event())

    world.faults.before("hold", rotate)
    await change_secret(world.ports, world.secret, Change(paused=True))

    assert world.current().tags["RotationPaused"] == "true"
    assert world.current().tags["CredentialId"] == "Secondary"
    assert_at_rest(world)


async def test_a_secret_that_moves_to_another_target_meanwhile_is_claimed_there(world: TwinWorld) -> None:
    """
    The claim of the first is given back.
    """
    other = batch_account(SUBSCRIPTION, "rg", "account9")
    world.provider.add(other)

    async def retag() -> None:
        world.vaults.tag(world.current().id, world.current().tags | {"ProviderAddress": other.arm_id})

    world.faults.before("hold", retag)
    await change_secret(world.ports, world.secret, Change(paused=True))

    assert world.current().tags["ProviderAddress"] == other.arm_id
    assert world.current().tags["RotationPaused"] == "true"
    assert_at_rest(world)


async def test_a_secret_whose_target_cannot_be_read_is_changed_when_none_of_its_rotations_runs(
    world: TwinWorld,
) -> None:
    """
    So a misspelt tag can be taken away.
    """
    request = world.event()
    refused = []

    async def interfere() -> None:
        world.vaults.tag(world.current().id, world.current().tags | {"ProviderAddress": "a typo"})
        with pytest.raises(Busy) as busy:
            await unmanage_secret(world.ports, world.secret)
        refused.append(busy.value.running)

    world.faults.before("regenerate", interfere)
    await world.rotate(request)
    assert refused == [request.id]

    await unmanage_secret(world.ports, world.secret)
    assert "ProviderAddress" not in world.current().tags


@pytest.mark.parametrize("call", ["change", "manage"])
async def test_what_is_out_of_scope_or_foreign_is_refused(world: TwinWorld, call: str) -> None:
    """
    As a rotation is, and nothing is written.
    """
    foreign = SecretId("https://other.vault.azure.net", "one")
    with pytest.raises(Forbidden):
        await (change_secret(world.ports, foreign, Change(paused=True)) if call == "change" else manage(world, foreign))
    world.scopes.clear()
    with pytest.raises(OutOfScope):
        await (
            change_secret(world.ports, world.secret, Change(paused=True))
            if call == "change"
            else manage(world, world.secret)
        )
    assert world.faults.count("write_tags") == 0
    assert_at_rest(world)


async def test_an_app_that_observes_changes_no_tag(world: TwinWorld) -> None:
    """
    409, before anything is claimed.
    """
    world.observes = True
    for refused in (
        change_secret(world.ports, world.secret, Change(paused=True)),
        unmanage_secret(world.ports, world.secret),
        manage(world, create=True),
    ):
        with pytest.raises(Observing):
            await refused
    assert not {"hold", "write_tags", "store", "bind"} & set(world.faults.calls)


async def test_a_secret_that_holds_a_live_key_is_put_under_management(world: TwinWorld) -> None:
    """
    The key is the one in its value, foreign tags stay, and its expiry is the earlier of the two.
    """
    world.put("two", key=SECONDARY, bare=True)
    world.vaults.tag(world.current("two").id, {"owner": "somebody"}, world.clock.now() + timedelta(days=200))

    assert not await manage(world)

    assert world.current("two").tags == {
        "owner": "somebody",
        "ProviderAddress": world.target.shown_by,
        "CredentialId": "Secondary",
        "ValidityPeriodDays": "90",
    }
    assert world.current("two").expires_on == world.clock.now() + DAYS_90
    before = dict(world.current("two").tags)
    assert not await manage(world)
    assert world.current("two").tags == before
    assert world.faults.count("write_tags") == 1
    assert_at_rest(world)


async def test_an_earlier_expiry_stays(world: TwinWorld) -> None:
    """
    Somebody may rely on it, and it is rotated sooner.
    """
    world.put("two", key=PRIMARY, bare=True)
    expires_on = world.current("two").expires_on

    await manage(world)

    assert world.current("two").expires_on == expires_on


async def test_a_secret_is_bound_before_its_tags_are_written(world: TwinWorld) -> None:
    """
    A rotation that has listed the vaults a moment ago does not regenerate its key.
    """
    await world.rotate()  # Its listing is kept for five minutes.
    world.put("two", key=PRIMARY, bare=True)
    world.clock.advance(timedelta(seconds=1))
    await manage(world)
    world.clock.advance(timedelta(seconds=1))

    record = await world.rotate(world.manual())

    assert (record.state, record.adopted) == (State.COMPLETED, True)
    assert world.outages == 0
    assert world.faults.calls.index("leave") < world.faults.calls.index("write_tags")


async def test_a_value_that_holds_no_live_key_is_drift(world: TwinWorld) -> None:
    """
    Nor is it managed where the request names the other key.
    """
    world.put("two", value="no key at all", bare=True)
    with pytest.raises(Drift):
        await manage(world)
    world.put("two", key=PRIMARY, bare=True)
    with pytest.raises(Drift, match="holds Primary"):
        await manage(world, key=SECONDARY)
    assert world.current("two").tags == {}
    assert_at_rest(world)


async def test_a_secret_of_another_target_is_not_taken_over(world: TwinWorld) -> None:
    """
    Its neighbours there count on it.
    """
    other = batch_account(SUBSCRIPTION, "rg", "account9")
    world.put("two", {"ProviderAddress": other.arm_id}, key=PRIMARY)

    with pytest.raises(AlreadyManaged, match="account9"):
        await manage(world)

    assert world.current("two").tags["ProviderAddress"] == other.arm_id
    assert_at_rest(world)


async def test_a_disabled_secret_is_not_put_under_management(world: TwinWorld) -> None:
    """
    Nobody can read what it holds.
    """
    world.put("two", bare=True, enabled=False)
    with pytest.raises(Misconfigured, match="disabled"):
        await manage(world)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(NotFound("404"), TargetNotFound), (Declined("403"), Refused), (Unavailable("503"), Unavailable)],
)
async def test_a_target_that_cannot_be_read_leaves_everything_as_it_is(
    world: TwinWorld, error: Exception, raised: type[Exception]
) -> None:
    """
    Of a secret that is there, and of one that is to be created.
    """
    world.put("two", bare=True)
    for secret in (TWO, SecretId(VAULT, "three")):
        world.faults.before("read_keys", error)
        with pytest.raises(raised):
            await manage(world, secret, create=True)
    assert not {"bind", "write_tags", "store"} & set(world.faults.calls)
    assert_at_rest(world)


async def test_a_secret_that_is_not_there_is_created_only_if_asked(world: TwinWorld) -> None:
    """
    The refusal says how.
    """
    with pytest.raises(UnknownSecret, match='"create": true'):
        await manage(world)


async def test_a_created_secret_holds_the_key_of_the_others(world: TwinWorld) -> None:
    """
    So the two end up on one key; the same again changes nothing.
    """
    await world.rotate()
    world.clock.advance(timedelta(seconds=1))

    assert await manage(world, create=True)

    assert world.current("two").tags["CredentialId"] == "Secondary"
    assert world.holds_live_key("two")
    assert world.current("two").expires_on == world.clock.now() + DAYS_90
    assert not await manage(world, create=True)
    assert len(world.vaults.history(TWO)) == 1
    assert_at_rest(world)


@pytest.mark.parametrize(("key", "held"), [(None, SECONDARY), (PRIMARY, PRIMARY), (SECONDARY, SECONDARY)])
async def test_where_the_others_differ_the_wanted_or_the_latest_key_is_taken(
    world: TwinWorld, key: KeyName | None, held: KeyName
) -> None:
    """
    The latest is where all of them are on their way to.
    """
    world.clock.advance(timedelta(seconds=1))
    world.put("three", key=SECONDARY)

    await manage(world, create=True, key=key)

    assert world.current("two").tags["CredentialId"] == held


@pytest.mark.parametrize(("key", "held"), [(None, PRIMARY), (SECONDARY, SECONDARY)])
async def test_the_first_secret_of_a_target_gets_the_wanted_key_or_primary(
    world: TwinWorld, key: KeyName | None, held: KeyName
) -> None:
    """
    Nobody else holds any.
    """
    world.delete("one")

    await manage(world, create=True, key=key)

    assert world.current("two").tags["CredentialId"] == held


async def test_a_leaked_key_is_given_to_no_new_secret(world: TwinWorld) -> None:
    """
    Although it is the key of the others, which are paused.
    """
    world.put(tags={"RotationPaused": "true"})
    await world.report()

    await manage(world, create=True, key=PRIMARY)

    assert world.current("two").tags["CredentialId"] == "Secondary"


async def test_a_key_that_does_not_work_is_not_stored() -> None:
    """
    The target refuses it, and accepts the other one.
    """
    world = TwinWorld()
    world.provider.settling = 60.0
    world.delete("one")
    world.provider.turn(world.target, PRIMARY)
    world.provider.settle_at(world.target, PRIMARY, world.clock.monotonic() + 60)

    with pytest.raises(KeyRefused, match="Secondary does"):
        await manage(world, create=True)
    assert world.faults.count("store") == 0
    world.clock.advance(timedelta(seconds=61))
    assert await manage(world, create=True)


async def test_a_deleted_name_is_refused_with_what_to_do(world: TwinWorld) -> None:
    """
    Only a person can recover or purge it.
    """
    world.put("two", bare=True)
    world.delete("two")

    with pytest.raises(NameDeleted, match="purge"):
        await manage(world, create=True)
    assert_at_rest(world)


async def test_a_version_that_somebody_else_made_meanwhile_is_named(world: TwinWorld) -> None:
    """
    Nobody expects it to be replaced.
    """
    made = []

    async def make_another() -> None:
        made.append(world.put("two", bare=True).version)

    world.faults.before("store", make_another)

    with pytest.raises(Misconfigured) as found:
        await manage(world, create=True)
    assert str(made[0]) in str(found.value)
    assert_at_rest(world)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["hold", "read_current", "read_keys", "list_managed", "bind", "store", "keep"])
async def test_a_process_killed_anywhere_in_a_creation_loses_nothing(world: TwinWorld, call: str, when: str) -> None:
    """
    Asked for again when its claim is over, the secret is there once, and no key that it holds ever dies.
    """
    getattr(world.faults, when)(call, Killed())
    try:
        await manage(world, create=True)
    except Killed:
        world.clock.advance(CLAIM_TTL)
    await manage(world, create=True)

    assert len(world.vaults.history(TWO)) == 1
    assert world.holds_live_key("two")
    await world.rotate(world.manual())
    assert world.holds_live_key("two")
    assert_at_rest(world)


async def test_two_creations_of_one_secret_make_one_version(world: TwinWorld) -> None:
    """
    The second is told to come again.
    """
    refused = []

    async def create_too() -> None:
        with pytest.raises(Busy) as busy:
            await manage(world, create=True)
        refused.append(busy.value.running)

    world.faults.before("store", create_too)
    await manage(world, create=True)

    assert refused == [None]
    assert len(world.vaults.history(TWO)) == 1


async def test_there_is_room_for_the_tags_or_nothing_is_written(world: TwinWorld) -> None:
    """
    Key Vault takes fifteen, and a rotation needs one of them.
    """
    world.put("two", bare=True)
    world.vaults.tag(world.current("two").id, {f"tag{number}": "x" for number in range(12)})

    with pytest.raises(Failure, match="tags"):
        await manage(world)
    assert len(world.current("two").tags) == 12
