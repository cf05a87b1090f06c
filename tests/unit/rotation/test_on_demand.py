"""
One secret is compared with its target for a caller who waits, by the rules of the sweep; nothing is changed by it.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec import structs

from rotation.overview.on_demand import verify_secret
from rotation.overview.one_secret import SecretDetails
from rotation.overview.review import review
from rotation.overview.sweep import look
from rotation.ports.inventory import Result, Status
from rotation.vocabulary.endings import Misconfigured, VaultRefused
from rotation.vocabulary.errors import (
    Busy,
    Declined,
    Forbidden,
    NotFound,
    OutOfTime,
    RotationError,
    Unavailable,
    UnknownSecret,
)
from rotation.vocabulary.limits import CLAIM_TTL, COMPARED_AGAIN, LOOK_WITHIN, SECOND_LOOK_AFTER
from rotation.vocabulary.record import OpenRotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.targets import accepted_record, batch_account
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, TwinWorld

PRIMARY, SECONDARY = KeyName
LEAD = timedelta(days=10)
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, whose one secret holds the primary key and is not due.
    """
    return TwinWorld(request.param)


async def verify(world: TwinWorld, name: str = "one", vault: str = VAULT) -> SecretDetails:
    """
    Compare one secret now.
    """
    return await verify_secret(world.ports, SecretId(vault, name), lead=LEAD)


async def sweep(world: TwinWorld) -> None:
    """
    Look through the vaults, and compare all secrets with their targets.
    """
    looks = await look(world.ports, LEAD, within=MINUTE)
    await review(world.ports, LEAD, looks, before=world.clock.now(), within=MINUTE)


def questions(world: TwinWorld) -> tuple[int, int]:
    """
    Return how often keys were read, and secrets.
    """
    return world.faults.count("read_keys"), world.faults.count("read_current")


async def hold(world: TwinWorld) -> tuple[str, str]:
    """
    Let a rotation run on the target; return its id, and the tag by which it ends.
    """
    request, now = world.manual(), world.clock.now()
    row = OpenRotation(request, accepted_record(request, now), "a worker's claim", now + CLAIM_TTL)
    return request.id, (await world.ledger.claim(world.target.identity, row)).etag


def result_of(shown: SecretDetails) -> Result | None:
    """
    Return what came of the comparison.
    """
    return shown.verified.result if shown.verified else None


async def test_a_live_key_is_seen_with_one_read_of_the_secret_and_one_of_the_keys(world: TwinWorld) -> None:
    """
    The answer says which key it is and when that was, and the inventory keeps it.
    """
    world.put(key=SECONDARY, tags={"CredentialId": "Primary"})

    shown = await verify(world)

    assert (result_of(shown), shown.held_key, shown.key_name) == (Result.LIVE, SECONDARY, PRIMARY)
    assert (shown.verified and shown.verified.on) == world.clock.now()
    assert questions(world) == (1, 1)
    entry = await world.inventory.read_entry(world.secret)
    assert entry is not None
    assert entry.verified is not None
    assert (entry.verified.key, entry.facts.seen_on) == (SECONDARY, world.clock.now())


async def test_it_only_reads(world: TwinWorld) -> None:
    """
    Whatever it finds: no key is regenerated, no version or tag is written, nothing is published.
    """
    world.provider.turn(world.target, PRIMARY)
    before, regenerated = world.vaults.history(world.secret), world.regenerations()

    await verify(world)

    assert world.vaults.history(world.secret) == before
    assert world.regenerations() == regenerated
    assert not {"store", "write_tags", "disable", "regenerate", "claim", "publish"} & set(world.faults.calls)


async def test_drift_is_believed_after_a_second_look(world: TwinWorld) -> None:
    """
    Some seconds later: the keys, whether a rotation is running, then the secret.
    """
    world.provider.turn(world.target, PRIMARY)
    begun = world.clock.now()

    shown = await verify(world)

    assert (result_of(shown), shown.status, shown.held_key) == (Result.DRIFT, Status.DRIFTED, None)
    assert "neither key" in str(shown.why)
    assert questions(world) == (2, 2)
    assert world.clock.now() - begun == timedelta(seconds=SECOND_LOOK_AFTER)
    order = [call for call in world.faults.calls if call in {"read_keys", "read_open", "read_current"}]
    assert order[-3:] == ["read_keys", "read_open", "read_current"]


async def test_drift_that_is_known_is_looked_at_twice_again_and_gone_when_it_is_put_right(world: TwinWorld) -> None:
    """
    A comparison that sees a live key takes the alarm back.
    """
    world.provider.turn(world.target, PRIMARY)
    await verify(world)
    world.clock.advance(MINUTE)
    again = await verify(world)
    world.clock.advance(MINUTE)
    world.put()

    healed = await verify(world)

    assert (again.verified and again.verified.on) == healed.seen_on - MINUTE
    assert (result_of(healed), healed.status) == (Result.LIVE, Status.UP_TO_DATE)


async def test_keys_that_are_shown_late_raise_no_alarm(world: TwinWorld) -> None:
    """
    The second look sees what the first one did not.
    """
    world.put(value=(value := world.provider.value(world.target, PRIMARY)))
    world.provider.turn(world.target, PRIMARY)

    async def shows_it_now() -> None:
        world.provider.history[world.target.identity, PRIMARY].pop()

    world.faults.before("read_keys", None, shows_it_now)

    shown = await verify(world)

    assert (result_of(shown), shown.held_key) == (Result.LIVE, PRIMARY)
    assert world.provider.value(world.target, PRIMARY) == value


async def test_a_secret_is_shown_as_it_is_now_and_not_as_the_last_sweep_found_it(world: TwinWorld) -> None:
    """
    Tags, expiry and status are read with the value, and kept.
    """
    await sweep(world)
    world.clock.advance(MINUTE)
    world.put(tags={"RotationPaused": "true", "CredentialId": "Secondary"}, key=SECONDARY)

    paused = await verify(world)
    listed = await world.inventory.read_entry(world.secret)

    assert (paused.status, paused.key_name, paused.next_rotation_on) == (Status.PAUSED, SECONDARY, None)
    assert (paused.seen_on, paused.expires_on) == (world.clock.now(), world.current().expires_on)
    assert (result_of(paused), paused.held_key) == (Result.LIVE, SECONDARY)
    assert listed is not None
    assert (listed.facts.paused, listed.facts.key) == ("its tag RotationPaused is true", SECONDARY)


async def test_a_secret_that_no_look_has_found_is_known_from_then_on(world: TwinWorld) -> None:
    """
    To the list, and to the rotations of its neighbours.
    """
    await sweep(world)
    world.put("new", key=SECONDARY)

    shown = await verify(world, "new")

    assert (result_of(shown), shown.held_key) == (Result.LIVE, SECONDARY)
    assert [each.held_key for each in shown.neighbours] == [PRIMARY]
    assert await world.inventory.read_entry(SecretId(VAULT, "new")) is not None
    bound = {each.secret.name for each in await world.ledger.bound_secrets(world.target.identity)}
    assert bound == {"one", "new"}


async def test_the_spelling_of_a_name_stays_its_vaults(world: TwinWorld) -> None:
    """
    However a caller writes it, and whatever version the id names.
    """
    await sweep(world)

    shown = await verify_secret(world.ports, SecretId(VAULT, "ONE", "a" * 32), lead=LEAD)

    assert shown.secret.name == "one"
    entries = [entry.facts.secret async for entry in world.inventory.list_entries(VAULT, "")]
    assert entries == [SecretId(VAULT, "one")]


async def test_a_target_that_is_gone_is_missing_after_two_looks(world: TwinWorld) -> None:
    """
    The first answer says that it is not believed yet.
    """
    world.faults.before("read_keys", *(NotFound("404 ResourceNotFound") for _ in range(2)))

    first = await verify(world)
    world.clock.advance(MINUTE)
    second = await verify(world)
    world.clock.advance(MINUTE)
    third = await verify(world)

    assert (result_of(first), first.status) == (Result.UNREACHABLE, Status.UP_TO_DATE)
    assert first.verified is not None
    assert "it counts as missing when it is not found the next time either" in str(first.verified.why)
    assert (result_of(second), second.status, second.next_rotation_on) == (
        Result.TARGET_MISSING,
        Status.TARGET_MISSING,
        None,
    )
    assert (result_of(third), third.status) == (Result.LIVE, Status.UP_TO_DATE)


async def test_while_a_rotation_runs_the_caller_is_told_its_id(world: TwinWorld) -> None:
    """
    Nothing is compared, and what is known stays.
    """
    await verify(world)
    asked = world.faults.count("read_keys")
    running, etag = await hold(world)

    with pytest.raises(Busy) as busy:
        await verify(world)

    assert busy.value.running == running
    assert world.faults.count("read_keys") == asked
    assert await world.ledger.release(world.target.identity, etag)
    assert result_of(await verify(world)) is Result.LIVE


async def test_a_rotation_that_begins_between_two_looks_makes_nothing_of_the_first(world: TwinWorld) -> None:
    """
    It may have killed the key of this version, and is about to store another one.
    """
    world.provider.turn(world.target, PRIMARY)
    running = ""

    async def begin() -> None:
        nonlocal running
        running, _ = await hold(world)

    world.faults.before("read_keys", None, begin)

    with pytest.raises(Busy) as busy:
        await verify(world)

    assert busy.value.running == running
    entry = await world.inventory.read_entry(world.secret)
    assert entry is not None
    assert entry.verified is None


async def test_a_secret_that_changes_between_two_looks_is_compared_again_as_it_is_then(world: TwinWorld) -> None:
    """
    Tags and all: the answer is about one version.
    """
    world.provider.turn(world.target, PRIMARY)

    async def store() -> None:
        world.put(key=SECONDARY)

    world.faults.before("read_current", None, store)

    shown = await verify(world)

    assert (result_of(shown), shown.held_key, shown.key_name) == (Result.LIVE, SECONDARY, SECONDARY)
    assert (shown.verified and shown.verified.on) == shown.seen_on


async def test_a_secret_that_changes_all_the_time_is_given_up(world: TwinWorld) -> None:
    """
    The caller is asked to come back, and no alarm is raised.
    """
    world.put(value="no key of anything")

    async def store() -> None:
        world.put(value="no key of anything")

    steps: list[Callable[[], Awaitable[None]] | None] = [None, store]
    world.faults.before("read_current", *(steps * COMPARED_AGAIN))

    with pytest.raises(Unavailable, match="ask again") as given_up:
        await verify(world)

    assert given_up.value.retry_after is not None
    entry = await world.inventory.read_entry(world.secret)
    assert entry is not None
    assert entry.verified is None


async def test_a_secret_that_is_deleted_between_two_looks_is_not_found(world: TwinWorld) -> None:
    """
    And is no drift.
    """
    world.provider.turn(world.target, PRIMARY)

    async def delete() -> None:
        world.delete("one")

    world.faults.before("read_current", None, delete)

    with pytest.raises(UnknownSecret, match="there is no secret"):
        await verify(world)


async def test_a_target_that_is_out_of_scope_is_not_asked(world: TwinWorld) -> None:
    """
    The answer says what is wrong, and that nothing was compared.
    """
    world.scopes = [f"/subscriptions/{SUBSCRIPTION}/resourceGroups/another"]

    shown = await verify(world)

    assert (shown.status, shown.verified, shown.held_key) == (Status.MISCONFIGURED, None, None)
    assert "ROTATION_ALLOWED_SCOPES" in str(shown.why)
    assert questions(world) == (0, 1)
    assert world.faults.count("has_room_for") == 0


@pytest.mark.parametrize(
    ("tags", "status", "said"),
    [
        ({"ProviderAdress": "/subscriptions/x"}, Status.NEARLY_MANAGED, "must be named ProviderAddress"),
        ({"ProviderAddress": "/subscriptions/x", "ValidityPeriodDays": "90"}, Status.MISCONFIGURED, "ProviderAddress"),
    ],
)
async def test_a_secret_whose_target_cannot_be_read_is_shown_and_not_compared(
    world: TwinWorld, tags: dict[str, str], status: Status, said: str
) -> None:
    """
    Its tags say what is wrong.
    """
    world.vaults.put(SecretId(VAULT, "two"), "x", tags=tags)

    shown = await verify(world, "two")

    assert (shown.status, shown.verified) == (status, None)
    assert said in str(shown.why)
    assert questions(world) == (0, 1)


async def test_a_secret_with_another_mistake_is_compared_all_the_same(world: TwinWorld) -> None:
    """
    Its clients use the key whatever its validity says.
    """
    world.put(tags={"ValidityPeriodDays": "7"})

    shown = await verify(world)

    assert (shown.status, result_of(shown)) == (Status.MISCONFIGURED, Result.LIVE)
    assert "ValidityPeriodDays" in str(shown.why)


async def test_a_disabled_version_is_not_read_and_says_so(world: TwinWorld) -> None:
    """
    Its value is for nobody to read.
    """
    world.put(enabled=False)

    shown = await verify(world)

    assert (shown.status, result_of(shown)) == (Status.PAUSED, Result.REFUSED)


@pytest.mark.parametrize(
    ("error", "result", "status"),
    [
        (Declined("403 AuthorizationFailed"), Result.REFUSED, Status.UP_TO_DATE),
        (Unavailable("503"), Result.UNREACHABLE, Status.UP_TO_DATE),
        (Misconfigured("SAS authentication is switched off"), Result.REFUSED, Status.MISCONFIGURED),
    ],
)
async def test_keys_that_are_not_shown_are_no_alarm_and_the_answer_says_why(
    world: TwinWorld, error: RotationError, result: Result, status: Status
) -> None:
    """
    It is not known whether the key is live.
    """
    world.faults.before("read_keys", error)

    shown = await verify(world)

    assert (result_of(shown), shown.status) == (result, status)
    assert shown.verified is not None
    assert str(error) in str(shown.verified.why)


async def test_a_comparison_without_an_answer_leaves_an_alarm_with_its_time(world: TwinWorld) -> None:
    """
    The caller sees by the time that nothing new was found out.
    """
    world.provider.turn(world.target, PRIMARY)
    before = await verify(world)
    world.clock.advance(MINUTE)
    world.faults.before("read_keys", Unavailable("503"))

    after = await verify(world)

    assert after.verified == before.verified
    assert (after.status, after.seen_on) == (Status.DRIFTED, world.clock.now())


async def test_a_target_whose_rotations_need_all_there_is_is_not_asked(world: TwinWorld) -> None:
    """
    The caller is asked to come back; tags and expiry are kept as they were read.
    """
    world.provider.is_throttled = lambda _: True

    with pytest.raises(Unavailable, match="rotations need all") as refused:
        await verify(world)

    assert refused.value.retry_after is not None
    assert world.faults.count("read_keys") == 0


@pytest.mark.parametrize(
    ("call", "error", "raised"),
    [
        ("read_current", Declined("403 Forbidden"), VaultRefused),
        ("read_current", Unavailable("503"), Unavailable),
        ("read_entry", Unavailable("503"), Unavailable),
        ("read_open", Unavailable("503"), Unavailable),
        ("keep", Unavailable("503"), Unavailable),
        ("keep_verifications", Unavailable("503"), Unavailable),
    ],
)
async def test_what_could_not_be_read_or_kept_is_an_error(
    world: TwinWorld, call: str, error: RotationError, raised: type[RotationError]
) -> None:
    """
    The answer never shows as fresh what is not.
    """
    world.faults.before(call, error)

    with pytest.raises(raised):
        await verify(world)


async def test_a_look_that_has_no_time_left_for_the_second_one_is_no_alarm(world: TwinWorld) -> None:
    """
    Nothing is believed that was not seen twice.
    """
    world.provider.turn(world.target, PRIMARY)

    async def take_long() -> None:
        world.clock.advance(LOOK_WITHIN)

    world.faults.after("read_current", take_long)

    with pytest.raises(OutOfTime):
        await verify(world)

    entry = await world.inventory.read_entry(world.secret)
    assert entry is not None
    assert entry.verified is None


@pytest.mark.parametrize(
    ("name", "vault", "raised", "said"),
    [
        ("nothing", VAULT, UnknownSecret, "there is no secret"),
        ("plain", VAULT, UnknownSecret, "is not managed"),
        ("one", "https://other.vault.azure.net", Forbidden, "ROTATION_VAULTS"),
    ],
)
async def test_what_is_not_managed_is_not_compared(
    world: TwinWorld, name: str, vault: str, raised: type[RotationError], said: str
) -> None:
    """
    Nor is a vault of somebody else asked for anything, nor what is found there kept.
    """
    world.put("plain", bare=True)

    with pytest.raises(raised, match=said):
        await verify(world, name, vault)

    assert world.faults.count("read_keys") == 0
    assert world.faults.count("read_current") == (raised is UnknownSecret)
    assert [entry async for entry in world.inventory.list_entries(VAULT, "")] == []


async def test_a_secret_that_has_moved_is_compared_with_its_new_target(world: TwinWorld) -> None:
    """
    What was known of the old one says nothing.
    """
    await sweep(world)
    other = batch_account(SUBSCRIPTION, "rg", "another")
    world.provider.add(other)
    world.clock.advance(MINUTE)
    world.put(tags={"ProviderAddress": other.arm_id}, value=world.provider.value(other, SECONDARY))

    shown = await verify(world)

    assert (shown.target, result_of(shown), shown.held_key) == (other.arm_id, Result.LIVE, SECONDARY)


async def test_a_version_that_its_vault_dates_a_moment_ahead_is_verified(world: TwinWorld) -> None:
    """
    Two clocks are never the same: what is compared is the version that was read.
    """
    ahead = structs.replace(world.current(), created_on=world.clock.now() + timedelta(seconds=2))
    world.vaults._versions[world.secret.identity][-1] = ahead

    shown = await verify(world)

    assert result_of(shown) is Result.LIVE
