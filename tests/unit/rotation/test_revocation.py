import contextlib
import logging
from datetime import timedelta

import msgspec
import pytest
from msgspec import UNSET, structs

from rotation.policy.tags import PAUSED, STRATEGY
from rotation.run.acceptance import accept
from rotation.run.cancelling import cancel
from rotation.run.leaks import report_leak
from rotation.run.resumption import list_unfinished
from rotation.vocabulary.caller import Caller
from rotation.vocabulary.endings import Misconfigured, OutOfScope, RevocationPending, SkipReason
from rotation.vocabulary.errors import (
    Busy,
    Declined,
    DependencyError,
    NoAnswer,
    NotCancellable,
    NotFound,
    Unavailable,
    Unfinished,
)
from rotation.vocabulary.limits import HOLDERS_MOVE_WITHIN, QUEUED_FOR, REFUSED_KEY_RESTS_FOR
from rotation.vocabulary.record import Reservation, Rotation, State, WaitingRotation
from rotation.vocabulary.request import RotationRequest, new_id
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.world import TARGETS, VAULT, Killed, TwinWorld

HOUR = timedelta(hours=1)
TICK = timedelta(minutes=5)  # from one run of the timer to the next
PRIMARY, SECONDARY = KeyName.PRIMARY, KeyName.SECONDARY

#: The calls of a revocation that regenerates its key, in their order.
REVOKING = (
    "read_revocation",
    "read_open",
    "read_keys",
    "bound_secrets",
    "list_managed",
    "read_current",
    "claim",
    "list_versions",
    "read_version",
    "begin",
    "regenerate",
    "end",
    "publish",
    "forget_outcome",
    "note",
    "disable",
    "forget_waiting",
    "forget_leak",
)


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, in which two secrets hold the primary key, which has leaked.
    """
    world = TwinWorld(request.param)
    world.put("two", key=PRIMARY)
    world.clock.advance(timedelta(days=1))
    return world


async def report_all(world: TwinWorld) -> str:
    """
    Report the leak, and let all that follows at once be done; return the id of the revocation.
    """
    record, moves = await world.report(reason="leaked")
    for move in moves:
        await world.deliver(move)
    assert record.revocation is not UNSET
    return record.revocation.id


async def found(world: TwinWorld, rotation_id: str) -> Rotation:
    """
    Return a rotation's record.
    """
    record = await world.ledger.find(rotation_id)
    assert record is not None
    return record


async def finish(world: TwinWorld) -> None:
    """
    Let the timer and the queue do their work until nothing is left.
    """
    for _ in range(4):
        try:
            await world.resume(after=QUEUED_FOR)
        except (Busy, DependencyError):
            continue


def revocation(world: TwinWorld) -> WaitingRotation:
    """
    Return the one revocation that waits.
    """
    (waiting,) = world.ledger.waiting()
    return waiting


def is_leaked_value_alive(world: TwinWorld) -> bool:
    """
    Return whether somebody who has the leaked value can still use it.
    """
    return world.is_live(world.vaults.history(world.secret)[0])


def assert_revoked(world: TwinWorld) -> None:
    """
    Hold the end of a leak against the promises: the key was regenerated once, and nothing is left to be done.
    """
    assert not is_leaked_value_alive(world)
    assert world.provider.regenerations(world.target, PRIMARY) == 1
    assert world.outages == 0
    assert all(world.holds_live_key(secret.name) for secret in world.managed)
    assert world.ledger.waiting() == []
    assert world.ledger.leaks() == []
    assert world.ledger.claims() == []


async def test_a_report_is_on_record_before_anything_is_done(world: TwinWorld) -> None:
    """
    Its revocation is found by its id from that moment, about the target, with the earliest time at which it can be.
    """
    accepted = await accept(world.ports, world.secret, reason="leaked", revoke_previous_after=HOUR)
    reported = await report_leak(world.ports, accepted)

    waiting = revocation(world)
    assert reported.revocation is not None
    assert waiting.record.id == reported.revocation.id
    record = await found(world, waiting.record.id)
    assert (record.state, record.target, record.secret, record.reason) == (
        State.SCHEDULED,
        world.target.arm_id,
        None,
        "leaked",
    )
    assert record.allowed_on == world.clock.now() + HOUR
    assert world.regenerations() == 0


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_process_killed_while_it_reports_reports_all_or_nothing(world: TwinWorld, when: str) -> None:
    """
    What is on record is done without the caller.
    """
    getattr(world.faults, when)("report_leak", Killed())
    with pytest.raises(Killed):
        await world.report()
    assert len(world.ledger.waiting()) == len(world.ledger.leaks()) == (when == "after")

    await finish(world)
    await world.resume(after=HOUR)

    assert is_leaked_value_alive(world) == (when == "before")
    assert world.outages == 0


async def test_every_secret_that_holds_the_key_is_moved_at_once(world: TwinWorld) -> None:
    """
    Each by a rotation of its own, with the reason that the caller gave.
    """
    world.put("three", key=SECONDARY)
    record, moves = await world.report(reason="leaked")

    assert record.state is State.COMPLETED
    assert [move.secret.name for move in moves if move.secret] == ["two"]
    (moved,) = [done for move in moves for done in await world.deliver(move)]
    assert (moved.state, moved.adopted, moved.reason) == (State.COMPLETED, True, "leaked")
    assert moved.revocation == record.revocation
    assert is_leaked_value_alive(world)


async def test_all_that_follows_from_a_report_names_who_reported(world: TwinWorld) -> None:
    """
    The rotation itself, the moves of the other holders, and the end of the key.
    """
    ada = Caller("ada@example.com", "0b1ec7")
    record, moves = await world.report(requested_by=ada)

    moved = [done for move in moves for done in await world.deliver(move)]
    waiting = revocation(world).record
    await world.resume(after=HOUR)
    revoked = await found(world, waiting.id)

    assert moved
    assert [one.requested_by for one in (record, *moved, waiting, revoked)] == [ada] * (3 + len(moved))
    assert revoked.state is State.COMPLETED


async def test_the_key_dies_the_delay_after_the_last_secret_has_moved(world: TwinWorld) -> None:
    """
    Not after the first, and not before.
    """
    _, moves = await world.report()
    world.clock.advance(timedelta(minutes=40))
    for move in moves:
        await world.deliver(move)

    await world.resume(after=timedelta(minutes=59))
    assert is_leaked_value_alive(world)
    assert await world.resume(after=timedelta(seconds=59)) == []
    (record,) = await world.resume(after=timedelta(seconds=1))

    assert (record.state, record.key_name, record.secret) == (State.COMPLETED, PRIMARY, None)
    assert f"{record.id}:completed" in {event.id for event in world.announcer.published}
    assert_revoked(world)


async def test_versions_with_the_leaked_value_are_disabled(world: TwinWorld) -> None:
    """
    Of every secret that held it; the value that clients moved to stays.
    """
    await report_all(world)
    await finish(world)
    await world.resume(after=HOUR)

    for secret in world.managed:
        *older, current = world.vaults.history(secret)
        assert not any(version.enabled for version in older if not world.is_live(version))
        assert current.enabled
    assert_revoked(world)


async def test_what_is_revoked_stays_leaked_until_its_value_is_dead(world: TwinWorld) -> None:
    """
    And no longer.
    """
    await report_all(world)
    (leak,) = world.ledger.leaks()
    assert leak.target == world.target.identity

    await finish(world)
    await world.resume(after=HOUR)

    assert_revoked(world)


async def test_the_same_key_reported_again_is_the_same_revocation(world: TwinWorld) -> None:
    """
    From the other secret that holds it; each report moves its own.
    """
    first, _ = await world.report("one")
    second, moves = await world.report("two")

    assert first.revocation is not UNSET
    assert second.revocation is not UNSET
    assert first.revocation.id == second.revocation.id
    assert second.state is State.COMPLETED
    assert moves == []
    await finish(world)
    await world.resume(after=HOUR)
    assert_revoked(world)


async def test_the_other_key_is_not_revoked_meanwhile(world: TwinWorld) -> None:
    """
    All secrets need it: the caller learns which revocation has to end first.
    """
    world.put("three", key=SECONDARY)
    waiting = await report_all(world)

    with pytest.raises(RevocationPending, match=waiting) as pending:
        await world.report("three")

    assert pending.value.revocation == waiting
    assert [row.record.id for row in world.ledger.waiting()] == [waiting]
    await finish(world)
    await world.resume(after=HOUR)
    assert_revoked(world)
    second, _ = await world.report("three")
    assert second.state is State.COMPLETED


async def test_the_same_key_in_another_triggers_url_is_the_same_revocation() -> None:
    """
    Each trigger of a workflow shows it in a URL of its own.
    """
    world = TwinWorld("workflow")
    other = f"{world.target.arm_id}/triggers/other"
    target = world.provider.parse_target(other)
    world.put("two", {"ProviderAddress": other}, value=world.provider.value(target, PRIMARY))
    world.put("three", {"ProviderAddress": other}, value=world.provider.value(target, SECONDARY))
    await world.report("one")

    await world.report("two")

    with pytest.raises(RevocationPending):
        await world.report("three")
    assert len(world.ledger.waiting()) == 1


async def test_a_report_that_is_repeated_is_one_report(world: TwinWorld) -> None:
    """
    Also where its revocation was cancelled meanwhile: it does not come back.
    """
    accepted = await accept(world.ports, world.secret, revoke_previous_after=HOUR)
    await report_leak(world.ports, accepted)
    assert await report_leak(world.ports, accepted) == accepted
    await cancel(world.ports, revocation(world).record.id)

    assert await report_leak(world.ports, accepted) == accepted

    assert world.ledger.waiting() == []


@pytest.mark.parametrize("trigger", ["event", "manual"])
async def test_a_key_that_is_to_be_revoked_is_given_to_no_other_secret(world: TwinWorld, trigger: str) -> None:
    """
    A secret that would have to adopt it fails, holds its live key, and says why.
    """
    world.put("two", {PAUSED: "true"}, key=PRIMARY)
    world.put("three", key=SECONDARY)
    await world.report()

    record = await world.rotate(getattr(world, trigger)("three"))

    assert record.error is not None
    assert (record.error.code, record.error.retryable) == ("revocation_pending", True)
    assert "/secrets/two" in record.error.message
    assert world.holds_live_key("three")


async def test_drift_is_not_put_right_with_a_key_that_is_to_be_revoked(world: TwinWorld) -> None:
    """
    The other key is stored, whatever the tag says.
    """
    world.put("two", {PAUSED: "true"}, key=PRIMARY)
    await world.report()
    world.put("three", {"CredentialId": "Primary"}, value="no key at all")

    record = await world.rotate(world.manual("three", force=True))

    assert (record.state, record.key_name) == (State.COMPLETED, SECONDARY)
    assert world.holds_live_key("three")


async def test_a_key_that_was_cancelled_may_be_adopted_again(world: TwinWorld) -> None:
    """
    Somebody has said that it did not leak.
    """
    world.put("two", {PAUSED: "true"}, key=PRIMARY)
    world.put("three", key=SECONDARY)
    await world.report()
    await cancel(world.ports, revocation(world).record.id)

    record = await world.rotate(world.manual("three"))

    assert (record.state, record.adopted) == (State.COMPLETED, True)


async def test_to_leave_another_leaked_key_behind_a_leaked_key_may_be_adopted(world: TwinWorld) -> None:
    """
    Or a secret that cannot be moved would keep the second one alive as well.
    """
    world.put("two", {PAUSED: "true"}, key=PRIMARY)
    await world.report("one")
    await world.resume(after=HOUR + HOLDERS_MOVE_WITHIN)
    assert world.ledger.waiting() == []

    record, _ = await world.report("one")

    assert (record.state, record.adopted) == (State.COMPLETED, True)


async def test_a_secret_that_is_paused_keeps_the_key_alive_for_a_day_and_is_named_then(world: TwinWorld) -> None:
    """
    Nobody moves it, nothing kills its key, and the leak stays known.
    """
    world.put("two", {PAUSED: "true"}, key=PRIMARY)
    waiting = await report_all(world)

    for _ in range(3):
        await world.resume(after=HOLDERS_MOVE_WITHIN / 3)
        assert (await found(world, waiting)).state is State.SCHEDULED
    await world.resume(after=HOUR)

    record = await found(world, waiting)
    assert record.error is not None
    assert record.error.code == "active_key"
    assert "/secrets/two" in record.error.message
    assert f"{waiting}:failed" in {event.id for event in world.announcer.published}
    assert [leak.revocation for leak in world.ledger.leaks()] == [waiting]
    assert is_leaked_value_alive(world)
    assert world.outages == 0


async def test_a_secret_that_can_be_moved_again_is_moved_when_the_timer_comes(world: TwinWorld) -> None:
    """
    Then the delay counts from there.
    """
    paused = world.put("two", {PAUSED: "true"}, key=PRIMARY)
    await report_all(world)
    await world.resume(after=5 * HOUR)
    world.vaults.tag(paused, world.current("two").tags | {PAUSED: "false"})

    (moved,) = await world.resume(after=TICK)
    assert (moved.secret and moved.secret.name, moved.state) == ("two", State.COMPLETED)
    await world.resume(after=TICK)
    assert is_leaked_value_alive(world)
    await world.resume(after=HOUR)

    assert_revoked(world)


async def test_a_secret_whose_new_key_was_refused_is_moved_again_after_an_hour() -> None:
    """
    Each move regenerates the other key.
    """
    world = TwinWorld()
    world.provider.proves = True
    world.provider.settling = 10 * HOUR.total_seconds()
    record, _ = await world.report()
    assert record.state is State.REGENERATING
    for _ in range(8):
        await world.resume(after=timedelta(minutes=10))
    record = await found(world, record.id)
    assert record.error is not None
    assert record.error.code == "key_refused"
    asked = world.provider.regenerations(world.target, SECONDARY)

    await world.resume(after=TICK)
    assert world.provider.regenerations(world.target, SECONDARY) == asked
    world.provider.settling = 0.0
    await world.resume(after=REFUSED_KEY_RESTS_FOR)
    await finish(world)
    await world.resume(after=HOUR)

    assert_revoked(world)


async def test_a_secret_that_is_rotated_in_place_is_moved_last(world: TwinWorld) -> None:
    """
    Its rotation kills the key: nobody else may hold it by then.
    """
    world.put("two", {STRATEGY: "InPlace"}, key=PRIMARY)
    world.put("three", key=PRIMARY)
    world.unmanage("two")
    _, moves = await world.report()

    assert [move.secret.name for move in moves if move.secret] == ["three"]
    for move in moves:
        await world.deliver(move)
    (moved,) = await world.resume(after=TICK)

    assert moved.gap_seconds is not UNSET
    assert not is_leaked_value_alive(world)
    assert world.outages == 0
    (ended,) = await world.resume(after=QUEUED_FOR)
    assert ended.skip_reason is SkipReason.REVOKED
    assert world.ledger.leaks() == []


async def test_in_place_the_leaked_key_is_dead_at_once() -> None:
    """
    A rotation in place kills the old value itself: nothing is left to be revoked.
    """
    world = TwinWorld()
    world.put(tags={STRATEGY: "InPlace"})
    first, moves = await world.report()
    assert first.gap_seconds is not UNSET
    assert moves == []

    (second,) = await world.resume(after=TICK)

    assert (second.state, second.skip_reason) == (State.SKIPPED, "revoked")
    assert world.regenerations() == 1
    assert world.ledger.leaks() == []


async def test_a_superseded_report_is_a_report_all_the_same(world: TwinWorld) -> None:
    """
    Somebody else has moved the secret in the meantime, and the leaked value lives on.
    """
    accepted = await accept(world.ports, world.secret, revoke_previous_after=HOUR)
    await world.rotate(world.event())

    first = await world.rotate(await report_leak(world.ports, accepted))

    assert (first.state, first.skip_reason) == (State.SKIPPED, "superseded")
    assert first.revocation is not UNSET
    await finish(world)
    await world.resume(after=HOUR)
    assert_revoked(world)


async def test_a_key_that_was_regenerated_meanwhile_is_not_regenerated_again(world: TwinWorld) -> None:
    """
    By an ordinary rotation, which finds nobody on it: Skipped(revoked).
    """
    waiting = await report_all(world)
    await world.rotate(world.event("two"))
    assert world.provider.regenerations(world.target, PRIMARY) == 1

    await world.resume(after=HOUR)

    record = await found(world, waiting)
    assert (record.state, record.skip_reason) == (State.SKIPPED, "revoked")
    assert record.allowed_on is UNSET
    assert_revoked(world)


async def test_a_key_that_somebody_puts_back_is_moved_away_from_again(world: TwinWorld) -> None:
    """
    It is looked for under the claim, so that no client is locked out.
    """
    leaked = world.current().value
    assert leaked is not None
    await report_all(world)
    await world.resume(after=HOUR - TICK)
    world.put("two", value=leaked.reveal())

    await world.resume(after=TICK)
    assert is_leaked_value_alive(world)
    await finish(world)
    await world.resume(after=HOUR)
    await finish(world)

    assert_revoked(world)


async def test_a_key_that_comes_back_right_before_it_dies_is_not_killed(world: TwinWorld) -> None:
    """
    Between the look without a claim and the claim.
    """
    leaked = world.current().value
    assert leaked is not None
    await report_all(world)
    await world.resume(after=TICK)

    async def put_back() -> None:
        world.put("two", value=leaked.reveal())

    world.faults.before("claim", put_back)
    await world.resume(after=HOUR)

    assert is_leaked_value_alive(world)
    assert world.outages == 0
    assert world.ledger.claims() == []
    assert revocation(world).record.state is State.SCHEDULED


async def test_a_target_that_cannot_be_read_is_asked_again(world: TwinWorld) -> None:
    """
    A refusal may pass, too: a role may be missing for a moment.
    """
    waiting = await report_all(world)
    await world.resume(after=TICK)
    for error in (Declined("403 AuthorizationFailed"), NotFound("404"), Unavailable("503")):
        world.faults.before("read_keys", error, error)
        try:
            await world.resume(after=HOUR)
        except DependencyError:
            continue
        assert (await found(world, waiting)).state is State.SCHEDULED

    await finish(world)

    assert_revoked(world)


async def test_a_vault_that_cannot_be_read_stops_a_revocation(world: TwinWorld) -> None:
    """
    Nobody knows then whether a client needs the key.
    """
    waiting = await report_all(world)
    await world.resume(after=TICK)
    world.faults.before("read_current", *[Declined("403 Forbidden")] * 4)

    await world.resume(after=HOUR)

    assert is_leaked_value_alive(world)
    assert (await found(world, waiting)).state is State.SCHEDULED


async def test_a_target_that_is_out_of_scope_by_now_is_not_touched(world: TwinWorld) -> None:
    """
    The revocation fails visibly, and the leak stays known.
    """
    waiting = await report_all(world)
    world.scopes.clear()

    await world.resume(after=HOUR)

    record = await found(world, waiting)
    assert record.error is not None
    assert record.error.code == "forbidden"
    assert world.ledger.waiting() == []
    assert len(world.ledger.leaks()) == 1


async def test_a_target_that_is_out_of_scope_is_reported_by_nobody(world: TwinWorld) -> None:
    """
    Nothing is written.
    """
    world.scopes.clear()
    before = world.ledger.snapshot()

    with pytest.raises(OutOfScope):
        await world.report()

    assert world.ledger.snapshot() == before


async def test_a_revocation_is_cancelled(world: TwinWorld) -> None:
    """
    Its key lives on, stays known as leaked, and may be reported again. Twice is once.
    """
    waiting = await report_all(world)

    record = await cancel(world.ports, waiting)

    assert (record.state, record.skip_reason) == (State.SKIPPED, "cancelled")
    assert await cancel(world.ports, waiting) == record
    await finish(world)
    await world.resume(after=HOUR)
    assert is_leaked_value_alive(world)
    assert [leak.revocation for leak in world.ledger.leaks()] == [waiting]
    assert f"{waiting}:completed" not in {event.id for event in world.announcer.published}


async def test_what_was_too_soon_is_cancelled_as_well() -> None:
    """
    Everything that is Scheduled can be.
    """
    world = TwinWorld()
    await world.rotate()
    world.grace = timedelta(hours=24)
    world.rotator = world.worker()
    deferred = await world.rotate(world.event())
    assert deferred.state is State.SCHEDULED

    record = await cancel(world.ports, deferred.id)

    assert (record.state, record.skip_reason, record.allowed_on) == (State.SKIPPED, "cancelled", UNSET)
    assert await world.resume(after=timedelta(hours=24)) == []


async def test_only_what_is_scheduled_can_be_cancelled(world: TwinWorld) -> None:
    """
    Not what has ended, begun, or is in the queue; the answer says which.
    """
    done = await world.rotate()
    with pytest.raises(NotCancellable, match="ended"):
        await cancel(world.ports, done.id)
    accepted = await world.promise()
    with pytest.raises(NotCancellable, match="queue"):
        await cancel(world.ports, accepted.id)

    waiting = await report_all(world)
    await world.resume(after=TICK)
    refused: list[str] = []

    async def try_to_cancel() -> None:
        with pytest.raises(NotCancellable, match="begun") as error:
            await cancel(world.ports, waiting)
        refused.append(error.value.rotation)

    world.faults.before("regenerate", try_to_cancel)
    await world.resume(after=HOUR)

    assert refused == [waiting]


@pytest.mark.parametrize("call", ["claim", "read_keys", "read_current", "begin"])
async def test_a_revocation_that_is_cancelled_while_it_looks_does_not_begin(world: TwinWorld, call: str) -> None:
    """
    Only one of the two takes its row.
    """
    waiting = await report_all(world)
    await world.resume(after=TICK)

    async def cancel_it() -> None:
        await cancel(world.ports, waiting)

    world.faults.before(call, cancel_it)
    with contextlib.suppress(DependencyError):
        await world.resume(after=HOUR)
    await finish(world)

    record = await found(world, waiting)
    assert (record.state, record.skip_reason) == (State.SKIPPED, "cancelled")
    assert is_leaked_value_alive(world)
    assert world.ledger.claims() == []
    assert world.ledger.waiting() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", REVOKING)
async def test_a_process_killed_anywhere_in_a_revocation_loses_nothing(world: TwinWorld, call: str, when: str) -> None:
    """
    The ledger alone brings it to its end, with one regeneration.
    """
    waiting = await report_all(world)
    await world.resume(after=TICK)
    reached = world.faults.count(call)
    getattr(world.faults, when)(call, Killed())

    try:
        await world.resume(after=HOUR)
    except Killed:
        assert all(world.holds_live_key(secret.name) for secret in world.managed)
    assert world.faults.count(call) > reached
    await finish(world)

    record = await found(world, waiting)
    assert (record.state, record.key_name) == (State.COMPLETED, PRIMARY)
    assert not is_leaked_value_alive(world)
    assert world.provider.regenerations(world.target, PRIMARY) == 1
    assert world.outages == 0
    assert world.ledger.waiting() == []
    assert world.ledger.claims() == []
    assert await world.resume(after=QUEUED_FOR) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call", ["read_revocation", "read_open", "read_keys", "list_managed", "read_current", "read_entry", "postpone"]
)
async def test_a_process_killed_while_it_looks_for_holders_moves_them_later(
    world: TwinWorld, call: str, when: str
) -> None:
    """
    No message was written then: the timer comes again.
    """
    accepted = await report_leak(
        world.ports, await accept(world.ports, world.secret, reason="leaked", revoke_previous_after=HOUR)
    )
    await world.rotate(accepted)
    getattr(world.faults, when)(call, Killed())

    with contextlib.suppress(Killed):
        await world.rotator.moves(accepted)
    await finish(world)
    await world.resume(after=HOUR)

    assert_revoked(world)


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_lost_answer_never_revokes_twice(world: TwinWorld, effect: str) -> None:
    """
    Whether the request took effect is looked up.
    """
    await report_all(world)
    await world.resume(after=TICK)
    getattr(world.faults, effect)("regenerate", NoAnswer("dropped"))

    await world.resume(after=HOUR)
    await finish(world)

    assert_revoked(world)


async def test_a_refused_revocation_fails_with_the_providers_words(world: TwinWorld) -> None:
    """
    Nothing is in flight, and the leak stays known.
    """
    waiting = await report_all(world)
    await world.resume(after=TICK)
    world.faults.before("regenerate", Declined("403 AuthorizationFailed: no permission"))

    await world.resume(after=HOUR)

    record = await found(world, waiting)
    assert record.error is not None
    assert record.error.code == "provider_refused"
    assert world.ledger.waiting() == []
    assert len(world.ledger.leaks()) == 1


async def test_a_revocation_waits_for_its_turn(world: TwinWorld) -> None:
    """
    A busy target is no end of it, and uses up no message: the timer brings it again.
    """
    await report_all(world)
    await world.resume(after=TICK)
    world.clock.advance(HOUR)
    (due,) = await list_unfinished(world.ports)
    refused: list[State] = []

    async def interfere() -> None:
        refused.append((await world.worker().rotate(due)).state)
        assert revocation(world).due_on == world.clock.now()

    world.faults.before("read_keys", interfere)
    await world.rotate(world.manual("two", key=SECONDARY))
    assert refused == [State.SCHEDULED]

    await world.resume(after=TICK)
    assert_revoked(world)


async def test_a_move_or_an_accepted_report_waits_for_its_turn(world: TwinWorld) -> None:
    """
    It does not end Skipped(busy): its secret holds a leaked key.
    """
    accepted = await accept(world.ports, world.secret, revoke_previous_after=HOUR)
    report = await world.promise(await report_leak(world.ports, accepted))
    (move,) = await world.rotator.moves(report, but=report.secret)
    refused = 0

    async def interfere() -> None:
        nonlocal refused
        with pytest.raises(Busy):
            await world.worker().rotate(report)
        refused += 1

    world.faults.before("read_keys", interfere)
    await world.rotate(move)
    assert refused == 1

    assert (await world.rotate(report)).state is State.COMPLETED
    await finish(world)
    await world.resume(after=HOUR)
    assert_revoked(world)


async def test_a_message_that_is_used_up_does_not_end_a_revocation(world: TwinWorld) -> None:
    """
    It waits in the ledger, and the timer brings it again.
    """
    waiting = await report_all(world)
    await world.resume(after=TICK)
    world.clock.advance(HOUR)
    (due,) = await list_unfinished(world.ports)

    record = await world.rotator.give_up(due)

    assert record.state is State.SCHEDULED
    await finish(world)
    assert (await found(world, waiting)).state is State.COMPLETED
    assert_revoked(world)


async def test_a_revocation_is_handed_out_once_in_a_quarter_of_an_hour(world: TwinWorld) -> None:
    """
    The timer comes every five minutes, and a message that is on its way is given time.
    """
    await report_all(world)
    await world.resume(after=TICK)
    world.clock.advance(HOUR)
    (due,) = await list_unfinished(world.ports)

    for _ in range(2):
        world.clock.advance(TICK)
        assert await list_unfinished(world.ports) == []
    world.clock.advance(TICK)

    assert await list_unfinished(world.ports) == [due]


async def test_a_claim_that_a_revocation_left_behind_is_given_back_before_anything_is_moved(world: TwinWorld) -> None:
    """
    Or every move would find the target taken, for ever.
    """
    accepted = await report_leak(
        world.ports, await accept(world.ports, world.secret, reason=None, revoke_previous_after=HOUR)
    )
    (due,) = await list_unfinished(world.ports)
    world.faults.after("claim", Killed())
    await world.die_in(due)
    assert len(world.ledger.claims()) == 1

    await finish(world)
    await world.resume(after=HOUR)
    await finish(world)

    assert accepted.revocation is not None
    assert (await found(world, accepted.revocation.id)).state is State.COMPLETED
    assert_revoked(world)


async def test_the_leaked_keys_fingerprint_is_told_to_nobody(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It stands in requests and rows alone; no log line, event or record has it, nor any key.
    """
    caplog.set_level(logging.DEBUG)
    leaked = world.current().value
    assert leaked is not None
    fingerprint = world.target.fingerprint(leaked)
    waiting = await report_all(world)
    await world.resume(after=TICK)
    rows = world.ledger.everything()
    world.faults.before("regenerate", Unavailable("503"))
    await world.resume(after=HOUR)

    assert fingerprint in rows
    records = [await found(world, waiting), *world.ledger.records().values()]
    lines = [f"{line.getMessage()} {vars(line)}" for line in caplog.records]
    shown = msgspec.json.encode([records, world.announcer.published]).decode() + "".join(lines)
    assert "regenerated" in shown
    assert fingerprint not in shown
    for version in world.vaults.history(world.secret):
        assert version.value is not None
        value = version.value.reveal()
        assert (value.partition("sig=")[2] or value) not in shown + rows


async def test_what_a_secret_holds_when_it_is_asked_for_is_what_is_revoked(world: TwinWorld) -> None:
    """
    A caller may name an older version; the leak is about the value of now.
    """
    old = world.current().id
    await world.rotate(world.event())
    held = world.current().value
    assert held is not None

    request = await accept(world.ports, old, revoke_previous_after=HOUR)

    assert request.secret == old
    assert request.revocation is not None
    assert request.revocation.leaked.fingerprint == world.target.fingerprint(held)


async def test_nothing_is_revoked_of_a_secret_that_is_not_ours(world: TwinWorld) -> None:
    """
    An unmanaged secret, or one that is disabled, has no key that could be told apart: the report says Skipped.
    """
    world.put(bare=True)
    record, moves = await world.report()
    assert (record.skip_reason, record.revocation, moves) == ("unmanaged", UNSET, [])
    world.put(enabled=False)
    record, moves = await world.report()
    assert (record.skip_reason, record.revocation, moves) == ("disabled", UNSET, [])
    assert world.ledger.waiting() == []
    assert world.ledger.leaks() == []


async def test_a_leak_of_a_secret_whose_tags_name_no_target_is_refused_at_once(world: TwinWorld) -> None:
    """
    Nothing is written: the caller learns which tag is wrong.
    """
    world.put(tags={"ProviderAddress": "/subscriptions/typo"})
    before = world.ledger.snapshot()

    with pytest.raises(Misconfigured, match="ProviderAddress"):
        await world.report()

    assert world.ledger.snapshot() == before


async def test_a_paused_secret_is_reported_and_stays_as_it_is(world: TwinWorld) -> None:
    """
    Its rotation is skipped; the leak is on record, and kills no key that it holds.
    """
    world.put(tags={PAUSED: "true"})
    record, moves = await world.report()

    assert (record.state, record.skip_reason) == (State.SKIPPED, "paused")
    assert record.revocation is not UNSET
    assert [move.secret.name for move in moves if move.secret] == ["two"]
    await finish(world)
    assert world.holds_live_key()


async def test_a_request_that_revokes_is_about_a_target() -> None:
    """
    A message that says otherwise cannot be read.
    """
    world = TwinWorld()
    request = await accept(world.ports, world.secret, revoke_previous_after=HOUR)
    with pytest.raises(ValueError, match="at its target"):
        structs.replace(request, revokes=request.revocation)
    with pytest.raises(ValueError, match="names the key"):
        RotationRequest("r", request.trigger, None, request.accepted_on, target=world.target.written)
    assert SecretId(VAULT, "one") == world.secret


@pytest.mark.parametrize("call", ["claim", "bound_secrets", "begin", "defer"])
async def test_a_revocation_that_is_cancelled_late_takes_nothing_from_the_next_one(world: TwinWorld, call: str) -> None:
    """
    The other key is reported right after that: its revocation stays, and the cancelled one regenerates nothing.
    """
    if call == "defer":
        world.put("two", {PAUSED: "true"}, key=PRIMARY)
    first = await report_all(world)
    await world.resume(after=TICK)
    following: list[str] = []

    async def cancel_and_report() -> None:
        assert (await cancel(world.ports, first)).skip_reason is SkipReason.CANCELLED
        accepted = await world.report_only("one")
        assert accepted.revocation is not None
        following.append(accepted.revocation.id)

    world.faults.before(call, cancel_and_report)
    with contextlib.suppress(DependencyError, Unfinished):
        await world.resume(after=TICK if call == "defer" else HOUR)

    assert [row.record.id for row in world.ledger.waiting()] == following
    assert world.provider.regenerations(world.target, PRIMARY) == 0
    assert (await found(world, first)).skip_reason is SkipReason.CANCELLED


async def test_a_report_that_is_repeated_is_about_the_key_of_then(world: TwinWorld) -> None:
    """
    Its secret has moved since, and now holds another key: nothing is regenerated a second time.
    """
    world.grace = timedelta(hours=24)
    world.rotator = world.worker()
    rotation_id = new_id(world.clock.now())

    async def report() -> RotationRequest:
        accepted = await accept(
            world.ports, world.secret, rotation_id=rotation_id, revoke_previous_after=timedelta(hours=4)
        )
        pinned = await world.ledger.reserve(rotation_id, Reservation("digest", accepted.secret))
        return await report_leak(world.ports, structs.replace(accepted, secret=pinned.secret))

    first = await report()
    for move in await world.rotator.moves(first):
        await world.deliver(move)
    world.clock.advance(timedelta(minutes=1))
    again = await report()
    record = await world.rotator.rotate(again)

    assert again.revocation == first.revocation
    assert (record.state, record.skip_reason) == (State.SKIPPED, "superseded")
    assert is_leaked_value_alive(world)


async def test_a_secret_that_was_moved_holds_the_other_key(world: TwinWorld) -> None:
    """
    A report names the value that is held when it is made: the key that all have moved to is needed, and is refused.
    """
    first, moves = await world.report("one")
    for move in moves:
        await world.deliver(move)
    world.clock.advance(TICK)
    assert first.revocation is not UNSET

    for name in ("one", "two"):
        with pytest.raises(RevocationPending) as pending:
            await world.report(name)
        assert pending.value.revocation == first.revocation.id

    await finish(world)
    await world.resume(after=HOUR)
    assert_revoked(world)


async def test_a_secret_whose_rotation_keeps_failing_is_named_after_a_day(world: TwinWorld) -> None:
    """
    It can be rotated by its tags, and its value says otherwise: that does not go on for ever.
    """
    both = " ".join(world.provider.value(world.target, key) for key in KeyName)
    world.put("two", value=both)
    waiting = await report_all(world)

    for _ in range(26):
        await world.resume(after=HOUR)

    record = await found(world, waiting)
    assert record.error is not None
    assert record.error.code == "active_key"
    assert "/secrets/two" in record.error.message


async def test_a_vault_that_refuses_every_version_does_not_cost_a_key_every_five_minutes(world: TwinWorld) -> None:
    """
    Each move regenerates the other key before it is refused: one an hour, until the day is over.
    """
    world.faults.before("store", *[Declined("403 Forbidden")] * 1000)
    waiting = await report_all(world)

    for _ in range(26 * 12):
        await world.resume(after=TICK)

    assert (await found(world, waiting)).state is State.FAILED
    assert world.provider.regenerations(world.target, SECONDARY) < 2 * 28


async def test_a_dependency_that_never_answers_does_not_hold_a_revocation_for_ever(world: TwinWorld) -> None:
    """
    Nobody knows then who holds the key: it fails visibly, a day past its delay.
    """
    waiting = await report_all(world)
    world.faults.before("list_managed", *[Unavailable("503")] * 1000)

    for _ in range(30):
        with contextlib.suppress(DependencyError):
            await world.resume(after=HOUR)

    record = await found(world, waiting)
    assert record.error is not None
    assert record.error.code == "exhausted"
    assert is_leaked_value_alive(world)
    assert len(world.ledger.leaks()) == 1


async def test_a_report_of_a_secret_that_is_rotated_in_place_moves_the_others_first(world: TwinWorld) -> None:
    """
    It is refused, and done when nobody else holds the key.
    """
    world.put("one", {STRATEGY: "InPlace"}, key=PRIMARY)
    record, moves = await world.report("one")

    assert record.error is not None
    assert record.error.code == "active_key"
    assert [move.secret.name for move in moves if move.secret] == ["two"]
    for move in moves:
        await world.deliver(move)
    world.unmanage("one")
    (moved,) = await world.resume(after=TICK)
    assert moved.gap_seconds is not UNSET
    assert not is_leaked_value_alive(world)
    assert world.outages == 0


async def test_no_secret_is_rotated_in_place_while_one_that_is_paused_holds_the_key(world: TwinWorld) -> None:
    """
    That one's clients would be locked out.
    """
    world.put("two", {PAUSED: "true"}, key=PRIMARY)
    world.put("three", {STRATEGY: "InPlace"}, key=PRIMARY)

    await report_all(world)
    await finish(world)

    assert is_leaked_value_alive(world)
    assert world.outages == 0


async def test_no_moves_are_queued_while_the_target_is_taken(world: TwinWorld) -> None:
    """
    None of them could begin: the timer finds them again.
    """
    accepted = await world.report_only()
    queued: list[RotationRequest] = []

    async def look() -> None:
        queued.extend(await world.worker().moves(accepted))

    world.faults.before("regenerate", look)
    await world.rotate(accepted)

    assert queued == []
    assert len(await world.rotator.moves(accepted)) == 1


async def test_a_secret_that_is_deleted_counts_for_the_delay_without_any_grace_time(world: TwinWorld) -> None:
    """
    Its clients may go on with what they have read.
    """
    _, moves = await world.report(after=4 * HOUR)
    for move in moves:
        await world.deliver(move)
    world.delete("one")
    world.delete("two")

    for _ in range(12):
        await world.resume(after=QUEUED_FOR)
    assert world.provider.regenerations(world.target, PRIMARY) == 0
    for _ in range(12):
        await world.resume(after=QUEUED_FOR)
    assert world.provider.regenerations(world.target, PRIMARY) == 1


@pytest.mark.parametrize("gone", ["deleted", "unreadable"])
async def test_dead_versions_are_disabled_although_one_secret_is_gone(world: TwinWorld, gone: str) -> None:
    """
    Of all that are there.
    """
    world.put("aaa", key=SECONDARY)
    await report_all(world)
    await world.resume(after=TICK)
    if gone == "deleted":
        world.delete("aaa")

    async def refuse() -> None:
        world.faults.before("read_current", Declined("403"))

    if gone == "unreadable":
        world.faults.before("end", refuse)
    await world.resume(after=HOUR)
    await world.resume(after=HOUR)

    assert not is_leaked_value_alive(world)
    assert not world.vaults.history(SecretId(VAULT, "two"))[0].enabled


@pytest.mark.parametrize("call", ["forget_leak", "forget_outcome", "publish"])
async def test_a_leak_whose_key_is_dead_is_forgotten_in_the_end(world: TwinWorld, call: str) -> None:
    """
    Whatever fails on the way: the outcome waits until that is done.
    """
    await report_all(world)
    await world.resume(after=TICK)
    world.faults.before(call, Unavailable("503"))
    await world.resume(after=HOUR)

    await finish(world)

    assert_revoked(world)
