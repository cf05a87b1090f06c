"""
Steps 8 and 9: a rotation ends in one step, and is published afterwards.

The first outcome that is remembered is the rotation's outcome. Nothing here undoes it, and failing to publish it
leaves it where `resume_rotations` finds it.
"""

import logging
from datetime import datetime

from msgspec import UNSET, structs

from rotation.ports.announcer import announcement_of
from rotation.ports.world import World
from rotation.run.claim import Claim
from rotation.vocabulary.endings import Ending, Exhausted, NotYet, Skip, SkipReason, TooSoon
from rotation.vocabulary.errors import Busy, DependencyError
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.record import (
    EndedRotation,
    Problem,
    Rotation,
    ScheduledRevocation,
    State,
    WaitingRotation,
)
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.target import identity_of
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


def completed_record(record: Rotation, now: datetime) -> Rotation:
    """
    Return the record of a rotation whose new version is stored.
    """
    return structs.replace(record, state=State.COMPLETED, completed_on=now)


def ended_record(record: Rotation, ending: Ending, now: datetime) -> Rotation:
    """
    Return the record of a rotation that ends skipped or failed.
    """
    if isinstance(ending, TooSoon):
        record = structs.replace(record, allowed_on=ending.allowed_on)
    if isinstance(ending, Skip):
        return structs.replace(record, state=State.SKIPPED, completed_on=now, skip_reason=ending.reason)
    name = f"secret {record.secret.name!r}: " if record.secret else ""
    problem = Problem(ending.code, f"{name}{ending}", ending.retryable)
    return structs.replace(record, state=State.FAILED, completed_on=now, error=problem)


def deferred(request: RotationRequest, record: Rotation, ending: Ending, now: datetime) -> WaitingRotation | None:
    """
    Return a rotation that waits until its key may be regenerated, None for one that ends.

    A revocation that waits for secrets to be moved looks again the next time that the timer comes.
    """
    if isinstance(ending, NotYet):
        due_on = now
    elif isinstance(ending, TooSoon) and request.is_patient:
        due_on = ending.allowed_on
    else:
        return None
    record = structs.replace(record, state=State.SCHEDULED, allowed_on=ending.allowed_on)
    return WaitingRotation(structs.replace(request, waits=True, deferred=True), record, due_on)


async def find(world: World, rotation_id: str) -> Rotation | None:
    """
    Return the record of a rotation that has ended, and publish it if that is still to be done.
    """
    standing = await world.ledger.read_standing(rotation_id)
    return await catch_up(world, standing) if isinstance(standing, Rotation) else None


async def catch_up(world: World, record: Rotation) -> Rotation:
    """
    Return the record of a rotation that has ended, and publish it if that is still to be done.
    """
    if outcome := await world.ledger.read_outcome(record.id):
        await announce(world, structs.replace(outcome, record=record))
    return record


async def end(claim: Claim, record: Rotation) -> EndedRotation:
    """
    Remember the outcome, and free the target; return what is to be announced.

    Raises `EndedAlready`, and `Unfinished` if another worker has taken the rotation over: its outcome counts then.
    """
    outcome = _outcome(claim.request, record)
    await claim.end(outcome)
    _report_end(outcome, claim.deadline)
    return outcome


async def defer(claim: Claim, row: WaitingRotation) -> Rotation:
    """
    Let a rotation wait for its time, and free the target; return its record. Raises as `end` does.
    """
    await claim.defer(row)
    report(row.record, "deferred", claim.deadline, until=row.record.allowed_on)
    return row.record


async def find_deferred(world: World, request: RotationRequest) -> WaitingRotation | None:
    """
    Return the row by which a rotation waits for its time. A message may be older than that row.
    """
    waiting = await find_waiting(world, world.accepted(request, request.accepted_on))
    return waiting if waiting and (waiting.request.deferred or waiting.request.revokes) else None


async def find_waiting(world: World, record: Rotation) -> WaitingRotation | None:
    """
    Return the row by which the rotation of a record waits: a revocation has one for its target.
    """
    if waiting := await world.ledger.read_waiting(record.id):
        return waiting
    if record.secret or record.target is None:
        return None
    revocation = await world.ledger.read_revocation(identity_of(record.target))
    return revocation if revocation and revocation.record.id == record.id else None


async def end_unclaimed(world: World, request: RotationRequest, record: Rotation, ending: Ending) -> Rotation:
    """
    End a rotation that has no target to claim, or nothing to do there; return the outcome that counts.

    Raises `Busy` where it has begun meanwhile, with another worker.
    """
    outcome = _outcome(request, ended_record(record, ending, world.clock.now()))
    if not await world.ledger.end_unclaimed(outcome):
        if known := await find(world, request.id):
            return known
        raise Busy(request.id)
    _report_end(outcome)
    return await announce(world, outcome)


async def end_waiting(world: World, request: RotationRequest, record: Rotation, ending: Ending) -> Rotation | None:
    """
    End a rotation that waits and has not begun; None if it has, with any worker.

    Both this and beginning take the row by which it waits: only one of them can.
    """
    if known := await find(world, request.id):
        return known
    outcome = _outcome(request, ended_record(record, ending, world.clock.now()))
    if not await world.ledger.end_waiting(outcome):
        return await find(world, request.id)
    _report_end(outcome)
    return await announce(world, outcome)


async def end_busy(world: World, request: RotationRequest, busy: Busy) -> Rotation:
    """
    End a rotation that was accepted, since its target is taken; raise the error for every other one.

    What is about a leaked key waits for its turn, and so do what was deferred and a duplicate of what is running; while
    tags are being changed, so does everything. A revocation does so in the ledger, for the timer to bring it again:
    that may take longer than a message lasts.
    """
    if request.revokes and (waiting := await find_deferred(world, request)):
        await world.ledger.postpone(waiting, world.clock.now())
        return waiting.record
    waits_for_its_turn = request.is_about_a_leak or busy.running in {request.id, None}
    if not request.waits or waits_for_its_turn or await find_deferred(world, request):
        raise busy
    record = world.accepted(request, world.clock.now())
    ended = await end_waiting(world, request, record, Skip(SkipReason.BUSY))
    if ended is None:
        raise busy
    return ended


async def end_unread(world: World, request: RotationRequest, error: DependencyError) -> Rotation:
    """
    End a rotation whose retries are used up and whose last try could not begin, or return the record of an open one.

    Raises `Busy` for one that its worker may still give back without a trace.
    """
    target = await world.ledger.find_claimed(request.id)
    found = target and await world.ledger.read_open(target)
    if found and found.row.request.id == request.id:
        if not found.row.begun:
            raise Busy(request.id)
        return found.row.record
    failure = Exhausted(f"its retries are used up; the last one ended with: {error}")
    return await end_unclaimed(world, request, world.accepted(request, world.clock.now()), failure)


async def forget_waiting(world: World, request: RotationRequest, record: Rotation) -> None:
    """
    Forget that a rotation waited, once it has ended.
    """
    if not request.waits or record.completed_on is None:
        return
    try:
        await world.ledger.forget_waiting(request.id)
    except DependencyError as error:
        # It will be put into the queue once more, found to have ended, and forgotten then.
        _log.warning("rotation %s: could not delete the row by which it waited: %s", request.id, error)


def _outcome(request: RotationRequest, record: Rotation) -> EndedRotation:
    """
    Return how a rotation has ended. One that leaves a leaked key behind says what becomes of that.
    """
    revocation = request.revocation
    if revocation and record.completed_on and record.revocation is not UNSET:
        due_on = record.completed_on + revocation.after
        record = structs.replace(record, revocation=ScheduledRevocation(revocation.id, due_on))
    return EndedRotation(request, record)


def _report_end(outcome: EndedRotation, deadline: Deadline | None = None) -> None:
    record, request = outcome.record, outcome.request
    # The caller hears of the failure, and nobody else has to.
    is_heard = record.error is not None and not (request.is_patient or request.is_about_a_leak)
    if record.error:
        # A line of its own at level ERROR, for those who watch the log for errors.
        _log.error("rotation %s: Failed (%s): %s", record.id, record.error.code, record.error.message)
    reason = record.error.code if record.error else record.skip_reason
    report(record, "ended", deadline, outcome=record.state, reason=reason, awaited=is_heard or None)


async def announce(world: World, outcome: EndedRotation) -> Rotation:
    """
    Publish an outcome; return its record, whether or not that works.
    """
    record, revokes = outcome.record, outcome.request.revokes
    try:
        is_dead = record.state is State.COMPLETED or record.skip_reason is SkipReason.REVOKED
        if revokes and record.target and is_dead:
            await world.ledger.forget_leak(identity_of(record.target), revokes.leaked)
        if announcement := announcement_of(record):
            await world.announcer.publish(announcement)
            report(record, "announced")
        await world.gather(world.ledger.forget_outcome(record.id), _show(world, record))
    except DependencyError as error:
        _log.warning("rotation %s: its outcome waits to be published: %s", record.id, error)
    return record


async def _show(world: World, record: Rotation) -> None:
    """
    Let the inventory show the outcome; best effort, since the next sweep puts it right.
    """
    try:
        await world.inventory.note(record)
    except DependencyError as error:
        _log.warning("rotation %s: the inventory does not show it yet: %s", record.id, error)
