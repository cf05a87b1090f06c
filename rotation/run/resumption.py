"""
What is left to be done: rotations whose worker died, outcomes that nobody was told, and what is due by now.
"""

from datetime import timedelta

from msgspec import structs

from rotation.ports.world import World
from rotation.vocabulary.request import RotationRequest

# How long a rotation that was put into the queue has before it is put there once more: its message may be lost.
QUEUED_FOR = timedelta(minutes=15)
# An outcome younger than this is most likely being published right now.
_PUBLISHING = timedelta(minutes=2)


async def list_unfinished(world: World) -> list[RotationRequest]:
    """
    Return the requests to put back into the queue. It asks the ledger alone.
    """
    now = world.clock.now()
    stalled = [
        structs.replace(row.request, claimed=claim_id)
        async for claim_id, row in world.ledger.list_open()
        if row.claimed_until <= now
    ]
    untold = [
        structs.replace(outcome.request, ended=True)
        async for outcome in world.ledger.list_outcomes()
        if outcome.record.completed_on is None or outcome.record.completed_on + _PUBLISHING <= now
    ]
    return stalled + untold + await _list_due(world)


async def _list_due(world: World) -> list[RotationRequest]:
    """
    Return what was accepted and has not ended in time, and what was scheduled for a time that has come.
    """
    now = world.clock.now()
    due = [row async for row in world.ledger.list_waiting() if row.due_on <= now]
    for row in due:
        await world.ledger.postpone(row, now + QUEUED_FOR)
    return [row.request for row in due]
