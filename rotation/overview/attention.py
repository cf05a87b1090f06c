"""
Telling people which secrets need one of them: once for each time that a secret comes to stand so.

When a secret was first seen to stand so is kept in its row before anybody is told, and makes the id of the event; that
somebody was told is kept afterwards. So an event may be published twice, with one id, and is never left out.
"""

import logging
from collections import Counter
from datetime import timedelta

from msgspec import structs

from rotation.overview.leaks import Leaks
from rotation.overview.secrets import SecretStatus, shown
from rotation.overview.standing import NEEDS_ATTENTION, status_of
from rotation.ports.announcer import Announcement, EventType
from rotation.ports.inventory import Attention, Entry, Status, VaultFacts
from rotation.ports.world import World
from rotation.vocabulary.errors import RotationError
from rotation.vocabulary.limits import TOLD_AT_ONCE, TOLD_WITHIN
from rotation.vocabulary.log_lines import report_standing

LEAKED_KEY = "LeakedKey"  # Counted as if it were a status; a secret has another one besides.

_log = logging.getLogger(__name__)


async def attend(world: World, lead: timedelta, looks: list[VaultFacts]) -> None:
    """
    Go through what is known of all secrets, report those that have come to need a person, and count each status.

    What cannot be kept or published now is so the next time. `looks` are those that were just taken.
    """
    until = world.clock.monotonic() + TOLD_WITHIN.total_seconds()
    leaks = await Leaks.read(world)
    for look in looks:
        counts: Counter[Status] = Counter()
        leaked = 0
        changed: list[tuple[Entry, Status]] = []
        try:
            async for entry in world.inventory.list_entries(look.vault, ""):
                status = status_of(entry, world.clock.now(), lead)
                counts[status] += 1
                leaked += leaks.held_by(entry) is not None
                if _has_changed(entry, status):
                    changed.append((entry, status))
                if len(changed) >= TOLD_AT_ONCE:
                    await _tell(world, lead, leaks, changed, until)
                    changed = []
            await _tell(world, lead, leaks, changed, until)
            known = await world.inventory.vault_facts(look.vault) or look
            needs_attention = bool(known.problem or leaked or any(counts[status] for status in NEEDS_ATTENTION))
            if known.needs_attention != needs_attention:
                await world.inventory.keep_look(structs.replace(known, needs_attention=needs_attention))
        except RotationError as error:
            _log.warning("attention: %s: %s", look.vault, error)
        else:
            report_standing(look.vault, {str(status): counts[status] for status in Status} | {LEAKED_KEY: leaked})


def _has_changed(entry: Entry, status: Status) -> bool:
    """
    Return whether somebody is to be told, or what is known of it to be forgotten.
    """
    known = entry.attention
    if status not in NEEDS_ATTENTION:
        return known is not None
    return known is None or known.status is not status or not known.is_told


async def _tell(world: World, lead: timedelta, leaks: Leaks, changed: list[tuple[Entry, Status]], until: float) -> None:
    if world.clock.monotonic() > until:
        return
    await world.gather(*(_tell_of(world, lead, leaks, entry, status) for entry, status in changed))


async def _tell_of(world: World, lead: timedelta, leaks: Leaks, entry: Entry, status: Status) -> None:
    secret, known = entry.facts.secret, entry.attention
    try:
        if status not in NEEDS_ATTENTION:
            await world.inventory.keep_attention(secret, None, instead=known)
            return
        if known is None or known.status is not status:
            before, known = known, Attention(status, world.clock.now())
            if not await world.inventory.keep_attention(secret, known, instead=before):
                return  # Somebody else is at it, and tells it.
        item = await shown(world, entry, lead, leaks)
        await world.announcer.publish(_announcement_of(item, known))
        await world.inventory.keep_attention(secret, structs.replace(known, is_told=True), instead=known)
    except RotationError as error:
        _log.warning("attention: %s is %s, and nobody was told yet: %s", secret, status, error)


def _announcement_of(item: SecretStatus, attention: Attention) -> Announcement[SecretStatus]:
    secret = f"{item.secret.vault}/secrets/{item.secret.name}"
    return Announcement(
        f"{secret.lower()}:{attention.status}:{attention.since:%Y-%m-%dT%H:%M:%S.%fZ}",
        EventType.SECRET_NEEDS_ATTENTION,
        # Where the target cannot be read.
        item.target or item.secret.vault,
        secret,
        attention.since,
        item,
    )
