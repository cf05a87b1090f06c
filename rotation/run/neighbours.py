"""
The neighbours of a secret, which share its target: none of them may lose the key that it holds.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from rotation.policy.tags import TARGET, is_managed, is_paused, possible_targets, tagged_key
from rotation.ports.reading import read_secret
from rotation.ports.world import World
from rotation.run.live_key import LiveKey, target_of
from rotation.vocabulary.concurrency import capture
from rotation.vocabulary.endings import Misconfigured, OutOfScope, Skip, VaultRefused
from rotation.vocabulary.errors import Declined, DependencyError, RotationError
from rotation.vocabulary.limits import LISTING_KEPT_FOR
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


class TargetNeighbours(Struct, frozen=True):
    """
    The neighbours of a secret, by their identity, and which secrets the ledger has bound to the target.

    Some have left the target, and were first seen to at the times in `left_on`.
    """

    secrets: dict[str, SecretId]
    bound: frozenset[str]
    left_on: dict[str, datetime]


class FoundSecret(NamedTuple):
    """
    A secret of a target as it was found: its current version, None where there is none for us to read.

    `changed_on` is when that was made, or, for a secret that `has_left` the target, when that was first seen.
    """

    id: SecretId
    current: SecretVersion | None
    changed_on: datetime
    has_left: bool = False

    @property
    def is_disabled(self) -> bool:
        """
        Whether its current version is there, and its value is for nobody to read.
        """
        return self.current is not None and self.current.value is None


class Holding(NamedTuple):
    """
    The current versions of the neighbours that hold a key; all neighbours as they were found; and why one was not.
    """

    holders: list[SecretVersion]
    found: list[FoundSecret]
    unread: RotationError | None = None

    @property
    def holder(self) -> SecretVersion | None:
        """
        One that holds the key, None if none does.
        """
        return next(iter(self.holders), None)


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
        self._addresses: dict[str, str] = {}
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
        left_on = {neighbour.secret.identity: neighbour.left_on for neighbour in known if neighbour.left_on}
        neighbours = {neighbour.identity: neighbour for neighbour in [*(bound.secret for bound in known), *listed]}
        if secret:
            neighbours.pop(secret.identity, None)
        bound = frozenset(neighbour.secret.identity for neighbour in known if neighbour.left_on is None)
        return TargetNeighbours(neighbours, bound, left_on)

    def known_target(self, secret: SecretId) -> Target | None:
        """
        Return the target that a secret names in the last listing of the vaults, None where that is unknown, or too old.

        It may name another one by now, or be paused: that is for the look under the claim.
        """
        if address := self._addresses.get(secret.identity) if self._is_fresh() else None:
            with suppress(Misconfigured):
                return self._world.providers.parse_target(address)
        return None

    def has_rotated(self, secret: SecretId) -> None:
        """
        Note that a secret was looked at since: what comes next for it is read first, and may be a duplicate.
        """
        self._addresses.pop(secret.identity, None)

    async def register(self, secret: SecretId, target: Target, neighbours: TargetNeighbours) -> None:
        """
        Make a secret known to the rotations of its neighbours.
        """
        if secret.identity not in neighbours.bound:
            await self._world.ledger.bind(target.identity, secret)

    async def note(self, target: Target, neighbours: TargetNeighbours, found: list[FoundSecret]) -> None:
        """
        Remember which secrets share a target, and when one was first seen to have left it.

        Those that have left are forgotten when the grace time is over.
        """
        await self._world.gather(*(self._note(target, neighbours, secret) for secret in found))

    async def _note(self, target: Target, neighbours: TargetNeighbours, secret: FoundSecret) -> None:
        ledger, is_over = self._world.ledger, secret.changed_on + self._world.grace <= self._world.clock.now()
        if not secret.has_left:
            # One that leaves before it was ever bound would leave unseen.
            await self.register(secret.id, target, neighbours)
        elif is_over and not secret.is_disabled and not await ledger.list_leaks(target.identity):
            # Where a key has leaked, its delay counts, which may be longer.
            await ledger.unbind(target.identity, secret.id)
        elif neighbours.left_on.get(secret.id.identity) != secret.changed_on:
            await ledger.leave(target.identity, secret.id, secret.changed_on)

    async def find_holders(self, neighbours: TargetNeighbours, key: LiveKey, deadline: Deadline) -> Holding:
        """
        Return which neighbours hold a key; where none is seen to, all were read.

        It writes nothing, and raises as `find` does.
        """
        secrets = neighbours.secrets.values()
        reads = (capture(read_secret, self._world.vaults, secret, deadline) for secret in secrets)
        holders: list[SecretVersion] = []
        unread: RotationError | None = None
        found: list[FoundSecret] = []
        now = self._world.clock.now()
        for secret, current in zip(secrets, await self._world.gather(*reads), strict=True):
            left_on = neighbours.left_on.get(secret.identity, now)
            if isinstance(current, Skip | OutOfScope):
                # Deleted, or in a vault that is no longer ours.
                found.append(FoundSecret(secret, None, left_on, has_left=True))
                continue
            if isinstance(current, RotationError):
                unread = unread or current
                continue
            holds = await capture(self._holds, current, key, deadline)
            if isinstance(holds, RotationError):
                unread = unread or holds
            if holds is True:
                holders.append(current)
            elif self._has_left(current, key):
                # It may have come back meanwhile, and left again.
                left_on = left_on if current.created_on <= left_on else now
                found.append(FoundSecret(secret, current, left_on, has_left=True))
                continue
            found.append(FoundSecret(secret, current, current.created_on))
        if unread and not holders:
            raise unread
        return Holding(holders, found, unread)

    async def _list(self, target: str, secret: SecretId | None, deadline: Deadline) -> list[SecretId]:
        # One listing at a time: the next one may find its own secret in it.
        async with self._listing:
            now = self._world.clock.now()
            known = self._listed.get(target, [])
            if self._is_fresh() and secret and secret.identity in {neighbour.identity for neighbour in known}:
                return known
            lines = await self._world.gather(*(self._list_vault(vault, deadline) for vault in self._world.vaults.uris))
            self._listed, self._addresses = {}, {}
            for listed, tags in chain.from_iterable(lines):
                if not is_paused(tags):
                    self._addresses[listed.identity] = tags.get(TARGET, "")
                for possible in possible_targets(tags, self._world.providers.parse_target):
                    self._listed.setdefault(possible.identity, []).append(listed)
            self._listed_on = now
            return self._listed.get(target, [])

    def _is_fresh(self) -> bool:
        return self._listed_on is not None and self._world.clock.now() - self._listed_on <= LISTING_KEPT_FOR

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

    async def _holds(self, current: SecretVersion, key: LiveKey, deadline: Deadline) -> bool:
        """
        Return whether a current version holds the key, going by its value, whatever its tags say by now.
        """
        if current.value is not None:
            return await key.may_be_in(current.value, current.tags, self._world, deadline)
        theirs = target_of(self._world, current.tags)
        return theirs is not None and theirs.identity == key.target.identity and _is_tagged(current, key.name)

    def _has_left(self, current: SecretVersion, key: LiveKey) -> bool:
        """
        Return whether a secret names another target by now, and holds no key of this one any more that can be read.
        """
        value, target = current.value, key.target
        if value is not None and any(target.may_hold(value, key.keys[name]) for name in KeyName):
            return False
        theirs = target_of(self._world, current.tags)
        return not is_managed(current.tags) or (theirs is not None and theirs.identity != target.identity)


def _is_tagged(current: SecretVersion, key: KeyName) -> bool:
    """
    Return what a disabled version claims: nobody can read its value, but somebody may have.
    """
    try:
        return tagged_key(current.tags) is key
    except Misconfigured:
        return False
