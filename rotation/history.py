"""
The list of rotations, newest first: what is live in the ledger, and what has ended.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Protocol

from msgspec import Struct

from rotation.paging import continuation_of, not_ours, read_continuation
from rotation.record import Rotation, State
from rotation.spelling import caseless

_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
_PLACE = re.compile(r"[0-9]{18}:[0-9a-f-]{36}")


class Wanted(Struct, frozen=True):
    """
    Which rotations are asked for: of a target, of a secret, in a state, begun since then; None is any.

    `target` is a claim id, `secret` the identity of a secret.
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
            self.target in {None, record.target and caseless(record.target)}
            and self.secret in {None, identity_of(record)}
            and self.state in {None, record.state}
            and (self.since is None or record.started_on >= self.since)
        )


class History(Protocol):
    """
    What the ledger remembers of rotations.
    """

    def list_live(self) -> AsyncIterator[Rotation]:
        """
        Yield the record of every rotation that has not ended or is not published yet, once, in no order.

        One that waits to begin may have ended meanwhile: `is_done` tells.
        """
        ...

    async def is_done(self, rotation_id: str) -> bool:
        """
        Return whether the outcome of a rotation is settled.
        """
        ...

    def list_done(self, wanted: Wanted, after: str) -> AsyncGenerator[Rotation, None]:
        """
        Yield the records of ended rotations, newest first, those behind the place `after`.
        """
        ...


class RotationsPage(Struct, frozen=True):
    """
    A page of rotations, newest first; `continuation` asks for the next one, None where this is the last.
    """

    rotations: list[Rotation]
    continuation: str | None


async def list_rotations(history: History, wanted: Wanted, *, top: int, continuation: str | None) -> RotationsPage:
    """
    Return at most `top` rotations.

    Raises `Malformed` for a continuation that is none, or a `DependencyError`.
    """
    after = _read_place(continuation) if continuation else ""
    # All of it: what is live is little, and in another order. What ends meanwhile keeps its place.
    live = [record async for record in history.list_live() if wanted.includes(record) and place_of(record) > after]
    found = {place_of(record): record for record in live}
    taken = 0
    if wanted.state in {None, State.COMPLETED, State.FAILED, State.SKIPPED}:
        async with aclosing(history.list_done(wanted, after)) as done:
            async for record in done:
                found[place_of(record)] = record
                taken += 1
                if taken > top:
                    break
    places = sorted(found)
    page = [found[place] for place in places[:top] if not await _has_left(history, found[place])]
    more = len(places) > top
    return RotationsPage(page, continuation_of(places[top - 1]) if more else None)


async def _has_left(history: History, record: Rotation) -> bool:
    """
    Return whether a rotation is only said to wait: its row is forgotten last, and the record that counts is another.
    """
    return record.state in {State.ACCEPTED, State.SCHEDULED} and await history.is_done(record.id)


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


def identity_of(record: Rotation) -> str | None:
    """
    Return the identity of the secret that a rotation is about.
    """
    return f"{record.secret.vault}/secrets/{record.secret.name}".lower() if record.secret else None


def _read_place(continuation: str) -> str:
    (place,) = read_continuation(continuation, 1)
    if not _PLACE.fullmatch(place):
        raise not_ours()
    return place
