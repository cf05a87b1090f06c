"""
Creating a managed secret: the app stores the first version, and no person sees the key.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from rotation.manage.hold import Hold
from rotation.manage.writing import bound, show
from rotation.policy.tag_edits import edited, named_key
from rotation.ports.reading import read_keys
from rotation.ports.vaults import NewVersion
from rotation.ports.world import World
from rotation.run.leaks import is_leaked
from rotation.run.live_key import LiveKey
from rotation.run.neighbours import Neighbours
from rotation.run.planning import is_in_place
from rotation.vocabulary.endings import KeyRefused, Misconfigured, RevocationPending, VaultRefused
from rotation.vocabulary.errors import Declined, DeletedName, DependencyError, NameDeleted, NotFound
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


async def create(  # noqa: PLR0913, PLR0917 - what a secret is made of
    world: World,
    secret: SecretId,
    target: Target,
    tags: Mapping[str, str | None],
    validity: timedelta,
    wanted: KeyName | None,
    hold: Hold,
) -> None:
    """
    Make the first version of a secret, under a claim: with the key that the other secrets of the target hold.

    Raises as `manage_secret` does.
    """
    keys = await read_keys(world.providers, target, hold.deadline)
    key = await _choose(world, target, keys, wanted, hold.deadline)
    await _require_working(world, target, keys, key, hold.deadline)
    version = NewVersion(
        keys[key],
        tags=edited({}, {**tags, **named_key({}, key)}),
        content_type=None,
        expires_on=world.clock.now().replace(microsecond=0) + validity,
    )
    try:
        async with bound(world, target, secret):
            with hold.sending():
                made = await world.vaults.store(secret, version, hold.deadline)
    except DeletedName as error:
        raise NameDeleted(str(error)) from error
    except (Declined, NotFound) as error:
        raise VaultRefused(str(error)) from error
    _log.info("secret %s: created, with %s of %s", secret, key, target.arm_id)
    await show(world, _as_current(version, made, world))
    await _require_alone(world, made, key, hold.deadline)


async def _choose(world: World, target: Target, keys: Keys, wanted: KeyName | None, deadline: Deadline) -> KeyName:
    """
    Return the key to store: that of the target's other secrets, never one that has leaked.

    Where they differ it is the wanted one, or that of the secret that got its key last; without any, Primary. A secret
    that is rotated in place counts for the other key: its own dies with its next rotation.
    """
    neighbours = Neighbours(world)
    known = await neighbours.find(None, target, deadline)
    newest: dict[KeyName, datetime] = {}
    for key in KeyName:
        holding = await neighbours.find_holders(known, LiveKey(target, key, keys), deadline)
        if holding.unread:
            raise holding.unread
        for holder in holding.holders:
            lives = key.other if is_in_place(world, holder) else key
            newest[lives] = max(holder.created_on, newest.get(lives, holder.created_on))
    if len(newest) == 1:
        (chosen,) = newest
    else:
        chosen = wanted or max(newest, key=lambda key: newest[key], default=KeyName.PRIMARY)
    for key in (chosen, chosen.other):
        if not await is_leaked(world, target, keys, key, deadline):
            return key
    raise RevocationPending(
        f"both keys of {target.arm_id} were reported as leaked; create the secret when one of them was revoked"
    )


async def _require_working(world: World, target: Target, keys: Keys, key: KeyName, deadline: Deadline) -> None:
    """
    Raise `KeyRefused` where the target refuses the key, and accepts the other one. What cannot be asked counts as live.
    """
    prober = await world.providers.prober_for(target)
    try:
        probe = await prober.probe(target, deadline) if prober else None
    except DependencyError as error:
        _log.warning("%s of %s is stored without having been seen to work: %s", key, target.arm_id, error)
        return
    if probe is None:
        return
    verdict = await probe.ask(keys[key], deadline)
    if verdict.works is False and (await probe.ask(keys[key.other], deadline)).works:
        raise KeyRefused(
            f"{key} of {target.arm_id} does not work (yet), and {key.other} does: {verdict.said}. Nothing is stored; "
            "ask again when it was not regenerated a moment ago, or name the other key"
        )
    if not verdict.works:
        _log.warning("%s of %s is stored without having been seen to work: %s", key, target.arm_id, verdict.said)


async def _require_alone(world: World, made: SecretId, key: KeyName, deadline: Deadline) -> None:
    """
    Raise `Misconfigured` where somebody else has made a version at the same time, which nobody expects to be replaced.
    """
    try:
        versions = await world.vaults.list_versions(made, deadline)
    except (Declined, NotFound) as error:
        raise VaultRefused(
            f"{made} is stored; whether somebody else made a version as well is not known: {error}"
        ) from error
    others = sorted(version.version for version in versions if version.version != made.version)
    if others:
        raise Misconfigured(
            f"{made.unversioned} was created by somebody else at the same time: version {', '.join(others)}. The "
            f"current version {made.version}, made here, holds {key}; decide which is right, and store it"
        )


def _as_current(version: NewVersion, made: SecretId, world: World) -> SecretVersion:
    return SecretVersion(
        id=made,
        value=version.value,
        enabled=True,
        tags=dict(version.tags),
        content_type=version.content_type,
        expires_on=version.expires_on,
        created_on=world.clock.now(),
    )
