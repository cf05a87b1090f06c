"""
The rotations that are remembered, and their order: newest first.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Protocol

from msgspec import Struct

from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.target import identity_of

_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


class Wanted(Struct, frozen=True):
    """
    Which rotations are asked for: of a target, of a secret, in a state, begun since then; None is any.

    Both are named by their identity.
    """

    target: str | None = None
    secret: str | None = None
    state: State | None = None
    since: datetime | None = None

    def includes(self, record: Rotation) -> bool:
        """
        Return whether a rotation is one of those.
        """
        return (
            self.target in {None, record.target and identity_of(record.target)}
            and self.secret in {None, secret_identity(record)}
            and self.state in {None, record.state}
            and (self.since is None or record.started_on >= self.since)
        )


class History(Protocol):
    """
    What the ledger remembers of rotations.
    """

    def list_live(self) -> AsyncIterator[Rotation]:
        """
        Yield the record of every rotation that has not ended, once, in no order.

        One that waits to begin may have ended meanwhile: `is_done` says so.
        """
        ...

    async def is_done(self, rotation_id: str) -> bool:
        """
        Return whether a rotation has ended.
        """
        ...

    def list_done(self, wanted: Wanted, after: str) -> AsyncGenerator[Rotation, None]:
        """
        Yield the records of ended rotations, newest first, those behind the place `after`.
        """
        ...


def place_of(record: Rotation) -> str:
    """
    Return the place of a rotation in the list: text that sorts newest first.
    """
    return f"{place_of_moment(record.started_on)}:{record.id}"


def place_of_moment(moment: datetime) -> str:
    """
    Return the beginning of the places of all rotations that began at a moment.
    """
    left = _END_OF_TIME - moment
    return f"{(left.days * 86_400 + left.seconds) * 1_000_000 + left.microseconds:018d}"


def secret_identity(record: Rotation) -> str | None:
    """
    Return the identity of the secret that a rotation is about.
    """
    return f"{record.secret.vault}/secrets/{record.secret.name}".lower() if record.secret else None
