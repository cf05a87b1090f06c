"""
One try at a rotation, by a worker that holds the claim: what trying has in common, whatever is rotated.
"""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Protocol

from msgspec import structs

from rotation.ports.ledger import Versioned
from rotation.ports.world import World
from rotation.run.choice import Regenerate
from rotation.vocabulary.errors import DependencyError, RotationError, Unfinished
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.record import Journal, OpenRotation, Rotation, State
from rotation.vocabulary.target import Keys, Target
from rotation.vocabulary.timing import IN_FLIGHT, SKEW, Deadline


class TargetMoved(RotationError):
    """
    The secret names another target than the one that is claimed.
    """


class EndedAlready(RotationError):
    """
    The rotation has ended before: `record` is its outcome.
    """

    def __init__(self, record: Rotation) -> None:
        super().__init__(f"it has ended already: {record.state}")
        self.record = record


class Claim:
    """
    The claim that a worker holds, with the journal in it: `row` is the running rotation as it was written last.

    `record` is what is known of the rotation by now; it is written with the next change of the row.
    """

    def __init__(self, world: World, claim_id: str, row: Versioned[OpenRotation], deadline: Deadline) -> None:
        self._world = world
        self.claim_id = claim_id
        self.etag = row.etag
        self.row = row.row
        self.record = row.row.record
        self.deadline = deadline
        # What was accepted and has begun is in no other row any more.
        self.has_changed_something = row.row.is_kept
        self._is_known_to_be_open = False

    @property
    def must_finish(self) -> bool:
        """
        Whether the key in use may have been regenerated: then nothing but storing the new one helps the clients.
        """
        return self.row.journal is not None and self.row.journal.in_place

    async def write_journal(
        self,
        plan: Regenerate,
        target: Target,
        keys: Keys,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> Journal:
        """
        Step 5. Whoever resumes must know which key may have changed: from here on the row is not given back.

        Unless the rotation turns out to have ended before, or what goes on `beside` it fails: nothing is changed then.
        """
        self.deadline.check()
        now = self._world.clock.now()
        journal = Journal(
            plan.key, target.fingerprint(keys[plan.key]), plan.active, now, target.address, in_place=plan.in_place
        )
        self.record = structs.replace(self.record, state=State.REGENERATING)
        # Nothing but the ledger is changed before both are answered.
        await self._world.gather(
            self.require_open(),
            self._write(structs.replace(self.row, record=self.record, journal=journal)),
            *([beside()] if beside else []),
        )
        self.has_changed_something = True
        self.say("journaled", key=plan.key)
        return journal

    async def begin_without_journal(self) -> None:
        """
        Make sure, before a version is stored, that this rotation neither has ended nor is ended as Skipped(busy).
        """
        await self.require_open()
        if self.row.request.is_accepted and not self.row.begun:
            await self._write(structs.replace(self.row, record=self.record))

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
        ledger = self._world.ledger
        if not self.has_changed_something:
            await ledger.release(self.claim_id, self.etag)
            raise cause
        in_flight = isinstance(cause, Unfinished) and cause.in_flight
        safe_from = self._world.clock.now() + (IN_FLIGHT + SKEW if in_flight else timedelta())
        self.say("suspended", because=str(cause))
        if safe_from < self.row.claimed_until:
            row = structs.replace(self.row, record=self.record, claimed_until=safe_from)
            await ledger.replace(self.claim_id, row, self.etag)
        return self.record

    async def _write(self, row: OpenRotation) -> None:
        ledger = self._world.ledger
        if row.request.is_accepted and not row.begun:
            row = structs.replace(row, begun=True)
            written = await ledger.begin(self.claim_id, row, self.etag)
        else:
            written = await ledger.replace(self.claim_id, row, self.etag)
        if written is None:
            raise Unfinished("another worker has taken this rotation over, or ended it", in_flight=False)
        self.row, self.etag = written.row, written.etag
        self.has_changed_something = self.has_changed_something or written.row.begun

    def say(self, step: str, **facts: object) -> None:
        """
        Log that the rotation has come past a step.
        """
        report(self.record, step, self.deadline, **facts)


class Attempt(Protocol):
    """
    One try: look what there is to be done, then do it.
    """

    async def look(self) -> bool:
        """
        Step 3: return whether what this rotation makes is there already.

        Raises `Skip`, `Failure` or `TargetMoved`. It changes nothing.
        """
        ...

    async def proceed(self) -> None:
        """
        Take steps 4 to 7.

        Raises `Failure`, `Unfinished` or a `DependencyError`.
        """
        ...
