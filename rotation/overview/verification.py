"""
Comparing the value of each managed secret with the keys of its target: drift is seen in days, not when it is due.

It only reads; what it finds is shown, and put right by rotations alone. How it keeps out of the way of rotations stands
in docs/architecture.md, "Verification".
"""

import asyncio
import heapq
import logging
from collections import Counter, deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from rotation.overview.comparison import IS_WRONG, Comparison, Known, Verifications
from rotation.ports.inventory import Entry, Result
from rotation.ports.world import World
from rotation.vocabulary.errors import DependencyError, OutOfTime, RotationError
from rotation.vocabulary.limits import (
    CALM,
    COMPARED_AT_ONCE,
    TARGETS_AT_HAND,
    TARGETS_PER_WRITE,
    VERIFIED_AT_ONCE,
)
from rotation.vocabulary.log_lines import report_verification
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Candidate(NamedTuple):
    """
    A target that is to be verified: when the longest unverified of its secrets was, and what is known to be wrong.
    """

    on: datetime
    wrong: Known


_Candidates = dict[str, _Candidate]  # by the target's identity


async def verify(world: World, *, before: datetime, within: timedelta) -> None:
    """
    Verify every secret that was not since `before`, target by target, the longest unverified first.

    What goes wrong with a target is kept or logged, and stops no other. What there is no time for comes first the next
    time. Raises a `DependencyError` where the ledger does not say what there is.
    """
    run, is_complete = _Run(world, within), False
    while not is_complete and run.time_left > 0:
        found = await _longest_unverified(world, before, run.tried)
        running = {target async for target, _ in world.ledger.list_open()}
        run.tried |= running & found.keys()
        waiting = _in_turns(target for target in found if target not in running)
        await run.work_off(deque((target, found[target].wrong) for target in waiting))
        is_complete = len(found) < TARGETS_AT_HAND and found.keys() <= run.tried
        if not is_complete and run.tried.isdisjoint(found):
            # Rotations need all that Azure Resource Manager takes.
            await world.clock.sleep(max(0.0, min(CALM, run.time_left)))
    report_verification(secrets=run.compared, seconds=run.seconds, is_complete=is_complete)


async def _longest_unverified(world: World, before: datetime, tried: set[str]) -> _Candidates:
    """
    Return the targets that are due, the longest unverified first: so many of them as are kept in memory.
    """
    found: _Candidates = {}
    for vault in world.vaults.uris:
        async for entry in world.inventory.list_entries(vault, ""):
            target, on = entry.facts.target_identity, _verified_on(entry)
            if target is None or target in tried or on >= before:
                continue
            known_on, wrong = found.get(target, _Candidate(on, {}))
            if entry.verified and (entry.verified.is_doubted or entry.verified.result in IS_WRONG):
                wrong |= {entry.facts.secret.identity: entry.verified}
            found[target] = _Candidate(min(on, known_on), wrong)
            if len(found) >= TARGETS_AT_HAND + TARGETS_AT_HAND:
                found = _first(found)
    return _first(found)


def _first(found: _Candidates) -> _Candidates:
    return dict(heapq.nsmallest(TARGETS_AT_HAND, found.items(), key=lambda item: item[1].on))


def _verified_on(entry: Entry) -> datetime:
    """
    Return since when a secret is verified: an answer that says nothing does not count.
    """
    verified = entry.verified
    return _NEVER if verified is None or verified.result is Result.UNREACHABLE else verified.on


def _in_turns(targets: Iterable[str]) -> list[str]:
    """
    Return targets so that each subscription has its turn: in each there is room for so many a second.
    """
    turns = Counter[str]()

    def turn(target: str) -> int:
        subscription = target.removeprefix("/subscriptions/").partition("/")[0]
        turns[subscription] += 1
        return turns[subscription]

    return sorted(targets, key=turn)


class _Run:
    """
    What one sweep verifies: which targets had their turn, and what was found of some and is not kept yet.
    """

    def __init__(self, world: World, within: timedelta) -> None:
        self._world = world
        self._deadline = Deadline(world.clock, within)
        self._at_once = asyncio.Semaphore(VERIFIED_AT_ONCE)
        self._found: list[Verifications] = []
        self.tried: set[str] = set()
        self.compared = 0

    @property
    def seconds(self) -> float:
        """
        The seconds that it has taken.
        """
        return self._deadline.elapsed

    @property
    def time_left(self) -> float:
        """
        The seconds that are left for it.
        """
        return self._deadline.remaining

    async def work_off(self, waiting: deque[tuple[str, Known]]) -> None:
        """
        Verify some targets, with what is known to be wrong of each, as long as there is time; keep what is found.
        """

        async def work() -> None:
            while waiting and self.time_left > 0:
                await self._verify(*waiting.popleft())
                if len(self._found) >= TARGETS_PER_WRITE:
                    await self._keep()

        await self._world.gather(*(work() for _ in range(min(COMPARED_AT_ONCE, len(waiting)))))
        await self._keep()

    async def _verify(self, target: str, wrong: Known) -> None:
        if not await self._world.providers.has_room_for(target) or self.time_left <= 0:
            return
        self.tried.add(target)
        try:
            found = await Comparison(self._world, target, self._at_once, wrong, self._deadline).make()
        except OutOfTime:
            _log.info("verification: there is no time left for %s", target)
        except DependencyError as error:
            _log.warning("verification: %s: %s", target, error)
        except Exception:  # noqa: BLE001 - one broken target stops no other
            _log.exception("verification: %s", target)
        else:
            # Looked up now: what it was before the comparison may have been kept meanwhile.
            self._found.append(found)

    async def _keep(self) -> None:
        found = dict(item for each in self._found for item in each.items())
        self._found = []
        self.compared += len(found)
        try:
            await self._world.inventory.keep_verifications(found)
        except RotationError as error:
            _log.warning("verification: what was found of %d secrets is not kept: %s", len(found), error)
