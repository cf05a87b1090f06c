"""
The neighbours of a secret, which share its target: none of them may lose the key that it holds.
"""

import asyncio
import logging
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from rotation.policy.tags import is_managed, possible_targets, read_target, tagged_key
from rotation.ports.world import World
from rotation.run.reading import read_keys, read_secret
from rotation.vocabulary.concurrency import capture
from rotation.vocabulary.endings import Misconfigured, OutOfScope, Skip, TargetNotFound, VaultRefused
from rotation.vocabulary.errors import Declined, DependencyError, RotationError
from rotation.vocabulary.limits import LISTING_KEPT_FOR
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


class TargetNeighbours(Struct, frozen=True):
    """
    The neighbours of a secret, by their identity, and whether the ledger knows the secret itself as well.
    """

    secrets: dict[str, SecretId]
    is_registered: bool


class Holding(NamedTuple):
    """
    The current version of a neighbour that holds a key, None if none does; and which neighbours have left the target.
    """

    holder: SecretVersion | None
    gone: list[SecretId]


class Neighbours:
    """
    Knows which secrets share a target: those that the ledger knows, and those that the vaults list.

    A listing is kept for five minutes, for all rotations of the process, but not where it lacks the very secret that is
    rotated, nor where a key is regenerated for no secret. What began to be managed after that, holds another key than
    its neighbours, and is not registered by a sweep yet, is not known until then.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._listed: dict[str, list[SecretId]] = {}
        self._listed_on: datetime | None = None
        self._listing = asyncio.Lock()

    async def find(self, secret: SecretId | None, target: Target, deadline: Deadline) -> TargetNeighbours:
        """
        Return the neighbours of a secret, or all secrets of a target.

        Raises a `Failure` or a `DependencyError`: nothing may be regenerated then.
        """
        known, listed = await self._world.gather(
            self._world.ledger.bound_secrets(target.identity), self._list(target.identity, secret, deadline)
        )
        bound = {neighbour.identity: neighbour for neighbour in known}
        neighbours = bound | {neighbour.identity: neighbour for neighbour in listed}
        if secret:
            neighbours.pop(secret.identity, None)
        return TargetNeighbours(neighbours, is_registered=secret is None or secret.identity in bound)

    async def register(self, secret: SecretId, target: Target, neighbours: TargetNeighbours) -> None:
        """
        Make a secret known to the rotations of its neighbours.
        """
        if not neighbours.is_registered:
            await self._world.ledger.bind(target.identity, secret)

    async def forget(self, target: Target, gone: list[SecretId]) -> None:
        """
        Forget secrets that have left a target.
        """
        for secret in gone:
            await self._world.ledger.unbind(target.identity, secret)

    async def find_holder(
        self, neighbours: TargetNeighbours, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> Holding:
        """
        Return which neighbour holds a key. It writes nothing, and raises as `find` does.
        """
        secrets = neighbours.secrets.values()
        reads = (capture(read_secret, self._world.vaults, secret, deadline) for secret in secrets)
        gone = []
        for secret, current in zip(secrets, await self._world.gather(*reads), strict=True):
            if isinstance(current, Skip | OutOfScope):
                # Deleted, or in a vault that is no longer ours.
                gone.append(secret)
                continue
            if isinstance(current, RotationError):
                raise current
            if await self._holds(current, target, key, keys, deadline):
                return Holding(current, gone)
            if self._has_left(current, target, keys):
                gone.append(secret)
        return Holding(None, gone)

    async def _list(self, target: str, secret: SecretId | None, deadline: Deadline) -> list[SecretId]:
        # One listing at a time: the next one may find its own secret in it.
        async with self._listing:
            now = self._world.clock.now()
            is_fresh = self._listed_on is not None and now - self._listed_on <= LISTING_KEPT_FOR
            known = self._listed.get(target, [])
            if is_fresh and secret and secret.identity in {neighbour.identity for neighbour in known}:
                return known
            lines = await self._world.gather(*(self._list_vault(vault, deadline) for vault in self._world.vaults.uris))
            self._listed = {}
            for listed, tags in chain.from_iterable(lines):
                for possible in possible_targets(tags, self._world.providers.parse_target):
                    self._listed.setdefault(possible.identity, []).append(listed)
            self._listed_on = now
            return self._listed.get(target, [])

    async def _list_vault(self, vault: str, deadline: Deadline) -> list[tuple[SecretId, dict[str, str]]]:
        """
        Return the managed secrets of a vault; none where it cannot be listed now, and a sweep has registered them.
        """
        try:
            return await self._world.vaults.list_managed(vault, deadline)
        except DependencyError as error:
            look = await self._world.inventory.vault_facts(vault)
            if look and look.as_of:
                _log.warning("%s cannot be listed; its secrets are known from %s: %s", vault, look.as_of, error)
                return []
            if isinstance(error, Declined):
                raise VaultRefused(f"{error}; without a list of secrets no key is known to be unused") from error
            raise

    async def _holds(
        self, current: SecretVersion, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> bool:
        """
        Return whether a current version holds the key, going by its value, whatever its tags say by now.
        """
        theirs = self._target_of(current)
        if current.value is None:
            return theirs is not None and theirs.identity == target.identity and _is_tagged(current, key)
        if theirs is None or theirs.identity != target.identity:
            theirs = target
        if theirs.address != target.address:
            try:
                keys = await read_keys(self._world.providers, theirs, deadline)
            except TargetNotFound:
                return False  # A trigger that is gone: no URL of it is of use to anybody.
        return theirs.may_hold(current.value, keys[key])

    def _has_left(self, current: SecretVersion, target: Target, keys: Keys) -> bool:
        """
        Return whether a secret names another target by now, and holds no key of this one any more.
        """
        if current.value is None:
            return False
        if any(target.may_hold(current.value, keys[key]) for key in KeyName):
            return False
        theirs = self._target_of(current)
        return not is_managed(current.tags) or (theirs is not None and theirs.identity != target.identity)

    def _target_of(self, current: SecretVersion) -> Target | None:
        """
        Return the target that a secret names, None where that cannot be read.
        """
        try:
            return read_target(current.tags, self._world.providers.parse_target)
        except Misconfigured:
            return None


def _is_tagged(current: SecretVersion, key: KeyName) -> bool:
    """
    Return what a disabled version claims: nobody can read its value, but somebody may have.
    """
    try:
        return tagged_key(current.tags) is key
    except Misconfigured:
        return False
