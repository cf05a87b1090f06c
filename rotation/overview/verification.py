"""
Comparing the value of each managed secret with the keys of its target: drift is seen in days, not when it is due.

It only reads; what it finds is shown, and put right by rotations alone. How it keeps out of the way of rotations stands
in docs/architecture.md, "Verification".
"""

import asyncio
import heapq
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zlib import crc32

from rotation.overview.comparison import Comparison, Known, Verifications
from rotation.ports.inventory import Entry, Result, Verification
from rotation.ports.world import World
from rotation.vocabulary.endings import Misconfigured, OutOfScope
from rotation.vocabulary.errors import DependencyError, OutOfTime, RotationError, UnreadableRow
from rotation.vocabulary.limits import (
    CALM,
    COMPARED_AT_ONCE,
    TARGETS_AT_HAND,
    TARGETS_PER_WRITE,
    VERIFIED_AT_ONCE,
)
from rotation.vocabulary.log_lines import report_verification
from rotation.vocabulary.record import Leak
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Candidate(NamedTuple):
    """
    A target with its secrets: when the longest unverified was, whether one is due, and what is wrong with each.
    """

    on: datetime
    is_due: bool
    secrets: dict[SecretId, Verification | None]


_Candidates = dict[str, _Candidate]  # by the target's identity


async def verify(world: World, *, before: datetime, within: timedelta) -> None:
    """
    Verify every secret that was not since `before`, target by target, the longest unverified first.

    What goes wrong with a target is kept or logged, and stops no other. What there is no time for comes first the next
    time. Raises a `DependencyError` where the ledger does not say what there is.
    """
    run, is_complete = _Run(world, within), False
    for leak in await world.ledger.list_leaks():
        run.leaks[leak.target].append(leak)
    while run.time_left > 0 and not is_complete:
        found = await _longest_unverified(world, before, run)
        if not found and run.crowded:
            # Rotations need all that Azure Resource Manager takes there.
            await world.clock.sleep(max(0.0, min(CALM, run.time_left)))
            run.crowded.clear()
            continue
        running = {target async for target, _ in world.ledger.list_open()}
        run.tried |= running & found.keys()
        waiting = _in_turns(target for target in found if target not in running)
        await run.work_off(deque((target, found[target].secrets) for target in waiting))
        is_complete = len(found) < TARGETS_AT_HAND and found.keys() <= run.tried and not run.crowded
    report_verification(secrets=run.compared, seconds=run.seconds, is_complete=is_complete)


async def _longest_unverified(world: World, before: datetime, run: "_Run") -> _Candidates:
    """
    Return the targets that are due, the longest unverified first: so many of them as are kept in memory.
    """
    found: _Candidates = {}
    for vault in world.vaults.uris:
        try:
            async for entry in world.inventory.list_entries(vault, ""):
                target = entry.facts.target_identity
                if target is None or target in run.tried or _subscription_of(target) in run.crowded:
                    continue
                if is_allowed(world, entry):
                    found[target] = _with_secret(found.get(target), entry, before)
                if len(found) > TARGETS_AT_HAND + TARGETS_AT_HAND // 4:
                    found = _first(found)
        except UnreadableRow as error:
            # Of another version: it holds up the rest of its vault, and no other.
            _log.error("verification: %s", error)
    return _first({target: candidate for target, candidate in found.items() if candidate.is_due})


def _with_secret(known: _Candidate | None, entry: Entry, before: datetime) -> _Candidate:
    verified = entry.verified
    # An answer that says nothing does not count; what waited longest is tried first all the same.
    is_due = verified is None or verified.result is Result.UNREACHABLE or verified.on < before
    on = verified.on if verified else _NEVER
    on, is_due, secrets = (min(on, known.on), is_due or known.is_due, known.secrets) if known else (on, is_due, {})
    secrets[entry.facts.secret] = known_of(entry)
    return _Candidate(on, is_due, secrets)


def _first(found: _Candidates) -> _Candidates:
    def rank(item: tuple[str, _Candidate]) -> tuple[datetime, int]:
        # Of those that never were, not the first vault's alone, which may all be of one subscription.
        return item[1].on, crc32(item[0].encode())

    return dict(heapq.nsmallest(TARGETS_AT_HAND, found.items(), key=rank))


def known_of(entry: Entry) -> Verification | None:
    """
    Return what a comparison has to know of the one before: that something was wrong, or in doubt, or had leaked.
    """
    verified = entry.verified
    is_to_know = verified is not None and (verified.is_wrong or verified.is_doubted or verified.leaked)
    return verified if is_to_know else None


def is_allowed(world: World, entry: Entry) -> bool:
    """
    Return whether the keys of a secret's target may be asked for. One that is out of scope is misconfigured.
    """
    if entry.facts.misconfigured is None:
        return True
    try:
        world.scopes.require(world.providers.parse_target(entry.facts.target or ""))
    except (Misconfigured, OutOfScope):
        return False
    return True


def _subscription_of(target: str) -> str:
    return target.removeprefix("/subscriptions/").partition("/")[0]


def _in_turns(targets: Iterable[str]) -> list[str]:
    """
    Return targets so that each subscription has its turn: in each there is room for so many a second.
    """
    turns = Counter[str]()

    def turn(target: str) -> int:
        subscription = _subscription_of(target)
        turns[subscription] += 1
        return turns[subscription]

    return sorted(targets, key=turn)


class _Run:
    """
    What one sweep verifies: which targets had their turn, and in which subscriptions rotations need all there is.
    """

    def __init__(self, world: World, within: timedelta) -> None:
        self._world = world
        self._deadline = Deadline(world.clock, within)
        self._at_once = asyncio.Semaphore(VERIFIED_AT_ONCE)
        self._found: list[Verifications] = []
        self.leaks: dict[str, list[Leak]] = defaultdict(list)
        self.tried: set[str] = set()
        self.crowded: set[str] = set()
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
        Verify some targets, with what is known of the secrets of each, as long as there is time; keep what is found.
        """

        async def work() -> None:
            while waiting and self.time_left > 0:
                await self._verify(*waiting.popleft())
                if len(self._found) >= TARGETS_PER_WRITE:
                    await self._keep()

        # What hangs when the time is over holds up neither what was found nor what the sweep does after that.
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self.time_left)):
                await self._world.gather(*(work() for _ in range(min(COMPARED_AT_ONCE, len(waiting)))))
        await self._keep()

    async def _verify(self, target: str, secrets: Known) -> None:
        try:
            if _subscription_of(target) in self.crowded or not await self._world.providers.has_room_for(target):
                self.crowded.add(_subscription_of(target))
                return
            self.tried.add(target)
            leaks = self.leaks.get(target, [])
            comparison = Comparison(self._world, target, secrets, self._at_once, self._deadline, leaks=leaks)
            found = await comparison.make()
            await comparison.forget_leaks()
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
            await self._world.inventory.keep_verifications(found, self._world.clock.now())
        except RotationError as error:
            _log.warning("verification: what was found of %d secrets is not kept: %s", len(found), error)
