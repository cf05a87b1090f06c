"""
The claim that a worker holds on a target, with the journal in it. Nobody else changes the row or the record.
"""

from datetime import timedelta
from typing import TypedDict

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
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import Keys, Target
from rotation.vocabulary.timing import Deadline


class _Phase(TypedDict):
    """
    Whether a rotation has begun, or waits in a row of its own.
    """

    begun: bool
    waits: bool


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

    async def write_journal(
        self, plan: Regenerate, target: Target, keys: Keys, *, bind: SecretId | None = None
    ) -> Journal:
        """
        Step 5. A worker that resumes must know which key may have changed.

        Raises as `begin` does.
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
        # The proof of another key, which was to be taken over, says nothing of this one.
        await self._begin(structs.replace(self._row, journal=journal, trial=None), bind)
        self.say("journaled", key=plan.key)
        return journal

    async def begin(self, *, bind: SecretId | None = None) -> None:
        """
        Write down that something is to be changed: from here on the row is not given back.

        With `bind` it is remembered in the same step that this secret holds a key of the target. Raises `EndedAlready`,
        and `Unfinished` where another worker has taken the rotation over.
        """
        await self._begin(self._row, bind)

    async def _begin(self, row: OpenRotation, bind: SecretId | None) -> None:
        ledger = self._world.ledger
        if row.begun:
            await self._world.gather(self._write(row), *([ledger.bind(self.target, bind)] if bind else []))
            return
        while True:
            begun = structs.replace(row, request=self.request, begun=True)
            if written := await ledger.begin(self.target, begun, self._etag, waits=self.request.waits, bind=bind):
                self._row, self._etag = written.row, written.etag
                return
            await self._learn_why()

    async def save(self) -> None:
        """
        Write down what is known by now.
        """
        await self._write(self._row)

    async def keep(self, trial: Trial) -> None:
        """
        Write down how far the proof of a key has come.
        """
        await self._write(structs.replace(self._row, trial=trial))

    async def require_open(self) -> None:
        """
        Make sure that a rotation has not ended which may be a duplicate. Raises `EndedAlready`.
        """
        if self.begun:
            return  # It ends under this claim, and in no other way.
        if isinstance(standing := await self._world.ledger.read_standing(self.record.id), Rotation):
            raise EndedAlready(standing)

    async def _learn_why(self) -> None:
        """
        Find out why the rotation can neither begin nor end as it is known here: an event that comes again may be older.

        Returns where it was deferred: then it is to take the row away by which it waits. Raises as `begin` does.
        """
        standing = await self._world.ledger.read_standing(self.record.id)
        if isinstance(standing, Rotation):
            raise EndedAlready(standing)
        if standing is None or self.request.waits:
            raise Unfinished("another worker has taken this rotation over, or ended it", in_flight=False)
        request = structs.replace(self.request, waits=True, deferred=standing.request.deferred)
        self._row = structs.replace(self._row, request=request)

    async def suspend(self, cause: Unfinished | DependencyError) -> Rotation:
        """
        End this attempt without ending the rotation: return the record as it stands, to be resumed.

        Where this rotation has changed nothing, the claim is given back and the cause raised: the trigger tries again.
        """
        if not self.begun:
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

    async def end(self, outcome: EndedRotation) -> None:
        """
        Take step 8. Raises `EndedAlready`, and `Unfinished` where another worker has taken the rotation over.
        """
        while not await self._world.ledger.end(outcome, target=self.target, etag=self._etag, **self._phase):
            await self._learn_why()

    async def defer(self, row: WaitingRotation) -> None:
        """
        Give the target back and let the rotation wait. Raises as `end` does.
        """
        while not await self._world.ledger.defer(row, target=self.target, etag=self._etag, **self._phase):
            await self._learn_why()

    @property
    def _phase(self) -> _Phase:
        return {"begun": self.begun, "waits": self.request.waits and not self.begun}

    async def _write(self, row: OpenRotation) -> None:
        written = await self._world.ledger.replace(self.target, row, self._etag)
        if written is None:
            raise Unfinished("another worker has taken this rotation over, or ended it", in_flight=False)
        self._row, self._etag = written.row, written.etag
