"""
What the rotator needs of its memory: the port that the ledger stands behind. It has an adapter and an in-memory twin.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from rotation.vocabulary.record import (
    EndedRotation,
    Leak,
    OpenRotation,
    Reservation,
    Rotation,
    TagChange,
    WaitingRotation,
)
from rotation.vocabulary.request import LeakedKey
from rotation.vocabulary.secret import SecretId

T = TypeVar("T")


class Versioned(Struct, Generic[T], frozen=True):
    """
    A row of the ledger and the tag under which it was read or written; a write names the tag it expects.
    """

    row: T
    etag: str


class Bound(Struct, frozen=True):
    """
    A secret that is known to hold a key of a target, or has held one: then `left_on` is when that was first seen.
    """

    secret: SecretId
    left_on: datetime | None = None


class Ledger(Protocol):
    """
    What is remembered; a target is named by its identity.

    Every write is conditional: it says True, or a tag, only if it is this write that took effect.
    """

    async def claim(self, target: str, row: OpenRotation) -> Versioned[OpenRotation] | Versioned[TagChange]:
        """
        Insert the running rotation of a target, or return what is there: compare the `lease`.
        """
        ...

    async def hold(self, what: str, row: TagChange) -> Versioned[OpenRotation] | Versioned[TagChange]:
        """
        Insert a change of tags for a target, or a secret, named by its identity; or return what is there.
        """
        ...

    async def read_open(self, target: str) -> Versioned[OpenRotation] | None:
        """
        Return the running rotation of a target, None as well while tags are being changed.
        """
        ...

    async def replace(self, target: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        """
        Replace the running rotation; None if the row is no longer the one with that tag.
        """
        ...

    async def begin(
        self, target: str, row: OpenRotation, etag: str, *, waits: bool, bind: SecretId | None = None
    ) -> Versioned[OpenRotation] | None:
        """
        In one step replace the running rotation, remember that it has begun, and forget that it `waits`.

        With `bind`, remember as well that this secret holds a key of the target. None if any of it is impossible: a
        rotation begins once, and none does that has ended, or that waits without it being known.
        """
        ...

    async def release(self, target: str, etag: str) -> bool:
        """
        Delete the running rotation, or the change of tags, and leave no trace of it.
        """
        ...

    async def end(
        self, outcome: EndedRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        """
        In one step delete the running rotation, and the row by which it `waits`, and remember its outcome for good.

        False if any of it is impossible: an outcome is never replaced, nor one given to a rotation that has begun, or
        waits, without it being known.
        """
        ...

    async def defer(
        self, row: WaitingRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        """
        In one step delete the running rotation and let it wait; False if any of it is impossible, as for `end`.

        One that `waits` already must be waiting still.
        """
        ...

    async def end_waiting(self, outcome: EndedRotation) -> bool:
        """
        In one step remember the outcome of a rotation that waits and forget that it does.

        False if it has begun, or ended.
        """
        ...

    async def end_unclaimed(self, outcome: EndedRotation) -> bool:
        """
        Remember the outcome of a rotation that never claimed a target; False if it has begun, or ended.
        """
        ...

    async def read_standing(self, rotation_id: str) -> Rotation | WaitingRotation | None:
        """
        Return the record of a rotation that has ended, or the row by which it was deferred, if it has not begun since.
        """
        ...

    async def read_outcome(self, rotation_id: str) -> EndedRotation | None:
        """
        Return an outcome that waits to be published.
        """
        ...

    async def forget_outcome(self, rotation_id: str) -> None:
        """
        Forget that an outcome waited to be published.
        """
        ...

    async def find_claimed(self, rotation_id: str) -> str | None:
        """
        Return the identity of the target on which a rotation is running.
        """
        ...

    async def find(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation, wherever it stands.
        """
        ...

    def list_open(self) -> AsyncIterator[tuple[str, OpenRotation]]:
        """
        Yield every running rotation with the identity of its target.
        """
        ...

    async def wait(self, row: WaitingRotation) -> bool:
        """
        Remember a rotation that was accepted; False if it is remembered already.
        """
        ...

    async def report_leak(self, row: WaitingRotation, leak: Leak) -> bool:
        """
        In one step remember a revocation, and the leak that it is about; False if one of the target waits already.
        """
        ...

    async def read_waiting(self, rotation_id: str) -> WaitingRotation | None:
        """
        Return a rotation that waits, but for a revocation.
        """
        ...

    async def read_revocation(self, target: str) -> WaitingRotation | None:
        """
        Return the revocation of a target that waits: there is one at most.
        """
        ...

    async def list_revocations(self) -> list[WaitingRotation]:
        """
        Return the revocations that wait.
        """
        ...

    async def list_leaks(self, target: str | None = None) -> list[Leak]:
        """
        Return the leaked keys of a target, or of all, that are not known to be dead.
        """
        ...

    async def forget_leak(self, target: str, leaked: LeakedKey) -> None:
        """
        Forget that a key has leaked: it is dead.
        """
        ...

    def list_waiting(self) -> AsyncIterator[WaitingRotation]:
        """
        Yield every rotation that was accepted or scheduled and has not ended.
        """
        ...

    async def postpone(self, row: WaitingRotation, due_on: datetime) -> None:
        """
        Let a waiting rotation be due at another time, if it waits as it did.
        """
        ...

    async def forget_waiting(self, rotation_id: str) -> None:
        """
        Forget that a rotation waited.
        """
        ...

    async def reserve(self, rotation_id: str, asked: Reservation) -> Reservation:
        """
        Remember what was asked for under an id, unless something is remembered; return what counts.
        """
        ...

    def list_outcomes(self) -> AsyncIterator[EndedRotation]:
        """
        Yield every outcome that waits to be published.
        """
        ...

    async def bound_secrets(self, target: str) -> list[Bound]:
        """
        Return the secrets that are known to hold a key of the target, and those that have left it a while ago.
        """
        ...

    def list_bound(self) -> AsyncIterator[tuple[str, Bound]]:
        """
        Yield what `bound_secrets` returns for every target, each with the identity of the target.
        """
        ...

    async def bind(self, target: str, secret: SecretId) -> None:
        """
        Remember that a secret holds a key of the target, whether or not it had left it.
        """
        ...

    async def leave(self, target: str, secret: SecretId, left_on: datetime) -> None:
        """
        Remember that a secret was seen to have left the target.
        """
        ...

    async def unbind(self, target: str, secret: SecretId) -> None:
        """
        Forget that a secret has held a key of the target.
        """
        ...
