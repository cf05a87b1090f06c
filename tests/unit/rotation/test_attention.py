"""
Somebody is told when a secret comes to need a person: at least once, with one id, and not again while it stands so.
"""

from datetime import timedelta

import msgspec
import pytest

from rotation.overview.attention import LEAKED_KEY
from rotation.overview.review import review
from rotation.overview.sweep import look
from rotation.overview.sweep import sweep as find_due
from rotation.ports.inventory import Status
from rotation.vocabulary.errors import Declined, DependencyError, Unavailable
from rotation.vocabulary.limits import TOLD_WITHIN
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.world import VAULT, TwinWorld

PRIMARY, SECONDARY = KeyName
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LEAD = timedelta(days=15)
NOW_AND_THEN = timedelta(hours=23)


@pytest.fixture
def world() -> TwinWorld:
    """
    Return a world whose one secret is up to date, and expires in 20 days.
    """
    return TwinWorld()


async def sweep(world: TwinWorld) -> None:
    """
    Look, verify everything, and tell.
    """
    world.clock.advance(MINUTE)
    looks = await look(world.ports, LEAD, within=MINUTE)
    await review(world.ports, LEAD, looks, before=world.clock.now(), within=MINUTE)


def told(world: TwinWorld) -> list[tuple[str, Status]]:
    """
    Return of which secrets somebody was told, and how they stood.
    """
    return [(str(event.data.secret.name), event.data.status) for event in world.announcer.attention]


async def needs_attention(world: TwinWorld) -> bool:
    """
    Return what is known of the vault.
    """
    facts = await world.inventory.vault_facts(VAULT)
    assert facts is not None
    return facts.needs_attention


async def test_of_what_is_well_nobody_is_told(world: TwinWorld) -> None:
    """
    Nor is anything kept of it.
    """
    await sweep(world)

    assert told(world) == []
    assert world.faults.count("keep_attention") == 0
    assert not await needs_attention(world)


async def break_it(world: TwinWorld, status: Status) -> None:
    """
    Let the secret come to stand like that.
    """
    match status:
        case Status.DRIFTED:
            world.provider.turn(world.target, PRIMARY)
        case Status.TARGET_MISSING:
            for key in KeyName:
                del world.provider.history[world.target.identity, key]
            await sweep(world)
        case Status.MISCONFIGURED:
            world.vaults.tag(world.current().id, world.current().tags | {"ValidityPeriodDays": "7"})
        case Status.OVERDUE:
            world.clock.advance(timedelta(days=8))
        case Status.EXPIRED:
            world.clock.advance(timedelta(days=21))


STATUSES = [Status.DRIFTED, Status.TARGET_MISSING, Status.MISCONFIGURED, Status.OVERDUE, Status.EXPIRED]


@pytest.mark.parametrize("status", STATUSES)
async def test_somebody_is_told_once_of_each_way_to_need_a_person(world: TwinWorld, status: Status) -> None:
    """
    However often it is seen so; the event is the item of the list, from the target, about the secret.
    """
    await break_it(world, status)

    for _ in range(3):
        await sweep(world)

    (event,) = world.announcer.attention
    assert event.type == "KeyRotator.SecretNeedsAttention"
    assert (event.source, event.subject) == (world.target.arm_id, f"{VAULT}/secrets/one")
    assert (event.data.status, event.data.secret.name, event.data.target) == (status, "one", world.target.arm_id)
    assert event.id == f"{VAULT}/secrets/one:{status}:{event.time:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert msgspec.to_builtins(event.data)["lastRotation"] is None
    assert await needs_attention(world)


@pytest.mark.parametrize("status", [Status.DUE, Status.PAUSED])
async def test_of_what_the_app_or_a_person_sees_to_nobody_is_told(world: TwinWorld, status: Status) -> None:
    """
    A secret that is due is rotated by the app; one that is paused was paused by somebody.
    """
    if status is Status.DUE:
        world.clock.advance(timedelta(days=6))
    else:
        world.put(tags={"RotationPaused": "true"})

    await sweep(world)

    assert told(world) == []
    assert not await needs_attention(world)


async def test_a_vault_that_cannot_be_listed_needs_a_person(world: TwinWorld) -> None:
    """
    Nobody knows how its secrets stand; until it can be listed again.
    """
    await sweep(world)
    world.faults.before("list_pages", Declined("403 Forbidden"))
    await sweep(world)
    assert await needs_attention(world)

    await sweep(world)

    assert not await needs_attention(world)


async def test_what_needs_a_person_does_not_seem_well_while_a_sweep_looks(world: TwinWorld) -> None:
    """
    Health may be asked at any moment, and a sweep may die in the middle.
    """
    await break_it(world, Status.DRIFTED)
    await sweep(world)

    await look(world.ports, LEAD, within=MINUTE)

    assert await needs_attention(world)


async def test_where_the_target_cannot_be_read_the_vault_is_the_source(world: TwinWorld) -> None:
    """
    A secret whose tags name none.
    """
    world.vaults.tag(world.current().id, {"ProviderAddress": "nonsense"})

    await sweep(world)

    (event,) = world.announcer.attention
    assert (event.source, event.data.target) == (VAULT, None)


async def test_what_needs_a_person_again_is_told_again(world: TwinWorld) -> None:
    """
    With another id: it was well in between.
    """
    for _ in range(2):
        await break_it(world, Status.DRIFTED)
        await sweep(world)
        world.put()
        await sweep(world)
        assert not await needs_attention(world)

    first, second = world.announcer.attention
    assert told(world) == [("one", Status.DRIFTED)] * 2
    assert first.id != second.id


async def test_what_comes_to_need_a_person_for_another_reason_is_told(world: TwinWorld) -> None:
    """
    First it drifts, then somebody makes its tags worse.
    """
    await break_it(world, Status.DRIFTED)
    await sweep(world)
    await break_it(world, Status.MISCONFIGURED)

    await sweep(world)

    assert told(world) == [("one", Status.DRIFTED), ("one", Status.MISCONFIGURED)]


async def test_what_could_not_be_published_is_told_by_the_next_sweep_with_the_same_id(world: TwinWorld) -> None:
    """
    When it was first seen so is kept before anybody is told.
    """
    await break_it(world, Status.DRIFTED)
    world.faults.before("publish", Unavailable("503"))
    await sweep(world)
    seen_on = world.clock.now()
    world.clock.advance(NOW_AND_THEN)

    await sweep(world)

    (event,) = world.announcer.attention
    assert event.time == seen_on
    assert await needs_attention(world)


async def test_a_sweep_and_a_refresh_at_the_same_moment_tell_with_one_id(world: TwinWorld) -> None:
    """
    Only one of them keeps when it was first seen so.
    """
    await break_it(world, Status.DRIFTED)

    async def refresh() -> None:
        world.clock.advance(timedelta(milliseconds=20))
        await sweep(world)

    world.faults.before("keep_attention", refresh)
    await sweep(world)
    await sweep(world)

    assert len({event.id for event in world.announcer.attention}) == 1


async def test_what_is_put_right_while_it_is_published_is_told_when_it_is_wrong_again(world: TwinWorld) -> None:
    """
    A late mark says nothing of what comes after it.
    """
    await break_it(world, Status.MISCONFIGURED)
    tags = world.current().tags

    async def put_right() -> None:
        world.vaults.tag(world.current().id, tags | {"ValidityPeriodDays": "90"})
        await sweep(world)

    world.faults.after("publish", put_right)
    await sweep(world)
    await break_it(world, Status.MISCONFIGURED)

    await sweep(world)

    first, second = world.announcer.attention
    assert first.id != second.id


async def test_a_due_secret_that_is_not_answered_once_needs_nobody(world: TwinWorld) -> None:
    """
    The next sweep asks again.
    """
    world.clock.advance(timedelta(days=6))
    world.faults.before("read_current", Unavailable("503"))

    asked: list[RotationRequest] = []
    looks = await find_due(world.ports, LEAD, asked.append, within=MINUTE)
    await review(world.ports, LEAD, looks, before=None, within=MINUTE)

    assert (asked, told(world)) == ([], [])


async def test_a_worker_that_dies_between_publishing_and_marking_tells_twice_with_one_id(world: TwinWorld) -> None:
    """
    At least once; consumers drop the duplicate.
    """
    await break_it(world, Status.DRIFTED)
    world.faults.after("publish", Unavailable("the connection was lost"))
    await sweep(world)

    await sweep(world)
    await sweep(world)

    first, second = world.announcer.attention
    assert first.id == second.id


@pytest.mark.parametrize("call", ["keep_attention", "list_entries", "vault_facts", "keep_look", "bound_secrets"])
async def test_a_ledger_that_fails_delays_what_is_told_and_ends_no_sweep(
    world: TwinWorld, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The next sweep tells it.
    """
    await break_it(world, Status.MISCONFIGURED)
    looks = await look(world.ports, LEAD, within=MINUTE)
    error: DependencyError = Unavailable("503")
    world.faults.before(call, error)

    await review(world.ports, LEAD, looks, before=None, within=MINUTE)
    assert "attention: " in caplog.text
    await sweep(world)

    assert ("one", Status.MISCONFIGURED) in told(world)
    assert len({event.id for event in world.announcer.attention}) == 1
    assert await needs_attention(world)


async def test_a_secret_that_goes_meanwhile_leaves_no_trace(world: TwinWorld) -> None:
    """
    Its row is not made again.
    """
    await world.inventory.keep_attention(SecretId(VAULT, "gone"), None, instead=None)

    await sweep(world)

    assert [each.facts.secret.name async for each in world.inventory.list_entries(VAULT, "")] == ["one"]


async def test_where_it_takes_long_the_rest_is_told_by_the_next_sweep(world: TwinWorld) -> None:
    """
    A sweep ends in its time, however many secrets are broken at once.
    """
    world.vaults.page_size = 100
    for number in range(20):
        world.put(f"broken{number:02}", {"ValidityPeriodDays": "7"})

    async def take_long() -> None:
        world.clock.advance(TOLD_WITHIN + MINUTE)

    world.faults.before("publish", take_long)
    await sweep(world)
    first = len(told(world))
    await sweep(world)

    assert 0 < first < 20
    assert sorted(told(world)) == [(f"broken{number:02}", Status.MISCONFIGURED) for number in range(20)]


async def test_how_many_secrets_stand_how_is_logged_for_each_vault(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Every status, so that one of which there are none any more is seen to be gone.
    """
    world.put("two", {"ValidityPeriodDays": "7"})
    world.put("three")
    with caplog.at_level("INFO"):
        await sweep(world)

    (line,) = [record for record in caplog.records if getattr(record, "step", "") == "counted"]
    counts = vars(line)["counts"]
    assert line.getMessage() == f"secrets of {VAULT}: 2 UpToDate, 1 Misconfigured"
    assert set(counts) == {*map(str, Status), LEAKED_KEY}
    assert sum(counts.values()) == 3
