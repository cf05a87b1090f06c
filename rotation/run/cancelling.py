"""
A rotation that waits for its time is cancelled: a revocation, or one for which it was too soon.

Cancelling and beginning each take the row away by which it waits, in the transaction with what they write, so that only
one of them can.
"""

from msgspec import UNSET, structs

from rotation.ports.world import World
from rotation.run import outcome
from rotation.vocabulary.endings import Skip, SkipReason
from rotation.vocabulary.errors import NotCancellable, UnknownRotation
from rotation.vocabulary.record import Rotation, State


async def cancel(world: World, rotation_id: str) -> Rotation:
    """
    Return the record of a rotation that is cancelled now, or was before.

    Raises `UnknownRotation`, `NotCancellable` and a `DependencyError`.
    """
    record = await world.ledger.find(rotation_id)
    if record is None:
        raise UnknownRotation(f"there is no rotation {rotation_id}")
    waiting = await outcome.find_waiting(world, record)
    if waiting and waiting.record.state is State.SCHEDULED:
        scheduled = structs.replace(waiting.record, allowed_on=UNSET)
        cancelled = Skip(SkipReason.CANCELLED)
        record = await outcome.end_waiting(world, waiting.request, scheduled, cancelled) or record
    if record.skip_reason is not SkipReason.CANCELLED:
        raise _not_cancellable(await world.ledger.find(rotation_id) or record)
    return record


def _not_cancellable(record: Rotation) -> NotCancellable:
    if record.completed_on:
        why = f"it has ended ({record.state})"
    elif record.state is State.ACCEPTED:
        why = "it is in the queue, and begins at once"
    else:
        why = "it has begun, and regenerates a key"
    return NotCancellable(
        f"rotation {record.id} cannot be cancelled: {why}; only a rotation in the state {State.SCHEDULED} can",
        record.id,
    )
