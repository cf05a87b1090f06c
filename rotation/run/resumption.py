"""
What is left to be done: rotations whose worker died, outcomes that are not published, and what is due by now.
"""

from msgspec import structs

from rotation.ports.world import World
from rotation.vocabulary.limits import PUBLISHED_WITHIN, QUEUED_FOR
from rotation.vocabulary.request import RotationRequest


async def list_unfinished(world: World) -> list[RotationRequest]:
    """
    Return the requests to put back into the queue. It asks the ledger alone.
    """
    now = world.clock.now()
    stalled = [
        structs.replace(row.request, claimed=target)
        async for target, row in world.ledger.list_open()
        if row.claimed_until <= now
    ]
    unpublished = [
        structs.replace(outcome.request, ended=True)
        async for outcome in world.ledger.list_outcomes()
        if outcome.record.completed_on is None or outcome.record.completed_on + PUBLISHED_WITHIN <= now
    ]
    return stalled + unpublished + await _list_due(world)


async def _list_due(world: World) -> list[RotationRequest]:
    """
    Return what was accepted and has not ended in time, and what was scheduled for a time that has come.
    """
    now = world.clock.now()
    due = [row async for row in world.ledger.list_waiting() if row.due_on <= now]
    for row in due:
        await world.ledger.postpone(row, now + QUEUED_FOR)
    return [row.request for row in due]
