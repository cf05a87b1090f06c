"""
The mode `observe`: what a rotation would do is looked up, and nothing but its record is made of it.

What has begun before is not observed but finished: its key may be dead, and its clients wait for the new one.
"""

from typing import NoReturn

from msgspec import structs

from rotation.ports.world import World
from rotation.run.attempt import Attempt, require_attempts_left
from rotation.run.claim import Claim
from rotation.run.neighbours import Neighbours
from rotation.run.rehearsal import Rehearsal
from rotation.vocabulary.endings import Skip, SkipReason, TooSoon
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import RotationRequest


class Observation(Attempt):
    """
    A try that ends where `attempt` would change something. Where there is nothing to change, it ends as that does.

    `is_last` says that its retries are used up.
    """

    def __init__(self, world: World, neighbours: Neighbours, claim: Claim, attempt: Attempt, *, is_last: bool) -> None:
        self._world = world
        self._neighbours = neighbours
        self._claim = claim
        self._attempt = attempt
        self._is_last = is_last

    async def look(self) -> bool:
        """
        Step 3, as `attempt` takes it.
        """
        return await self._attempt.look()

    async def inspect(self) -> NoReturn:
        """
        Step 4, and the last: no step after it is taken. Raises Skip(`observing`) where a rotation would go on.
        """
        claim, request = self._claim, self._claim.request
        require_attempts_left(claim, is_last=self._is_last)
        rehearsal = Rehearsal(
            self._world, self._neighbours, request, claim.record, claim.deadline, claimed=claim.target
        )
        try:
            await rehearsal.run()
        except TooSoon as early:
            if not request.is_patient:
                claim.rehearsed(rehearsal.record)
                raise
            rehearsal.defer(early)
        claim.rehearsed(structs.replace(rehearsal.record, steps=rehearsal.steps))
        raise Skip(SkipReason.OBSERVING)

    async def journal(self) -> NoReturn:
        """
        Step 5: it is never taken, nor is any step that changes something.
        """
        raise AssertionError("an app that observes changes nothing")

    regenerate = prove = store = journal

    async def follow_up(self) -> None:
        """
        Step 7 of a rotation whose version was stored before the app began to observe: what is left to be done about it.
        """
        await self._attempt.follow_up()


async def leave_scheduled(world: World, request: RotationRequest) -> Rotation | None:
    """
    Return the record of a revocation that an observing app leaves as it is, None for everything else.

    One that has begun is finished. It waits, so that nothing is lost when the app rotates again.
    """
    if not (world.observes and request.revokes) or request.ended:
        return None
    target = await world.ledger.find_claimed(request.id)
    found = await world.ledger.read_open(target) if target else None
    if target and found and found.row.request.id == request.id:
        if found.row.begun:
            return None
        if found.row.claimed_until <= world.clock.now():
            # Its worker died before it began: the target is free for others.
            await world.ledger.release(target, found.etag)
    record = await world.ledger.find(request.id) or world.accepted(request, request.accepted_on)
    return record if record.completed_on else structs.replace(record, state=State.SCHEDULED)
