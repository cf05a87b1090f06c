"""
The state machine: one rotation from its request to its announced end.

The rules stand in docs/architecture.md, "One rotation, step by step"; the step numbers here are its numbers.
"""

import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

from msgspec import structs

from rotation import outcome, tidying
from rotation.attempt import Attempt, TargetMoved
from rotation.errors import Busy, DependencyError, Ending, Exhausted, Unfinished
from rotation.managed import find_target, read_secret
from rotation.neighbours import Neighbours
from rotation.policy import read_target, stored_by
from rotation.record import OpenRotation, Rotation, State, begin
from rotation.request import RotationRequest
from rotation.secret import SecretVersion
from rotation.story import report
from rotation.target import Target
from rotation.timing import LAST_SEND, Deadline
from rotation.world import World

MAX_ATTEMPTS = 10
MAX_ATTEMPTS_TO_FINISH = 100  # of a rotation that may have killed the key in use

_Proceed = Callable[[Attempt, SecretVersion], Awaitable[None]]


class Rotator:
    """
    Runs rotations, any number at a time.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._neighbours = Neighbours(world)

    async def rotate(self, request: RotationRequest, *, last_send: timedelta = LAST_SEND) -> Rotation:
        """
        Carry a rotation as far as it gets, and return its record.

        The record has ended, or is of a rotation that still runs: suspended here to be resumed, or with another worker.
        `last_send` is how long this attempt may send requests, at most `LAST_SEND`.

        Raises `Busy` if another rotation of the target is running, or this one with another worker that has changed
        nothing yet, `Forbidden` for a foreign vault, and a `DependencyError` or `Unfinished` if nothing could be begun:
        no trace is left, and the trigger may try again.
        """
        return await self._run(request, Deadline(self._world.clock, last_send), _proceed)

    async def give_up(self, request: RotationRequest) -> Rotation:
        """
        End a rotation whose retries are used up: Completed if its version is stored, Failed(exhausted) otherwise.

        It goes through claim and look like every attempt, so it never ends what another worker is doing. Raises as
        `rotate` does, but for a vault that cannot be read: that ends the rotation too, unless one is open.
        """
        try:
            return await self._run(request, Deadline(self._world.clock), _exhaust)
        except DependencyError as error:
            if await self._world.ledger.find(request.id):
                raise
            failure = Exhausted(f"its retries are used up; the last one ended with: {error}")
            record = begin(request, self._world.clock.now())
            return await outcome.end_unclaimed(self._world, request, record, failure)

    async def _run(self, request: RotationRequest, deadline: Deadline, proceed: _Proceed) -> Rotation:
        if request.claimed is None:
            if waiting := await self._world.ledger.read_outcome(request.id):
                return await outcome.announce(self._world, waiting)
            self._world.vaults.require(request.secret)
        while True:
            record = begin(request, deadline.started_on)
            claim_id = request.claimed
            if claim_id is None:
                try:
                    target = await self._find_target(request, deadline)
                    record = record.about(target)
                    self._world.scopes.require(target)
                    claim_id = target.claim_id
                except Ending as ending:
                    # The tags may have changed while this very rotation is running: then it ends under its claim.
                    claim_id = await self._world.ledger.find_claim(request.id)
                    if claim_id is None:
                        return await outcome.end_unclaimed(self._world, request, record, ending)
            attempt = await self._claim(request, claim_id, record, deadline)
            if isinstance(attempt, Rotation):
                return attempt
            try:
                return await self._under_claim(attempt, deadline, proceed)
            except TargetMoved:
                request = structs.replace(request, claimed=None)
                await self._world.ledger.release(attempt.claim_id, attempt.etag)
                deadline.check()

    async def _find_target(self, request: RotationRequest, deadline: Deadline) -> Target:
        secret = await read_secret(self._world.vaults, request.secret, deadline)
        # Paused or not, a version that this rotation has stored is to be completed.
        return read_target(secret.tags) if stored_by(secret.tags) == request.id else find_target(secret)

    async def _claim(
        self, request: RotationRequest, claim_id: str, record: Rotation, deadline: Deadline
    ) -> Attempt | Rotation:
        """
        Step 2: return an attempt that holds the claim, or the record of the same rotation with another worker.

        Raises `Busy`.
        """
        ledger = self._world.ledger
        wanted = OpenRotation(
            structs.replace(request, claimed=None), record, uuid.uuid4().hex, claimed_until=deadline.claimed_until
        )
        found = await ledger.claim(claim_id, wanted)
        if found.row.claim != wanted.claim:
            if found.row.request.id != request.id:
                raise Busy(found.row.request.id)
            if found.row.claimed_until > self._world.clock.now():
                if found.row.journal is None:
                    # Its worker may give it back without a trace, and must find this trigger trying again.
                    raise Busy(request.id)
                report(found.row.record, "left to the worker that has it", deadline)
                return found.row.record
            # Whatever its last worker sent has taken effect by now, or never will.
            resumed = structs.replace(
                found.row,
                claim=wanted.claim,
                claimed_until=wanted.claimed_until,
                record=structs.replace(found.row.record, attempts=found.row.record.attempts + 1),
            )
            taken = await ledger.replace(claim_id, resumed, found.etag)
            if taken is None:
                # Taken over by another worker, or given back by the last one: look again which.
                return await self._claim(request, claim_id, record, deadline)
            found = taken
        report(found.row.record, "claimed", deadline, attempt=found.row.record.attempts)
        return Attempt(self._world, self._neighbours, claim_id, found, deadline)

    async def _under_claim(self, attempt: Attempt, deadline: Deadline, proceed: _Proceed) -> Rotation:
        try:
            if known := await outcome.find(self._world, attempt.record.id):
                await self._world.ledger.release(attempt.claim_id, attempt.etag)
                return known
            secret, is_stored = await attempt.look()
            if not is_stored:
                await proceed(attempt, secret)
        except Ending as ending:
            record = outcome.of(attempt.record, ending, self._world.clock.now())
        except (Unfinished, DependencyError) as cause:
            return await attempt.suspend(cause)
        else:
            record = outcome.completed(attempt.record, self._world.clock.now())
        try:
            record = await outcome.end(self._world, attempt, record)
        except (Unfinished, DependencyError) as cause:
            # What was to be done is done or refused, only the ledger does not say so yet: resuming will find out.
            report(attempt.record, "not ended yet", deadline, because=cause)
            return attempt.record
        if record.state is State.COMPLETED:
            await tidying.disable_dead_versions(self._world, record, attempt.row.journal, deadline)
        return record


async def _proceed(attempt: Attempt, secret: SecretVersion) -> None:
    limit = MAX_ATTEMPTS_TO_FINISH if attempt.must_finish else MAX_ATTEMPTS
    if attempt.record.attempts > limit:
        holds = "may hold a dead key: rotate it with force" if attempt.must_finish else "still holds its live key"
        raise Exhausted(f"{limit} attempts ended without a result; the secret {holds}")
    await attempt.rotate(secret)


async def _exhaust(attempt: Attempt, secret: SecretVersion) -> None:
    if attempt.must_finish:
        await _proceed(attempt, secret)
        return
    raise Exhausted("its retries are used up; the secret still holds its live key")
