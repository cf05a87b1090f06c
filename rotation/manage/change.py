"""
Changing how a secret is managed: pausing it, its validity, its strategy, and taking it out of management.
"""

import logging
from collections.abc import Awaitable, Callable

from msgspec import UNSET, Struct, UnsetType

from rotation.manage.hold import Hold
from rotation.manage.reading import read_managed, require_changes, target_if_readable
from rotation.manage.writing import write
from rotation.policy.tag_edits import edited, without_ours
from rotation.policy.tags import PAUSED, STRATEGY, VALIDITY, Strategy
from rotation.ports.world import World
from rotation.vocabulary.endings import RevocationPending
from rotation.vocabulary.errors import Busy, Unavailable
from rotation.vocabulary.limits import CHANGED_AGAIN, LAST_SEND_FOR_HTTP
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)

_Make = Callable[[SecretVersion, Target | None, Deadline], Awaitable[None]]


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

    async def make(current: SecretVersion, target: Target | None, deadline: Deadline) -> None:
        if target:
            world.scopes.require(target)
        await write(world, current, edited(current.tags, change.tags()), current.expires_on, deadline)
        _log.info("secret %s: tags changed: %s", secret, ", ".join(change.tags()))

    await _under_claim(world, secret, make)


async def unmanage_secret(world: World, secret: SecretId) -> None:
    """
    Take the tags away by which a secret is managed. Raises as `change_secret` does.
    """

    async def make(current: SecretVersion, target: Target | None, deadline: Deadline) -> None:
        if target:
            await _require_not_leaked(world, current, target)
        await write(world, current, without_ours(current.tags), current.expires_on, deadline)
        _log.info("secret %s: taken out of management", secret)

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
            await _require_no_rotation(world, secret)
        async with Hold(world, secret, target.identity if target else None) as hold:
            current = await read_managed(world, secret, hold.deadline)
            now = target_if_readable(world, current)
            if (now.identity if now else None) == (target.identity if target else None):
                await make(current, now, hold.deadline)
                return
    raise Unavailable(f"the target of {secret.unversioned} was changed each time that its tags were read; ask again")


async def _require_no_rotation(world: World, secret: SecretId) -> None:
    """
    Raise `Busy` where a rotation of the secret runs on the target that it has named before.
    """
    async for _, row in world.ledger.list_open():
        if row.request.secret and row.request.secret.identity == secret.identity:
            raise Busy(row.request.id)


async def _require_not_leaked(world: World, current: SecretVersion, target: Target) -> None:
    """
    Raise `RevocationPending` while a key that the secret holds waits to be revoked: nobody would move it any more.
    """
    waiting = await world.ledger.read_revocation(target.identity)
    revokes = waiting.request.revokes if waiting else None
    if waiting is None or revokes is None:
        return
    held = {candidate.fingerprint for candidate in target.held(current.value)} if current.value else set()
    if current.value is None or revokes.leaked.fingerprint in held:
        raise RevocationPending(
            f"{current.id.unversioned} holds a key that was reported as leaked, and rotation {waiting.record.id} "
            "revokes it: unmanaged, it would not be moved away from the key. Wait until it has moved, or cancel that "
            "rotation",
            waiting.record.id,
        )
