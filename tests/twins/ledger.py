"""
The ledger in memory.
"""

import itertools
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from msgspec import structs

from rotation.ports.ledger import Bound, Versioned
from rotation.vocabulary.record import (
    EndedRotation,
    Leak,
    OpenRotation,
    Reservation,
    Rotation,
    TagChange,
    WaitingRotation,
)
from rotation.vocabulary.request import LeakedKey, RotationRequest
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import identity_of
from tests.twins.faults import Faults


class MemoryLedger:
    """
    The `Ledger` as dictionaries. Rows are kept as JSON, so that what cannot be stored fails here too.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self._open: dict[str, tuple[bytes, str]] = {}
        self._changes: dict[str, Versioned[TagChange]] = {}
        self._outcomes: dict[str, bytes] = {}
        # How each rotation stands that has begun (None), was deferred, or has ended.
        self._standings: dict[str, WaitingRotation | Rotation | None] = {}
        self._bound: dict[str, dict[str, Bound]] = {}
        self._waiting: dict[str, bytes] = {}
        self._leaks: dict[tuple[str, str], bytes] = {}
        self._asked: dict[str, Reservation] = {}
        self._etags = itertools.count(1)
        self.faults = faults or Faults()

    def everything(self) -> str:
        """
        Return all that is stored, as text.
        """
        rows = [row for row, _ in self._open.values()] + list(self._outcomes.values())
        rows += [msgspec.json.encode(standing) for standing in self._standings.values()]
        rows += [*self._waiting.values(), *self._leaks.values()]
        return "\n".join(row.decode() for row in rows) + str(self._bound)

    def records(self) -> dict[str, Rotation]:
        """
        Return the records that are kept for good, by rotation.
        """
        standings = self._standings.items()
        return {rotation_id: standing for rotation_id, standing in standings if isinstance(standing, Rotation)}

    def claims(self) -> list[OpenRotation]:
        """
        Return every running rotation.
        """
        return [self._read(target).row for target in self._open]

    def changes(self) -> list[TagChange]:
        """
        Return every change of tags.
        """
        return [change.row for change in self._changes.values()]

    def outcomes(self) -> list[EndedRotation]:
        """
        Return every outcome that waits to be published.
        """
        return [msgspec.json.decode(row, type=EndedRotation) for row in self._outcomes.values()]

    def leaks(self) -> list[Leak]:
        """
        Return every key that is known to have leaked.
        """
        return [msgspec.json.decode(row, type=Leak) for row in self._leaks.values()]

    def waiting(self) -> list[WaitingRotation]:
        """
        Return every rotation that waits.
        """
        return [msgspec.json.decode(row, type=WaitingRotation) for row in self._waiting.values()]

    def snapshot(self) -> tuple[object, ...]:
        """
        Return all that is stored, to be compared.
        """
        bound = [
            (target, tuple((name, str(secret.left_on)) for name, secret in sorted(secrets.items())))
            for target, secrets in self._bound.items()
        ]
        return (
            tuple(sorted(self._open.items())),
            tuple(sorted((what, change.etag) for what, change in self._changes.items())),
            tuple(sorted(self._outcomes.items())),
            tuple(sorted((name, msgspec.json.encode(standing)) for name, standing in self._standings.items())),
            tuple(sorted(bound)),
            tuple(sorted(self._waiting.items())),
            tuple(sorted(self._leaks.items())),
        )

    async def claim(self, target: str, row: OpenRotation) -> Versioned[OpenRotation] | Versioned[TagChange]:
        """
        Insert the running rotation of a target, or return the one that is there.
        """
        await self.faults.enter("claim")
        if change := self._changes.get(target):
            return change
        if target not in self._open:
            self._write(target, row)
        await self.faults.leave("claim")
        return self._read(target)

    async def hold(self, what: str, row: TagChange) -> Versioned[OpenRotation] | Versioned[TagChange]:
        """
        Insert a change of tags, or return what is there.
        """
        await self.faults.enter("hold")
        if what in self._open:
            return self._read(what)
        found = self._changes.setdefault(what, Versioned(row, str(next(self._etags))))
        await self.faults.leave("hold")
        return found

    async def read_open(self, target: str) -> Versioned[OpenRotation] | None:
        """
        Return the running rotation of a target.
        """
        await self.faults.enter("read_open")
        return self._read(target) if target in self._open else None

    async def replace(self, target: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        """
        Replace the running rotation if it is the one with that tag.
        """
        await self.faults.enter("replace")
        if not self._is(target, etag):
            return None
        self._write(target, row)
        written = self._read(target)
        await self.faults.leave("replace")
        return written

    async def begin(
        self, target: str, row: OpenRotation, etag: str, *, waits: bool, bind: SecretId | None = None
    ) -> Versioned[OpenRotation] | None:
        """
        In one step replace the running rotation by one that has begun and does not wait.
        """
        await self.faults.enter("begin")
        if not self._is(target, etag) or not self._may_change(row.request, target, begun=False, waits=waits):
            return None
        if waits:
            del self._waiting[_key(row.request, target)]
        self._standings[row.request.id] = None
        self._write(target, row)
        if bind:
            self._bind(target, bind, None)
        written = self._read(target)
        await self.faults.leave("begin")
        return written

    async def release(self, target: str, etag: str) -> bool:
        """
        Delete the running rotation if it is the one with that tag, or is gone already.
        """
        await self.faults.enter("release")
        if (change := self._changes.get(target)) and change.etag == etag:
            del self._changes[target]
        if target in self._open and not self._is(target, etag):
            return False
        self._open.pop(target, None)
        await self.faults.leave("release")
        return True

    async def end(
        self, outcome: EndedRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        """
        In one step delete the running rotation, and the row by which it waits, and keep its outcome.
        """
        await self.faults.enter("end")
        if not self._is(target, etag) or not self._may_change(outcome.request, target, begun=begun, waits=waits):
            return False
        if waits:
            del self._waiting[_key(outcome.request, target)]
        del self._open[target]
        self._keep(outcome)
        await self.faults.leave("end")
        return True

    async def defer(
        self, row: WaitingRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        """
        In one step delete the running rotation and let it wait.
        """
        await self.faults.enter("defer")
        if not self._is(target, etag) or not self._may_change(row.request, target, begun=begun, waits=waits):
            return False
        del self._open[target]
        self._waiting[_key(row.request, row.record.target)] = msgspec.json.encode(row)
        self._standings[row.record.id] = row
        await self.faults.leave("defer")
        return True

    async def end_waiting(self, outcome: EndedRotation) -> bool:
        """
        In one step keep the outcome of a rotation and forget that it waits.
        """
        await self.faults.enter("end_waiting")
        target = outcome.record.target
        if not self._may_change(outcome.request, target, begun=False, waits=True):
            return False
        del self._waiting[_key(outcome.request, target)]
        self._keep(outcome)
        await self.faults.leave("end_waiting")
        return True

    async def end_unclaimed(self, outcome: EndedRotation) -> bool:
        """
        Keep the outcome of a rotation that never claimed a target.
        """
        await self.faults.enter("end_unclaimed")
        if outcome.record.id in self._standings and not isinstance(self._standings[outcome.record.id], WaitingRotation):
            return False
        self._keep(outcome)
        await self.faults.leave("end_unclaimed")
        return True

    async def read_standing(self, rotation_id: str) -> Rotation | WaitingRotation | None:
        """
        Return the record of a rotation that has ended, or how it was deferred.
        """
        await self.faults.enter("read_standing")
        return self._standings.get(rotation_id)

    async def read_outcome(self, rotation_id: str) -> EndedRotation | None:
        """
        Return an outcome that waits to be published.
        """
        await self.faults.enter("read_outcome")
        found = self._outcomes.get(rotation_id)
        return msgspec.json.decode(found, type=EndedRotation) if found else None

    async def forget_outcome(self, rotation_id: str) -> None:
        """
        Forget that an outcome waited.
        """
        await self.faults.enter("forget_outcome")
        self._outcomes.pop(rotation_id, None)
        await self.faults.leave("forget_outcome")

    async def find_claimed(self, rotation_id: str) -> str | None:
        """
        Return the claim id of the target on which a rotation is running.
        """
        await self.faults.enter("find_claimed")
        rows = {target: self._read(target).row for target in self._open}
        return next((target for target, row in rows.items() if row.request.id == rotation_id), None)

    async def find(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation, wherever it stands.
        """
        standing = await self.read_standing(rotation_id)
        return standing if isinstance(standing, Rotation) else await self.find_live(rotation_id)

    async def find_live(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation that runs, or waits.
        """
        rows = [self._read(target).row for target in self._open]
        records = [row.record for row in rows] + [row.record for row in self.waiting()]
        return next((record for record in records if record.id == rotation_id), None)

    async def list_open(self) -> AsyncIterator[tuple[str, OpenRotation]]:
        """
        Yield every running rotation with its claim id.
        """
        await self.faults.enter("list_open")
        for target in list(self._open):
            yield target, self._read(target).row

    async def list_outcomes(self) -> AsyncIterator[EndedRotation]:
        """
        Yield every outcome that waits to be published.
        """
        await self.faults.enter("list_outcomes")
        for outcome in list(self._outcomes.values()):
            yield msgspec.json.decode(outcome, type=EndedRotation)

    async def wait(self, row: WaitingRotation) -> bool:
        """
        Insert a rotation that was accepted.
        """
        await self.faults.enter("wait")
        key = _key(row.request, row.record.target)
        is_new = key not in self._waiting
        if is_new:
            self._waiting[key] = msgspec.json.encode(row)
        await self.faults.leave("wait")
        return is_new

    async def report_leak(self, row: WaitingRotation, leak: Leak) -> bool:
        """
        In one step insert a revocation, unless the target has one, and write down the leak.
        """
        await self.faults.enter("report_leak")
        key = _key(row.request, row.record.target)
        if key in self._waiting:
            return False
        self._waiting[key] = msgspec.json.encode(row)
        self._leaks[leak.target, leak.leaked.fingerprint] = msgspec.json.encode(leak)
        await self.faults.leave("report_leak")
        return True

    async def read_waiting(self, rotation_id: str) -> WaitingRotation | None:
        """
        Return a rotation that waits, but for a revocation.
        """
        await self.faults.enter("read_waiting")
        return self._read_waiting(f"accepted:{rotation_id}")

    async def read_revocation(self, target: str) -> WaitingRotation | None:
        """
        Return the revocation of a target that waits.
        """
        await self.faults.enter("read_revocation")
        return self._read_waiting(f"scheduled:{target}")

    async def list_revocations(self) -> list[WaitingRotation]:
        """
        Return the revocations that wait.
        """
        await self.faults.enter("list_revocations")
        return [row for row in self.waiting() if row.request.revokes]

    async def list_leaks(self, target: str | None = None) -> list[Leak]:
        """
        Return the leaked keys of a target, or of all.
        """
        await self.faults.enter("list_leaks")
        return [msgspec.json.decode(row, type=Leak) for (of, _), row in self._leaks.items() if target in {None, of}]

    async def forget_leak(self, target: str, leaked: LeakedKey) -> None:
        """
        Delete the row of a leaked key.
        """
        await self.faults.enter("forget_leak")
        self._leaks.pop((target, leaked.fingerprint), None)

    async def list_waiting(self) -> AsyncIterator[WaitingRotation]:
        """
        Yield every rotation that was accepted or scheduled and has not ended.
        """
        await self.faults.enter("list_waiting")
        for row in self.waiting():
            yield row

    async def postpone(self, row: WaitingRotation, due_on: datetime) -> None:
        """
        Update the row of a waiting rotation, if it is as it was.
        """
        await self.faults.enter("postpone")
        key = _key(row.request, row.record.target)
        if self._waiting.get(key) == msgspec.json.encode(row):
            self._waiting[key] = msgspec.json.encode(structs.replace(row, due_on=due_on))

    async def forget_waiting(self, rotation_id: str) -> None:
        """
        Delete the row of a waiting rotation.
        """
        await self.faults.enter("forget_waiting")
        rows = {key: msgspec.json.decode(row, type=WaitingRotation) for key, row in self._waiting.items()}
        self._waiting = {key: self._waiting[key] for key, row in rows.items() if row.record.id != rotation_id}

    async def reserve(self, rotation_id: str, asked: Reservation) -> Reservation:
        """
        Keep what was asked for under an id, or return what was asked for first.
        """
        await self.faults.enter("reserve")
        return self._asked.setdefault(rotation_id, asked)

    async def bound_secrets(self, target: str) -> list[Bound]:
        """
        Return the secrets that are known to hold a key of the target, or to have held one.
        """
        await self.faults.enter("bound_secrets")
        return list(self._bound.get(target, {}).values())

    async def list_bound(self) -> AsyncIterator[tuple[str, Bound]]:
        """
        Yield what is known of every target.
        """
        await self.faults.enter("list_bound")
        for target, secrets in list(self._bound.items()):
            for bound in list(secrets.values()):
                yield target, bound

    async def bind(self, target: str, secret: SecretId) -> None:
        """
        Remember that a secret holds a key of the target.
        """
        await self.faults.enter("bind")
        self._bind(target, secret, None)

    async def leave(self, target: str, secret: SecretId, left_on: datetime) -> None:
        """
        Remember when a secret was seen to have left the target.
        """
        await self.faults.enter("leave")
        self._bind(target, secret, left_on)

    async def unbind(self, target: str, secret: SecretId) -> None:
        """
        Forget that a secret holds a key of the target.
        """
        await self.faults.enter("unbind")
        self._bound.get(target, {}).pop(secret.identity, None)

    def _may_change(self, request: RotationRequest, target: str | None, *, begun: bool, waits: bool) -> bool:
        """
        Return whether a rotation stands as its worker thinks: begun, waiting, or neither.
        """
        if waits and not self._waits(request, target):
            return False
        if request.id not in self._standings:
            return not begun
        standing = self._standings[request.id]
        return begun if standing is None else waits and isinstance(standing, WaitingRotation)

    def _keep(self, outcome: EndedRotation) -> None:
        # As JSON, so that what cannot be stored fails here too.
        self._standings[outcome.record.id] = msgspec.json.decode(msgspec.json.encode(outcome.record), type=Rotation)
        self._outcomes[outcome.record.id] = msgspec.json.encode(outcome)

    def _waits(self, request: RotationRequest, target: str | None) -> bool:
        found = self._read_waiting(_key(request, target))
        return found is not None and found.record.id == request.id

    def _read_waiting(self, key: str) -> WaitingRotation | None:
        found = self._waiting.get(key)
        return msgspec.json.decode(found, type=WaitingRotation) if found else None

    def _bind(self, target: str, secret: SecretId, left_on: datetime | None) -> None:
        self._bound.setdefault(target, {})[secret.identity] = Bound(SecretId(secret.vault, secret.name), left_on)

    def _is(self, target: str, etag: str) -> bool:
        return target in self._open and self._open[target][1] == etag

    def _write(self, target: str, row: OpenRotation) -> None:
        self._open[target] = (msgspec.json.encode(row), str(next(self._etags)))

    def _read(self, target: str) -> Versioned[OpenRotation]:
        row, etag = self._open[target]
        return Versioned(msgspec.json.decode(row, type=OpenRotation), etag)


def _key(request: RotationRequest, target: str | None) -> str:
    return f"scheduled:{identity_of(target or '')}" if request.revokes else f"accepted:{request.id}"
