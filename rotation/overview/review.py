"""
What follows a look at the vaults: secrets are compared with their targets, and people are told which ones need them.
"""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from rotation.overview.attention import attend
from rotation.overview.verification import verify
from rotation.ports.inventory import VaultFacts
from rotation.ports.world import World
from rotation.vocabulary.errors import RotationError
from rotation.vocabulary.limits import LAST_WRITE_WITHIN, TOLD_WITHIN, VERIFIED_EARLY

_log = logging.getLogger(__name__)


def due_before(every: timedelta | None, now: datetime) -> datetime | None:
    """
    Return the moment since which each secret is to have been verified, where that is done so often; None for never.
    """
    # A bit early, so that a sweep which comes as often takes in everything.
    return None if every is None else now - (every - VERIFIED_EARLY)


async def review(
    world: World, lead: timedelta, looks: list[VaultFacts], *, before: datetime | None, within: timedelta
) -> None:
    """
    Verify what was not since `before`, None for nothing, as long as there is time for; then tell people.

    Whatever goes wrong is logged, and it takes no longer: what a sweep has found due waits for it.
    """
    if before is not None and within > timedelta():
        await _in_time("verification", verify(world, before=before, within=within), within + LAST_WRITE_WITHIN)
    await _in_time("attention", attend(world, lead, looks), TOLD_WITHIN + LAST_WRITE_WITHIN)


async def _in_time(what: str, work: Coroutine[Any, Any, None], within: timedelta) -> None:
    try:
        async with asyncio.timeout(within.total_seconds()):
            await work
    except TimeoutError:
        _log.warning("%s: it took longer than %.0f seconds, and goes on the next time", what, within.total_seconds())
    except RotationError as error:
        _log.warning("%s: it is not known what there is: %s", what, error)
    except Exception:  # noqa: BLE001 - what is due is put into the queue all the same
        _log.exception("%s", what)
