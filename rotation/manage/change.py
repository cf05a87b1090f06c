"""
Changing how a secret is managed: pausing it, its validity, its strategy, and taking it out of management.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from msgspec import UNSET, Struct, UnsetType

from rotation.manage.hold import Hold
from rotation.manage.reading import read_managed, require_changes, require_no_rotation, target_if_readable
from rotation.manage.writing import write
from rotation.policy.tag_edits import edited, without_ours
from rotation.policy.tags import PAUSED, STRATEGY, VALIDITY, Strategy, possible_targets
from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.run.leaks import is_leaked
from rotation.vocabulary.endings import RevocationPending, TargetNotFound
from rotation.vocabulary.errors import NotManaged, Unavailable
from rotation.vocabulary.limits import CHANGED_AGAIN, LAST_SEND_FOR_HTTP
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)

_Make = Callable[[SecretVersion, Hold], Awaitable[None]]


class Change(Struct, frozen=True):
    """
    What is to be another; None takes the tag away, and so the default comes back.
    """

    paused: bool | UnsetType | None = UNSET
    validity_days: int | UnsetType = UNSET
    strategy: Strategy | UnsetType | None = UNSET

    def tags(self) -> dict[str, str | None]:
        """
        Return the tags that say so.
        """
        changes: dict[str, str | None] = {}
        if self.paused is not UNSET:
            changes[PAUSED] = "true" if self.paused else None
        if self.validity_days is not UNSET:
            changes[VALIDITY] = str(self.validity_days)
        if self.strategy is not UNSET:
            changes[STRATEGY] = None if self.strategy is None else str(self.strategy)
        return changes


async def change_secret(world: World, secret: SecretId, change: Change) -> None:
    """
    Change the tags of a managed secret's current version.

    Raises `Forbidden`, `Observing`, `UnknownSecret`, `Busy` while a rotation of its target runs, a `Failure`, and a
    `DependencyError`.
    """

    async def make(current: SecretVersion, hold: Hold) -> None:
        await write(world, current, edited(current.tags, change.tags()), current.expires_on, hold)
        _log.info("secret %s: tags changed: %s", secret, ", ".join(change.tags()))

    await _under_claim(world, secret, make)


async def unmanage_secret(world: World, secret: SecretId) -> None:
    """
    Take the tags away by which a secret is managed, if it has any. Raises as `change_secret` does.
    """

    async def make(current: SecretVersion, hold: Hold) -> None:
        for target in possible_targets(current.tags, world.providers.parse_target):
            await _require_not_leaked(world, current, target, hold.deadline)
            # Known by its tags alone, it would leave unseen, and its clients' key could be regenerated at once.
            await world.ledger.bind(target.identity, current.id)
        await write(world, current, without_ours(current.tags), current.expires_on, hold)
        _log.info("secret %s: taken out of management", secret)

    with suppress(NotManaged):
        await _under_claim(world, secret, make)


async def _under_claim(world: World, secret: SecretId, make: _Make) -> None:
    """
    Make a change while no rotation of the secret's target runs, of the version that is current then.
    """
    require_changes(world, secret)
    for _ in range(CHANGED_AGAIN):
        current = await read_managed(world, secret, Deadline(world.clock, LAST_SEND_FOR_HTTP))
        target = target_if_readable(world, current)
        if target is None:
            await require_no_rotation(world, secret)
        async with Hold(world, secret, target.identity if target else None) as hold:
            current = await read_managed(world, secret, hold.deadline)
            now = target_if_readable(world, current)
            if (now.identity if now else None) == (target.identity if target else None):
                for possible in possible_targets(current.tags, world.providers.parse_target):
                    world.scopes.require(possible)
                await make(current, hold)
                return
    raise Unavailable(f"the target of {secret.unversioned} was changed each time that its tags were read; ask again")


async def _require_not_leaked(world: World, current: SecretVersion, target: Target, deadline: Deadline) -> None:
    """
    Raise `RevocationPending` while a key that the secret holds waits to be revoked: nobody would move it any more.
    """
    waiting = await world.ledger.read_revocation(target.identity)
    revokes = waiting.request.revokes if waiting else None
    if waiting is None or revokes is None:
        return
    held = {candidate.fingerprint for candidate in target.held(current.value)} if current.value else set()
    is_held = current.value is None or revokes.leaked.fingerprint in held
    if is_held or await _holds_leaked(world, current, target, deadline):
        raise RevocationPending(
            f"{current.id.unversioned} holds a key that was reported as leaked, and rotation {waiting.record.id} "
            "revokes it: unmanaged, it would not be moved away from the key. Wait until it has moved, or cancel that "
            "rotation",
            waiting.record.id,
        )


async def _holds_leaked(world: World, current: SecretVersion, target: Target, deadline: Deadline) -> bool:
    """
    Return whether the secret holds a leaked key in another form: each trigger of a workflow shows one in another URL.
    """
    try:
        keys = await read_keys(world.providers, target, deadline)
    except TargetNotFound:
        return False
    return any(
        [
            current.value is not None
            and target.may_hold(current.value, keys[key])
            and await is_leaked(world, target, keys, key, deadline)
            for key in KeyName
        ]
    )
