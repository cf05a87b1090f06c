"""
Writing tags, and letting the list of secrets show them.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from msgspec import structs

from rotation.overview.standing import facts_of
from rotation.ports.world import World
from rotation.vocabulary.endings import VaultRefused
from rotation.vocabulary.errors import Declined, DependencyError, NotFound
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


async def write(
    world: World, current: SecretVersion, tags: Mapping[str, str], expires_on: datetime | None, deadline: Deadline
) -> None:
    """
    Give a version these tags and this expiry, if it has others, and let the list show it.

    Raises `VaultRefused`, `NoAnswer` where it may take effect yet, and another `DependencyError`.
    """
    if (tags, expires_on) != (current.tags, current.expires_on):
        expiry = expires_on if expires_on != current.expires_on else None
        try:
            await world.vaults.write_tags(current.id, tags, deadline, expires_on=expiry)
        except (Declined, NotFound) as error:
            raise VaultRefused(str(error)) from error
    await show(world, structs.replace(current, tags=dict(tags), expires_on=expires_on))


async def show(world: World, current: SecretVersion) -> None:
    """
    Let the list show how a secret stands now; best effort, since the next sweep does so too.
    """
    now, secret = world.clock.now(), SecretId(current.id.vault, current.id.name)
    facts = facts_of(world.case_of(structs.replace(current, id=secret)), now)
    try:
        if facts:
            await world.inventory.keep([facts], now)
        else:
            await world.inventory.forget(secret)
    except DependencyError as error:
        _log.warning("%s was changed, and the list of secrets does not show it yet: %s", secret, error)
