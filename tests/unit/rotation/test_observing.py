"""
The mode `observe`: everything is looked at, and nothing is regenerated, stored or tagged.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product

import pytest
from msgspec import UNSET, structs

from rotation.overview.sweep import sweep
from rotation.run.acceptance import accept, accept_target
from rotation.run.observation import Observation
from rotation.run.rehearsal import rehearse
from rotation.run.resumption import list_unfinished
from rotation.vocabulary.endings import SkipReason
from rotation.vocabulary.errors import Busy, Declined, DependencyError, NoAnswer, Unavailable
from rotation.vocabulary.limits import CLAIM_TTL, QUEUED_FOR
from rotation.vocabulary.record import OpenRotation, Rotation, State
from rotation.vocabulary.request import RotationRequest, Trigger, request_for_sweep
from rotation.vocabulary.target import KeyName
from tests.twins.targets import accepted_record, batch_account
from tests.twins.world import SUBSCRIPTION, TARGETS, Killed, TwinWorld

PRIMARY, SECONDARY = KeyName
DAY, HOUR = timedelta(hours=24), timedelta(hours=1)

# Of the calls to the ports, those that change something outside the ledger.
CHANGES = {"regenerate", "store", "write_tags", "disable"}


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, whose app observes.
    """
    return observing(TwinWorld(request.param))


def observing(world: TwinWorld, *, observes: bool = True) -> TwinWorld:
    """
    Return the world with an app that observes, or, again, with one that rotates.
    """
    world.observes = observes
    world.rotator = world.worker()
    return world


def changes(world: TwinWorld) -> list[str]:
    """
    Return what was changed, or was to be, outside the ledger.
    """
    return [call for call in world.faults.calls if call in CHANGES]


def steps(rotation: Rotation) -> list[str]:
    """
    Return the names of the steps.
    """
    return [] if rotation.steps is UNSET else [step.step for step in rotation.steps]


def ends(rotation: Rotation) -> str:
    """
    Return how the rotation would have ended.
    """
    assert rotation.steps is not UNSET
    (detail,) = [step.detail for step in rotation.steps if step.step == "end"]
    return detail


def assert_observed(world: TwinWorld, rotation: Rotation) -> None:
    """
    Hold that a rotation has ended where it would have changed something, and left nothing behind but its record.
    """
    assert (rotation.state, rotation.skip_reason, rotation.error) == (State.SKIPPED, SkipReason.OBSERVING, None)
    assert rotation.completed_on is not None
    assert rotation.revocation is UNSET
    assert "end" in steps(rotation)
    assert (world.ledger.claims(), world.ledger.outcomes(), world.ledger.waiting()) == ([], [], [])
    assert world.ledger.records()[rotation.id] == rotation
    assert world.announcer.published == []


async def promised(world: TwinWorld) -> RotationRequest:
    """
    Return what was answered with 202.
    """
    return await world.promise()


async def of_a_target(world: TwinWorld) -> RotationRequest:
    """
    Return a request to regenerate a key that no secret holds.
    """
    return accept_target(world.ports, world.target, SECONDARY)


async def of_a_key_in_use(world: TwinWorld) -> RotationRequest:
    """
    Return one for the key that the secret holds, with force.
    """
    return accept_target(world.ports, world.target, PRIMARY, force=True)


async def near_expiry(world: TwinWorld) -> RotationRequest:
    """
    Return the request of an event.
    """
    return world.event()


async def expired_without_version(world: TwinWorld) -> RotationRequest:
    """
    Return the request of an event that names no version.
    """
    event = world.event(trigger=Trigger.SECRET_EXPIRED)
    return structs.replace(event, secret=world.secret)


async def swept(world: TwinWorld) -> RotationRequest:
    """
    Return the one request of a sweep.
    """
    found: list[RotationRequest] = []
    await sweep(world.ports, world.lead, found.append, within=HOUR)
    (request,) = found
    return request


async def asked(world: TwinWorld) -> RotationRequest:
    """
    Return the request of a caller who waits for the answer.
    """
    return await accept(world.ports, world.secret, reason="quarterly")


async def forced(world: TwinWorld) -> RotationRequest:
    """
    Return one for the key in use.
    """
    return await accept(world.ports, world.secret, key=PRIMARY, force=True)


async def leaked(world: TwinWorld) -> RotationRequest:
    """
    Return the report of a leaked key.
    """
    return await world.report_only()


EVERY_WAY = [near_expiry, expired_without_version, swept, asked, promised, forced, leaked, of_a_target, of_a_key_in_use]


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_nothing_is_changed_whatever_asks_for_it(
    world: TwinWorld, way: Callable[[TwinWorld], Awaitable[RotationRequest]]
) -> None:
    """
    Each ends with the steps that a dry run tells, is found by its id, and is the same rotation when it comes again.
    """
    request = await way(world)
    plan = await rehearse(world.ports, request)

    rotation = await world.rotate(request)

    assert_observed(world, rotation)
    assert rotation.steps == plan.steps
    assert (rotation.key_name, rotation.previous_key_name) == (plan.key_name, plan.previous_key_name)
    assert (rotation.target, rotation.trigger, rotation.reason) == (plan.target, request.trigger, request.reason)
    assert await world.rotate(request) == await world.ledger.find(request.id) == rotation
    assert changes(world) == []
    assert (world.regenerations(), len(world.vaults.history(world.secret))) == (0, 1)


@pytest.mark.parametrize("kind", TARGETS)
async def test_what_would_change_nothing_ends_as_it_always_does(kind: str) -> None:
    """
    For every mixture of tags, values, neighbours and wishes. Only what would be Completed is observed, with its keys.
    """
    tags = [
        {},
        {"RotationStrategy": "InPlace"},
        {"ValidityPeriodDays": "7"},
        {"RotationPaused": "true"},
        {"CredentialId": "x"},
    ]
    ended = set()
    for tag, held, key, force, neighbour in product(
        tags, ["primary", "neither", "disabled"], [None, *KeyName], [False, True], [None, *KeyName]
    ):
        world = TwinWorld(kind)
        value = "https://drifted.example/?sig=x" if held == "neither" else None
        world.put(tags=tag, value=value, enabled=held != "disabled")
        if neighbour:
            world.put("two", key=neighbour)

        observed = await observing(world).rotate(world.manual(key=key, force=force))
        assert changes(world) == []
        rotation = await observing(world, observes=False).rotate(world.manual(key=key, force=force))

        mixture = (tag, held, key, force, neighbour)
        if rotation.state is State.COMPLETED:
            assert observed.skip_reason is SkipReason.OBSERVING, mixture
            keys = [(each.key_name, each.previous_key_name, each.adopted) for each in (observed, rotation)]
            assert keys[0] == keys[1], mixture
        else:
            assert observed.steps is UNSET, mixture
            assert (observed.state, observed.skip_reason) == (rotation.state, rotation.skip_reason), mixture
            assert observed.error == rotation.error, mixture
        ended.add((rotation.state, rotation.error.code if rotation.error else rotation.skip_reason))
    assert ended >= {(State.COMPLETED, None), (State.SKIPPED, "paused"), (State.SKIPPED, "disabled")}
    assert ended >= {(State.FAILED, code) for code in ("misconfigured", "drift", "active_key")}


async def test_drift_still_fails_and_is_told(world: TwinWorld) -> None:
    """
    Its clients may be failing now, whether the app may change something or not.
    """
    world.put(value="https://drifted.example/?sig=x")

    rotation = await world.rotate()

    assert rotation.error is not None
    assert (rotation.state, rotation.error.code) == (State.FAILED, "drift")
    assert [event.id for event in world.announcer.published] == [f"{rotation.id}:failed"]
    assert rotation.steps is UNSET


@pytest.mark.parametrize("kind", TARGETS)
async def test_drift_that_a_sweep_would_heal_is_not_healed(kind: str) -> None:
    """
    The app itself has stored the version: a live value would be stored, and that is a step.
    """
    world = TwinWorld(kind)
    await world.rotate()
    world.provider.turn(world.target, SECONDARY)
    before = changes(world)
    observing(world)

    rotation = await world.rotate(request_for_sweep(world.current().id, world.clock.now(), observes=True))

    assert (rotation.skip_reason, rotation.key_name) == (SkipReason.OBSERVING, SECONDARY)
    assert "store" in steps(rotation)
    assert "regenerate" not in steps(rotation)
    assert changes(world) == before
    assert not world.holds_live_key()


async def test_a_sweep_finds_the_same_secret_every_day_and_rotates_it_once_the_app_may(world: TwinWorld) -> None:
    """
    Once a day as long as the app observes; the next sweep after that rotates, on the same day too.
    """
    request = await swept(world)
    first = await world.rotate(request)
    again = await world.rotate(await swept(world))
    world.clock.advance(DAY)
    second = await world.rotate(await swept(world))
    assert first == again
    assert first.id != second.id
    assert [rotation.skip_reason for rotation in (first, second)] == [SkipReason.OBSERVING] * 2

    observing(world, observes=False)
    third = await world.rotate(await swept(world))

    assert (third.state, third.trigger) == (State.COMPLETED, Trigger.SWEEP)
    assert third.id == request_for_sweep(request.secret or world.secret, world.clock.now()).id
    assert world.regenerations() == 1
    assert world.holds_live_key()


async def too_soon(kind: str) -> TwinWorld:
    """
    Return a world whose secret was rotated an hour ago, and whose app observes since.
    """
    world = TwinWorld(kind)
    world.grace = DAY
    await observing(world, observes=False).rotate()
    world.clock.advance(HOUR)
    world.announcer.published.clear()
    world.faults.calls.clear()
    return observing(world)


@pytest.mark.parametrize("kind", TARGETS)
async def test_what_would_wait_for_its_time_does_not(kind: str) -> None:
    """
    An event, a sweep and what was answered 202 end with the time until which they would wait: nothing piles up.
    """
    world = await too_soon(kind)
    until = world.clock.now() - HOUR + DAY
    for request in (world.event(), request_for_sweep(world.current().id, world.clock.now()), world.manual()):
        rotation = await world.rotate(await world.promise(request) if request.trigger is Trigger.HTTP else request)

        assert_observed(world, rotation)
        assert rotation.allowed_on == until
        assert ends(rotation).startswith("Scheduled. ")
        assert f"{until:%Y-%m-%d %H:%M:%S} UTC" in ends(rotation)
        assert "regenerate" not in steps(rotation)
    assert changes(world) == []


@pytest.mark.parametrize("kind", TARGETS)
async def test_a_caller_for_whom_it_is_too_soon_hears_that(kind: str) -> None:
    """
    It would change nothing: the record names the key and the time, as it always does.
    """
    world = await too_soon(kind)

    rotation = await world.rotate(world.manual())
    ignored = await world.rotate(structs.replace(world.manual(), ignore_grace=True))

    assert (rotation.state, rotation.skip_reason, rotation.steps) == (State.SKIPPED, SkipReason.TOO_SOON, UNSET)
    assert (rotation.key_name, rotation.allowed_on) == (PRIMARY, world.clock.now() - HOUR + DAY)
    assert ignored.skip_reason is SkipReason.OBSERVING
    assert "clients that may go on with it" in str(ignored.steps)


@pytest.mark.parametrize("kind", TARGETS)
async def test_what_has_waited_since_before_ends_when_its_time_comes(kind: str) -> None:
    """
    It is not lost: the next sweep finds its secret again.
    """
    world = await too_soon(kind)
    event = world.event()
    assert (await observing(world, observes=False).rotate(event)).state is State.SCHEDULED
    observing(world)
    assert (await world.rotator.give_up(event)).state is State.SCHEDULED

    (rotation,) = await world.resume(after=DAY)

    assert rotation.id == event.id
    assert_observed(world, rotation)
    assert changes(world) == []


async def killed_in(world: TwinWorld, when: str, call: str, request: RotationRequest | None = None) -> RotationRequest:
    """
    Let an app that rotates die in a rotation, and return its request; from then on the app observes.
    """
    asked = request or world.event()
    getattr(world.faults, when)(call, Killed())
    await observing(world, observes=False).die_in(asked)
    world.faults.calls.clear()
    observing(world)
    return asked


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["bind", "regenerate", "store", "end"])
async def test_a_rotation_that_has_journaled_is_finished(world: TwinWorld, call: str, when: str) -> None:
    """
    Killed anywhere after its journal: its key is regenerated once, and the new one is stored.
    """
    request = await killed_in(world, when, call)
    await world.resume()
    await world.resume()

    rotation = await world.ledger.find(request.id)
    assert rotation is not None
    assert rotation.state is State.COMPLETED
    assert (world.regenerations(), world.outages, world.holds_live_key()) == (1, 0, True)
    assert world.current().tags["RotationId"] == request.id
    assert {event.id for event in world.announcer.published} == {f"{request.id}:completed"}


async def test_a_rotation_in_place_that_has_journaled_is_finished(world: TwinWorld) -> None:
    """
    Its clients have a dead key: nothing but the new one helps them.
    """
    world.put(tags={"RotationStrategy": "InPlace"})
    await killed_in(world, "after", "regenerate")
    assert not world.holds_live_key()

    (rotation,) = await world.resume()

    assert rotation.state is State.COMPLETED
    assert world.holds_live_key()


@pytest.mark.parametrize(
    ("when", "call"),
    [
        ("before", "claim"),
        ("after", "claim"),
        ("before", "read_keys"),
        ("before", "begin"),
        ("after", "begin"),
    ],
)
async def test_a_rotation_that_has_not_is_observed(world: TwinWorld, call: str, when: str) -> None:
    """
    The claim that it has left is taken over, and given back; only with the journal there it is finished.
    """
    request = await killed_in(world, when, call)
    has_journaled = any(row.journal for row in world.ledger.claims())

    await world.resume()
    rotation = await world.rotate(request)

    if has_journaled:
        assert (rotation.state, world.regenerations()) == (State.COMPLETED, 1)
    else:
        assert_observed(world, rotation)
        assert changes(world) == []


async def test_a_version_that_is_not_current_any_more_is_superseded(world: TwinWorld) -> None:
    """
    There is nothing to do, and there are no steps.
    """
    request = world.event()
    world.put()

    rotation = await world.rotate(request)

    assert (rotation.skip_reason, rotation.steps) == (SkipReason.SUPERSEDED, UNSET)


@pytest.mark.parametrize("is_promised", [False, True])
async def test_an_adoption_whose_version_is_stored_is_finished(world: TwinWorld, is_promised: bool) -> None:
    """
    It needs no journal: the version says that it has begun, and a pause that somebody set meanwhile is not lost.
    """
    world.put("two", key=SECONDARY)
    before = world.current()
    request = await killed_in(world, "after", "store", await world.promise() if is_promised else world.event())
    world.vaults.tag(before.id, {**before.tags, "RotationPaused": "true"})

    (rotation,) = await world.resume()

    assert world.current().tags["RotationPaused"] == "true"
    assert (rotation.id, rotation.state, rotation.adopted) == (request.id, State.COMPLETED, True)
    assert world.regenerations() == 0
    assert world.ledger.waiting() == []


async def test_an_adopted_key_in_trial_is_finished() -> None:
    """
    It is asked for already, and its row kept.
    """
    world = TwinWorld("batch")
    world.put("two", key=SECONDARY)
    request = await killed_in(world, "before", "ask")
    assert [row.trial is not None for row in world.ledger.claims()] == [True]

    (rotation,) = await world.resume()

    assert (rotation.id, rotation.state) == (request.id, State.COMPLETED)


async def test_a_taken_target_is_busy_as_ever(world: TwinWorld) -> None:
    """
    What came from an event tries again, and what was promised an outcome gets one.
    """
    now = world.clock.now()
    other = world.manual("one")
    row = OpenRotation(other, accepted_record(other, now), "another worker's claim", now + CLAIM_TTL)
    etag = (await world.ledger.claim(world.target.identity, row)).etag
    request = await world.promise()

    with pytest.raises(Busy):
        await world.rotate()
    accepted = await world.rotate(request)
    await world.ledger.release(world.target.identity, etag)

    assert accepted.skip_reason is SkipReason.BUSY
    assert_observed(world, await world.rotate())


@pytest.mark.parametrize("call", ["read_keys", "bound_secrets", "list_managed"])
@pytest.mark.parametrize("error", [Unavailable("503"), NoAnswer("dropped")])
async def test_what_cannot_be_found_out_is_tried_again(world: TwinWorld, call: str, error: DependencyError) -> None:
    """
    No trace is left, and the trigger's next try ends it.
    """
    request = world.event()
    world.faults.before(call, error)

    with pytest.raises(type(error)):
        await world.rotate(request)
    assert world.ledger.claims() == []
    assert await world.ledger.find(request.id) is None

    assert_observed(world, await world.rotate(request))


async def test_a_message_that_has_used_up_its_retries_fails(world: TwinWorld) -> None:
    """
    As it would if the app rotated: who observes has to know.
    """
    first, second = world.event(), world.event(trigger=Trigger.SECRET_EXPIRED)

    given_up = await world.rotator.give_up(first)
    world.faults.before("read_current", Declined("403 Forbidden"))
    unread = await world.rotator.give_up(second)

    assert given_up.error is not None
    assert given_up.error.code == "exhausted"
    assert unread.error is not None
    assert unread.error.code == "vault_refused"
    assert world.ledger.claims() == []
    assert changes(world) == []


async def test_a_secret_that_moves_to_another_target_meanwhile_is_observed_there(world: TwinWorld) -> None:
    """
    The first claim is given back.
    """
    elsewhere = batch_account(SUBSCRIPTION, "rg", "account9")
    world.provider.add(elsewhere)

    async def retag() -> None:
        world.vaults.tag(world.current().id, {"ProviderAddress": elsewhere.arm_id})

    request = world.event()
    world.faults.before("read_current", None, None, retag)
    rotation = await world.rotate(request)

    assert rotation.target == elsewhere.arm_id
    assert world.ledger.claims() == []
    assert changes(world) == []


async def revocation(world: TwinWorld) -> RotationRequest:
    """
    Let an app that rotates move a secret after a leak; return the revocation's message when it is due.
    """
    observing(world, observes=False)
    assert (await world.report())[0].state is State.COMPLETED
    world.clock.advance(HOUR)
    (due,) = await list_unfinished(world.ports)
    world.faults.calls.clear()
    observing(world)
    return due


async def test_a_report_of_a_leaked_key_schedules_nothing(world: TwinWorld) -> None:
    """
    The steps say that a revocation would follow, and which secrets would be moved.
    """
    world.put("two")
    rotation, moves = await world.report()

    assert_observed(world, rotation)
    assert {"schedule", "move"} <= set(steps(rotation))
    assert moves == []
    assert world.ledger.leaks() == []
    assert changes(world) == []


async def test_a_report_about_a_secret_that_is_paused_meanwhile_is_skipped(world: TwinWorld) -> None:
    """
    Nothing would be revoked later.
    """

    async def pause() -> None:
        world.vaults.tag(world.current().id, {**world.current().tags, "RotationPaused": "true"})

    request = await leaked(world)
    world.faults.before("read_current", None, pause)
    rotation = await world.rotate(request)

    assert (rotation.skip_reason, rotation.steps) == (SkipReason.PAUSED, UNSET)


@pytest.mark.parametrize("tags", [{}, {"RotationPaused": "true"}, {"ProviderAddress": ""}])
async def test_a_revocation_stays_scheduled(world: TwinWorld, tags: dict[str, str]) -> None:
    """
    However often it is due, and however its secret stands; its time comes when the app rotates.
    """
    due = await revocation(world)
    current = world.current()
    if tags:
        world.vaults.tag(current.id, tags)
    waiting = [row.record for row in world.ledger.waiting()]

    records = [await world.rotate(due), *await world.resume(after=QUEUED_FOR), await world.rotator.give_up(due)]

    assert [(record.id, record.state) for record in records] == [(due.id, State.SCHEDULED)] * 3
    assert [row.record for row in world.ledger.waiting()] == waiting == [records[0]]
    assert world.ledger.claims() == []
    assert changes(world) == []

    world.vaults.tag(current.id, current.tags)
    observing(world, observes=False)
    rotation = await world.rotate(due)
    assert (rotation.state, rotation.key_name) == (State.COMPLETED, PRIMARY)
    assert world.ledger.waiting() == []


@pytest.mark.parametrize("call", ["claim", "read_keys", "begin"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_revocation_that_has_journaled_is_finished(world: TwinWorld, call: str, when: str) -> None:
    """
    Before that the claim of its dead worker is given back, so that nobody waits for it.
    """
    due = await killed_in(world, when, call, await revocation(world))
    has_journaled = any(row.journal for row in world.ledger.claims())

    await world.resume()

    found = await world.ledger.find(due.id)
    assert found is not None
    assert found.state is (State.COMPLETED if has_journaled else State.SCHEDULED)
    assert world.ledger.claims() == []
    assert len(world.ledger.waiting()) == (not has_journaled)
    assert ("regenerate" in changes(world)) == has_journaled


async def test_the_claim_of_a_worker_that_lives_is_left_to_it(world: TwinWorld) -> None:
    """
    A worker that still rotates while another one observes: it goes on with its revocation.
    """
    due = await killed_in(world, "after", "claim", await revocation(world))

    record = await world.rotate(due)

    assert (record.id, record.state) == (due.id, State.SCHEDULED)
    assert [row.request.id for row in world.ledger.claims()] == [due.id]


async def test_the_claim_of_another_rotation_is_none_of_a_revocation(world: TwinWorld) -> None:
    """
    Its own was given back, and another rotation of the target has begun, between two looks at the ledger.
    """
    due = await killed_in(world, "after", "claim", await revocation(world))
    now = world.clock.now()
    row = OpenRotation(world.event(), accepted_record(world.event(), now), "another's", now + CLAIM_TTL, begun=True)

    async def begin_another() -> None:
        own = await world.ledger.read_open(world.target.identity)
        assert own is not None
        await world.ledger.release(world.target.identity, own.etag)
        await world.ledger.claim(world.target.identity, row)

    world.faults.before("read_open", begin_another)
    record = await world.rotate(due)

    assert (record.id, record.state) == (due.id, State.SCHEDULED)
    assert world.ledger.claims() == [row]


async def test_the_outcome_of_a_revocation_is_published(world: TwinWorld) -> None:
    """
    It has ended before the app began to observe, and nobody was told.
    """
    due = await revocation(world)
    world.announcer.published.clear()
    world.faults.before("publish", Unavailable("503"))
    ended = await observing(world, observes=False).rotate(due)
    assert world.announcer.published == []
    observing(world)

    assert await world.resume() == [ended]

    assert [event.id for event in world.announcer.published] == [f"{due.id}:completed"]
    assert world.ledger.outcomes() == []


async def test_a_revocation_that_has_ended_is_forgotten(world: TwinWorld) -> None:
    """
    Its message may come once more.
    """
    due = await revocation(world)
    ended = await observing(world, observes=False).rotate(due)
    observing(world)

    assert await world.rotate(due) == ended
    assert await world.rotate(structs.replace(due, ended=True)) == ended
    assert ended.state is State.COMPLETED
    assert world.ledger.waiting() == []


async def test_the_record_holds_no_key(world: TwinWorld) -> None:
    """
    Neither do the rows of the ledger.
    """
    world.put("two", key=SECONDARY)

    await world.rotate()
    await world.rotate(await of_a_key_in_use(world))

    for key in KeyName:
        value = world.provider.value(world.target, key)
        assert (value.partition("sig=")[2] or value) not in world.ledger.everything()


@pytest.mark.parametrize("step", ["journal", "regenerate", "prove", "store"])
async def test_an_observation_takes_no_step_that_changes_something(step: str) -> None:
    """
    Whatever becomes of the code that asks for it.
    """
    with pytest.raises(AssertionError, match="changes nothing"):
        await getattr(Observation, step)(None)
