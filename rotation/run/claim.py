"""
The claim that a worker holds on a target, with the journal in it. Nobody else changes the row or the record.
"""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from msgspec import structs

from rotation.ports.ledger import Versioned
from rotation.ports.world import World
from rotation.run.choice import Regenerate
from rotation.run.progress import Progress
from rotation.vocabulary.errors import DependencyError, RotationError, Unfinished
from rotation.vocabulary.limits import IN_FLIGHT, SKEW
from rotation.vocabulary.record import (
    EndedRotation,
    Journal,
    OpenRotation,
    Rotation,
    State,
    Trial,
    WaitingRotation,
)
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.target import Keys, Target
from rotation.vocabulary.timing import Deadline


class EndedAlready(RotationError):
    """
    The rotation has ended before: `record` is its outcome.
    """

    def __init__(self, record: Rotation) -> None:
        super().__init__(f"it has ended already: {record.state}")
        self.record = record


class Claim(Progress):
    """
    The claim of a worker: the row of a running rotation, which it alone changes, and what is known of it by now.
    """

    def __init__(self, world: World, target: str, row: Versioned[OpenRotation], deadline: Deadline) -> None:
        super().__init__(world, row.row, deadline)
        self.target = target
        self._etag = row.etag
        # What was accepted and has begun is in no other row any more.
        self._has_changed_something = row.row.is_kept
        self._asked_for = row.row.request.secret
        self._is_known_to_be_open = False

    def begins_to_store(self) -> None:
        """
        Say that from here on a version may have been made: the row is not given back.
        """
        self._has_changed_something = True

    async def write_journal(
        self,
        plan: Regenerate,
        target: Target,
        keys: Keys,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> Journal:
        """
        Step 5. A worker that resumes must know which key may have changed: from here on the row is not given back.

        Unless the rotation turns out to have ended before, or what goes on `beside` it fails: nothing is changed then.
        """
        self.deadline.check()
        now = self._world.clock.now()
        journal = Journal(
            plan.key,
            target.fingerprint(keys[plan.key]),
            plan.active,
            now,
            target.address,
            in_place=plan.in_place,
            other_fingerprint=target.fingerprint(keys[plan.key.other]),
        )
        self._know(structs.replace(self.record, state=State.REGENERATING))
        # Nothing but the ledger is changed before both are answered.
        await self._world.gather(
            self.require_open(),
            # The proof of another key, which was to be taken over, says nothing of this one.
            self._write(structs.replace(self._row, journal=journal, trial=None)),
            *([beside()] if beside else []),
        )
        self._has_changed_something = True
        self.say("journaled", key=plan.key)
        return journal

    async def begin_without_journal(self) -> None:
        """
        Make sure, before a version is stored, that this rotation neither has ended nor is ended as Skipped(busy).
        """
        await self.require_open()
        if self._is_to_begin(self._row) or self.request.secret != self._asked_for:
            await self.save()

    async def find_waiting(self) -> None:
        """
        Find out whether this rotation was deferred: an event that comes again does not know.

        Then it is to be begun by taking the row away by which it waits.
        """
        if self.request.waits or self.request.trigger is Trigger.HTTP or self.is_kept:
            return
        if waiting := await self._world.ledger.read_waiting(self.record.id):
            request = structs.replace(self.request, waits=True, deferred=waiting.request.deferred)
            self._row = structs.replace(self._row, request=request)

    async def save(self) -> None:
        """
        Write down what is known by now.
        """
        await self._write(self._row)

    async def keep(self, trial: Trial) -> None:
        """
        Write down how far the proof of a key has come: from here on the row is not given back.
        """
        await self._write(structs.replace(self._row, trial=trial))
        self._has_changed_something = True

    async def require_open(self) -> None:
        """
        Take the last part of step 3. Outcomes that wait were looked at before: they move from there to here.

        Raises `EndedAlready`.
        """
        if self._is_known_to_be_open:
            return
        if record := await self._world.ledger.read_done(self.record.id):
            raise EndedAlready(record)
        self._is_known_to_be_open = True

    async def suspend(self, cause: Unfinished | DependencyError) -> Rotation:
        """
        End this attempt without ending the rotation: return the record as it stands, to be resumed.

        Where this rotation has changed nothing, the claim is given back and the cause raised: the trigger tries again.
        """
        if not self._has_changed_something:
            await self.release()
            raise cause
        in_flight = isinstance(cause, Unfinished) and cause.in_flight
        safe_from = self._world.clock.now() + (IN_FLIGHT + SKEW if in_flight else timedelta())
        self.say("suspended", because=str(cause))
        if safe_from < self._row.claimed_until:
            row = structs.replace(self._row, claimed_until=safe_from)
            await self._world.ledger.replace(self.target, row, self._etag)
        return self.record

    async def release(self) -> None:
        """
        Give the target back.
        """
        await self._world.ledger.release(self.target, self._etag)

    async def end(self, outcome: EndedRotation) -> bool:
        """
        Take step 8: False if another worker has taken the rotation over, or it was ended without a claim.
        """
        waits = self._is_to_begin(self._row)
        return await self._world.ledger.end(outcome, target=self.target, etag=self._etag, waits=waits)

    async def defer(self, row: WaitingRotation) -> bool:
        """
        Give the target back and let the rotation wait: False as for `end`.
        """
        waits = self._is_to_begin(self._row)
        return await self._world.ledger.defer(row, target=self.target, etag=self._etag, waits=waits)

    async def _write(self, row: OpenRotation) -> None:
        ledger = self._world.ledger
        if self._is_to_begin(row):
            written = await ledger.begin(self.target, structs.replace(row, begun=True), self._etag)
        else:
            written = await ledger.replace(self.target, row, self._etag)
        if written is None:
            raise Unfinished("another worker has taken this rotation over, or ended it", in_flight=False)
        self._row, self._etag = written.row, written.etag
        self._has_changed_something |= written.row.begun

    @staticmethod
    def _is_to_begin(row: OpenRotation) -> bool:
        return row.request.waits and not row.begun
