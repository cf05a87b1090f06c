"""
One rotation from its request to its announced end.

The rules stand in docs/architecture.md, "One rotation, step by step"; the step numbers here are its numbers.
"""

import logging
from datetime import timedelta

from msgspec import structs

from rotation.policy.eligibility import TO_CLAIM, TO_INSPECT_AHEAD, TargetMoved, decide
from rotation.policy.tags import read_target, stored_by
from rotation.ports.reading import read_secret
from rotation.ports.world import World
from rotation.run import outcome, tidying
from rotation.run.attempt import Attempt
from rotation.run.claim import Claim, EndedAlready
from rotation.run.claiming import take_claim
from rotation.run.key_regeneration import KeyRegeneration
from rotation.run.key_revocation import KeyRevocation, gives_up_on
from rotation.run.moves import Moves
from rotation.run.neighbours import Neighbours
from rotation.run.observation import Observation, leave_scheduled
from rotation.run.secret_rotation import SecretRotation
from rotation.vocabulary.endings import Ending, OutOfScope
from rotation.vocabulary.errors import Busy, DependencyError, Forbidden, Unfinished
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.record import Rotation, WaitingRotation
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import Target
from rotation.vocabulary.timing import Deadline

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
            record = await _Run(self._world, self._neighbours, request, Deadline(self._world.clock, last_send)).run()
        except Busy as busy:
            record = await outcome.end_busy(self._world, request, busy)
        await outcome.forget_waiting(self._world, request, record)
        return record

    async def moves(
        self, request: RotationRequest, *, but: SecretId | None = None, last_send: timedelta = LAST_SEND
    ) -> list[RotationRequest]:
        """
        Return the rotations that move secrets away from the leaked key that a request is about, while it waits.

        `but` is a secret that is moved already. What cannot be found out now is found out when the timer comes next.
        """
        revocation = request.revokes or request.revocation
        # One that has left its claim behind is to give it back first: nobody else can.
        if revocation is None or request.claimed or self._world.observes:
            return []
        deadline, now = Deadline(self._world.clock, last_send), self._world.clock.now()
        try:
            target = self._world.providers.parse_target(revocation.leaked.shown_by)
            waiting = await self._world.ledger.read_revocation(target.identity)
            if waiting is None or waiting.request.revokes is None or waiting.record.id != revocation.id:
                return []  # It has begun, or ended.
            moves = Moves(self._world, self._neighbours, waiting.request.revokes, target, deadline)
            found = await moves.find(waiting.request, look=waiting.due_on.isoformat(), but=but)
            if now >= gives_up_on(waiting.request):
                return []  # It is to end now, and name who holds the key.
            if found:
                await self._world.ledger.postpone(waiting, now)
        except (Ending, Unfinished, DependencyError) as error:
            _log.warning("revocation %s: which secrets hold the key is not known: %s", revocation.id, error)
            return []
        return found

    async def give_up(self, request: RotationRequest) -> Rotation:
        """
        End a rotation whose retries are used up: Failed(exhausted), unless it has regenerated its key already.

        Then it is tried once more, and stays to be resumed where that does not end it. It goes through claim and look
        like every attempt, so it never ends what another worker is doing. A vault that cannot be read ends the rotation
        too, unless it is open. One that waits for its time goes on waiting: only its message is used up. Raises as
        `rotate` does where the ledger cannot be reached or nothing but a later try can end it.
        """
        if waiting := await outcome.find_deferred(self._world, request):
            return waiting.record
        try:
            deadline = Deadline(self._world.clock)
            record = await _Run(self._world, self._neighbours, request, deadline, is_last=True).run()
        except Busy as busy:
            record = await outcome.end_busy(self._world, request, busy)
        except DependencyError as error:
            record = await outcome.end_unread(self._world, request, error)
        await outcome.forget_waiting(self._world, request, record)
        return record


class _Run:
    """
    One try of one request: the last one where its retries are used up.
    """

    def __init__(
        self,
        world: World,
        neighbours: Neighbours,
        request: RotationRequest,
        deadline: Deadline,
        *,
        is_last: bool = False,
    ) -> None:
        self._world = world
        self._neighbours = neighbours
        self._request = request
        self._deadline = deadline
        self._is_last = is_last

    async def run(self) -> Rotation:
        """
        Return the record; raises as `Rotator.rotate` does.
        """
        if waiting := await leave_scheduled(self._world, self._request):
            return waiting
        if self._request.claimed is None and (ended := await self._end_beforehand()):
            return ended
        while True:
            record = self._world.accepted(self._request, self._deadline.started_on)
            identity, ahead = self._request.claimed, None
            if identity is None:
                try:
                    target, ahead = await self._find_target()
                    record = record.about(target)
                    self._world.scopes.require(target)
                    self._world.providers.prepare()
                    identity = target.identity
                except Ending as ending:
                    # The tags may have changed while this very rotation is running: then it ends under its claim.
                    identity = await self._world.ledger.find_claimed(self._request.id)
                    if identity is None:
                        return await outcome.end_unclaimed(self._world, self._request, record, ending)
            claim = await take_claim(self._world, identity, self._request, record, self._deadline)
            if isinstance(claim, Rotation):
                return claim
            if ended := await self._under_claim(claim, ahead):
                return ended

    async def _end_beforehand(self) -> Rotation | None:
        """
        Return the outcome of a rotation that waits to be published, or is about a foreign vault, None for one to run.

        Raises `Forbidden` where nobody was promised an outcome.
        """
        request = self._request
        if request.ended and (known := await outcome.find(self._world, request.id)):
            return known
        try:
            if request.secret:
                self._world.vaults.require(request.secret)
        except Forbidden as error:
            if not request.waits:
                raise
            record = self._world.accepted(request, self._deadline.started_on)
            return await outcome.end_unclaimed(self._world, request, record, OutOfScope(str(error)))
        return None

    async def _find_target(self) -> tuple[Target, Target | None]:
        """
        Return the target to claim, and again if it is to be inspected with the look, as things stand.
        """
        request, parse = self._request, self._world.providers.parse_target
        if request.secret is None:
            target = parse(request.target or "")
            return target, target
        if known := self._neighbours.known_target(request.secret):
            # The look under the claim finds out whether that is so still.
            return known, known
        secret = await read_secret(self._world.vaults, request.secret, self._deadline)
        if stored_by(secret.tags) == request.id:
            # Paused or not, a version that this rotation has stored is to be completed.
            return read_target(secret.tags, parse), None
        case = self._world.case_of(secret)
        if reason := decide(case, TO_CLAIM):
            raise reason
        case = structs.replace(case, request=request, now=self._deadline.started_on)
        is_likely = secret.value is not None and decide(case, TO_INSPECT_AHEAD) is None
        return case.target, case.target if is_likely else None

    async def _under_claim(self, claim: Claim, ahead: Target | None) -> Rotation | None:
        """
        Return the record, None where the secret names another target by now: that is to be claimed.
        """
        try:
            return await self._carry_through(claim, ahead)
        except EndedAlready as known:
            await claim.release()
            return await outcome.catch_up(self._world, known.record)
        except TargetMoved:
            self._request = structs.replace(self._request, claimed=None)
            await claim.release()
            self._deadline.check()
            return None
        finally:
            if self._request.secret:
                self._neighbours.has_rotated(self._request.secret)

    async def _carry_through(self, claim: Claim, ahead: Target | None) -> Rotation:
        """
        Take all steps under the claim; raise `EndedAlready` or `TargetMoved` where there is nothing for it to do.
        """
        try:
            record = await self._carry_out(claim, ahead)
        except (Unfinished, DependencyError) as cause:
            return await claim.suspend(cause)
        ended, _ = await self._world.gather(
            self._end(claim, record), tidying.disable_dead_versions(self._world, claim, record)
        )
        return ended

    async def _end(self, claim: Claim, record: Rotation | WaitingRotation) -> Rotation:
        """
        Take steps 8 and 9, or let the rotation wait; return the record. Raises `EndedAlready`.
        """
        try:
            if isinstance(record, WaitingRotation):
                return await outcome.defer(claim, record)
            ended = await outcome.end(claim, record)
        except (Unfinished, DependencyError) as cause:
            # What was to be done is done or refused, only the ledger does not say so yet: resuming will find out.
            claim.say("not ended yet", because=cause)
            return claim.record
        return await outcome.announce(self._world, ended)

    async def _carry_out(self, claim: Claim, ahead: Target | None) -> Rotation | WaitingRotation:
        """
        Take steps 3 to 7; return the record with the outcome, or the rotation that is to wait for its time.

        Raises `EndedAlready`, `TargetMoved`, `Unfinished` or a `DependencyError`.
        """
        try:
            attempt = self._attempt(claim, ahead)
            if await attempt.look():
                # A duplicate of what has ended finds its version as well.
                await claim.require_open()
            else:
                await attempt.inspect()
                await attempt.journal()
                await attempt.regenerate()
                await attempt.prove()
                await attempt.store()
            await attempt.follow_up()
        except Ending as ending:
            now = self._world.clock.now()
            if waits := outcome.deferred(claim.request, claim.record, ending, now):
                claim.say("waits", because=ending)
                return waits
            return outcome.ended_record(claim.record, ending, now)
        return outcome.completed_record(claim.record, self._world.clock.now())

    def _attempt(self, claim: Claim, ahead: Target | None) -> Attempt:
        if self._world.observes and not claim.begun:
            attempt = self._attempt_to_rotate(claim, None)
            return Observation(self._world, self._neighbours, claim, attempt, is_last=self._is_last)
        return self._attempt_to_rotate(claim, ahead)

    def _attempt_to_rotate(self, claim: Claim, ahead: Target | None) -> Attempt:
        request = claim.request
        if request.target:
            target = self._world.providers.parse_target(request.target)
            kind = KeyRevocation if request.revokes else KeyRegeneration
            return kind(self._world, self._neighbours, claim, target, is_last=self._is_last)
        if request.secret is None:
            raise ValueError("a request about nothing")
        return SecretRotation(self._world, self._neighbours, claim, request.secret, ahead=ahead, is_last=self._is_last)
