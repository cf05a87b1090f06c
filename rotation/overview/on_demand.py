"""
Comparing one secret with its target now, for a caller who waits: what the sweep does for all of them.

It only reads, and keeps what it has found as the sweep does. It publishes nothing before the next sweep.
"""

import asyncio
import logging
from datetime import timedelta

from rotation.overview.comparison import Comparison
from rotation.overview.one_secret import SecretDetails, details_of, look_at
from rotation.overview.verification import is_allowed, known_of
from rotation.ports.inventory import Entry
from rotation.ports.world import World
from rotation.vocabulary.errors import Busy, Unavailable
from rotation.vocabulary.limits import CALM, COMPARED_AGAIN, LOOK_WITHIN, SECOND_LOOK_AFTER
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


async def verify_secret(world: World, secret: SecretId, *, lead: timedelta) -> SecretDetails:
    """
    Return how a secret stands after it was read and compared with the keys of its target.

    One whose target cannot be read, or is not allowed, is read and not compared. Raises as `look_at` does, `Busy` while
    a rotation of the target is running, and `Unavailable` where rotations need all that can be asked there, or the
    secret changes all the time.
    """
    world.vaults.require(secret)
    deadline = Deadline(world.clock, LOOK_WITHIN)
    known = await world.inventory.read_entry(secret)
    # As its vault spells it.
    secret = known.facts.secret if known else SecretId(secret.vault, secret.name)
    for _ in range(COMPARED_AGAIN):
        entry = await _compare(world, secret, deadline)
        if entry:
            return await details_of(world, entry, lead)
    raise Unavailable(
        f"{secret.unversioned} was changed each time while it was compared; ask again",
        retry_after=timedelta(seconds=SECOND_LOOK_AFTER),
    )


async def _compare(world: World, secret: SecretId, deadline: Deadline) -> Entry | None:
    """
    Return what is known of a secret after a comparison, None where it has changed meanwhile.
    """
    current, seen = await look_at(world, secret, deadline)
    await _require_rest(world, seen.target_identity)
    await world.inventory.keep([seen], world.clock.now())
    entry = await world.inventory.read_entry(secret, seen=seen) or Entry(seen)
    target = entry.facts.target_identity
    if target is None or not is_allowed(world, entry):
        return entry
    if not await world.providers.has_room_for(target):
        raise Unavailable(
            f"rotations need all that Azure Resource Manager takes about {entry.facts.target} now; ask again",
            retry_after=timedelta(seconds=CALM),
        )
    leaks = await world.ledger.list_leaks(target)
    comparison = Comparison(world, target, {secret: known_of(entry)}, asyncio.Semaphore(1), deadline, leaks=leaks)
    # By the clock of its vault, the version may have been made a moment from now.
    found = await comparison.make_of({secret: current}, max(seen.seen_on, current.created_on))
    if secret not in found:
        # Neither key was in the value, and then a rotation was running or the version was another one.
        await _require_rest(world, target)
        return None
    _log.info("%s was compared with its target: %s", secret, found[secret].result)
    await world.inventory.keep_verifications(found, world.clock.now())
    await comparison.forget_leaks()
    return await world.inventory.read_entry(secret)


async def _require_rest(world: World, target: str | None) -> None:
    """
    Raise `Busy` while a rotation of the target is running: what is read of it then fits nothing.
    """
    running = await world.ledger.read_open(target) if target else None
    if running:
        raise Busy(running.row.request.id)
