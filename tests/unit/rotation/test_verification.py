"""
Drift is seen in a day: each secret's value is compared with the keys of its target, and no rotation is disturbed.
"""

import asyncio
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from adapters.concurrency import gather
from providers.storage import STORAGE_ACCOUNT
from rotation.overview.review import due_before, review
from rotation.overview.standing import status_of, why_of
from rotation.overview.sweep import look
from rotation.overview.verification import verify
from rotation.ports.inventory import Entry, Result, Status, Verification
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, Unavailable, UnreadableRow
from rotation.vocabulary.limits import (
    CLAIM_TTL,
    LAST_WRITE_WITHIN,
    SECOND_LOOK_AFTER,
    TARGETS_AT_HAND,
    TARGETS_PER_WRITE,
)
from rotation.vocabulary.record import OpenRotation, State
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline
from tests.twins.targets import accepted_record, batch_account, workflow
from tests.twins.vaults import MemoryVaults
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, TwinWorld

PRIMARY, SECONDARY = KeyName
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
WITHIN = timedelta(minutes=4)
LEAD = timedelta(days=30)
OTHER_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, whose one secret holds the primary key and is not due.
    """
    return made(request.param)


def made(kind: str = "batch") -> TwinWorld:
    """
    Return such a world for one kind.
    """
    world = TwinWorld(kind)
    world.lead = timedelta(days=1)
    return world


async def sweep(world: TwinWorld, every: timedelta | None = DAY) -> None:
    """
    Look through the vaults, and verify as a sweep does.
    """
    looks = await look(world.ports, LEAD, within=MINUTE)
    before = due_before(every, world.clock.now())
    await review(world.ports, LEAD, looks, before=before, within=WITHIN)


async def refresh(world: TwinWorld) -> None:
    """
    Look through the vaults, and verify everything as a caller asks for it.
    """
    begun_on = world.clock.now()
    world.clock.advance(timedelta(milliseconds=1))
    looks = await look(world.ports, LEAD, within=MINUTE)
    await review(world.ports, LEAD, looks, before=begun_on, within=WITHIN)


async def entry(world: TwinWorld, name: str = "one") -> Entry:
    """
    Return what the inventory knows of a secret.
    """
    return {each.facts.secret.name: each async for each in world.inventory.list_entries(VAULT, "")}[name]


async def verified(world: TwinWorld, name: str = "one") -> Verification:
    """
    Return what came of the last comparison.
    """
    found = (await entry(world, name)).verified
    assert found is not None
    return found


def live(world: TwinWorld, on: datetime, key: KeyName | None = PRIMARY) -> Verification:
    """
    Return what comes of comparing a live key.
    """
    return Verification(on, Result.LIVE, world.target.identity, world.target.address, key=key)


async def status(world: TwinWorld, name: str = "one") -> Status:
    """
    Return how a secret stands.
    """
    return status_of(await entry(world, name), world.clock.now(), world.lead)


def questions(world: TwinWorld) -> tuple[int, int]:
    """
    Return how often keys were read, and secrets.
    """
    return world.faults.count("read_keys"), world.faults.count("read_current")


async def test_a_live_key_is_said_to_be_live_and_when(world: TwinWorld) -> None:
    """
    One read of the keys and one of the secret: it is an all-clear.
    """
    await sweep(world)

    assert await verified(world) == live(world, world.clock.now())
    assert await status(world) is Status.UP_TO_DATE
    assert questions(world) == (1, 1)


async def test_which_key_a_value_holds_is_seen_whatever_its_tag_says(world: TwinWorld) -> None:
    """
    The tag names the other one; where both keys give the same credential, neither is the one.
    """
    world.put(key=SECONDARY, tags={"CredentialId": "Primary"})
    world.put("both", value=world.provider.value(world.target, PRIMARY))
    await sweep(world)
    assert ((await verified(world)).key, (await entry(world)).facts.key) == (SECONDARY, PRIMARY)
    assert (await verified(world, "both")).key is PRIMARY
    world.clock.advance(DAY)
    keys = world.provider.history
    keys[world.target.identity, SECONDARY].append(keys[world.target.identity, PRIMARY][-1])

    await sweep(world)

    found = await verified(world, "both")
    assert (found.result, found.key) == (Result.LIVE, None)


async def test_a_key_that_was_regenerated_by_hand_is_drift(world: TwinWorld) -> None:
    """
    It is believed after a second look at keys and secret, and says what to do; nothing is changed.
    """
    world.provider.turn(world.target, PRIMARY)

    await sweep(world)

    found = await verified(world)
    assert (found.result, await status(world)) == (Result.DRIFT, Status.DRIFTED)
    assert "neither key" in str(found.why)
    assert questions(world) == (2, 2)
    assert len(world.vaults.history(world.secret)) == 1
    assert world.regenerations() == 1  # By hand.


async def test_a_rotation_that_finds_drift_takes_the_all_clear_back(world: TwinWorld) -> None:
    """
    It may have met a person at work, so that drift is believed when the next sweep has compared the secret, at once.
    """
    await sweep(world)
    before = await verified(world)
    world.provider.turn(world.target, PRIMARY)
    world.clock.advance(MINUTE)

    rotation = await world.rotate(world.manual())

    assert (before.result, rotation.state) == (Result.LIVE, State.FAILED)
    assert (await entry(world)).verified is None
    await sweep(world)
    assert (await verified(world)).result is Result.DRIFT


async def test_the_key_not_in_use_may_be_regenerated_by_hand(world: TwinWorld) -> None:
    """
    No client has it.
    """
    world.provider.turn(world.target, SECONDARY)

    await sweep(world)

    assert (await verified(world)).result is Result.LIVE


async def test_what_is_put_right_by_hand_is_not_drift_any_more(world: TwinWorld) -> None:
    """
    The comparison was about another version: it says nothing of this one, which is compared by the next sweep.
    """
    world.provider.turn(world.target, PRIMARY)
    await sweep(world)
    world.clock.advance(MINUTE)
    world.put()

    await look(world.ports, LEAD, within=MINUTE)
    assert (await entry(world)).verified is None
    assert await status(world) is Status.UP_TO_DATE
    await sweep(world)

    assert (await verified(world)).result is Result.LIVE


async def test_a_rotation_has_seen_that_its_key_is_live(world: TwinWorld) -> None:
    """
    What was known before is out of date; the next sweep does not ask again.
    """
    world.provider.turn(world.target, PRIMARY)
    await sweep(world)
    world.clock.advance(MINUTE)
    rotation = await world.rotate(world.manual(force=True))
    assert rotation.state is State.COMPLETED
    asked = questions(world)
    world.clock.advance(MINUTE)

    await sweep(world)

    assert rotation.completed_on is not None
    assert await verified(world) == structs.replace(live(world, rotation.completed_on), address=None)
    assert await status(world) is Status.UP_TO_DATE
    assert questions(world) == asked


async def test_a_daily_sweep_takes_in_everything_and_one_an_hour_later_nothing(world: TwinWorld) -> None:
    """
    Due half a day before the day is over, so that a sweep which comes a minute early does not wait for the next one.
    """
    await sweep(world)
    asked = questions(world)
    world.clock.advance(HOUR)
    await sweep(world)
    assert questions(world) == asked
    world.clock.advance(DAY - 2 * HOUR)

    await sweep(world)

    assert questions(world) == (2, 2)
    assert (await verified(world)).on == world.clock.now()


async def test_it_can_be_turned_off(world: TwinWorld) -> None:
    """
    0 days: nothing is asked, and nothing is known but what rotations have seen.
    """
    world.provider.turn(world.target, PRIMARY)

    await sweep(world, every=None)

    assert questions(world) == (0, 0)
    assert (await entry(world)).verified is None
    assert await status(world) is Status.UP_TO_DATE


@pytest.mark.parametrize(("days", "hours"), [(1, 12), (2, 36), (30, 29.5 * 24)])
def test_it_is_due_half_a_day_early(days: int, hours: float) -> None:
    """
    Counted from the last time.
    """
    now = datetime(2026, 3, 1)  # noqa: DTZ001 - any will do

    assert due_before(timedelta(days=days), now) == now - timedelta(hours=hours)


async def test_a_refresh_compares_everything_whenever_it_was_compared(world: TwinWorld) -> None:
    """
    Somebody wants to know now.
    """
    await sweep(world)
    world.provider.turn(world.target, PRIMARY)
    world.clock.advance(MINUTE)

    await refresh(world)

    assert await status(world) is Status.DRIFTED


async def test_a_target_is_missing_when_two_looks_do_not_find_it(world: TwinWorld) -> None:
    """
    One answer may be wrong. After the first nothing is known, and it is looked for again by whatever comes next.
    """
    await sweep(world)
    world.clock.advance(DAY)
    world.faults.before("read_keys", *[NotFound("404 ResourceNotFound: no such account")] * 2)

    await sweep(world)
    found = await verified(world)
    assert (found.result, await status(world)) == (Result.UNREACHABLE, Status.UP_TO_DATE)
    assert "no such account" in str(found.why)
    world.clock.advance(MINUTE)
    await sweep(world)

    found = await verified(world)
    assert (found.result, await status(world)) == (Result.TARGET_MISSING, Status.TARGET_MISSING)
    assert "no such account" in str(why_of(await entry(world), Status.TARGET_MISSING))
    for errors in ([NotFound("404")], [Unavailable("503")], [NotFound("404")]):
        world.faults.before("read_keys", *errors)
        world.clock.advance(DAY)
        await sweep(world)
        assert await status(world) is Status.TARGET_MISSING
    world.clock.advance(DAY)
    await sweep(world)
    assert (await verified(world)).result is Result.LIVE


@pytest.mark.parametrize("call", ["read_keys", "read_current"])
@pytest.mark.parametrize("error", [Unavailable("503"), Declined("403 Forbidden")])
async def test_drift_stays_until_something_else_is_seen(world: TwinWorld, call: str, error: DependencyError) -> None:
    """
    An answer that says nothing is no all-clear: it does not come and go with every failure of a service.
    """
    world.provider.turn(world.target, PRIMARY)
    await sweep(world)
    before = await verified(world)
    world.clock.advance(DAY)
    world.faults.before(call, error)

    await sweep(world)

    assert await verified(world) == before
    assert await status(world) is Status.DRIFTED


async def test_what_has_drifted_may_go_missing(world: TwinWorld) -> None:
    """
    Drifted after the first look that does not find it, missing after the second.
    """
    world.provider.turn(world.target, PRIMARY)
    await sweep(world)
    world.faults.before("read_keys", *[NotFound("404 ResourceNotFound")] * 2)
    found = []
    for _ in range(2):
        world.clock.advance(DAY)
        await sweep(world)
        found.append(await status(world))

    assert found == [Status.DRIFTED, Status.TARGET_MISSING]


async def test_drift_stays_when_another_secret_of_the_target_is_due(world: TwinWorld) -> None:
    """
    All secrets of a target are compared together, and what is known of each counts.
    """
    world.provider.turn(world.target, PRIMARY)
    await sweep(world)
    world.clock.advance(HOUR)
    world.put("two", key=SECONDARY)
    world.faults.before("read_keys", Unavailable("503"))

    await sweep(world)

    assert (await status(world), await status(world, "two")) == (Status.DRIFTED, Status.UP_TO_DATE)
    assert (await verified(world, "two")).result is Result.UNREACHABLE


async def test_a_value_with_both_keys_stays_misconfigured_whatever_is_not_answered(world: TwinWorld) -> None:
    """
    As drift does.
    """
    world.put(value=f"{world.provider.value(world.target, PRIMARY)} {world.provider.value(world.target, SECONDARY)}")
    await sweep(world)
    world.clock.advance(DAY)
    world.faults.before("read_keys", Unavailable("503"))

    await sweep(world)

    assert await status(world) is Status.MISCONFIGURED


async def test_a_drifted_secret_that_is_disabled_is_drifted(world: TwinWorld) -> None:
    """
    Nobody can read it now; its clients fail as before.
    """
    world.provider.turn(world.target, PRIMARY)
    await sweep(world)
    await world.vaults.disable(world.current().id, Deadline(world.clock))
    world.clock.advance(DAY)

    await sweep(world)

    assert await status(world) is Status.DRIFTED


async def test_each_place_is_doubted_on_its_own() -> None:
    """
    A trigger that is gone for good says nothing of the other one of its workflow.
    """
    world = made("workflow")
    other = workflow(SUBSCRIPTION, "rg", "site1", "orders", "other")
    world.put("two", {"ProviderAddress": other.shown_by}, value=world.provider.value(other, PRIMARY))
    for _ in range(2):
        world.faults.before("read_keys", NotFound("404 WorkflowTriggerNotFound"), None)
        await sweep(world)
        world.clock.advance(DAY)
    assert [await status(world, name) for name in ("one", "two")] == [Status.TARGET_MISSING, Status.UP_TO_DATE]
    world.faults.before("read_keys", None, NotFound("404 WorkflowTriggerNotFound"))

    await sweep(world)

    assert (await verified(world, "two")).result is Result.UNREACHABLE


async def test_what_was_seen_is_about_the_target_that_the_secret_named_then(world: TwinWorld) -> None:
    """
    Retagging makes no version: what is known of the old target is not shown for the new one.
    """
    world.faults.before("read_keys", *[NotFound("404")] * 2)
    for _ in range(2):
        await sweep(world)
        world.clock.advance(MINUTE)
    assert await status(world) is Status.TARGET_MISSING
    other = batch_account(SUBSCRIPTION, "rg", "account9")
    world.provider.add(other)
    world.vaults.tag(world.current().id, world.current().tags | {"ProviderAddress": other.arm_id})
    world.faults.before("read_keys", Unavailable("503"))

    await sweep(world)

    found = await verified(world)
    assert (found.result, await status(world)) == (Result.UNREACHABLE, Status.UP_TO_DATE)


async def test_a_version_made_between_the_reads_was_not_seen(world: TwinWorld) -> None:
    """
    The comparison counts from before it began.
    """

    async def store() -> None:
        world.clock.advance(timedelta(seconds=2))
        world.put(value="no key of it")
        world.clock.advance(timedelta(seconds=2))

    world.faults.before("read_keys", store)
    await sweep(world)

    await look(world.ports, LEAD, within=MINUTE)

    assert (await entry(world)).verified is None
    world.clock.advance(MINUTE)
    await sweep(world)
    assert await status(world) is Status.DRIFTED


async def test_keys_that_are_shown_late_are_waited_for_a_moment(world: TwinWorld) -> None:
    """
    The second look comes some seconds after the first.
    """
    world.put(key=SECONDARY)
    world.provider.turn(world.target, SECONDARY)
    begun = world.clock.now()

    await sweep(world)

    assert world.clock.now() - begun == timedelta(seconds=SECOND_LOOK_AFTER)
    assert await status(world) is Status.DRIFTED


async def test_a_target_that_shows_no_keys_makes_its_secret_misconfigured(world: TwinWorld) -> None:
    """
    As a workflow whose SAS authentication is switched off: every rotation would fail.
    """
    world.faults.before("read_keys", Misconfigured("SAS authentication is switched off"))

    await sweep(world)

    assert await status(world) is Status.MISCONFIGURED
    assert why_of(await entry(world), Status.MISCONFIGURED) == "SAS authentication is switched off"
    found = await verified(world)
    assert (found.address, found.why) == (world.target.address, "SAS authentication is switched off")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), Unavailable("503")])
async def test_a_sweep_ends_whatever_goes_wrong_after_its_look(
    world: TwinWorld, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What it has found due is put into the queue when the function ends.
    """

    async def fail(*_: object, **__: object) -> None:
        raise error

    for name in ("verify", "attend"):
        monkeypatch.setattr(f"rotation.overview.review.{name}", fail)

    await sweep(world)

    assert "verification" in caplog.text
    assert "attention" in caplog.text


@pytest.mark.parametrize(
    ("call", "error", "result"),
    [
        ("read_keys", Declined("403 AuthorizationFailed"), Result.REFUSED),
        ("read_keys", Unavailable("503"), Result.UNREACHABLE),
        ("read_keys", NoAnswer("cut off"), Result.UNREACHABLE),
        ("read_current", Declined("403 Forbidden"), Result.REFUSED),
        ("read_current", Unavailable("503"), Result.UNREACHABLE),
    ],
)
async def test_what_cannot_be_compared_is_no_alarm(
    world: TwinWorld, call: str, error: DependencyError, result: Result
) -> None:
    """
    It says why, and stands as its expiry says; what nobody answered is asked again by whatever comes next.
    """
    world.faults.before(call, error)

    await sweep(world)

    found = await verified(world)
    assert (found.result, await status(world)) == (result, Status.UP_TO_DATE)
    assert str(error) in str(found.why)
    assert found.address == (world.target.address if call == "read_keys" else None)
    world.clock.advance(MINUTE)
    await sweep(world)
    assert ((await verified(world)).result is Result.LIVE) is (result is Result.UNREACHABLE)


async def test_a_second_look_that_gets_no_answer_is_no_alarm(world: TwinWorld) -> None:
    """
    Nothing is believed that was not seen twice.
    """
    world.provider.turn(world.target, PRIMARY)
    world.faults.before("read_keys", None, Unavailable("503"))

    await sweep(world)

    assert (await verified(world)).result is Result.UNREACHABLE


async def test_a_second_look_that_cannot_read_the_secret_says_nothing(world: TwinWorld) -> None:
    """
    Nobody knows whether it still is the version that was compared.
    """
    world.provider.turn(world.target, PRIMARY)
    world.faults.before("read_current", None, Declined("403 Forbidden"))

    await sweep(world)

    assert (await entry(world)).verified is None


async def test_a_value_in_which_no_key_can_be_put_is_misconfigured_and_no_all_clear() -> None:
    """
    Another account's connection string: the next rotation would fail, and it holds neither key.
    """
    target = STORAGE_ACCOUNT.target({"subscription": SUBSCRIPTION, "resource_group": "rg", "account": "account1"})
    world = TwinWorld(target=target)
    world.put(value=f"AccountName=another;AccountKey={'k' * 86}==")

    await sweep(world)

    found = await verified(world)
    assert (found.result, await status(world)) == (Result.DRIFT, Status.MISCONFIGURED)
    assert found.misconfigured == found.why


async def test_a_value_with_both_keys_is_misconfigured(world: TwinWorld) -> None:
    """
    Both are live, and every rotation would kill one in use: a person has to see it before the secret is due.
    """
    both = f"{world.provider.value(world.target, PRIMARY)} {world.provider.value(world.target, SECONDARY)}"
    world.put(value=both)

    await sweep(world)

    found = await verified(world)
    assert (found.result, await status(world)) == (Result.LIVE, Status.MISCONFIGURED)
    assert found.misconfigured == found.why


async def test_a_disabled_secret_cannot_be_compared(world: TwinWorld) -> None:
    """
    It is paused, and nobody can read its value.
    """
    await world.vaults.disable(world.current().id, Deadline(world.clock))

    await sweep(world)

    found = await verified(world)
    assert (found.result, await status(world)) == (Result.REFUSED, Status.PAUSED)
    assert (found.address, found.why) == (world.target.address, "its current version is disabled")


async def test_a_paused_secret_that_drifts_is_drifted(world: TwinWorld) -> None:
    """
    Its clients fail as those of any other: that comes before its pause.
    """
    world.put(tags={"RotationPaused": "true"})
    world.provider.turn(world.target, PRIMARY)

    await sweep(world)

    assert await status(world) is Status.DRIFTED


async def test_nothing_outside_the_scopes_is_asked(world: TwinWorld) -> None:
    """
    Whatever a tag says: the keys of another resource group are nobody's here.
    """
    outside = world.address.replace("/resourceGroups/rg/", "/resourceGroups/other/")
    world.put(tags={"ProviderAddress": outside})

    await sweep(world)

    assert questions(world) == (0, 0)
    assert await status(world) is Status.MISCONFIGURED


async def test_a_secret_with_another_wrong_tag_is_compared(world: TwinWorld) -> None:
    """
    Its clients use it, whatever its tags say; the drift is seen once they are right.
    """
    world.put(tags={"ValidityPeriodDays": "7"})
    world.provider.turn(world.target, PRIMARY)

    await sweep(world)

    assert ((await verified(world)).result, await status(world)) == (Result.DRIFT, Status.MISCONFIGURED)


async def test_a_secret_that_is_retagged_meanwhile_is_not_compared_with_the_old_target(world: TwinWorld) -> None:
    """
    Nor with the new one, which has its turn.
    """
    other = batch_account(SUBSCRIPTION, "rg", "account9")
    world.provider.add(other)

    async def retag() -> None:
        world.vaults.tag(world.current().id, world.current().tags | {"ProviderAddress": other.arm_id})

    world.faults.before("read_current", retag)

    await sweep(world)

    assert (await entry(world)).verified is None
    assert world.faults.count("read_keys") == 0


async def test_secrets_of_one_target_are_compared_with_one_read_of_its_keys(world: TwinWorld) -> None:
    """
    Each with its own value.
    """
    world.put("two", key=SECONDARY)
    world.put("three", value="no key of it")

    await sweep(world)

    results = [(await verified(world, name)).result for name in ("one", "two", "three")]
    assert results == [Result.LIVE, Result.LIVE, Result.DRIFT]
    assert questions(world) == (2, 4)  # The second look is at that one alone.


async def test_each_trigger_of_a_workflow_is_asked_for_its_own_url() -> None:
    """
    Two triggers of one workflow are one target, and show different credentials.
    """
    world = made("workflow")
    other = workflow(SUBSCRIPTION, "rg", "site1", "orders", "other")
    world.put("two", {"ProviderAddress": other.shown_by}, value=world.provider.value(other, PRIMARY))

    await sweep(world)

    assert [(await verified(world, name)).result for name in ("one", "two")] == [Result.LIVE, Result.LIVE]
    assert questions(world) == (2, 2)


async def hold(world: TwinWorld) -> str:
    """
    Let a rotation run on the target; return the tag by which it ends.
    """
    request, now = world.manual(), world.clock.now()
    row = OpenRotation(request, accepted_record(request, now), "a worker's claim", now + CLAIM_TTL)
    return (await world.ledger.claim(world.target.identity, row)).etag


async def test_a_target_that_is_being_rotated_is_left_alone(world: TwinWorld) -> None:
    """
    Its turn comes with the next sweep.
    """
    etag = await hold(world)

    await sweep(world)
    assert (await entry(world)).verified is None
    assert questions(world) == (0, 0)
    await world.ledger.release(world.target.identity, etag)
    world.clock.advance(MINUTE)
    await sweep(world)

    assert (await verified(world)).result is Result.LIVE


@pytest.mark.parametrize("strategy", ["Alternate", "InPlace"])
@pytest.mark.parametrize("before", [("read_current", 0), ("read_keys", 0), ("read_keys", 1), ("read_current", 1)])
async def test_a_rotation_in_between_raises_no_alarm(world: TwinWorld, strategy: str, before: tuple[str, int]) -> None:
    """
    A whole one between any two reads, in place as well.
    """
    call, passes = before
    world.put(tags={"RotationStrategy": strategy})

    async def rotate() -> None:
        assert (await world.rotate(world.manual())).state is State.COMPLETED

    world.faults.before(call, *[None] * passes, rotate)

    await sweep(world)

    assert await status(world) is Status.UP_TO_DATE
    world.clock.advance(MINUTE)
    await sweep(world)
    assert (await verified(world)).result is Result.LIVE


async def test_a_rotation_in_place_that_runs_meanwhile_raises_no_alarm(world: TwinWorld) -> None:
    """
    Its secret holds a dead key at both looks, and a new version comes right after them.
    """
    world.put(tags={"RotationStrategy": "InPlace"})

    async def begin() -> None:
        await hold(world)
        world.provider.turn(world.target, PRIMARY)

    world.faults.before("read_keys", begin)

    await sweep(world)

    assert (await entry(world)).verified is None


async def test_a_person_who_regenerates_and_stores_in_between_raises_no_alarm(world: TwinWorld) -> None:
    """
    Keys of before and a secret of after do not fit, and mean nothing.
    """

    async def rotate_by_hand() -> None:
        world.provider.turn(world.target, SECONDARY)
        world.put(key=SECONDARY)

    world.faults.before("read_keys", None)
    world.faults.after("read_keys", rotate_by_hand)
    world.put("two", key=PRIMARY)

    await sweep(world)

    assert await status(world) is Status.UP_TO_DATE


async def test_a_person_who_is_at_work_all_the_time_raises_no_alarm(world: TwinWorld) -> None:
    """
    The second look does not fit either, and is at another version than the first.
    """

    async def move() -> None:
        world.put(key=SECONDARY)
        world.provider.turn(world.target, PRIMARY)

    async def move_back() -> None:
        world.provider.turn(world.target, SECONDARY)
        world.put(key=SECONDARY)

    world.faults.before("read_keys", move)
    world.faults.after("read_keys", None, move_back)

    await sweep(world)

    assert (await entry(world)).verified is None
    assert questions(world) == (2, 2)


async def fleet(world: TwinWorld, size: int, subscription: str = SUBSCRIPTION) -> list[Target]:
    """
    Make targets with a secret each.
    """
    prefix = "fleet" if subscription == SUBSCRIPTION else "other"
    targets = [batch_account(subscription, "rg", f"{prefix}{number:05d}") for number in range(size)]
    for target in targets:
        world.provider.add(target)
        name = target.names["account"]
        world.put(name, {"ProviderAddress": target.arm_id}, value=world.provider.value(target, PRIMARY))
        world.unmanage(name)
    return targets


async def test_the_longest_unverified_comes_first() -> None:
    """
    What there was no time for is the first the next time.
    """
    world = made()
    world.vaults.page_size = 1000
    await fleet(world, 2 * TARGETS_PER_WRITE)
    world.delete("one")
    looks = await look(world.ports, LEAD, within=MINUTE)

    async def take_long() -> None:
        world.clock.advance(WITHIN)

    world.faults.before("keep_verifications", take_long)
    await verify(world.ports, before=world.clock.now(), within=WITHIN)
    first = {each.facts.secret.name async for each in world.inventory.list_entries(VAULT, "") if each.verified}
    await review(world.ports, LEAD, looks, before=world.clock.now(), within=timedelta(microseconds=1))
    second = {each.facts.secret.name async for each in world.inventory.list_entries(VAULT, "") if each.verified}

    assert len(first) == TARGETS_PER_WRITE
    assert first < second
    assert len(second) == 2 * TARGETS_PER_WRITE


async def test_of_those_that_were_verified_the_one_from_longest_ago_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    One that never was comes before all of them.
    """
    world = made()
    monkeypatch.setattr("rotation.overview.verification.TARGETS_AT_HAND", 1)
    accounts = [target.names["account"] for target in await fleet(world, 5)]
    looks = await look(world.ports, LEAD, within=MINUTE)
    world.clock.advance(7 * DAY)
    ages = dict(zip(accounts, [3, 5, 2, 6, 4], strict=True))
    for account, days in ages.items():
        found = Verification(
            world.clock.now() - days * DAY, Result.LIVE, batch_account(SUBSCRIPTION, "rg", account).identity
        )
        await world.inventory.keep_verifications({SecretId(VAULT, account): found}, world.clock.now())
    asked: list[str] = []

    def is_throttled(target: str) -> bool:
        asked.append(target.rpartition("/")[2])
        return False

    world.provider.is_throttled = is_throttled

    await review(world.ports, LEAD, looks, before=world.clock.now(), within=WITHIN)

    assert asked == ["account1", *sorted(accounts, key=lambda account: -ages[account])]


async def test_each_subscription_has_its_turn() -> None:
    """
    In each there is room for so many a second: one that has many targets takes no time from another.
    """
    world = made()
    await fleet(world, 20)
    await fleet(world, 10, OTHER_SUBSCRIPTION)
    world.scopes = [f"/subscriptions/{each}" for each in (SUBSCRIPTION, OTHER_SUBSCRIPTION)]
    world.delete("one")
    asked: list[str] = []

    def is_throttled(target: str) -> bool:
        asked.append(target.split("/")[2])
        return False

    world.provider.is_throttled = is_throttled

    await sweep(world)

    assert asked[:20] == [SUBSCRIPTION, OTHER_SUBSCRIPTION] * 10
    assert asked[20:] == [SUBSCRIPTION] * 10


async def test_of_many_that_never_were_verified_those_at_hand_are_of_all_subscriptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The first vault, or the first names, may be of one subscription alone.
    """
    world = made()
    monkeypatch.setattr("rotation.overview.verification.TARGETS_AT_HAND", 20)
    await fleet(world, 50)
    await fleet(world, 50, OTHER_SUBSCRIPTION)
    world.scopes = [f"/subscriptions/{each}" for each in (SUBSCRIPTION, OTHER_SUBSCRIPTION)]
    asked: list[str] = []

    def is_throttled(target: str) -> bool:
        asked.append(target.split("/")[2])
        return False

    world.provider.is_throttled = is_throttled

    await sweep(world)

    assert set(asked[:20]) == {SUBSCRIPTION, OTHER_SUBSCRIPTION}
    assert len(asked) == 101


async def test_what_is_found_while_something_is_kept_is_kept_as_well() -> None:
    """
    Targets are compared at the same time, and nobody waits for what is written.
    """
    world = made()
    world.vaults.page_size = 1000
    await fleet(world, 3 * TARGETS_PER_WRITE)

    async def take_a_moment() -> None:
        await asyncio.sleep(0)

    for call in ("read_keys", "keep_verifications"):
        world.faults.before(call, *[take_a_moment] * 1000)
    await look(world.ports, LEAD, within=MINUTE)
    at_once = structs.replace(world.ports, gather=gather)
    await verify(at_once, before=world.clock.now(), within=WITHIN)

    found = [each.verified and each.verified.result async for each in world.inventory.list_entries(VAULT, "")]
    assert found == [Result.LIVE] * (3 * TARGETS_PER_WRITE + 1)


async def test_the_log_says_how_far_it_came(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    How many secrets were compared, and whether there was time for all of them.
    """
    caplog.set_level("INFO")
    await sweep(world)
    world.clock.advance(DAY)
    world.provider.is_throttled = lambda _: True
    await sweep(world)

    lines = [vars(record) for record in caplog.records if vars(record).get("step") == "verified"]
    assert [(line["secrets"], line["is_complete"]) for line in lines] == [(1, True), (0, False)]


async def test_few_targets_are_in_memory_and_all_have_their_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    However many there are.
    """
    world = made()
    world.vaults.page_size = 1000
    monkeypatch.setattr("rotation.overview.verification.TARGETS_AT_HAND", 7)
    caplog.set_level("INFO")
    await fleet(world, 40)

    await sweep(world)

    found = [each.verified and each.verified.result async for each in world.inventory.list_entries(VAULT, "")]
    assert found == [Result.LIVE] * 41
    assert [vars(each)["secrets"] for each in caplog.records if vars(each).get("step") == "verified"] == [41]
    assert TARGETS_AT_HAND > 7


async def test_where_rotations_need_all_there_is_it_waits(world: TwinWorld) -> None:
    """
    Nothing is asked of Azure Resource Manager meanwhile, and it goes on when there is room again.
    """
    begun = world.clock.now()
    world.provider.is_throttled = lambda _: world.clock.now() < begun + MINUTE

    await sweep(world)

    assert questions(world) == (1, 1)
    assert world.clock.now() >= begun + MINUTE
    assert (await verified(world)).result is Result.LIVE


async def test_a_subscription_that_rotations_need_takes_no_time_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many of its targets wait for longer.
    """
    world = made()
    monkeypatch.setattr("rotation.overview.verification.TARGETS_AT_HAND", 7)
    await fleet(world, 20)
    await fleet(world, 10, OTHER_SUBSCRIPTION)
    world.scopes = [f"/subscriptions/{each}" for each in (SUBSCRIPTION, OTHER_SUBSCRIPTION)]
    world.provider.is_throttled = lambda target: SUBSCRIPTION in target

    await sweep(world)

    found = [each async for each in world.inventory.list_entries(VAULT, "") if each.verified]
    assert len(found) == 10
    assert all(OTHER_SUBSCRIPTION in str(each.facts.target) for each in found)


async def test_a_target_that_hangs_holds_up_no_other() -> None:
    """
    What was found of the others is kept when the time is over.
    """
    world = made()
    await fleet(world, 10)

    async def hang() -> None:
        await asyncio.Event().wait()

    world.faults.before("read_keys", hang)
    await look(world.ports, LEAD, within=MINUTE)
    at_once = structs.replace(world.ports, gather=gather)
    await review(at_once, LEAD, [], before=world.clock.now(), within=timedelta(seconds=1))

    found = [each async for each in world.inventory.list_entries(VAULT, "") if each.verified]
    assert len(found) == 10


async def test_telling_people_that_hangs_ends_with_its_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What is due waits for it.
    """
    world = made()
    world.provider.turn(world.target, PRIMARY)
    monkeypatch.setattr("rotation.overview.review.TOLD_WITHIN", -LAST_WRITE_WITHIN)

    async def hang() -> None:
        await asyncio.Event().wait()

    world.faults.before("keep_attention", hang)

    await sweep(world)

    assert "attention: it took longer than 0 seconds" in caplog.text


async def test_where_rotations_need_it_for_long_it_is_left_for_the_next_time(world: TwinWorld) -> None:
    """
    The sweep ends in its time.
    """
    begun = world.clock.now()
    world.provider.is_throttled = lambda _: True

    await sweep(world)

    assert questions(world) == (0, 0)
    assert WITHIN <= world.clock.now() - begun < WITHIN + MINUTE


async def test_a_service_that_takes_long_makes_no_sweep_longer(world: TwinWorld) -> None:
    """
    What there was no time for is left as it was known, and nothing is asked once the time is over.
    """
    await sweep(world)
    before = await verified(world)
    world.clock.advance(DAY)
    world.put("two", key=SECONDARY)

    async def take_long() -> None:
        world.clock.advance(WITHIN)

    world.faults.before("read_current", take_long)
    await sweep(world)

    assert await verified(world) == before
    assert (await entry(world, "two")).verified is None
    await sweep(world)
    assert (await verified(world, "two")).result is Result.LIVE


@pytest.mark.parametrize("call", ["keep_verifications", "read_open"])
async def test_a_ledger_that_fails_for_one_target_stops_no_other(
    world: TwinWorld, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It is logged, and has its turn the next time.
    """
    world.provider.turn(world.target, PRIMARY)
    world.faults.before(call, Unavailable("503"))

    await sweep(world)

    assert (await entry(world)).verified is None
    assert "verification: " in caplog.text
    world.clock.advance(MINUTE)
    await sweep(world)
    assert await status(world) is Status.DRIFTED


async def test_a_row_of_another_version_holds_up_no_other_vault(caplog: pytest.LogCaptureFixture) -> None:
    """
    It is named in the log; the vault's own secrets have their turn when it can be read.
    """
    world = made()
    other = "https://other.vault.azure.net"
    world.vaults = MemoryVaults(world.clock, [other, VAULT], world.faults)
    world.put()
    looks = await look(world.ports, LEAD, within=MINUTE)
    world.faults.before("list_entries", UnreadableRow("schema 2"))

    await review(world.ports, LEAD, looks, before=world.clock.now(), within=WITHIN)

    assert (await verified(world)).result is Result.LIVE
    assert "schema 2" in caplog.text


async def test_a_ledger_that_says_nothing_stops_the_verification_alone(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    People are told what is known.
    """
    world.faults.before("list_open", Unavailable("503"))

    await sweep(world)

    assert "it is not known what there is" in caplog.text
    assert (await entry(world)).verified is None


async def test_a_bug_in_one_comparison_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """
    Whatever it is.
    """
    world = made()
    await fleet(world, 3)
    world.faults.before("read_keys", None, RuntimeError("a bug"))

    await sweep(world)

    found = [each async for each in world.inventory.list_entries(VAULT, "") if each.verified]
    assert len(found) == 3
    assert "a bug" in caplog.text


async def test_no_key_and_no_value_is_in_what_is_kept(world: TwinWorld) -> None:
    """
    Not even of a value that is no key.
    """
    values = [world.provider.value(world.target, key) for key in KeyName]
    world.put(value="hunter2hunter2hunter2hunter2")

    await sweep(world)

    found = repr(structs.asdict(await entry(world)))
    for value in (*values, "hunter2"):
        assert value not in found


async def test_a_secret_that_is_gone_or_moved_is_left_out(world: TwinWorld) -> None:
    """
    It was bound to the target once; nothing is said of it.
    """
    for name in ("gone", "moved"):
        await world.ledger.bind(world.target.identity, SecretId(VAULT, name))
    elsewhere = batch_account(SUBSCRIPTION, "rg", "account9").arm_id
    world.provider.add(batch_account(SUBSCRIPTION, "rg", "account9"))
    world.put("moved", {"ProviderAddress": elsewhere}, value="whatever")

    await sweep(world)

    names = {each.facts.secret.name async for each in world.inventory.list_entries(VAULT, "") if each.verified}
    assert names == {"one", "moved"}
    assert "account9" in str((await verified(world, "moved")).why)
