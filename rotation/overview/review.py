"""
What follows a look at the vaults: secrets are compared with their targets, and people are told which ones need them.
"""

import logging
from datetime import datetime, timedelta

from rotation.overview.attention import attend
from rotation.overview.verification import verify
from rotation.ports.inventory import VaultFacts
from rotation.ports.world import World
from rotation.vocabulary.errors import RotationError
from rotation.vocabulary.limits import VERIFIED_EARLY

_log = logging.getLogger(__name__)


def due_before(every: timedelta | None, now: datetime) -> datetime | None:
    """
    Return the moment since which each secret is to have been verified, where that is done so often; None for never.
    """
    # A bit early, so that a sweep which comes as often takes in everything.
    return None if every is None else now - max(every - VERIFIED_EARLY, every / 2)


async def review(
    world: World, lead: timedelta, looks: list[VaultFacts], *, before: datetime | None, within: timedelta
) -> None:
    """
    Verify what was not since `before`, None for nothing, as long as there is time for; then tell people.
    """
    if before is not None:
        try:
            await verify(world, before=before, within=within)
        except RotationError as error:
            _log.warning("verification: it is not known what there is: %s", error)
    await attend(world, lead, looks)
