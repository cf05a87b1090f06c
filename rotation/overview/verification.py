"""
Comparing the value of each managed secret with the keys of its target: drift is seen in days, not when it is due.

It only reads; what it finds is shown, and put right by rotations alone. How it keeps out of the way of rotations stands
in docs/architecture.md, "Verification".
"""

import asyncio
import heapq
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from rotation.overview.comparison import IS_WRONG, Comparison, Known, Verifications
from rotation.ports.inventory import Entry, Result
from rotation.ports.world import World
from rotation.vocabulary.errors import DependencyError, OutOfTime, RotationError
from rotation.vocabulary.limits import CALM, TARGETS_AT_HAND, TARGETS_PER_WRITE, VERIFIED_AT_ONCE
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
    begun, tried = world.clock.monotonic(), set[str]()

    def time_left() -> float:
        return within.total_seconds() - (world.clock.monotonic() - begun)

    at_once = asyncio.Semaphore(VERIFIED_AT_ONCE)
    while time_left() > 0 and (found := await _longest_unverified(world, before, tried)):
        running = {target async for target, _ in world.ledger.list_open()}
        had_their_turn = running & found.keys()
        waiting = [target for target in found if target not in running]
        while waiting and time_left() > 0:
            some, waiting = waiting[:TARGETS_PER_WRITE], waiting[TARGETS_PER_WRITE:]
            deadline = Deadline(world.clock, timedelta(seconds=time_left()))
            wrong = {target: found[target].wrong for target in some}
            had_their_turn |= await _verify_some(world, wrong, at_once, deadline)
        tried |= had_their_turn
        if not had_their_turn:
            # Rotations need all that Azure Resource Manager takes.
            await world.clock.sleep(max(0.0, min(CALM, time_left())))


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


async def _verify_some(
    world: World, targets: Mapping[str, Known], at_once: asyncio.Semaphore, deadline: Deadline
) -> set[str]:
    """
    Verify some targets, and keep what is found; return those that had their turn.
    """

    async def verify_one(target: str, wrong: Known) -> Verifications | None:
        if not await world.providers.has_room_for(target):
            return None
        try:
            return await Comparison(world, target, at_once, wrong, deadline).make()
        except OutOfTime:
            _log.info("verification: there is no time left for %s", target)
        except DependencyError as error:
            _log.warning("verification: %s: %s", target, error)
        except Exception:  # noqa: BLE001 - one broken target stops no other
            _log.exception("verification: %s", target)
        return {}

    results = await world.gather(*(verify_one(target, wrong) for target, wrong in targets.items()))
    made = {secret: verification for result in results if result for secret, verification in result.items()}
    try:
        await world.inventory.keep_verifications(made)
    except RotationError as error:
        _log.warning("verification: what was found of %d secrets is not kept: %s", len(made), error)
    return {target for target, result in zip(targets, results, strict=True) if result is not None}
