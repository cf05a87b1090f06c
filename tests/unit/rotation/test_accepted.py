import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from rotation.run.resumption import list_unfinished
from rotation.vocabulary.errors import Busy, Declined, NoAnswer, Unavailable
from rotation.vocabulary.limits import CLAIM_TTL, QUEUED_FOR
from rotation.vocabulary.record import Journal, OpenRotation, Rotation, State
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.target import KeyName
from tests.twins.calls import ROTATION
from tests.twins.targets import accepted_record
from tests.twins.world import TARGETS, Killed, TwinWorld

SOON = timedelta(minutes=1)


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target.
    """
    return TwinWorld(request.param)


async def finish(world: TwinWorld) -> None:
    """
    Let the timer and the queue do their work until nothing is left.
    """
    for _ in range(3):
        await world.resume(after=QUEUED_FOR)


def assert_rotated_once(world: TwinWorld, rotation_id: str) -> None:
    """
    Hold the outcome against the promises.
    """
    assert world.regenerations() == 1
    assert world.outages == 0
    assert world.holds_live_key()
    assert world.current().tags["RotationId"] == rotation_id
    assert {event.id for event in world.announcer.published} == {f"{rotation_id}:completed"}
    assert world.ledger.waiting() == []


async def hold(world: TwinWorld, name: str = "two") -> tuple[RotationRequest, str]:
    """
    Let another rotation hold the target; return its request and the tag by which its row is given back.
    """
    world.put(name, key=KeyName.PRIMARY)
    other = world.manual(name)
    now = world.clock.now()
    row = OpenRotation(other, accepted_record(other, now), "another worker's claim", now + CLAIM_TTL)
    return other, (await world.ledger.claim(world.target.identity, row)).etag


async def test_it_is_found_from_the_moment_it_is_accepted(world: TwinWorld) -> None:
    """
    Accepted, then Regenerating, then ended; in the end nothing waits.
    """
    request = await world.promise()
    seen: list[Rotation | None] = [await world.ledger.find(request.id)]

    async def look() -> None:
        seen.append(await world.ledger.find(request.id))

    world.clock.advance(SOON)
    world.faults.before("regenerate", look)
    rotation = await world.rotate(request)
    seen.append(await world.ledger.find(request.id))

    assert [record and record.state for record in seen] == [State.ACCEPTED, State.REGENERATING, State.COMPLETED]
    assert seen[-1] == rotation
    assert_rotated_once(world, request.id)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", [*sorted(set(ROTATION)), "forget_waiting"])
async def test_killed_anywhere_with_its_message_lost_it_comes_to_its_end(
    world: TwinWorld, call: str, when: str
) -> None:
    """
    Nobody asks again: what the ledger holds is enough, and brings about one regeneration and one version.
    """
    request = await world.promise()
    getattr(world.faults, when)(call, Killed())

    await world.die_in(request)
    assert world.holds_live_key()
    await finish(world)

    assert_rotated_once(world, request.id)
    assert await world.resume(after=QUEUED_FOR) == []


async def test_a_lost_message_is_put_into_the_queue_again_after_a_quarter_of_an_hour(world: TwinWorld) -> None:
    """
    Not before: it may be on its way.
    """
    request = await world.promise()

    world.clock.advance(QUEUED_FOR - timedelta(seconds=1))
    assert await list_unfinished(world.ports) == []
    world.clock.advance(timedelta(seconds=1))
    assert await list_unfinished(world.ports) == [request]
    assert await list_unfinished(world.ports) == []
    world.clock.advance(QUEUED_FOR)
    assert await list_unfinished(world.ports) == [request]

    assert (await world.rotate(request)).state is State.COMPLETED
    assert await world.resume(after=QUEUED_FOR) == []


async def test_a_row_that_goes_while_it_is_postponed_stays_away(world: TwinWorld) -> None:
    """
    A worker ends the rotation between the timer's look and its write: the write brings nothing back.
    """
    request = await world.promise()
    world.clock.advance(QUEUED_FOR)

    async def end() -> None:
        await world.worker().rotate(request)

    world.faults.before("postpone", end)
    (again,) = await list_unfinished(world.ports)

    assert world.ledger.waiting() == []
    assert (await world.rotate(again)).state is State.COMPLETED
    assert_rotated_once(world, request.id)


@pytest.mark.parametrize("call", ["regenerate", "store"])
@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_lost_answer_never_regenerates_twice(world: TwinWorld, call: str, effect: str) -> None:
    """
    The timer brings it back by its claim and by its row, both; one rotation comes of it.
    """
    request = await world.promise()
    getattr(world.faults, effect)(call, NoAnswer("dropped"))

    await world.rotate(request)
    await finish(world)

    assert_rotated_once(world, request.id)


async def test_a_taken_target_ends_it_skipped(world: TwinWorld) -> None:
    """
    Anyone who was given a 202 finds out that nothing was done, and the other rotation goes on undisturbed.
    """
    world.put("two")
    request = await world.promise()
    ended: list[Rotation] = []

    async def deliver() -> None:
        ended.append(await world.worker().rotate(request))

    world.faults.before("regenerate", deliver)
    other = await world.rotate(world.manual("two"))

    (rotation,) = ended
    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "busy")
    assert await world.ledger.find(request.id) == rotation
    assert other.state is State.COMPLETED
    assert {event.data.id for event in world.announcer.published} == {other.id}
    assert world.ledger.waiting() == []
    assert (await world.rotate(request)) == rotation
    assert world.regenerations() == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["claim", "read_standing", "end_waiting", "publish", "forget_waiting"])
async def test_killed_while_it_finds_its_target_taken_it_comes_to_an_end(
    world: TwinWorld, call: str, when: str
) -> None:
    """
    Skipped, or completed once the target is free: whatever the record says is what was done.
    """
    _, tag = await hold(world)
    request = await world.promise()
    getattr(world.faults, when)(call, Killed())

    await world.die_in(request)
    await world.ledger.release(world.target.identity, tag)
    await finish(world)

    record = await world.ledger.find(request.id)
    assert record is not None
    is_rotated = world.current().tags.get("RotationId") == request.id
    assert record.state is (State.COMPLETED if is_rotated else State.SKIPPED)
    assert world.regenerations() == is_rotated
    assert world.ledger.waiting() == []


async def test_its_own_duplicate_is_no_reason_to_skip_it(world: TwinWorld) -> None:
    """
    A second delivery while nothing is journaled yet is tried again later, and later finds how it ended.
    """
    request = await world.promise()

    async def deliver_again() -> None:
        with pytest.raises(Busy) as busy:
            await world.worker().rotate(request)
        assert busy.value.running == request.id

    world.faults.before("read_keys", deliver_again)
    rotation = await world.rotate(request)

    assert await world.rotate(request) == rotation
    assert_rotated_once(world, request.id)


async def test_what_has_ended_is_not_skipped_for_a_target_that_is_taken_since(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Delivered once more, it is what it was all the time, for callers and in the log.
    """
    caplog.set_level(logging.INFO)
    request = await world.promise()
    rotation = await world.rotate(request)
    await hold(world)

    assert await world.rotate(request) == rotation

    assert await world.ledger.find(request.id) == rotation
    ends = [line for line in caplog.records if vars(line).get("step") == "ended"]
    assert [vars(line)["rotation"] for line in ends] == [request.id]
    assert world.ledger.outcomes() == []


async def test_beginning_is_the_end_of_waiting(world: TwinWorld) -> None:
    """
    In one step with the journal: from then on its claim brings it back, and nothing can skip it.
    """
    request = await world.promise()
    seen: list[int] = []

    async def look() -> None:
        seen.append(len(world.ledger.waiting()))

    world.faults.before("begin", look)
    world.faults.before("regenerate", look)
    await world.rotate(request)

    assert seen == [1, 0]


async def test_what_adopts_a_key_begins_too(world: TwinWorld) -> None:
    """
    It journals nothing, and stores: before that, waiting ends.
    """
    world.put("two", key=KeyName.SECONDARY)
    request = await world.promise()
    seen: list[int] = []

    async def look() -> None:
        seen.append(len(world.ledger.waiting()))

    world.faults.before("store", look)
    rotation = await world.rotate(request)

    assert (rotation.state, rotation.adopted) == (State.COMPLETED, True)
    assert seen == [0]
    assert world.regenerations() == 0


@pytest.mark.parametrize("holds", [KeyName.PRIMARY, KeyName.SECONDARY])
async def test_what_was_skipped_elsewhere_does_not_begin(world: TwinWorld, holds: KeyName) -> None:
    """
    One delivery has claimed and looked when the other one ends it Skipped(busy): nothing is regenerated or stored.
    """
    world.put("two", key=holds)
    request = await world.promise()
    versions = len(world.vaults.history(world.secret))
    _, tag = await hold(world, "three")
    reached, gate = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await gate.wait()

    world.faults.before("end_waiting", wait)
    delayed = asyncio.create_task(world.worker().rotate(request))
    async with asyncio.timeout(5):
        await reached.wait()
    await world.ledger.release(world.target.identity, tag)

    async def skip() -> None:
        gate.set()
        await delayed

    world.faults.before("list_managed", skip)
    rotation = await world.rotate(request)

    assert rotation == (await world.rotate(request)) == delayed.result()
    assert (delayed.result().state, delayed.result().skip_reason) == (State.SKIPPED, "busy")
    assert world.regenerations() == 0
    assert len(world.vaults.history(world.secret)) == versions
    assert world.ledger.claims() == []
    assert await world.resume(after=QUEUED_FOR) == []


async def test_a_duplicate_that_rotated_first_is_what_is_told(world: TwinWorld) -> None:
    """
    One delivery finds the target taken, the other one finds it free and is done before the first one writes that down.
    """
    request = await world.promise()
    _, tag = await hold(world)
    reached, gate = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await gate.wait()

    world.faults.before("end_waiting", wait)
    delayed = asyncio.create_task(world.worker().rotate(request))
    async with asyncio.timeout(5):
        await reached.wait()
    await world.ledger.release(world.target.identity, tag)
    rotation = await world.rotate(request)
    gate.set()

    assert rotation.state is State.COMPLETED
    assert await delayed == rotation
    assert await world.ledger.find(request.id) == rotation
    assert world.ledger.outcomes() == []
    assert_rotated_once(world, request.id)


async def test_a_suspended_one_whose_target_moved_to_a_taken_one_is_not_skipped() -> None:
    """
    Its journal stands on the first target: only under that claim does it end.
    """
    world = TwinWorld("batch")
    request = await world.promise()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    moved = TARGETS["workflow"]
    world.provider.add(moved)
    world.current().tags["ProviderAddress"] = moved.arm_id
    now = world.clock.now()
    other = world.manual()
    journal = Journal(KeyName.PRIMARY, "f" * 64, None, now, moved.address)
    await world.ledger.claim(
        moved.identity, OpenRotation(other, accepted_record(other, now), "claim", now + timedelta(days=1), journal)
    )

    with pytest.raises(Busy):
        await world.worker().rotate(request)

    (rotation, *_) = await world.resume()
    assert rotation.id == request.id
    assert rotation.error is not None
    assert rotation.error.code == "misconfigured"
    assert world.regenerations() == 1


async def test_its_retries_used_up_it_fails_visibly(world: TwinWorld) -> None:
    """
    Failed is told, and nothing waits any more.
    """
    request = await world.promise()

    rotation = await world.rotator.give_up(request)

    assert rotation.error is not None
    assert rotation.error.code == "exhausted"
    assert [event.id for event in world.announcer.published] == [f"{request.id}:failed"]
    assert world.ledger.waiting() == []
    assert await world.resume(after=QUEUED_FOR) == []


async def test_it_fails_visibly_though_its_vault_cannot_be_read(world: TwinWorld) -> None:
    """
    Also then nothing waits any more.
    """
    request = await world.promise()
    world.faults.before("read_current", Unavailable("503"))

    rotation = await world.rotator.give_up(request)

    assert rotation.state is State.FAILED
    assert world.ledger.waiting() == []


async def test_a_vault_that_was_taken_away_fails_it_visibly(world: TwinWorld) -> None:
    """
    A 202 was given: it does not wait for ever, and nothing is read in a vault that is not ours.
    """
    request = await world.promise()
    world.vaults.forget_vaults()

    (rotation,) = await world.resume(after=QUEUED_FOR)

    assert rotation.error is not None
    assert rotation.error.code == "forbidden"
    assert "ROTATION_VAULTS" in rotation.error.message
    assert [event.id for event in world.announcer.published] == [f"{request.id}:failed"]
    assert world.faults.count("read_current") == 0
    assert world.ledger.waiting() == []


@pytest.mark.parametrize(
    ("tags", "state"),
    [({"RotationPaused": "true"}, State.SKIPPED), ({"ValidityPeriodDays": "7"}, State.FAILED), ({}, State.COMPLETED)],
)
async def test_however_it_ends_nothing_waits_any_more(world: TwinWorld, tags: dict[str, str], state: State) -> None:
    """
    Skipped without a claim, failed under it, or completed.
    """
    world.put(tags=tags)
    request = await world.promise()

    rotation = await world.rotate(request)

    assert rotation.state is state
    assert world.ledger.waiting() == []


async def test_a_row_that_cannot_be_forgotten_does_not_undo_the_end(world: TwinWorld) -> None:
    """
    It comes back, is found to have ended, and is forgotten then.
    """
    world.put(tags={"RotationPaused": "true"})
    request = await world.promise()
    world.faults.before("forget_waiting", Unavailable("503"))
    rotation = await world.rotate(request)
    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "paused")
    assert len(world.ledger.waiting()) == 1

    assert await world.resume(after=QUEUED_FOR) == [rotation]

    assert world.ledger.waiting() == []


async def test_a_refusal_ends_it_and_its_row(world: TwinWorld) -> None:
    """
    A clear no is an outcome.
    """
    request = await world.promise()
    world.faults.before("regenerate", Declined("403 AuthorizationFailed"))

    assert (await world.rotate(request)).state is State.FAILED
    assert world.ledger.waiting() == []


@pytest.mark.parametrize("call", ["read_current", "claim", "read_keys"])
async def test_a_passing_fault_leaves_it_waiting(world: TwinWorld, call: str) -> None:
    """
    The queue tries again, and the row stands for a queue that does not.
    """
    request = await world.promise()
    world.faults.before(call, Unavailable("503"))

    with pytest.raises(Unavailable):
        await world.rotate(request)

    assert [row.request for row in world.ledger.waiting()] == [request]
    assert await world.ledger.find_claimed(request.id) is None
    await finish(world)
    assert_rotated_once(world, request.id)


async def test_its_message_survives_the_queue(world: TwinWorld) -> None:
    """
    That it waits is part of it, or its row would never be forgotten.
    """
    request = await world.promise(world.manual(key=KeyName.SECONDARY, reason="quarterly"))

    message = msgspec.json.decode(msgspec.json.encode(request), type=RotationRequest)

    assert message == request
    assert (await world.rotate(message)).reason == "quarterly"
    assert world.ledger.waiting() == []


@pytest.mark.parametrize("call", ["begin", "store"])
@pytest.mark.parametrize("adopts", [False, True])
async def test_what_has_begun_is_never_lost(world: TwinWorld, call: str, *, adopts: bool) -> None:
    """
    Its row by which it waited is gone with the journal: whatever fails beside that, it is found, and comes to its end.
    """
    if adopts:
        world.put("two", key=KeyName.SECONDARY)
    request = await world.promise()
    world.faults.before(call, Unavailable("503"))

    with suppress(Unavailable):
        await world.rotate(request)
    assert await world.ledger.find(request.id) is not None
    for _ in range(3):
        await world.resume(after=QUEUED_FOR)

    record = await world.ledger.find(request.id)
    assert record is not None
    assert record.state is State.COMPLETED
    assert world.holds_live_key()
