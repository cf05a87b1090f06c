"""
Writing tags, and letting the list of secrets show them.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from msgspec import structs

from rotation.manage.hold import Hold
from rotation.overview.standing import facts_of
from rotation.ports.world import World
from rotation.vocabulary.endings import VaultRefused
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, RotationError
from rotation.vocabulary.limits import LONGEST_REVOCATION
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import Target

_log = logging.getLogger(__name__)


@asynccontextmanager
async def bound(world: World, target: Target, secret: SecretId) -> AsyncIterator[None]:
    """
    Have a secret bound to its target before something is written by which it gets there, and not where that is refused.

    A rotation that has listed the vaults before would regenerate its key. Until the write is done the secret counts as
    one that has left long ago: it is looked at, and where it never comes to be, no key waits for its clients.
    """
    known = {bound.secret.identity for bound in await world.ledger.bound_secrets(target.identity)}
    if secret.identity not in known:
        await world.ledger.leave(target.identity, secret, world.clock.now() - LONGEST_REVOCATION)
    try:
        yield
    except RotationError as error:
        if secret.identity not in known and not isinstance(error, NoAnswer):
            await world.ledger.unbind(target.identity, secret)
        raise
    await world.ledger.bind(target.identity, secret)


async def write(
    world: World, current: SecretVersion, tags: Mapping[str, str], expires_on: datetime | None, hold: Hold
) -> None:
    """
    Give a version these tags and this expiry, if it has others, and let the list show it.

    Raises `VaultRefused`, `NoAnswer` where it may take effect yet, and another `DependencyError`.
    """
    if (tags, expires_on) != (current.tags, current.expires_on):
        expiry = expires_on if expires_on != current.expires_on else None
        try:
            with hold.sending():
                await world.vaults.write_tags(current.id, tags, hold.deadline, expires_on=expiry)
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
