"""
Promise 1: no key is regenerated that a managed secret held until less than the grace time ago.
"""

from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import UNSET, structs

from rotation.overview.sweep import sweep
from rotation.run.acceptance import accept
from rotation.run.leaks import report_leak
from rotation.run.rehearsal import rehearse
from rotation.run.resumption import list_unfinished
from rotation.run.rotator import Rotator
from rotation.vocabulary.endings import Misconfigured, SkipReason
from rotation.vocabulary.errors import (
    Busy,
    Declined,
    DependencyError,
    NoAnswer,
    NotFound,
    RotationError,
    Unavailable,
)
from rotation.vocabulary.limits import CLAIM_TTL, EVENT_MARGIN, QUEUED_FOR, VERSIONS_READ_AT_ONCE
from rotation.vocabulary.record import EndedRotation, OpenRotation, Rotation, State
from rotation.vocabulary.request import (
    RotationRequest,
    Trigger,
    new_id,
    request_for_sweep,
)
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.concurrency import one_after_another
from tests.twins.targets import accepted_record
from tests.twins.world import TARGETS, VAULT, Killed, TwinWorld

PRIMARY, SECONDARY = KeyName
DAY, HOUR, SECOND = timedelta(hours=24), timedelta(hours=1), timedelta(seconds=1)
ELSEWHERE = TARGETS["batch"].arm_id.replace("account1", "account9")


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target with a grace time of a day, whose one secret is old.
    """
    return made(request.param)


def made(kind: str = "batch") -> TwinWorld:
    """
    Return such a world for one kind.
    """
    world = TwinWorld(kind)
    world.grace = DAY
    world.rotator = world.worker()
    world.clock.advance(2 * DAY)
    return world


async def rotated(kind: str = "batch") -> TwinWorld:
    """
    Return such a world in which the secret was rotated an hour ago: clients may go on with the primary key.
    """
    world = made(kind)
    assert (await world.rotate()).state is State.COMPLETED
    world.clock.advance(HOUR)
    return world


def allowed_on(rotation: Rotation) -> datetime:
    """
    Return from when on a rotation may do its work.
    """
    assert rotation.allowed_on is not UNSET
    return rotation.allowed_on


def assert_too_soon(world: TwinWorld, rotation: Rotation, since: datetime) -> None:
    """
    Hold that a request ended without a new key, and says until when, counted from that moment.
    """
    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, SkipReason.TOO_SOON)
    assert allowed_on(rotation) == since + DAY
    assert world.ledger.claims() == []


def request_of(world: TwinWorld, trigger: Trigger) -> RotationRequest:
    """
    Return a request for which nobody waits.
    """
    if trigger is Trigger.SWEEP:
        return request_for_sweep(world.current().id, world.clock.now())
    return world.event(trigger=trigger)


async def test_the_key_that_a_secret_held_an_hour_ago_lives(world: TwinWorld) -> None:
    """
    A client that has cached it goes on; the caller is told from when on it may be regenerated, and which key it is.
    """
    await world.rotate()
    stored_on = world.current().created_on
    before = world.current().version
    world.clock.advance(HOUR)

    rotation = await world.rotate(world.manual())

    assert_too_soon(world, rotation, stored_on)
    assert (rotation.key_name, rotation.previous_key_name, rotation.completed_on) == (
        PRIMARY,
        SECONDARY,
        world.clock.now(),
    )
    assert world.regenerations() == 1
    assert world.current().version == before
    assert [event.data.state for event in world.announcer.published] == [State.COMPLETED]


async def test_it_is_regenerated_when_the_grace_time_is_over_and_no_second_sooner(world: TwinWorld) -> None:
    """
    Held until less than a day ago: not yet. Until a day ago: yes.
    """
    await world.rotate()
    world.clock.advance(DAY - SECOND)
    assert (await world.rotate(world.manual())).skip_reason is SkipReason.TOO_SOON
    world.clock.advance(SECOND)

    rotation = await world.rotate(world.manual())

    assert (rotation.state, rotation.allowed_on) == (State.COMPLETED, UNSET)
    assert world.regenerations() == 2


async def test_a_secret_that_was_just_made_is_rotated(world: TwinWorld) -> None:
    """
    No version of it has ended, so that nobody can have cached another key.
    """
    world.vaults.delete(world.secret)
    world.put()

    assert (await world.rotate()).state is State.COMPLETED


async def test_without_a_grace_time_nothing_more_is_asked(world: TwinWorld) -> None:
    """
    0 turns it off.
    """
    world.grace = timedelta()
    world.rotator = world.worker()
    await world.rotate()
    asked = world.faults.count("list_versions")

    assert (await world.rotate(world.manual())).state is State.COMPLETED
    assert world.faults.count("list_versions") == asked + 1  # To tidy up.


async def test_versions_are_read_only_where_a_secret_has_changed(world: TwinWorld) -> None:
    """
    A rotation that comes once in months asks for nothing more than before.
    """
    world.put("two", key=PRIMARY)
    world.clock.advance(2 * DAY)

    await world.rotate()

    assert world.faults.count("list_versions") == 1  # To tidy up.


@pytest.mark.parametrize("trigger", [Trigger.SECRET_NEAR_EXPIRY, Trigger.SECRET_EXPIRED, Trigger.SWEEP])
async def test_what_nobody_waits_for_waits_itself(world: TwinWorld, trigger: Trigger) -> None:
    """
    It is Scheduled until then, without the claim, and begins by itself; its end is published once.
    """
    await world.rotate()
    stored_on = world.current().created_on
    world.clock.advance(HOUR)
    request = request_of(world, trigger)

    rotation = await world.rotate(request)

    assert (rotation.state, rotation.completed_on, allowed_on(rotation)) == (State.SCHEDULED, None, stored_on + DAY)
    assert await world.ledger.find(request.id) == rotation
    assert world.ledger.claims() == []
    assert await world.resume(after=DAY - HOUR - SECOND) == []
    (ended,) = await world.resume(after=SECOND)
    assert (ended.id, ended.state, ended.skip_reason) == (request.id, State.COMPLETED, None)
    assert world.ledger.waiting() == []
    assert len(world.announcer.published) == 2
    assert (world.regenerations(), world.outages) == (2, 0)


async def test_what_was_answered_202_waits_too(world: TwinWorld) -> None:
    """
    The row by which it waits stays one row.
    """
    await world.rotate()
    request = await world.promise()

    rotation = await world.rotate(request)

    assert rotation.state is State.SCHEDULED
    assert [row.record for row in world.ledger.waiting()] == [rotation]
    assert await world.resume(after=HOUR) == []
    (ended,) = await world.resume(after=DAY)
    assert (ended.id, ended.state) == (request.id, State.COMPLETED)
    assert world.ledger.waiting() == []


async def test_an_event_that_comes_again_while_its_rotation_waits_changes_nothing(world: TwinWorld) -> None:
    """
    One row, one rotation, one event told.
    """
    await world.rotate()
    world.clock.advance(HOUR)
    first = await world.rotate(event := world.event())

    again = await world.rotate(event)

    assert allowed_on(again) == allowed_on(first)
    assert len(world.ledger.waiting()) == 1
    await world.resume(after=DAY)
    assert (world.regenerations(), len(world.announcer.published)) == (2, 2)


async def test_an_event_that_comes_again_when_it_is_time_rotates_once(world: TwinWorld) -> None:
    """
    It takes the row away by which it waited, as if the timer had put it into the queue.
    """
    await world.rotate()
    await world.rotate(event := world.event())
    world.clock.advance(DAY)

    ended = await world.rotate(event)

    assert ended.state is State.COMPLETED
    assert world.ledger.waiting() == []
    assert await world.resume(after=SECOND) == []
    assert world.regenerations() == 2


async def test_an_event_that_comes_again_cannot_be_ended_as_if_it_waited(world: TwinWorld) -> None:
    """
    Begun by whichever message, its row is gone: it is either done or ended, never both.
    """
    await world.rotate()
    waits = await world.rotate(event := world.event())
    world.clock.advance(DAY)
    ended: list[bool] = []

    async def end() -> None:
        record = structs.replace(waits, state=State.SKIPPED, completed_on=world.clock.now())
        ended.append(await world.ledger.end_waiting(EndedRotation(event, record)))

    world.faults.before("store", end)

    assert (await world.rotate(event)).state is State.COMPLETED
    assert ended == [False]


@pytest.mark.parametrize("is_promised", [False, True])
async def test_a_message_that_is_older_than_the_row_does_not_end_what_waits(
    world: TwinWorld, *, is_promised: bool
) -> None:
    """
    Neither as busy, nor because its retries are used up.
    """
    await world.rotate()
    request = await world.promise() if is_promised else world.event()
    waits = await world.rotate(request)
    other = world.manual()
    now = world.clock.now()
    row = OpenRotation(other, accepted_record(other, now), "another worker's claim", now + CLAIM_TTL)
    claimed = await world.ledger.claim(world.target.identity, row)

    with pytest.raises(Busy):
        await world.rotate(request)
    assert await world.rotator.give_up(request) == waits
    await world.ledger.release(world.target.identity, claimed.etag)

    assert [each.record for each in world.ledger.waiting()] == [waits]
    world.clock.advance(DAY)
    (due,) = await list_unfinished(world.ports)
    assert await world.rotator.give_up(due) == waits
    assert (await world.rotate(due)).state is State.COMPLETED


async def test_what_is_deferred_while_it_is_put_into_the_queue_stays_deferred(world: TwinWorld) -> None:
    """
    The timer has read its row before, and does not write what it has read.
    """
    await world.rotate()
    request = await world.promise()
    world.clock.advance(QUEUED_FOR)

    async def rotate() -> None:
        await world.rotate(request)

    world.faults.before("postpone", rotate)
    await list_unfinished(world.ports)

    (row,) = world.ledger.waiting()
    assert (row.record.state, row.request.deferred, row.due_on) == (State.SCHEDULED, True, allowed_on(row.record))


async def test_a_sweep_asks_for_nothing_that_waits_already(world: TwinWorld) -> None:
    """
    Day after day the same version is due: one rotation waits for its time.
    """
    world.grace = 7 * DAY
    world.rotator = world.worker()
    await world.rotate()
    world.put()
    asked: list[RotationRequest] = []
    for _ in range(3):
        world.clock.advance(DAY)
        await sweep(world.ports, world.lead, asked.append, within=HOUR)
        for request in asked:
            await world.rotate(request)

    assert len(asked) == 1
    assert len(world.ledger.waiting()) == 1


async def test_what_waits_is_superseded_where_somebody_else_rotates_meanwhile(world: TwinWorld) -> None:
    """
    It is about a version, and never rotates another one.
    """
    await world.rotate()
    waits = await world.rotate(world.event())
    await world.rotate(structs.replace(world.manual(), ignore_grace=True))

    (ended,) = await world.resume(after=DAY)

    assert (ended.id, ended.skip_reason) == (waits.id, SkipReason.SUPERSEDED)
    assert world.regenerations() == 2


async def test_what_waited_waits_for_its_turn_as_well(world: TwinWorld) -> None:
    """
    After a day it does not end as busy because another rotation of the target runs at that moment.
    """
    await world.rotate()
    waits = await world.rotate(await world.promise())
    other = world.manual()
    world.clock.advance(DAY)
    now = world.clock.now()
    row = OpenRotation(other, accepted_record(other, now), "another worker's claim", now + CLAIM_TTL)
    claimed = await world.ledger.claim(world.target.identity, row)

    with pytest.raises(Busy):
        await world.resume(after=SECOND)
    await world.ledger.release(world.target.identity, claimed.etag)

    (ended,) = await world.resume(after=QUEUED_FOR)
    assert (ended.id, ended.state) == (waits.id, State.COMPLETED)


async def test_what_waited_waits_again_where_that_key_was_held_since(world: TwinWorld) -> None:
    """
    Somebody moved a neighbour to it and away again: its clients have a grace time of their own.
    """
    world.put("two", key=SECONDARY)
    await world.rotate()  # It adopts the secondary key.
    world.put("two", key=SECONDARY)
    await world.rotate(world.event())
    world.clock.advance(HOUR * 20)
    world.put("two", key=PRIMARY)
    world.clock.advance(HOUR)
    world.put("two", key=SECONDARY)
    left_on = world.clock.now()

    (again,) = await world.resume(after=HOUR * 3)

    assert (again.state, allowed_on(again)) == (State.SCHEDULED, left_on + DAY)
    (ended,) = await world.resume(after=HOUR * 21)
    assert ended.state is State.COMPLETED


async def test_a_key_that_a_neighbour_held_an_hour_ago_lives(world: TwinWorld) -> None:
    """
    Somebody moved it by hand: clients of such a version have the grace time, too.
    """
    world.put("two", key=SECONDARY)
    world.clock.advance(2 * DAY)
    world.put("two", key=PRIMARY)
    moved_on = world.clock.now()
    world.clock.advance(HOUR)

    assert_too_soon(world, await world.rotate(world.manual()), moved_on)


async def test_a_neighbour_that_never_held_the_key_stops_nothing(world: TwinWorld) -> None:
    """
    It got a new version an hour ago, with the same key in it: that key is not the one to die.
    """
    world.put("two", key=PRIMARY)
    world.clock.advance(2 * DAY)
    world.put("two", key=PRIMARY)
    world.clock.advance(HOUR)

    assert (await world.rotate(world.manual())).state is State.COMPLETED


async def test_the_last_secret_to_hold_the_key_counts(world: TwinWorld) -> None:
    """
    Two left it, one after the other.
    """
    for name in ("two", "three"):
        world.put(name, key=SECONDARY)
    world.clock.advance(2 * DAY)
    world.put("two", key=PRIMARY)
    world.clock.advance(HOUR)
    world.put("three", key=PRIMARY)
    last = world.clock.now()
    world.clock.advance(HOUR)

    assert_too_soon(world, await world.rotate(world.manual()), last)


async def test_the_last_version_to_hold_the_key_counts(world: TwinWorld) -> None:
    """
    A secret may have left the key twice.
    """
    world.put("two", key=SECONDARY)
    world.clock.advance(2 * DAY)
    for key in (PRIMARY, SECONDARY, PRIMARY):
        world.put("two", key=key)
        last = world.clock.now()
        world.clock.advance(HOUR)

    assert_too_soon(world, await world.rotate(world.manual()), last)


async def test_a_version_that_ended_longer_ago_is_not_read(world: TwinWorld) -> None:
    """
    Of hundreds only those are read that clients can still have.
    """
    for _ in range(5):
        world.put()
        world.clock.advance(2 * DAY)
    world.put()
    world.clock.advance(HOUR)
    world.faults.calls.clear()

    await world.rotate(world.manual())

    before_the_journal = world.faults.calls[: world.faults.calls.index("begin")]
    assert before_the_journal.count("read_version") == 1


@pytest.mark.parametrize("what", ["disabled", "refused", "gone", "no list"])
async def test_a_version_that_cannot_be_read_counts_as_holding_the_key(world: TwinWorld, what: str) -> None:
    """
    Nobody can say which key its clients have.
    """
    first = world.current()
    world.put()
    stored_on = world.clock.now()
    world.clock.advance(HOUR)
    if what == "disabled":
        await world.vaults.disable(first.id, Deadline(world.clock))
    elif what == "refused":
        world.faults.before("read_version", Declined("403 Forbidden: no right to get"))
    elif what == "gone":
        world.faults.before("read_version", NotFound("404 SecretNotFound"))
    else:
        world.faults.before("list_versions", Declined("403 Forbidden: no right to list"))

    assert_too_soon(world, await world.rotate(world.manual()), stored_on)
    assert world.regenerations() == 0


@pytest.mark.parametrize("call", ["list_versions", "read_version"])
@pytest.mark.parametrize("error", [Unavailable("503"), NoAnswer("cut off")])
async def test_a_vault_that_does_not_answer_is_asked_again(world: TwinWorld, call: str, error: DependencyError) -> None:
    """
    A passing failure says nothing about a key: the attempt ends without a trace, and the trigger tries again.
    """
    await world.rotate()
    world.clock.advance(HOUR)
    world.faults.before(call, error)
    event = world.event()

    with pytest.raises(DependencyError):
        await world.rotate(event)

    assert world.ledger.claims() == []
    assert (await world.rotate(event)).state is State.SCHEDULED


async def test_a_secret_deleted_between_two_looks_counts_as_holding_the_key(world: TwinWorld) -> None:
    """
    Its versions are not listed any more.
    """
    world.put("two", key=PRIMARY)
    world.clock.advance(HOUR)
    stored_on = world.current("two").created_on

    async def delete() -> None:
        world.delete("two")

    world.faults.before("list_versions", delete)

    rotation = await world.rotate(world.manual())

    assert_too_soon(world, rotation, stored_on)


async def test_versions_of_one_second_count_to_the_next_one(world: TwinWorld) -> None:
    """
    Key Vault's times are whole seconds: which of them came last nobody knows.
    """
    world.put("two", key=SECONDARY)
    world.put("two", key=PRIMARY)
    world.put("two", key=PRIMARY)
    stored_on = world.current("two").created_on
    world.clock.advance(HOUR)

    assert_too_soon(world, await world.rotate(world.manual()), stored_on)


@pytest.mark.parametrize(
    "address", [pytest.param(ELSEWHERE, id="of another target"), pytest.param(None, id="unmanaged")]
)
async def test_a_secret_that_left_counts_from_when_that_was_seen(world: TwinWorld, address: str | None) -> None:
    """
    It held the key before; nobody knows when that ended for its clients, and it is forgotten when the time is over.
    """
    world.put("two", key=SECONDARY)
    await world.rotate()  # It adopts the key, and has seen whose that is.
    world.clock.advance(2 * DAY)
    tags = {"ProviderAddress": address} if address else None
    world.put("two", tags, value="a key of something else", bare=not address)
    world.unmanage("two")
    world.put("one", key=PRIMARY)
    world.clock.advance(3 * HOUR)
    seen_on = world.clock.now()

    assert_too_soon(world, await world.rotate(world.manual()), seen_on)
    assert await bound(world) == {"one": None, "two": seen_on}
    world.clock.advance(DAY - SECOND)
    assert_too_soon(world, await world.rotate(world.manual()), seen_on)
    world.clock.advance(SECOND)

    assert (await world.rotate(world.manual())).state is State.COMPLETED
    assert await bound(world) == {"one": None}


async def test_a_secret_that_left_and_never_held_the_key_stops_nothing(world: TwinWorld) -> None:
    """
    Its versions can be read, and hold the other key.
    """
    world.put("two", key=PRIMARY)
    await world.ledger.bind(world.target.identity, SecretId(VAULT, "two"))
    world.clock.advance(HOUR)
    world.put("two", value="a key of something else", bare=True)
    world.unmanage("two")

    assert (await world.rotate(world.manual())).state is State.COMPLETED


async def test_of_a_secret_that_left_each_version_but_the_last_counts_from_its_end(world: TwinWorld) -> None:
    """
    It had left the key before it left the target.
    """
    world.put("two", key=SECONDARY)
    await world.ledger.bind(world.target.identity, SecretId(VAULT, "two"))
    world.clock.advance(2 * DAY)
    world.put("two", key=PRIMARY)
    moved_on = world.clock.now()
    world.clock.advance(HOUR)
    world.put("two", value="a key of something else", bare=True)
    world.unmanage("two")
    world.clock.advance(HOUR)

    assert_too_soon(world, await world.rotate(world.manual()), moved_on)


async def test_a_deleted_secret_counts_from_when_that_was_seen(world: TwinWorld) -> None:
    """
    Nobody can say which key its clients have; the first one to see it writes down when.
    """
    world.put("two", key=PRIMARY)
    await world.ledger.bind(world.target.identity, SecretId(VAULT, "two"))
    world.delete("two")
    world.clock.advance(HOUR)
    seen_on = world.clock.now()

    waits = await world.rotate(world.event())

    assert allowed_on(waits) == seen_on + DAY
    assert await bound(world) == {"one": None, "two": seen_on}
    (ended,) = await world.resume(after=DAY)
    assert ended.state is State.COMPLETED
    assert await bound(world) == {"one": None}


async def test_a_deleted_secret_that_only_a_listing_named_counts_too(world: TwinWorld) -> None:
    """
    The listing is some minutes old: it is written down with the target, or the next one would not know.
    """
    world.put("two", key=PRIMARY)
    assert (await world.rotate(world.manual())).state is State.COMPLETED  # Lists the vault.
    await world.ledger.unbind(world.target.identity, SecretId(VAULT, "two"))
    world.clock.advance(timedelta(minutes=1))
    world.delete("two")

    rotation = await world.rotate(world.manual())

    assert rotation.skip_reason is SkipReason.TOO_SOON
    assert await bound(world) == {"one": None, "two": world.clock.now()}


async def test_a_secret_that_comes_back_is_a_neighbour_again(world: TwinWorld) -> None:
    """
    Its own rotation, or a sweep, binds it; that it had left is forgotten.
    """
    await world.ledger.leave(world.target.identity, SecretId(VAULT, "two"), world.clock.now())
    world.put("two", key=SECONDARY)

    rotation = await world.rotate(world.event("two"))

    assert rotation.state is State.COMPLETED
    assert await bound(world) == {"one": None, "two": None}


async def test_a_secret_that_leaves_again_counts_from_then(world: TwinWorld) -> None:
    """
    It came back in between, unseen, and has another version since.
    """
    await world.ledger.leave(world.target.identity, SecretId(VAULT, "two"), world.clock.now() - 2 * DAY)
    world.put("two", key=SECONDARY)
    world.clock.advance(HOUR)
    world.put("two", value="a key of something else", bare=True)
    world.unmanage("two")
    world.clock.advance(HOUR)

    assert_too_soon(world, await world.rotate(world.manual()), world.clock.now())


async def test_a_secret_whose_own_rotation_was_too_soon_is_known(world: TwinWorld) -> None:
    """
    Deleted the next moment, it still protects the key that its clients have.
    """
    world.put("two", key=SECONDARY)
    world.clock.advance(HOUR)
    world.put("two", key=PRIMARY)
    moved = await world.rotate(world.event("two"))
    assert moved.state is State.SCHEDULED
    world.delete("two")
    world.clock.advance(timedelta(minutes=10))

    assert_too_soon(world, await world.rotate(world.manual()), world.clock.now())


async def test_all_neighbours_are_known_once_one_was_adopted_from(world: TwinWorld) -> None:
    """
    Also those that were looked at behind the one whose key is taken over.
    """
    for name in ("two", "zz"):
        world.put(name, key=SECONDARY)

    assert (await world.rotate(world.event())).adopted
    assert await bound(world) == {"one": None, "two": None, "zz": None}


async def test_a_clock_that_lags_does_not_wait_where_no_time_is_given(world: TwinWorld) -> None:
    """
    Key Vault's clock is ahead: without a grace time nothing is young.
    """
    world.grace = timedelta()
    world.rotator = world.worker()
    await world.rotate()
    world.clock.step(-timedelta(seconds=5))

    assert (await world.rotate(world.manual())).state is State.COMPLETED


async def test_the_time_is_told_in_whole_seconds_and_not_too_early(world: TwinWorld) -> None:
    """
    People ask again at the time that they are told.
    """
    await world.ledger.bind(world.target.identity, SecretId(VAULT, "gone"))
    world.clock.advance(timedelta(milliseconds=250))

    rotation = await world.rotate(world.manual())

    assert allowed_on(rotation) == world.clock.now() + DAY + timedelta(milliseconds=750)
    world.clock.advance(DAY + timedelta(milliseconds=750))
    assert (await world.rotate(world.manual())).state is State.COMPLETED


async def test_versions_are_read_a_few_at_a_time(world: TwinWorld) -> None:
    """
    Of a secret that somebody changes every minute none holds the key: all of them have to be read.
    """
    for _ in range(35):
        world.put()
        world.clock.advance(timedelta(minutes=1))
    at_once: list[int] = []

    async def count(*work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
        before = world.faults.count("read_version")
        done = await one_after_another(*work)
        if len(work) == world.faults.count("read_version") - before:
            at_once.append(len(work))
        return done

    rotation = await Rotator(structs.replace(world.ports, gather=count)).rotate(world.manual())

    assert rotation.state is State.COMPLETED
    assert max(at_once) == VERSIONS_READ_AT_ONCE


async def test_the_oldest_of_many_versions_counts_too(world: TwinWorld) -> None:
    """
    However often the secret was changed since.
    """
    world.put("two", key=SECONDARY)
    world.clock.advance(2 * DAY)
    moved_on = world.clock.now()
    for _ in range(3 * VERSIONS_READ_AT_ONCE):
        world.put("two", key=PRIMARY)
        world.clock.advance(timedelta(minutes=1))

    assert_too_soon(world, await world.rotate(world.manual()), moved_on)


@pytest.mark.parametrize("error", [Misconfigured("two Request triggers"), Declined("403"), NotFound("404")])
async def test_where_an_old_version_shows_its_key_nobody_may_be_able_to_say(error: RotationError) -> None:
    """
    Its tags name another trigger, of which no URL is to be had: it counts as holding the key, unless that is gone.
    """
    world = made("workflow")
    first = world.put(tags={"ProviderAddress": world.address.removesuffix("manual") + "other"})
    world.vaults.tag(first, world.current().tags)
    world.put()
    stored_on = world.clock.now()
    world.clock.advance(HOUR)
    world.faults.before("read_keys", None, error)

    rotation = await world.rotate(world.manual())

    if isinstance(error, NotFound):
        assert rotation.state is State.COMPLETED
    else:
        assert_too_soon(world, rotation, stored_on)


async def test_in_place_with_the_other_key_spares_the_clients_of_that(world: TwinWorld) -> None:
    """
    The tag accepts a gap for the key in use. Somebody names the other one, and nothing says that it may die early.
    """
    world.put("two", key=SECONDARY)
    world.clock.advance(2 * DAY)
    world.put("two", key=PRIMARY)
    moved_on = world.clock.now()
    world.put(tags={"RotationStrategy": "InPlace"})

    assert_too_soon(world, await world.rotate(world.manual(key=SECONDARY)), moved_on)
    assert (await world.rotate(world.manual())).state is State.COMPLETED


async def test_a_disabled_secret_that_left_counts_and_is_not_forgotten(world: TwinWorld) -> None:
    """
    It counts as holding the key for the grace time; enabled again later, it may hold one still.
    """
    world.put("two", key=SECONDARY)
    await world.ledger.bind(world.target.identity, SecretId(VAULT, "two"))
    world.clock.advance(2 * DAY)
    (only,) = world.vaults.history(SecretId(VAULT, "two"))
    world.vaults.tag(only.id, {})
    await world.vaults.disable(only.id, Deadline(world.clock))
    world.unmanage("two")
    seen_on = world.clock.now()

    assert_too_soon(world, await world.rotate(world.manual()), seen_on)
    world.clock.advance(DAY)
    assert (await world.rotate(world.manual())).state is State.COMPLETED
    assert await bound(world) == {"one": None, "two": seen_on}


async def bound(world: TwinWorld) -> dict[str, datetime | None]:
    """
    Return the secrets that the ledger knows of the target, and when they left.
    """
    return {each.secret.name: each.left_on for each in await world.ledger.bound_secrets(world.target.identity)}


async def test_a_person_may_waive_the_grace_time(world: TwinWorld) -> None:
    """
    Somebody knows that all clients read each new version at once.
    """
    await world.rotate()

    rotation = await world.rotate(structs.replace(world.manual(), ignore_grace=True))

    assert rotation.state is State.COMPLETED
    assert world.regenerations() == 2


async def test_force_waives_it_too(world: TwinWorld) -> None:
    """
    It regenerates a key in use: more than that nobody can say.
    """
    await world.rotate()

    assert (await world.rotate(world.manual(force=True))).state is State.COMPLETED
    assert world.regenerations() == 2


async def test_in_place_nothing_is_too_soon(world: TwinWorld) -> None:
    """
    Its clients know of the gap.
    """
    world.put(tags={"RotationStrategy": "InPlace"})
    await world.rotate()

    assert (await world.rotate(world.manual())).state is State.COMPLETED
    assert world.regenerations() == 2


async def test_a_leaked_key_has_no_grace_time(world: TwinWorld) -> None:
    """
    The report moves the secret at once, and the revocation kills the key when it is due.
    """
    await world.rotate()
    report = await accept(world.ports, world.secret, revoke_previous_after=HOUR)

    moved = await world.rotate(await report_leak(world.ports, report))

    assert moved.state is State.COMPLETED
    (revoked,) = await world.resume(after=HOUR)
    assert revoked.state is State.COMPLETED
    assert report.revocation is not None
    assert revoked.id == report.revocation.id
    assert (world.regenerations(), world.outages) == (3, 0)


async def test_adoption_is_never_too_soon_and_its_version_lives_through_the_grace_time(world: TwinWorld) -> None:
    """
    No key dies; the adopted one is near its expiry, but not so near that its own rotation would come too late.
    """
    world.put("two", key=SECONDARY)
    world.vaults.put(
        SecretId(VAULT, "two"),
        world.provider.value(world.target, SECONDARY),
        tags=world.current("two").tags,
        expires_on=world.clock.now() + HOUR,
    )
    world.put("one", key=SECONDARY)
    world.put("one", key=PRIMARY)

    rotation = await world.rotate(world.manual())

    assert (rotation.state, rotation.adopted) == (State.COMPLETED, True)
    assert world.current().expires_on == world.clock.now().replace(microsecond=0) + DAY + EVENT_MARGIN


async def test_drift_is_healed_at_once(world: TwinWorld) -> None:
    """
    The secret holds a dead key, and no other dies.
    """
    await world.rotate()
    for key in KeyName:
        world.provider.turn(world.target, key)

    rotation = await world.rotate(request_of(world, Trigger.SWEEP))

    assert rotation.state is State.COMPLETED
    assert world.holds_live_key()


def of_target(world: TwinWorld, key: KeyName, **options: bool) -> RotationRequest:
    """
    Return a request to regenerate a key for no secret.
    """
    now = world.clock.now()
    request = RotationRequest(new_id(now), Trigger.HTTP, None, now, key, target=world.target.written)
    return structs.replace(request, **options)


async def test_a_key_of_a_target_has_the_same_grace_time(world: TwinWorld) -> None:
    """
    The new value goes nowhere; the old one may be in a cache.
    """
    await world.rotate()
    stored_on = world.current().created_on
    world.clock.advance(HOUR)

    assert_too_soon(world, await world.rotate(of_target(world, PRIMARY)), stored_on)
    assert (await world.rotate(of_target(world, PRIMARY, ignore_grace=True))).state is State.COMPLETED
    assert (await world.rotate(of_target(world, PRIMARY, force=True))).state is State.COMPLETED
    world.clock.advance(DAY)
    assert (await world.rotate(of_target(world, PRIMARY))).state is State.COMPLETED


async def test_a_key_of_a_target_that_was_answered_202_waits(world: TwinWorld) -> None:
    """
    As a secret's rotation does.
    """
    await world.rotate()
    request = await world.promise(of_target(world, PRIMARY))

    assert (await world.rotate(request)).state is State.SCHEDULED
    (ended,) = await world.resume(after=DAY)
    assert (ended.id, ended.state) == (request.id, State.COMPLETED)


async def test_a_dry_run_says_that_it_is_too_soon(world: TwinWorld) -> None:
    """
    Which key, until when and what waits; it writes nothing, not even that a secret has left.
    """
    await world.rotate()
    stored_on = world.current().created_on
    world.clock.advance(HOUR)
    world.put("two", key=PRIMARY)
    await world.ledger.bind(world.target.identity, SecretId(VAULT, "two"))
    world.delete("two")
    before = world.ledger.snapshot()

    for request in (world.manual(), of_target(world, PRIMARY)):
        plan = await rehearse(world.ports, request)

        assert plan.steps is not UNSET
        assert (plan.steps[-1].step, plan.state, plan.error) == ("end", State.PLANNED, None)
        assert "too_soon" in plan.steps[-1].detail
        assert plan.key_name is PRIMARY
        assert allowed_on(plan) == max(stored_on, world.clock.now()) + DAY
    assert world.ledger.snapshot() == before
    waived = await rehearse(world.ports, structs.replace(world.manual(), ignore_grace=True))
    assert waived.allowed_on is UNSET


@pytest.mark.parametrize("waiver", ["ignore_grace", "force"])
async def test_a_dry_run_without_the_grace_time_says_whose_clients_fail(world: TwinWorld, waiver: str) -> None:
    """
    As long as there may be some.
    """
    await world.rotate()
    until = world.current().created_on + DAY
    request = structs.replace(world.manual(), **{waiver: True})

    async def regeneration() -> str:
        plan = await rehearse(world.ports, request)
        assert plan.steps is not UNSET
        (detail,) = [step.detail for step in plan.steps if step.step == "regenerate"]
        return detail

    warned = await regeneration()
    world.clock.advance(DAY)
    later = await regeneration()

    assert later == "regenerate Primary; its present value is dead from then on"
    assert warned == (
        f"{later}. {world.secret.unversioned} held it until a while ago: clients that may go on with it until "
        f"{until:%Y-%m-%d %H:%M:%S} UTC fail"
    )


async def test_a_journal_does_not_waive_the_grace_time(world: TwinWorld) -> None:
    """
    Its attempt died before it regenerated; somebody has moved a neighbour away from that key since.
    """
    world.faults.before("regenerate", Killed())
    await world.die_in(event := world.event())
    world.put("two", key=SECONDARY)
    world.clock.advance(HOUR)
    world.put("two", key=PRIMARY)
    moved_on = world.clock.now()

    (waits,) = await world.resume()

    assert (waits.id, waits.state, allowed_on(waits)) == (event.id, State.SCHEDULED, moved_on + DAY)
    assert (world.ledger.claims(), world.regenerations()) == ([], 0)
    (ended,) = await world.resume(after=DAY)
    assert (ended.state, world.regenerations(), world.outages) == (State.COMPLETED, 1, 0)


@pytest.mark.parametrize("is_promised", [False, True])
@pytest.mark.parametrize("call", ["list_versions", "read_version", "defer", "leave", "unbind"])
@pytest.mark.parametrize("has_effect", [False, True])
@pytest.mark.parametrize("failure", [Killed(), NoAnswer("cut off"), Unavailable("503")])
async def test_a_rotation_that_is_to_wait_survives_everything(
    call: str, failure: BaseException, *, has_effect: bool, is_promised: bool
) -> None:
    """
    Killed or cut off before and after each call: it waits or is tried again, and ends once.
    """
    world = await rotated()
    gone = SecretId(VAULT, "gone")
    if call == "unbind":
        await world.ledger.leave(world.target.identity, gone, world.clock.now() - DAY)
    else:
        await world.ledger.bind(world.target.identity, gone)
    (world.faults.after if has_effect else world.faults.before)(call, failure)
    request = await world.promise() if is_promised else world.event()

    with suppress(Killed, DependencyError):
        await world.rotate(request)
    for _ in range(3):
        with suppress(Busy):
            # The queue hands its message out again where the worker died or raised.
            await world.rotate(request)
        await world.resume(after=QUEUED_FOR)
    waiting = world.ledger.waiting()
    assert [row.record.state for row in waiting] == [State.SCHEDULED]
    await world.resume(after=DAY)
    await world.resume(after=DAY)

    assert (world.regenerations(), world.outages) == (2, 0)
    assert (world.ledger.claims(), world.ledger.waiting(), world.ledger.outcomes()) == ([], [], [])
    assert world.ledger.records()[request.id].state is State.COMPLETED
    assert len({event.id for event in world.announcer.published}) == 2


async def test_a_rotation_that_has_ended_does_not_begin_to_wait(world: TwinWorld) -> None:
    """
    A duplicate that comes late finds its outcome.
    """
    await world.rotate(event := world.event())
    world.put("one", key=SECONDARY, tags={"RotationId": "of another one"})
    world.clock.advance(HOUR)
    moved = structs.replace(event, secret=world.current().id)

    again = await world.rotate(moved)

    assert (again.id, again.state) == (event.id, State.COMPLETED)
    assert world.ledger.waiting() == []


async def test_an_accepted_rotation_that_was_ended_meanwhile_does_not_wait() -> None:
    """
    Its row went with the outcome: it is not written again.
    """
    world = await rotated()
    request = await world.promise()

    async def take_away() -> None:
        await world.ledger.forget_waiting(request.id)

    world.faults.before("defer", take_away)

    await world.rotate(request)

    assert world.ledger.waiting() == []
    assert [row.request.id for row in world.ledger.claims()] == [request.id]
