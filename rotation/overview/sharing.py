"""
Which secrets are known to hold a key of each target, for a list of secrets.

A page about a few targets asks for each of them. A page about many, of a caller who reads the whole list, reads the
bindings of all targets once, and so do the pages that follow soon after.
"""

import asyncio
from collections.abc import Iterable

from rotation.ports.ledger import Bound, Ledger
from rotation.vocabulary.limits import (
    BINDINGS_KEPT_FOR,
    MOST_BINDINGS_KEPT,
    TARGETS_ASKED_AT_ONCE,
    TARGETS_ASKED_ONE_BY_ONE,
    TOO_MANY_BINDINGS_FOR,
)
from rotation.vocabulary.timing import Clock


class Sharing:
    """
    The bindings of targets, kept for a short time where many are asked for. One for each process.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._reading = asyncio.Lock()
        self._kept: dict[str, list[Bound]] | None = None
        self._read_at: float | None = None

    async def of(self, targets: Iterable[str]) -> dict[str, list[Bound]]:
        """
        Return the secrets that are bound to each of these targets. Raises a `DependencyError`.
        """
        wanted = sorted(set(targets))
        if len(wanted) > TARGETS_ASKED_ONE_BY_ONE and (known := await self._all()) is not None:
            return {target: known.get(target, []) for target in wanted}
        at_once = asyncio.Semaphore(TARGETS_ASKED_AT_ONCE)

        async def ask(target: str) -> list[Bound]:
            async with at_once:
                return await self._ledger.bound_secrets(target)

        return dict(zip(wanted, await asyncio.gather(*map(ask, wanted)), strict=True))

    async def _all(self) -> dict[str, list[Bound]] | None:
        """
        Return the bindings of all targets, None where they are too many to be kept.
        """
        async with self._reading:
            kept_for = BINDINGS_KEPT_FOR if self._kept is not None else TOO_MANY_BINDINGS_FOR
            if self._read_at is None or self._clock.monotonic() - self._read_at > kept_for:
                self._kept = await self._read()
                self._read_at = self._clock.monotonic()
            return self._kept

    async def _read(self) -> dict[str, list[Bound]] | None:
        found: dict[str, list[Bound]] = {}
        count = 0
        async for target, bound in self._ledger.list_bound():
            found.setdefault(target, []).append(bound)
            count += 1
            if count > MOST_BINDINGS_KEPT:
                return None
        return found
