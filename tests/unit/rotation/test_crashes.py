from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from msgspec import UNSET

from rotation.run import outcome
from rotation.run.resumption import list_unfinished
from rotation.vocabulary.endings import Misconfigured, Refused
from rotation.vocabulary.errors import Busy, Declined, DependencyError, NoAnswer, NotFound, Unavailable, Unfinished
from rotation.vocabulary.limits import (
    CLAIM_TTL,
    IN_FLIGHT,
    LAST_SEND,
    MAX_ATTEMPTS,
    MAX_ATTEMPTS_TO_FINISH,
    PUBLISHED_WITHIN,
    SKEW,
)
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import State
from rotation.vocabulary.request import Trigger, request_for_event
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.calls import ROTATION
from tests.twins.targets import accepted_record, batch_account
from tests.twins.vaults import MemoryVaults
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, Killed, TwinWorld


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
        await world.resume()


def assert_rotated_once(world: TwinWorld, rotation_id: str) -> None:
    """
    Hold the outcome against promises 1 to 4.
    """
    assert world.regenerations() == 1
    assert world.outages == 0
    assert world.holds_live_key()
    assert world.current().tags["RotationId"] == rotation_id
    assert {event.id for event in world.announcer.published} == {f"{rotation_id}:completed"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", sorted(set(ROTATION)))
async def test_a_process_killed_anywhere_loses_nothing(world: TwinWorld, call: str, when: str) -> None:
    """
    Killed before or after any call: redelivery or resuming completes the rotation, with one regeneration.
    """
    request = world.event()
    getattr(world.faults, when)(call, Killed())

    await world.die_in(request)
    assert world.holds_live_key()
    with suppress(Busy):  # its claim stands, and nothing is journaled: the queue tries again
        await world.worker().rotate(request)
    await finish(world)

    assert_rotated_once(world, request.id)
    record = await world.ledger.find(request.id)
    assert record is not None
    assert record.state is State.COMPLETED
    assert (await world.rotate(request)) == record


@pytest.mark.parametrize("call", ["regenerate", "store"])
@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_lost_answer_never_regenerates_twice(world: TwinWorld, call: str, effect: str) -> None:
    """
    With no answer the attempt ends and keeps its claim; once nothing can be in flight, another one looks and goes on.
    """
    request = world.event()
    getattr(world.faults, effect)(call, NoAnswer("dropped"))

    first = await world.rotate(request)
    if (call, effect) == ("store", "after"):
        assert first.state is State.COMPLETED  # found at once: the version carries our id
    else:
        assert first.state is State.REGENERATING
        await finish(world)

    assert_rotated_once(world, request.id)


async def test_nobody_resumes_while_a_request_may_be_in_flight(world: TwinWorld) -> None:
    """
    After a lost answer the claim stands for as long as an abandoned request can take effect, and the clocks' skew.
    """
    world.faults.before("regenerate", NoAnswer("dropped"))
    await world.rotate()

    assert await world.resume(after=IN_FLIGHT + SKEW - timedelta(seconds=1)) == []
    (resumed,) = await world.resume(after=timedelta(seconds=1))

    assert resumed.state is State.COMPLETED
    assert resumed.attempts == 2


async def test_a_late_effect_of_an_abandoned_request_is_found_and_kept(world: TwinWorld) -> None:
    """
    A regeneration that takes effect after its worker gave up is stored, not repeated.
    """
    world.faults.before("regenerate", NoAnswer("dropped"))
    rotation = await world.rotate()
    assert rotation.key_name is not None
    world.clock.advance(timedelta(seconds=200))
    world.provider.turn(world.target, rotation.key_name)

    await finish(world)

    assert_rotated_once(world, rotation.id)


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_an_answered_failure_is_looked_at_before_it_is_tried_again(world: TwinWorld, effect: str) -> None:
    """
    A 503 after the work was done, on the second of two attempts, regenerates the key once.
    """
    world.faults.before("regenerate", Unavailable("429"), *([Unavailable("503")] if effect == "before" else []))
    if effect == "after":
        world.faults.after("regenerate", Unavailable("503"))

    rotation = await world.rotate()

    assert rotation.state is State.COMPLETED
    assert_rotated_once(world, rotation.id)


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_an_answered_failure_to_store_makes_one_version(world: TwinWorld, effect: str) -> None:
    """
    A 503 of Key Vault is looked at before the version is made again.
    """
    getattr(world.faults, effect)("store", Unavailable("503"))

    rotation = await world.rotate()

    assert rotation.state is State.COMPLETED
    assert len(world.vaults.history(world.secret)) == 2


async def test_an_attempt_sends_no_longer_than_it_was_given(world: TwinWorld) -> None:
    """
    A caller who waits for the answer gets it in time; what is left is resumed.
    """

    async def take_time() -> None:
        world.clock.advance(timedelta(seconds=20))

    request = world.event()
    world.faults.after("regenerate", take_time)
    record = await world.rotator.rotate(request, last_send=timedelta(seconds=20))

    assert record.state is State.REGENERATING
    assert world.faults.count("store") == 0
    await finish(world)
    assert_rotated_once(world, request.id)


async def test_throttling_longer_than_the_attempt_is_resumed(world: TwinWorld) -> None:
    """
    A Retry-After beyond the deadline ends the attempt at once, without holding the claim: nothing is in flight.
    """
    world.faults.before("regenerate", Unavailable("429", retry_after=timedelta(hours=1)))

    rotation = await world.rotate()
    assert rotation.state is State.REGENERATING
    (resumed,) = await world.resume(after=timedelta(seconds=1))

    assert resumed.state is State.COMPLETED
    assert_rotated_once(world, rotation.id)


async def test_a_clear_refusal_fails_and_leaves_the_live_key(world: TwinWorld) -> None:
    """
    The provider's own words are passed on, and the target is free again.
    """
    world.faults.before("regenerate", Declined("403 AuthorizationFailed: no permission"))

    rotation = await world.rotate()

    assert rotation.state is State.FAILED
    assert rotation.error is not None
    assert rotation.error.code == "provider_refused"
    assert "403 AuthorizationFailed" in rotation.error.message
    assert world.holds_live_key()
    assert (await world.rotate(world.manual())).state is State.COMPLETED


async def test_a_refused_store_fails_visibly_and_the_next_rotation_mends_it(world: TwinWorld) -> None:
    """
    The alternate key was regenerated and not stored: the secret still holds the live one, and a later rotation works.
    """
    world.faults.before("store", Declined("403 Forbidden: no set permission"))

    rotation = await world.rotate()

    assert rotation.error is not None
    assert rotation.error.code == "vault_refused"
    assert world.holds_live_key()
    assert (await world.rotate(world.manual())).state is State.COMPLETED
    assert world.outages == 0


@pytest.mark.parametrize("call", ["read_current", "read_keys", "begin", "bound_secrets"])
@pytest.mark.parametrize("error", [Unavailable("503"), NoAnswer("dropped")], ids=["unavailable", "no answer"])
async def test_a_failed_look_leaves_no_trace_and_may_be_tried_again(
    world: TwinWorld, call: str, error: Exception
) -> None:
    """
    While nothing has been changed, the claim is given back and the trigger told, so that its retry starts at once.
    """
    request = world.event()
    world.faults.before(call, error)

    with pytest.raises(type(error)):
        await world.rotate(request)
    assert await world.ledger.find(request.id) is None

    assert (await world.rotate(request)).state is State.COMPLETED
    assert_rotated_once(world, request.id)


@pytest.mark.parametrize("call", ["read_keys", "begin", "regenerate", "store"])
async def test_a_worker_that_wakes_late_sends_nothing(world: TwinWorld, call: str) -> None:
    """
    A process frozen before a call finds its time over: it neither sends nor journals, and the rotation is resumed.
    """
    request = world.event()

    async def freeze() -> None:
        world.clock.advance(LAST_SEND)

    # Frozen in the call before, which is the last moment before this call's own check.
    before = {"read_keys": "claim", "begin": "bound_secrets", "regenerate": "begin", "store": "regenerate"}
    getattr(world.faults, "after" if call in {"regenerate", "store"} else "before")(before[call], freeze)
    try:
        rotation = await world.rotate(request)
        assert rotation.state is State.REGENERATING
    except Unfinished:
        assert await world.ledger.find(request.id) is None
    assert world.faults.count(call) == 0

    await world.rotate(request)
    await finish(world)
    assert_rotated_once(world, request.id)


async def test_a_stale_worker_that_lost_its_claim_cannot_end_the_rotation(world: TwinWorld) -> None:
    """
    A worker frozen past its claim sends nothing any more, and leaves the end to the one that took over.
    """
    request = world.event()

    async def be_overtaken() -> None:
        await world.resume()

    world.faults.after("store", be_overtaken)
    stale = await world.rotate(request)

    rotation = await world.rotate(request)
    assert (stale.state, stale.attempts) == (State.REGENERATING, 1)
    assert (rotation.state, rotation.attempts) == (State.COMPLETED, 2)
    assert_rotated_once(world, request.id)
    assert len(world.announcer.published) == 1


async def test_a_stopped_rotation_keeps_others_off_its_target(world: TwinWorld) -> None:
    """
    Even with its claim expired, an unfinished rotation is resumed and never started over by another one.
    """
    world.put("two")
    other = world.event("two")
    world.faults.after("regenerate", Killed())
    await world.die_in(world.event("one"))
    world.clock.advance(CLAIM_TTL)

    with pytest.raises(Busy):
        await world.rotate(other)
    await finish(world)

    assert (await world.rotate(other)).adopted
    assert world.regenerations() == 1
    assert world.outages == 0


async def test_an_outcome_that_cannot_be_published_waits_and_the_target_is_free(world: TwinWorld) -> None:
    """
    Failing to publish never fails a rotation: the outcome is told later, under the same id.
    """
    world.faults.before("publish", Unavailable("503"))
    rotation = await world.rotate()
    assert rotation.state is State.COMPLETED
    assert world.announcer.published == []
    assert (await world.rotate(world.manual())).state is State.COMPLETED

    await world.resume(after=timedelta(minutes=2))

    assert f"{rotation.id}:completed" in {event.id for event in world.announcer.published}
    assert await world.resume() == []


async def test_a_poisoned_rotation_ends_failed_and_is_told(world: TwinWorld) -> None:
    """
    When the queue gives up, the rotation ends Failed(exhausted), and the secret still holds its live key.
    """
    request = world.event()

    rotation = await world.rotator.give_up(request)

    assert rotation.error is not None
    assert rotation.error.code == "exhausted"
    assert "its retries are used up; the secret still holds its live key" in rotation.error.message
    assert [event.id for event in world.announcer.published] == [f"{request.id}:failed"]
    assert world.holds_live_key()
    assert world.regenerations() == 0


async def test_a_poisoned_rotation_whose_version_is_stored_has_completed(world: TwinWorld) -> None:
    """
    The last attempt stored the version and could not say so: giving up finds it and tells the truth.
    """
    request = world.event()
    world.faults.after("store", Killed())
    await world.die_in(request)
    world.clock.advance(CLAIM_TTL)

    rotation = await world.rotator.give_up(request)

    assert rotation.state is State.COMPLETED
    assert_rotated_once(world, request.id)


async def test_giving_up_leaves_a_living_worker_alone(world: TwinWorld) -> None:
    """
    A poisoned duplicate does not end what another worker is doing.
    """
    request = world.event()

    async def give_up() -> None:
        assert (await world.worker().give_up(request)).state is State.REGENERATING

    world.faults.before("regenerate", give_up)

    assert (await world.rotate(request)).state is State.COMPLETED
    assert_rotated_once(world, request.id)


async def test_a_poisoned_rotation_ends_even_if_its_vault_cannot_be_read(world: TwinWorld) -> None:
    """
    A vault that is down for good does not keep a rotation from failing visibly.
    """
    request = world.event()
    world.faults.before("read_current", Unavailable("503 ServiceUnavailable"))

    rotation = await world.rotator.give_up(request)

    assert rotation.error is not None
    assert rotation.error.code == "exhausted"
    assert "its retries are used up; the last one ended with: 503 ServiceUnavailable" in rotation.error.message
    assert (await world.rotate(request)) == rotation


async def test_a_poisoned_rotation_that_has_journaled_is_left_to_be_resumed_while_its_vault_cannot_be_read(
    world: TwinWorld,
) -> None:
    """
    Its message is done: the ledger keeps it until it has ended.
    """
    request = world.event()
    world.faults.before("regenerate", Killed())
    await world.die_in(request)
    world.faults.before("read_current", Unavailable("503"))

    rotation = await world.worker().give_up(request)

    assert rotation.state is State.REGENERATING
    await finish(world)
    assert_rotated_once(world, request.id)


async def test_a_poisoned_rotation_that_another_worker_may_still_give_back_keeps_its_message(world: TwinWorld) -> None:
    """
    Nothing is journaled, so the ledger may forget it: the queue must not.
    """
    request = world.event()
    world.faults.before("begin", Killed())
    await world.die_in(request)
    world.faults.before("read_current", Unavailable("503"))

    with pytest.raises(Busy):
        await world.worker().give_up(request)


async def test_a_poisoned_rotation_whose_target_is_taken_keeps_its_message(world: TwinWorld) -> None:
    """
    It is ended when the target is free: under its claim, as every rotation.
    """
    request = world.event()
    world.faults.before("regenerate", Killed())
    await world.die_in(world.manual())

    with pytest.raises(Busy):
        await world.worker().give_up(request)

    await finish(world)
    assert (await world.worker().give_up(request)).state in {State.SKIPPED, State.FAILED}


async def test_an_accepted_rotation_whose_target_is_taken_is_given_up_at_once(world: TwinWorld) -> None:
    """
    It ends Skipped(busy), as it would have in any other try.
    """
    request = await world.promise()
    world.faults.before("regenerate", Killed())
    await world.die_in(world.event())

    rotation = await world.worker().give_up(request)

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "busy")
    assert world.ledger.waiting() == []


async def test_a_rotation_that_never_gets_through_ends_exhausted(world: TwinWorld) -> None:
    """
    A provider that never answers does not keep a rotation open for ever.
    """
    request = world.event()
    world.faults.before("regenerate", *[NoAnswer("dropped")] * (MAX_ATTEMPTS + 5))
    await world.rotate(request)
    for _ in range(MAX_ATTEMPTS + 2):
        await world.resume()

    record = await world.ledger.find(request.id)
    assert record is not None
    assert record.error is not None
    assert record.error.code == "exhausted"
    assert world.faults.count("regenerate") == MAX_ATTEMPTS
    assert world.holds_live_key()


@pytest.mark.parametrize("error", [NoAnswer("dropped"), Unavailable("409 Conflict: ObjectIsBeingRecovered")])
async def test_a_rotation_that_has_regenerated_does_not_end_while_only_time_is_missing(
    world: TwinWorld, error: DependencyError
) -> None:
    """
    However long the vault takes no new version: then it is stored, and nothing is regenerated again.
    """
    request = world.event()
    tries = MAX_ATTEMPTS + 5
    if isinstance(error, Unavailable):
        error = Unavailable(str(error), retry_after=LAST_SEND)
    world.faults.before("store", *[error] * tries)

    rotation = await world.rotate(request)
    for _ in range(tries):
        assert rotation.state is State.REGENERATING
        assert world.holds_live_key()
        (rotation,) = await world.resume()

    assert rotation.state is State.COMPLETED
    assert rotation.attempts == tries + 1
    assert_rotated_once(world, request.id)


@pytest.mark.parametrize("is_readable", [True, False])
async def test_a_poisoned_rotation_that_has_regenerated_is_finished(world: TwinWorld, *, is_readable: bool) -> None:
    """
    At once, or by the next attempt: it would only have to regenerate again.
    """
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    world.clock.advance(CLAIM_TTL)
    if not is_readable:
        world.faults.before("read_keys", Unavailable("503"))

    rotation = await world.worker().give_up(request)

    assert rotation.state is (State.COMPLETED if is_readable else State.REGENERATING)
    await finish(world)
    assert_rotated_once(world, request.id)


async def test_a_poisoned_rotation_that_has_regenerated_nothing_ends(world: TwinWorld) -> None:
    """
    Its journal alone keeps it from nothing: its secret holds its live key.
    """
    request = world.event()
    world.faults.before("regenerate", Killed())
    await world.die_in(request)
    world.clock.advance(CLAIM_TTL)

    rotation = await world.worker().give_up(request)

    assert rotation.error is not None
    assert rotation.error.code == "exhausted"
    assert (world.regenerations(), world.holds_live_key()) == (0, True)


async def test_tags_that_move_to_another_target_mid_way_start_over(world: TwinWorld) -> None:
    """
    A target that changed between the claim and the look is claimed in its turn, and the first one is free.

    Its keys are touched under no other claim.
    """
    other = TARGETS["batch" if world.target is TARGETS["workflow"] else "workflow"]
    world.provider.add(other)
    held = world.provider.value(other, KeyName.PRIMARY)
    claimed: list[tuple[bool, bool]] = []

    async def move() -> None:
        world.put(tags={"ProviderAddress": other.shown_by}, value=held)
        world.unmanage("one")

    async def see_claims() -> None:
        both = [await world.ledger.read_open(target.identity) for target in (world.target, other)]
        claimed.append((both[0] is not None, both[1] is not None))

    world.faults.after("claim", move)
    world.faults.before("regenerate", see_claims)
    rotation = await world.rotate(request_for_event(SecretId(VAULT, "one"), Trigger.SWEEP, world.clock.now()))

    assert (rotation.state, rotation.target) == (State.COMPLETED, other.arm_id)
    assert claimed == [(False, True)]
    assert world.ledger.claims() == []
    assert world.regenerations() == 0
    assert world.provider.regenerations(other, KeyName.SECONDARY) == 1


async def test_tags_that_move_after_a_crash_start_over(world: TwinWorld) -> None:
    """
    Nothing was changed by then, so the rotation that is resumed is the new target's.
    """
    other = batch_account(SUBSCRIPTION, "rg", "account9")
    world.provider.add(other)
    held = world.provider.value(other, KeyName.PRIMARY)
    world.faults.after("claim", Killed())
    await world.die_in(request_for_event(SecretId(VAULT, "one"), Trigger.SWEEP, world.clock.now()))
    world.put(tags={"ProviderAddress": other.arm_id}, value=held)
    world.unmanage("one")

    (rotation,) = await world.resume()

    assert (rotation.state, rotation.target) == (State.COMPLETED, other.arm_id)
    assert world.regenerations() == 0
    assert world.ledger.claims() == []


async def test_tags_that_move_while_the_key_is_regenerated_fail_visibly(world: TwinWorld) -> None:
    """
    Once a key may have changed, the rotation does not wander off to another target.
    """
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    world.current().tags["ProviderAddress"] = world.address.replace("account1", "account2").replace("site1", "site2")

    (rotation,) = await world.resume()

    assert rotation.error is not None
    assert rotation.error.code == "misconfigured"
    assert "when its key was regenerated; it changed since" in rotation.error.message
    assert world.faults.count("regenerate") == 1
    assert await world.resume() == []


async def test_a_pause_set_after_a_crash_ends_the_rotation_skipped(world: TwinWorld) -> None:
    """
    Resuming looks at the tags as they are now; the secret keeps its live key and the target is free.
    """
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    world.current().tags["RotationPaused"] = "true"

    (rotation,) = await world.resume()

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "paused")
    assert world.holds_live_key()
    assert await world.ledger.read_open(world.target.identity) is None


async def test_an_answer_that_contradicts_what_was_read_is_not_believed() -> None:
    """
    Keys in an answer count only if the other key is as it was; otherwise they are read.
    """
    world = TwinWorld("batch")
    world.provider.answers = {key: KeyMaterial("garbage") for key in KeyName}

    rotation = await world.rotate()

    assert rotation.state is State.COMPLETED
    assert_rotated_once(world, rotation.id)


async def test_success_that_cannot_be_seen_yet_is_not_repeated() -> None:
    """
    A regeneration that was answered with success, and whose effect cannot be read for now, keeps its claim.
    """
    world = TwinWorld("workflow")
    reads = [None, Unavailable("429", retry_after=timedelta(hours=1))]
    world.faults.before("read_keys", *reads)

    rotation = await world.rotate()

    assert rotation.state is State.REGENERATING
    assert await world.resume(after=IN_FLIGHT) == []
    await finish(world)
    assert_rotated_once(world, rotation.id)


async def test_a_pause_while_a_rotation_runs_does_not_hide_its_outcome(world: TwinWorld) -> None:
    """
    Paused in the middle and delivered again: the duplicate finds its rotation running, which completes and is told.
    """
    request = world.event()
    found: list[State] = []

    async def pause_and_deliver_again() -> None:
        world.current().tags["RotationPaused"] = "true"
        found.append((await world.worker().rotate(request)).state)

    world.faults.before("regenerate", pause_and_deliver_again)
    rotation = await world.rotate(request)

    assert found == [State.REGENERATING]
    assert rotation.state is State.COMPLETED
    assert_rotated_once(world, request.id)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_end_that_cannot_be_written_is_found_later(world: TwinWorld, when: str) -> None:
    """
    The version is stored and the ledger is down: the rotation counts as running, and ends Completed when it is resumed.
    """
    getattr(world.faults, when)("end", Unavailable("503"))

    rotation = await world.rotate()
    assert rotation.state is State.REGENERATING
    await finish(world)

    assert_rotated_once(world, rotation.id)
    record = await world.ledger.find(rotation.id)
    assert record is not None
    assert record.state is State.COMPLETED


async def test_a_trigger_that_changed_is_not_taken_for_a_regenerated_key() -> None:
    """
    Each trigger shows a URL of its own, so the journal's fingerprint says nothing about another trigger.
    """
    world = TwinWorld("workflow")
    world.faults.before("regenerate", NoAnswer("dropped"))
    await world.rotate()
    world.current().tags["ProviderAddress"] = f"{world.target.arm_id}/triggers/other"

    (rotation,) = await world.resume()

    assert rotation.error is not None
    assert rotation.error.code == "misconfigured"
    assert world.regenerations() == 0


IN_PLACE = {"RotationStrategy": "InPlace"}
# What somebody's mistake, or one odd answer, can say once the key in use is dead.
HINDRANCES = {
    "no right to read the keys": ("read_keys", Declined("403 AuthorizationFailed")),
    "no keys": ("read_keys", NotFound("404 ResourceNotFound")),
    "no signature": ("read_keys", Misconfigured("SAS authentication is switched off")),
    "no right to read the secret": ("read_current", Declined("403 Forbidden")),
    "no secret": ("read_current", NotFound("404 SecretNotFound")),
}


@pytest.mark.parametrize("hindrance", ["refused", *HINDRANCES, "paused", "poisoned", "ten attempts"])
async def test_a_dead_key_in_use_is_replaced_whatever_comes_between(world: TwinWorld, hindrance: str) -> None:
    """
    Once the key in use may be dead, a rotation in place is not given up: its clients wait for the new version.
    """
    world.put(tags=IN_PLACE)
    request = world.event()
    refusals = MAX_ATTEMPTS + 2 if hindrance == "ten attempts" else 1
    world.faults.before("store", *[Declined("403 Forbidden")] * refusals)
    assert (await world.rotate(request)).state is State.REGENERATING
    assert not world.holds_live_key()
    if hindrance in HINDRANCES:
        call, error = HINDRANCES[hindrance]
        world.faults.before(call, error)
        (resumed,) = await world.resume()
        assert resumed.state is State.REGENERATING
    if hindrance == "paused":
        world.current().tags["RotationPaused"] = "true"
    if hindrance == "poisoned":
        world.clock.advance(CLAIM_TTL)
        await world.rotator.give_up(request)
    for _ in range(refusals):
        await world.resume()

    record = await world.ledger.find(request.id)
    assert record is not None
    assert record.state is State.COMPLETED
    assert record.gap_seconds
    assert world.holds_live_key()
    assert world.regenerations() == 1


def suspended(caplog: pytest.LogCaptureFixture) -> str:
    """
    Return why the last attempt was suspended, as the log says it.
    """
    return [line for line in caplog.records if getattr(line, "step", None) == "suspended"][-1].getMessage()


async def test_a_hindered_attempt_gives_its_claim_back_at_once(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Nothing that it sent can take effect any more, its clients wait for the new version, and the log says what is wrong.
    """
    caplog.set_level("INFO")
    world.put(tags=IN_PLACE)
    world.faults.before("store", Declined("403 Forbidden"))
    await world.rotate()
    world.faults.before("read_keys", Declined("403 AuthorizationFailed"))
    await world.resume(timedelta(seconds=1))
    assert "403 AuthorizationFailed; the secret may hold a dead key" in suspended(caplog)
    world.faults.before("read_current", NotFound("404"))
    await world.resume(timedelta(seconds=1))
    assert "deleted; the secret may hold a dead key" in suspended(caplog)

    (rotation,) = await world.resume(timedelta(seconds=1))

    assert rotation.state is State.COMPLETED
    assert world.holds_live_key()


@pytest.mark.parametrize("operation", ["regenerate", "store"])
async def test_why_an_attempt_was_suspended_stands_in_the_log(
    world: TwinWorld, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    In the words of the service that did not answer, also where the look after it fails.
    """
    caplog.set_level("INFO")
    world.faults.before(operation, NoAnswer("no answer of the service"))
    world.faults.after("read_current", None, None, Unavailable("503"))

    assert (await world.rotate()).state is State.REGENERATING

    assert "no answer of the service" in suspended(caplog)


@pytest.mark.parametrize("kind", ["batch", "workflow"])
async def test_in_place_a_lost_answer_is_not_waited_for_where_the_keys_tell_the_outcome(kind: str) -> None:
    """
    The clients' key is dead: the new one is stored at once, and not when nothing can take effect any more.
    """
    world = TwinWorld(kind)
    world.put(tags=IN_PLACE)
    world.faults.after("regenerate", NoAnswer("400 BadRequest: Encountered an error (BadGateway) from host runtime."))

    rotation = await world.rotate()

    assert rotation.state is State.COMPLETED
    assert rotation.attempts == 1
    assert world.holds_live_key()
    assert world.regenerations() == 1


@pytest.mark.parametrize("looks", [0, 1])
async def test_in_place_an_answer_that_may_come_true_yet_keeps_the_claim(world: TwinWorld, looks: int) -> None:
    """
    Where the keys are as they were, or cannot be read, the site may still be at work: the next attempt stores.
    """
    world.put(tags=IN_PLACE)
    request = world.event()
    world.faults.before("regenerate", NoAnswer("400 BadRequest: ... from host runtime."))
    world.faults.before("read_keys", None, *[Unavailable("503")] * looks)

    rotation = await world.rotate(request)
    world.provider.turn(world.target, KeyName.PRIMARY)  # It comes true.

    assert rotation.state is State.REGENERATING
    assert world.regenerations() == 1
    (rotation,) = await world.resume()
    assert rotation.state is State.COMPLETED
    assert world.holds_live_key()
    assert world.regenerations() == 1


@pytest.mark.parametrize("answer", [None, NoAnswer("dropped"), Unavailable("503")], ids=["200", "no answer", "503"])
async def test_in_place_a_diagnosis_after_the_regeneration_ends_nothing(
    world: TwinWorld, answer: DependencyError | None
) -> None:
    """
    One odd answer about the keys would leave a dead key in the secret: the next attempt reads them again.
    """
    world.put(tags=IN_PLACE)
    world.provider.answers = world.provider.keys(world.target)
    world.faults.after("regenerate", answer)
    world.faults.before("read_keys", None, Misconfigured("SAS authentication is switched off"))

    rotation = await world.rotate()

    assert rotation.state is State.REGENERATING
    (rotation,) = await world.resume()
    assert rotation.state is State.COMPLETED
    assert world.holds_live_key()
    assert world.regenerations() == 1


async def test_no_outage_where_a_key_is_regenerated_by_hand_after_a_lost_answer(world: TwinWorld) -> None:
    """
    The change may be somebody else's and this request's be yet to come: it is stored when nothing can come any more.
    """
    request = world.event()
    world.faults.before("regenerate", NoAnswer("400 BadRequest: ... from extensions API."))

    async def regenerate_by_hand() -> None:
        world.provider.turn(world.target, KeyName.SECONDARY)

    world.faults.before("read_keys", None, regenerate_by_hand)
    rotation = await world.rotate(request)
    assert rotation.state is State.REGENERATING
    world.provider.turn(world.target, KeyName.SECONDARY)  # What got no answer takes effect.

    (rotation,) = await world.resume()

    assert rotation.state is State.COMPLETED
    assert world.holds_live_key()


async def test_a_dead_key_in_use_is_never_called_live(world: TwinWorld) -> None:
    """
    When even a rotation in place gives up, its record says what the secret holds.
    """
    world.put(tags=IN_PLACE)
    request = world.event()
    world.faults.before("store", *[Declined("403 Forbidden")] * (MAX_ATTEMPTS_TO_FINISH + 1))
    await world.rotate(request)
    for _ in range(MAX_ATTEMPTS_TO_FINISH + 1):
        await world.resume()

    record = await world.ledger.find(request.id)
    assert record is not None
    assert record.error is not None
    assert record.error.code == "exhausted"
    assert "dead key" in record.error.message


async def test_a_vault_that_is_taken_away_frees_the_target(world: TwinWorld) -> None:
    """
    An unfinished rotation of a vault that is no longer configured ends Failed(forbidden), and reads nothing there.
    """
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    world.vaults.forget_vaults()
    reads = world.faults.count("read_current")

    (rotation,) = await world.resume()

    assert rotation.error is not None
    assert rotation.error.code == "forbidden"
    assert VAULT in rotation.error.message
    assert await world.ledger.read_open(world.target.identity) is None
    assert world.faults.count("read_current") == reads


async def test_a_failure_to_tidy_does_not_undo_a_rotation(world: TwinWorld) -> None:
    """
    Whatever goes wrong after the end, the rotation has completed.
    """
    world.faults.before("list_versions", RuntimeError("a bug"))

    assert (await world.rotate()).state is State.COMPLETED


@pytest.mark.parametrize("tag", ["CredentialId", "ValidityPeriodDays", "ProviderAddress", "RotationStrategy"])
async def test_a_key_pasted_into_a_tag_is_told_to_nobody(world: TwinWorld, tag: str) -> None:
    """
    The error names the tag and the remedy, not what stands there.
    """
    key = world.provider.value(world.target, KeyName.PRIMARY)
    world.put(tags={tag: key})

    rotation = await world.rotate()

    assert rotation.error is not None
    assert tag in rotation.error.message
    secret = key.partition("sig=")[2] or key
    assert secret not in f"{rotation} {world.ledger.everything()} {world.announcer.published}"


async def test_a_certificates_secret_is_refused_before_a_key_is_touched(world: TwinWorld) -> None:
    """
    Its value cannot be set, so regenerating would be for nothing.
    """
    world.put()
    world.vaults.make_certificate(world.secret)

    rotation = await world.rotate()

    assert rotation.error is not None
    assert rotation.error.code == "misconfigured"
    assert world.faults.count("regenerate") == 0


async def test_what_is_found_stored_again_and_again_is_told_as_it_was(world: TwinWorld) -> None:
    """
    The version that was replaced stays on record, however often the end of the rotation cannot be written.
    """
    request = world.event()
    world.faults.after("store", Killed())
    await world.die_in(request)
    world.faults.before("end", Unavailable("429"), Unavailable("429"))

    await finish(world)

    record = await world.ledger.find(request.id)
    assert record is not None
    assert record.secret is not None
    assert request.secret is not None
    assert (record.secret.previous_version, record.secret.version) == (request.secret.version, world.current().version)
    assert_rotated_once(world, request.id)


@pytest.mark.parametrize("call", ["read_keys", "begin", "regenerate", "store", "end"])
async def test_what_is_published_is_what_was_done(world: TwinWorld, call: str) -> None:
    """
    Given up without a claim while a worker is at it: until that begins it ends so, and from then on with the worker.
    """
    request = world.event()
    refused = []

    async def end_elsewhere() -> None:
        record = accepted_record(request, world.clock.now())
        try:
            await outcome.end_unclaimed(world.ports, request, record, Refused("given up"))
        except Busy as busy:
            refused.append(busy.running)

    world.faults.before(call, end_elsewhere)
    rotation = await world.rotate(request)

    has_begun = call in {"regenerate", "store", "end"}
    assert rotation.state is (State.COMPLETED if has_begun else State.FAILED)
    assert world.regenerations() == has_begun
    assert refused == [request.id] * has_begun
    assert {event.id for event in world.announcer.published} == {f"{request.id}:{rotation.state.lower()}"}
    assert world.ledger.claims() == []


async def test_an_outcome_is_told_although_its_vault_is_no_longer_ours(world: TwinWorld) -> None:
    """
    It has ended: nothing is read of the vault to tell it.
    """
    request = world.event()
    world.faults.before("publish", Killed())
    await world.die_in(request)
    world.vaults = MemoryVaults(world.clock, ["https://other.vault.azure.net"], world.faults)

    await world.resume()

    assert {event.id for event in world.announcer.published} == {f"{request.id}:completed"}


async def test_a_rotation_is_resumed_under_a_claim_of_its_own(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The claim of the dead worker is renewed, in the name of the one that goes on: the next one leaves it alone.
    """
    caplog.set_level("INFO")
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    (left,) = world.ledger.claims()
    held, met = [], []

    async def meet_another_worker() -> None:
        held.extend(world.ledger.claims())
        met.append(await world.worker().rotate(request))

    world.faults.before("store", meet_another_worker)
    await world.resume()

    (claim,), (record,) = held, met
    assert claim.lease != left.lease
    assert claim.claimed_until == world.clock.now() + CLAIM_TTL
    assert record.state is State.REGENERATING
    assert_rotated_once(world, request.id)
    lines = [vars(line) for line in caplog.records if hasattr(line, "step")]
    assert [line["attempt"] for line in lines if line["step"] == "claimed"] == ["1", "2"]
    assert [line["seconds"] for line in lines if line["step"].startswith("left")] == [0]


async def test_a_journal_is_not_given_back_though_the_next_one_is_of_no_use(world: TwinWorld) -> None:
    """
    An earlier attempt may have sent the request. What keeps this one from sending it again proves nothing.
    """
    request = world.event()
    world.faults.before("regenerate", Killed())
    await world.die_in(request)
    assert request.secret is not None
    await world.ledger.unbind(world.target.identity, request.secret)
    world.faults.before("bind", Unavailable("503"))

    (record,) = await world.resume()

    assert record.state is State.REGENERATING
    assert [claim.journal is not None for claim in world.ledger.claims()] == [True]
    await finish(world)
    assert_rotated_once(world, request.id)


async def test_an_outcome_is_published_while_another_rotation_holds_the_target(world: TwinWorld) -> None:
    """
    However its rotation came to its claim: here a resumed one claims again, since its vault could not be read before.
    """
    world.put("two")
    request, other = world.event(), world.event("two")
    world.faults.after("claim", Killed())
    await world.die_in(request)
    world.clock.advance(CLAIM_TTL)
    (resumed,) = await list_unfinished(world.ports)
    world.faults.before("read_current", Unavailable("503"))
    with pytest.raises(Unavailable):
        await world.rotate(resumed)
    world.faults.before("publish", Unavailable("503"))
    await world.rotate(resumed)
    world.faults.after("claim", Killed())
    await world.die_in(other)

    await world.resume(after=timedelta(minutes=2))

    assert {event.id for event in world.announcer.published} == {f"{request.id}:completed"}
    assert [claim.request.id for claim in world.ledger.claims()] == [other.id]


async def test_a_secret_that_cannot_be_registered_leaves_no_trace(world: TwinWorld) -> None:
    """
    Nothing was changed by then, so the claim is given back, and the trigger told.
    """
    request = world.event()
    world.faults.before("begin", Unavailable("503"))

    with pytest.raises(Unavailable):
        await world.rotate(request)
    assert await world.ledger.find(request.id) is None

    await world.rotate(request)
    assert_rotated_once(world, request.id)


ASKED: dict[str, dict[str, Any]] = {
    "regenerated": {},
    "in place": {"tags": IN_PLACE},
    "adopted": {"neighbour": True},
    "healed by force": {"value": "https://drifted.example/?sig=x"},
}


@pytest.mark.parametrize("how", list(ASKED))
async def test_what_is_found_stored_is_recorded_as_it_was_stored(
    world: TwinWorld, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The attempt that stored it died before it could say so: key, adoption, version and expiry are the same.
    """
    caplog.set_level("INFO")
    records = []
    for is_killed in (False, True):
        crashing = TwinWorld("batch" if world.target == TARGETS["batch"] else "workflow")
        if ASKED[how].get("neighbour"):
            crashing.put("two", key=KeyName.SECONDARY)
        crashing.put(tags=ASKED[how].get("tags"), value=ASKED[how].get("value"))
        request = crashing.manual(force=how == "healed by force")
        if is_killed:
            crashing.faults.after("store", Killed())
            await crashing.die_in(request)
            caplog.clear()
            (record,) = await crashing.resume()
        else:
            record = await crashing.rotate(request)
        assert record.secret is not None
        assert record.secret.expires_on == crashing.current().expires_on
        records.append(record)

    told, found = records
    assert (found.state, found.key_name, found.adopted) == (told.state, told.key_name, told.adopted)
    assert (found.gap_seconds is UNSET) == (told.gap_seconds is UNSET)
    if how != "healed by force":
        assert found.previous_key_name == told.previous_key_name
    (line,) = [line for line in caplog.records if getattr(line, "step", "").startswith("found")]
    assert vars(line)["step"] == "found the new version already stored"
    assert vars(line)["key"] == str(told.key_name)


async def test_what_is_found_stored_is_told_by_the_journal_and_not_by_a_tag(world: TwinWorld) -> None:
    """
    Somebody may have changed the tag since: the key that was regenerated is the one that was journaled.
    """
    request = world.event()
    world.faults.after("store", Killed())
    await world.die_in(request)
    world.current().tags["CredentialId"] = KeyName.PRIMARY

    (record,) = await world.resume()

    assert (record.key_name, record.previous_key_name) == (KeyName.SECONDARY, KeyName.PRIMARY)


async def test_an_ending_without_a_claim_is_logged_with_its_reason(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    As every other ending is.
    """
    caplog.set_level("INFO")
    world.current().tags.clear()

    await world.rotate()

    (line,) = [line for line in caplog.records if getattr(line, "step", None) == "ended"]
    assert (vars(line)["outcome"], vars(line)["reason"]) == ("Skipped", "unmanaged")


async def test_a_diagnosis_after_an_answered_failure_is_logged_and_keeps_nobody_waiting(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The request is over: the next attempt may begin at once.
    """
    caplog.set_level("INFO")
    world.faults.before("regenerate", Unavailable("503"))
    world.faults.before("read_keys", None, Misconfigured("SAS authentication is switched off"))

    await world.rotate()
    assert "SAS authentication is switched off" in suspended(caplog)
    (rotation,) = await world.resume(timedelta(seconds=1))

    assert rotation.state is State.COMPLETED
    assert world.regenerations() == 1


async def test_why_a_new_key_cannot_be_seen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """
    A regeneration that was answered with nothing is looked for, and the look fails.
    """
    world = TwinWorld("workflow")
    caplog.set_level("INFO")
    world.faults.before("read_keys", None, Unavailable("503 of the site"))

    await world.rotate()

    assert "503 of the site" in suspended(caplog)
    assert await world.resume(timedelta(seconds=1)) == []


async def test_storing_waits_as_long_as_the_vault_asks(world: TwinWorld) -> None:
    """
    And no longer.
    """
    world.faults.before("store", Unavailable("429", retry_after=timedelta(seconds=20)))
    began = world.clock.now()

    assert (await world.rotate()).state is State.COMPLETED

    assert timedelta(seconds=20) <= world.clock.now() - began < timedelta(seconds=21)


async def test_a_version_that_somebody_else_has_made_meanwhile_is_looked_at_by_the_next_attempt(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The log says what the vault had answered.
    """
    caplog.set_level("INFO")

    async def store_by_hand() -> None:
        world.put(value=world.provider.value(world.target, KeyName.PRIMARY))
        raise Unavailable("503 of the vault")

    world.faults.before("store", store_by_hand)

    assert (await world.rotate()).state is State.REGENERATING
    assert "503 of the vault" in suspended(caplog)


async def test_the_gap_of_a_rotation_in_place_is_given_in_milliseconds(world: TwinWorld) -> None:
    """
    From the journal to the new version.
    """

    async def take_a_while() -> None:
        world.clock.advance(timedelta(seconds=1.23456))

    world.put(tags=IN_PLACE)
    world.faults.before("store", take_a_while)

    assert (await world.rotate()).gap_seconds == 1.235


async def test_an_outcome_that_is_being_published_is_left_alone(world: TwinWorld) -> None:
    """
    For two minutes: then the worker that published it is dead.
    """
    world.faults.before("publish", Unavailable("503"))
    await world.rotate()

    assert await world.resume(PUBLISHED_WITHIN - timedelta(seconds=1)) == []
    (rotation,) = await world.resume(timedelta(seconds=1))

    assert rotation.state is State.COMPLETED
    assert len(world.announcer.published) == 1


async def test_a_target_that_is_gone_when_its_key_is_regenerated_is_named(world: TwinWorld) -> None:
    """
    In the service's words.
    """
    world.faults.before("regenerate", NotFound("404 AccountNotFound: no such account"))

    rotation = await world.rotate()

    assert rotation.error is not None
    assert rotation.error.code == "target_not_found"
    assert "404 AccountNotFound: no such account" in rotation.error.message


@pytest.mark.parametrize("how", ["found", "adopted"])
async def test_why_nothing_is_regenerated_is_logged(
    world: TwinWorld, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    With the key, and with the secret whose key is taken over.
    """
    caplog.set_level("INFO")
    if how == "found":
        world.faults.after("regenerate", NoAnswer("lost"))
        await world.rotate()
        await world.resume()
    else:
        world.put("two", key=KeyName.SECONDARY)
        await world.rotate()

    lines = {vars(line)["step"]: vars(line) for line in caplog.records if hasattr(line, "step")}
    if how == "found":
        assert lines["found the key already regenerated"]["key"] == "Secondary"
    else:
        line = lines["adopts the key of another secret"]
        assert line["key"] == "Secondary"
        assert line["holder"].startswith(f"{VAULT}/secrets/two/")


async def test_each_try_waits_twice_as_long_as_the_one_before(world: TwinWorld) -> None:
    """
    A service that fails is not asked at full speed.
    """
    world.faults.before("regenerate", *[Unavailable("503")] * 4)
    began = world.clock.now()

    assert (await world.rotate()).state is State.COMPLETED

    assert world.clock.now() - began == timedelta(seconds=1 + 2 + 4 + 8)


async def test_a_version_that_is_disabled_is_logged(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    A person who misses it learns why.
    """
    older = world.put(key=KeyName.SECONDARY)
    world.put(key=KeyName.PRIMARY)
    caplog.set_level("INFO")

    await world.rotate()

    (line,) = [line for line in caplog.records if getattr(line, "step", None) == "disabled a dead version"]
    assert vars(line)["version"] == older.version
