"""
The state machine: one rotation from its request to its announced end.

The rules stand in docs/architecture.md, "One rotation, step by step"; the step numbers here are its numbers.
"""

import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

from msgspec import structs

from rotation.policy.due import is_meant
from rotation.policy.eligibility import can_be_rotated, find_target
from rotation.policy.tags import read_target, stored_by
from rotation.ports.world import World
from rotation.run import outcome, tidying
from rotation.run.claim import Attempt, Claim, EndedAlready, TargetMoved
from rotation.run.key_regeneration import KeyRegeneration
from rotation.run.neighbours import Neighbours
from rotation.run.reading import read_secret
from rotation.run.secret_rotation import SecretRotation
from rotation.vocabulary.concurrency import given, tried
from rotation.vocabulary.errors import Busy, DependencyError, Ending, Exhausted, Forbidden, OutOfScope, Skip, Unfinished
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.record import OpenRotation, Rotation, begin
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.target import Target
from rotation.vocabulary.timing import LAST_SEND, Deadline

MAX_ATTEMPTS = 10
MAX_ATTEMPTS_TO_FINISH = 100  # of a rotation that may have killed the key in use

_Proceed = Callable[[Claim, Attempt], Awaitable[None]]

_log = logging.getLogger(__name__)


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

        Raises `Busy` if another rotation of the target is running and nobody was promised an outcome, or this one with
        another worker that has changed nothing yet, `Forbidden` for a foreign vault, and a `DependencyError` or
        `Unfinished` if nothing could be begun: no trace is left, and the trigger may try again.
        """
        try:
            record = await self._run(request, Deadline(self._world.clock, last_send), _proceed)
        except Busy as busy:
            record = await self._end_busy(request, busy)
        await self._forget_waiting(request, record)
        return record

    async def give_up(self, request: RotationRequest) -> Rotation:
        """
        End a rotation whose retries are used up: Completed if its version is stored, Failed(exhausted) otherwise.

        It goes through claim and look like every attempt, so it never ends what another worker is doing. A vault that
        cannot be read ends the rotation too, unless it is open: then it is left to be resumed. Raises as `rotate` does
        where the ledger cannot be reached or nothing but a later try can end it.
        """
        try:
            record = await self._run(request, Deadline(self._world.clock), _exhaust)
        except Busy as busy:
            record = await self._end_busy(request, busy)
        except DependencyError as error:
            record = await self._find_kept(request) or await self._exhaust_unread(request, error)
        await self._forget_waiting(request, record)
        return record

    async def _find_kept(self, request: RotationRequest) -> Rotation | None:
        """
        Return the record of a rotation that stays in the ledger until it has ended, None for one that is not open.

        Raises `Busy` for one that its worker may still give back without a trace.
        """
        claim_id = await self._world.ledger.find_claim(request.id)
        found = claim_id and await self._world.ledger.read_open(claim_id)
        if not found or found.row.request.id != request.id:
            return None
        if not found.row.is_kept:
            raise Busy(request.id)
        return found.row.record

    async def _exhaust_unread(self, request: RotationRequest, error: DependencyError) -> Rotation:
        failure = Exhausted(f"its retries are used up; the last one ended with: {error}")
        record = begin(request, self._world.clock.now())
        return await outcome.end_unclaimed(self._world, request, record, failure)

    async def _end_busy(self, request: RotationRequest, busy: Busy) -> Rotation:
        """
        End a rotation that was accepted, since its target is taken; raise the error for every other one.

        A revocation waits for its turn, and so does a duplicate of what is running.
        """
        if not request.is_accepted or busy.running == request.id:
            raise busy
        record = begin(request, self._world.clock.now())
        ended = await outcome.end_accepted(self._world, request, record, Skip("busy"))
        if ended is None:
            raise busy
        return ended

    async def _forget_waiting(self, request: RotationRequest, record: Rotation) -> None:
        if not request.waits or record.completed_on is None:
            return
        try:
            await self._world.ledger.forget_waiting(request.id)
        except DependencyError as error:
            # It will be put into the queue once more, found to have ended, and forgotten then.
            _log.warning("rotation %s: its row is left to be forgotten: %s", request.id, error)

    async def _run(self, request: RotationRequest, deadline: Deadline, proceed: _Proceed) -> Rotation:
        if request.claimed is None and (ended := await self._end_beforehand(request, deadline)):
            return ended
        while True:
            record = begin(request, deadline.started_on)
            claim_id = request.claimed
            ahead = None
            if claim_id is None:
                try:
                    target, ahead = await self._find_target(request, deadline)
                    record = record.about(target)
                    self._world.scopes.require(target)
                    self._world.providers.prepare(target)
                    claim_id = target.claim_id
                except Ending as ending:
                    # The tags may have changed while this very rotation is running: then it ends under its claim.
                    claim_id = await self._world.ledger.find_claim(request.id)
                    if claim_id is None:
                        return await outcome.end_unclaimed(self._world, request, record, ending)
            claim = await self._claim(request, claim_id, record, deadline)
            if isinstance(claim, Rotation):
                return claim
            try:
                return await self._under_claim(claim, self._attempt(claim, ahead), proceed)
            except TargetMoved:
                request = structs.replace(request, claimed=None)
                await self._world.ledger.release(claim.claim_id, claim.etag)
                deadline.check()

    async def _end_beforehand(self, request: RotationRequest, deadline: Deadline) -> Rotation | None:
        """
        Return the outcome of a rotation that waits to be told, or is none of our vaults', None for one to run.

        Raises `Forbidden` where nobody was promised an outcome.
        """
        if request.ended and (known := await outcome.find(self._world, request.id)):
            return known
        try:
            if request.secret:
                self._world.vaults.require(request.secret)
        except Forbidden as error:
            if not request.waits:
                raise
            record = begin(request, deadline.started_on)
            return await outcome.end_unclaimed(self._world, request, record, OutOfScope(str(error)))
        return None

    async def _find_target(self, request: RotationRequest, deadline: Deadline) -> tuple[Target, Target | None]:
        """
        Return the target to claim, and again if it is to be inspected with the look, as things stand.
        """
        if request.target:
            return request.target, request.target
        if request.secret is None:
            raise ValueError("a request about nothing")
        secret = await read_secret(self._world.vaults, request.secret, deadline)
        if stored_by(secret.tags) == request.id:
            # Paused or not, a version that this rotation has stored is to be completed.
            return read_target(secret.tags), None
        target = find_target(secret)
        is_likely = can_be_rotated(secret) and is_meant(secret, request, deadline.started_on, self._world.lead)
        return target, target if is_likely else None

    async def _claim(
        self, request: RotationRequest, claim_id: str, record: Rotation, deadline: Deadline
    ) -> Claim | Rotation:
        """
        Step 2: return the claim, or the record of the same rotation with another worker.

        Raises `Busy`.
        """
        ledger = self._world.ledger
        wanted = OpenRotation(
            structs.replace(request, claimed=None, ended=False),
            record,
            uuid.uuid4().hex,
            claimed_until=deadline.claimed_until,
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
        return Claim(self._world, claim_id, found, deadline)

    async def _under_claim(self, claim: Claim, attempt: Attempt, proceed: _Proceed) -> Rotation:
        try:
            record = await self._carry_out(claim, attempt, proceed)
        except EndedAlready as known:
            await self._world.ledger.release(claim.claim_id, claim.etag)
            return known.record
        except (Unfinished, DependencyError) as cause:
            return await claim.suspend(cause)
        try:
            ended = await outcome.end(self._world, claim, record)
        except (Unfinished, DependencyError) as cause:
            # What was to be done is done or refused, only the ledger does not say so yet: resuming will find out.
            claim.say("not ended yet", because=cause)
            return claim.record
        if isinstance(ended, Rotation):
            return ended
        record, _ = await self._world.gather(
            outcome.announce(self._world, ended),
            tidying.disable_dead_versions(self._world, ended.record, claim.row.journal, claim.deadline),
        )
        return record

    async def _carry_out(self, claim: Claim, attempt: Attempt, proceed: _Proceed) -> Rotation:
        """
        Take steps 3 to 7; return the record with the outcome.

        Raises `EndedAlready`, `TargetMoved`, `Unfinished` or a `DependencyError`.
        """
        try:
            waiting, looked = await self._world.gather(
                self._world.ledger.read_outcome(claim.record.id), tried(attempt.look)
            )
            if waiting:
                raise EndedAlready(await outcome.announce(self._world, waiting))
            if not given(looked):
                await proceed(claim, attempt)
        except Ending as ending:
            record = outcome.of(claim.record, ending, self._world.clock.now())
        else:
            record = outcome.completed(claim.record, self._world.clock.now())
        await claim.require_open()
        return record

    def _attempt(self, claim: Claim, ahead: Target | None) -> Attempt:
        request = claim.row.request
        if request.target and request.key:
            return KeyRegeneration(self._world, self._neighbours, claim, request.target, request.key)
        if request.secret is None:
            raise ValueError("a request about nothing")
        return SecretRotation(self._world, self._neighbours, claim, request.secret, ahead)


async def _proceed(claim: Claim, attempt: Attempt) -> None:
    limit = MAX_ATTEMPTS_TO_FINISH if claim.must_finish else MAX_ATTEMPTS
    if claim.record.attempts > limit:
        raise Exhausted(f"{limit} attempts ended without a result{_state_of_secret(claim)}")
    await attempt.proceed()


async def _exhaust(claim: Claim, attempt: Attempt) -> None:
    if claim.must_finish:
        await _proceed(claim, attempt)
        return
    raise Exhausted(f"its retries are used up{_state_of_secret(claim)}")


def _state_of_secret(claim: Claim) -> str:
    if claim.row.request.secret is None:
        return ""
    holds = "may hold a dead key: rotate it with force" if claim.must_finish else "still holds its live key"
    return f"; the secret {holds}"
