"""
Putting a secret under management: one that is there, or one whose first version the app makes itself.
"""

import logging
from datetime import timedelta

from msgspec import Struct, structs

from rotation.manage.create import create
from rotation.manage.hold import Hold
from rotation.manage.reading import find_secret, require_changes, require_no_rotation
from rotation.manage.writing import bound, write
from rotation.policy.tag_edits import edited, named_key
from rotation.policy.tags import (
    STRATEGY,
    TARGET,
    VALIDITY,
    Strategy,
    is_paused,
    possible_targets,
    read_policy,
    spellings_of,
    tagged_key,
)
from rotation.policy.values import active_key, no_live_key_of, require_exchange
from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.vocabulary.endings import Drift, Misconfigured
from rotation.vocabulary.errors import AlreadyManaged, Unavailable, UnknownSecret
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


class Wish(Struct, frozen=True):
    """
    How a secret is to be managed.

    `key` is the key that its value holds, or is to hold where the app makes it, and is found out where it is None.
    """

    target: Target
    validity: timedelta
    key: KeyName | None = None
    strategy: Strategy | None = None

    def tags(self) -> dict[str, str | None]:
        """
        Return the tags that say so, but for the key's.
        """
        changes: dict[str, str | None] = {TARGET: self.target.shown_by, VALIDITY: str(self.validity.days)}
        return changes | ({STRATEGY: str(self.strategy)} if self.strategy else {})


async def manage_secret(world: World, secret: SecretId, wish: Wish, *, may_create: bool) -> bool:
    """
    Put a secret under management, or leave it as it is where it is so already; return whether it was created.

    While that goes on no rotation of the target runs. It is bound to the target before anything is written, so that a
    rotation that has listed the vaults before does not regenerate its key. Raises `Forbidden`, `Observing`,
    `OutOfScope`, `UnknownSecret`, `AlreadyManaged`, `NameDeleted`, `Busy`, a `Failure`, and a `DependencyError`.
    """
    require_changes(world, secret)
    world.scopes.require(wish.target)
    async with Hold(world, secret, wish.target.identity) as hold:
        await require_no_rotation(world, secret)
        current = await find_secret(world, secret, hold.deadline)
        if current:
            # The same again, after a creation of which no answer came: which key that chose is not for the caller.
            await _take_over(world, current, structs.replace(wish, key=None) if may_create else wish, hold)
            return False
        if not may_create:
            raise UnknownSecret(
                f'there is no secret {secret.unversioned}; store the key in it first, or say "create": true and the '
                "app does so"
            )
        await create(world, secret, wish.target, wish.tags(), wish.validity, wish.key, hold)
    return True


async def _take_over(world: World, looked: SecretVersion, wish: Wish, hold: Hold) -> None:
    """
    Give a secret that is there the tags by which it is managed.
    """
    _require_free(world, looked, wish)
    key = await _key_in(world, looked, wish, hold.deadline)
    # Reading the keys may have taken a while, and somebody else's tags of meanwhile are to stay.
    current = await find_secret(world, looked.id, hold.deadline)
    if current is None or current.id != looked.id:
        raise Unavailable(f"{looked.id.unversioned} was changed while its value was compared; ask again")
    _require_free(world, current, wish)
    tags = edited(current.tags, _changes(world, current, wish) | named_key(current.tags, key))
    read_policy(tags, wish.target)
    is_paused(tags)
    latest = world.clock.now().replace(microsecond=0) + wish.validity
    expires_on = min(current.expires_on, latest) if current.expires_on else latest
    async with bound(world, wish.target, current.id):
        await write(world, current, tags, expires_on, hold)
    _log.info("secret %s: managed, with %s of %s", current.id.unversioned, key, wish.target.arm_id)


def _require_free(world: World, current: SecretVersion, wish: Wish) -> None:
    """
    Raise `AlreadyManaged` where a secret is another target's, and `Misconfigured` where its value is for nobody to set.
    """
    others = [target for target in _targets(world, current) if target.identity != wish.target.identity]
    if others:
        raise AlreadyManaged(
            f'{current.id.unversioned} is managed for {others[0].arm_id}; PATCH it with {{"managed": false}} first'
        )
    if current.is_certificate:
        raise Misconfigured(
            f"{current.id.unversioned} belongs to a certificate, whose value Key Vault sets itself; name another secret"
        )


async def _key_in(world: World, current: SecretVersion, wish: Wish, deadline: Deadline) -> KeyName:
    """
    Return the live key that a value holds, in which the other one can be put.
    """
    if current.value is None:
        raise Misconfigured(f"the current version of {current.id.unversioned} is disabled; enable it first")
    keys = await read_keys(world.providers, wish.target, deadline)
    key = active_key(wish.target, keys, current.value, tagged=wish.key or _tagged(current))
    if key is None:
        raise Drift(
            f"{no_live_key_of(wish.target)}. Store the key in the secret first, or correct the target"
            if wish.key is None
            else f"the value of {current.id.unversioned} holds neither key of {wish.target.arm_id}"
        )
    if wish.key not in {None, key} and not _targets(world, current):
        raise Drift(
            f"the value of {current.id.unversioned} holds {key} of {wish.target.arm_id}, and the request says "
            f"{wish.key}; leave key out"
        )
    require_exchange(wish.target, current.value, wish.target.fingerprint(keys[key]), keys, key.other)
    return key


def _changes(world: World, current: SecretVersion, wish: Wish) -> dict[str, str | None]:
    """
    Return the tags to set; that of the target stays as it is written where it names the same already.
    """
    changes = wish.tags()
    is_clear = len(spellings_of(current.tags, TARGET)) == 1
    if is_clear and any(target.address == wish.target.address for target in _targets(world, current)):
        del changes[TARGET]
    return changes


def _targets(world: World, current: SecretVersion) -> list[Target]:
    return possible_targets(current.tags, world.providers.parse_target)


def _tagged(current: SecretVersion) -> KeyName | None:
    try:
        return tagged_key(current.tags)
    except Misconfigured:
        return None
