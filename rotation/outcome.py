"""
Steps 8 and 9: a rotation ends in one step, and is told about afterwards.

The first outcome that is remembered is the rotation's outcome. Nothing here undoes it, and failing to publish it
leaves it where `resume_rotations` finds it.
"""

import logging
from datetime import datetime

from msgspec import structs

from rotation.announcement import announcement_of
from rotation.attempt import Attempt
from rotation.errors import DependencyError, Ending, Skip, Unfinished
from rotation.record import EndedRotation, Problem, Rotation, State
from rotation.request import RotationRequest
from rotation.story import report
from rotation.world import World

_log = logging.getLogger(__name__)


def completed(record: Rotation, now: datetime) -> Rotation:
    """
    Return the record of a rotation whose new version is stored.
    """
    return structs.replace(record, state=State.COMPLETED, completed_on=now)


def of(record: Rotation, ending: Ending, now: datetime) -> Rotation:
    """
    Return the record of a rotation that ends skipped or failed.
    """
    if isinstance(ending, Skip):
        return structs.replace(record, state=State.SKIPPED, completed_on=now, reason=ending.reason)
    name = f"secret {record.secret.name!r}: " if record.secret else ""
    problem = Problem(ending.code, f"{name}{ending}", ending.retryable)
    return structs.replace(record, state=State.FAILED, completed_on=now, error=problem)


async def find(world: World, rotation_id: str) -> Rotation | None:
    """
    Return the record of a rotation that has ended, and publish it if that is still to be done.
    """
    if waiting := await world.ledger.read_outcome(rotation_id):
        return await announce(world, waiting)
    return await world.ledger.read_done(rotation_id)


async def end(world: World, attempt: Attempt, record: Rotation) -> Rotation:
    """
    Remember the outcome and free the target; return the outcome that counts.

    Raises `Unfinished` if another worker has taken the rotation over: then its outcome counts.
    """
    outcome = EndedRotation(attempt.row.request, record)
    if await world.ledger.end(outcome, claim_id=attempt.claim_id, etag=attempt.etag):
        _tell(record)
        return await announce(world, outcome)
    if known := await find(world, record.id):
        await world.ledger.release(attempt.claim_id, attempt.etag)
        return known
    raise Unfinished("another worker has taken this rotation over", in_flight=False)


async def end_unclaimed(world: World, request: RotationRequest, record: Rotation, ending: Ending) -> Rotation:
    """
    End a rotation that has no target to claim, or nothing to do there; return the outcome that counts.
    """
    outcome = EndedRotation(request, of(record, ending, world.clock.now()))
    if not await world.ledger.end_unclaimed(outcome):
        return await find(world, request.id) or outcome.record
    _tell(outcome.record)
    return await announce(world, outcome)


def _tell(record: Rotation) -> None:
    if record.error:
        # Told once more, for whoever watches the log for errors.
        _log.error("rotation %s: Failed (%s): %s", record.id, record.error.code, record.error.message)
    report(record, "ended", reason=record.error.code if record.error else record.reason)


async def announce(world: World, outcome: EndedRotation) -> Rotation:
    """
    Publish an outcome and settle it; return the record that counts, whether or not that works.
    """
    record = outcome.record
    try:
        # Ended twice, with a claim and without one: only the first outcome may be told.
        if earlier := await world.ledger.read_done(record.id):
            record = earlier
        elif announcement := announcement_of(record):
            await world.announcer.publish(announcement)
            report(record, "announced")
        await world.ledger.settle(record)
    except DependencyError as error:
        _log.warning("rotation %s: its outcome waits to be published: %s", record.id, error)
    return record
