"""
Step 2: a target is claimed, or the claim of an earlier attempt that has expired is taken over.
"""

import uuid

from msgspec import structs

from rotation.ports.ledger import Versioned
from rotation.ports.world import World
from rotation.run.claim import Claim
from rotation.vocabulary.errors import Busy
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.record import OpenRotation, Rotation
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.timing import Deadline


async def take_claim(
    world: World, target: str, request: RotationRequest, record: Rotation, deadline: Deadline
) -> Claim | Rotation:
    """
    Return the claim on a target, or the record of the same rotation with another worker.

    Raises `Busy`.
    """
    wanted = OpenRotation(
        structs.replace(request, claimed=None, ended=False),
        record,
        uuid.uuid4().hex,
        claimed_until=deadline.claimed_until,
    )
    found = await _claim(world, target, wanted)
    if found.row.lease != wanted.lease:
        if found.row.request.id != request.id:
            raise Busy(found.row.request.id)
        if found.row.claimed_until > world.clock.now():
            if not found.row.begun:
                # Its worker may give it back without a trace, and must find this trigger trying again.
                raise Busy(request.id)
            report(found.row.record, "left to the worker that has it", deadline)
            return found.row.record
        # Whatever its last worker sent has taken effect by now, or never will.
        resumed = structs.replace(
            found.row,
            lease=wanted.lease,
            claimed_until=wanted.claimed_until,
            record=structs.replace(found.row.record, attempts=found.row.record.attempts + 1),
        )
        taken = await world.ledger.replace(target, resumed, found.etag)
        if taken is None:
            # Taken over by another worker, or given back by the last one: look again which.
            return await take_claim(world, target, request, record, deadline)
        found = taken
    report(found.row.record, "claimed", deadline, attempt=found.row.record.attempts)
    return Claim(world, target, found, deadline)


async def _claim(world: World, target: str, wanted: OpenRotation) -> Versioned[OpenRotation]:
    """
    Return the row of the target: that which is wanted, or another rotation's. Raises `Busy` while tags are changed.
    """
    while True:
        found = await world.ledger.claim(target, wanted)
        row = found.row
        if isinstance(row, OpenRotation):
            return Versioned(row, found.etag)
        if row.claimed_until > world.clock.now():
            raise Busy(None)
        # Whatever its worker sent has taken effect by now, or never will.
        await world.ledger.release(target, found.etag)
