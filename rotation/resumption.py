"""
What is left to be done: rotations whose worker died, and outcomes that nobody was told.
"""

from datetime import timedelta

from msgspec import structs

from rotation.request import RotationRequest
from rotation.world import World

# An outcome younger than this is most likely being published right now.
_PUBLISHING = timedelta(minutes=2)


async def list_unfinished(world: World) -> list[RotationRequest]:
    """
    Return the requests to put back into the queue. It reads the ledger alone.
    """
    now = world.clock.now()
    stalled = [
        structs.replace(row.request, claimed=claim_id)
        async for claim_id, row in world.ledger.list_open()
        if row.claimed_until <= now
    ]
    untold = [
        outcome.request
        async for outcome in world.ledger.list_outcomes()
        if outcome.record.completed_on is None or outcome.record.completed_on + _PUBLISHING <= now
    ]
    return stalled + untold
