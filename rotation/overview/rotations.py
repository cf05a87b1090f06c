"""
The list of rotations, newest first: what is live in the ledger, and what has ended.
"""

import re
from contextlib import aclosing

from msgspec import Struct

from rotation.overview.paging import continuation_of, not_ours, read_continuation
from rotation.ports.history import History, Wanted, place_of
from rotation.vocabulary.record import Rotation, State

_PLACE = re.compile(r"[0-9]{18}:[0-9a-f-]{36}")


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


def _read_place(continuation: str) -> str:
    (place,) = read_continuation(continuation, 1)
    if not _PLACE.fullmatch(place):
        raise not_ours()
    return place
