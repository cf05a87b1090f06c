"""
The other secrets of a target: none of them may lose the key that it holds.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from rotation.policy.tags import is_managed, possible_targets, read_target, tagged_key
from rotation.ports.world import World
from rotation.run.reading import read_keys, read_secret
from rotation.vocabulary.concurrency import tried
from rotation.vocabulary.errors import (
    Declined,
    DependencyError,
    Misconfigured,
    OutOfScope,
    RotationError,
    Skip,
    TargetNotFound,
    VaultRefused,
)
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)

_FRESH_FOR = timedelta(minutes=5)


class OtherSecrets(Struct, frozen=True):
    """
    The secrets that share a target with one, by their identity, and whether the ledger knows that one as well.
    """

    secrets: dict[str, SecretId]
    is_registered: bool


class Neighbours:
    """
    Knows which secrets share a target: those the ledger has seen, and those that the vaults list.

    A listing is kept for five minutes, for all rotations of the process, but not where it lacks the very secret that is
    rotated, nor where a key is regenerated for no secret. What began to be managed after that, holds another key than
    its neighbours, and is not registered by a sweep yet, is not known until then.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._listed: dict[str, list[SecretId]] = {}
        self._listed_on: datetime | None = None
        self._listing = asyncio.Lock()

    async def learn(self, secret: SecretId | None, target: Target, deadline: Deadline) -> OtherSecrets:
        """
        Return the other secrets of a target.

        Raises a `Failure` or a `DependencyError`: nothing may be regenerated then.
        """
        known, listed = await self._world.gather(
            self._world.ledger.bound_secrets(target.claim_id), self._list(target.claim_id, secret, deadline)
        )
        bound = {other.identity: other for other in known}
        others = bound | {other.identity: other for other in listed}
        if secret:
            others.pop(secret.identity, None)
        return OtherSecrets(others, is_registered=secret is None or secret.identity in bound)

    async def register(self, secret: SecretId, target: Target, others: OtherSecrets) -> None:
        """
        Make a secret known to the rotations of its neighbours.
        """
        if not others.is_registered:
            await self._world.ledger.bind(target.claim_id, secret)

    async def find_holder(
        self, others: OtherSecrets, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> SecretVersion | None:
        """
        Return the current version of another secret that holds this key, None if there is none.

        Forgets those that have left the target. Raises as `learn` does.
        """
        found = await self._search(others, target, key, keys, deadline)
        for other in found.gone:
            await self._world.ledger.unbind(target.claim_id, other)
        return found.holder

    async def look_for_holder(
        self, others: OtherSecrets, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> SecretVersion | None:
        """
        Return what `find_holder` would, and write nothing.
        """
        return (await self._search(others, target, key, keys, deadline)).holder

    async def _search(
        self, others: OtherSecrets, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> "_Found":
        secrets = others.secrets.values()
        reads = (tried(read_secret, self._world.vaults, other, deadline) for other in secrets)
        gone = []
        for other, holder in zip(secrets, await self._world.gather(*reads), strict=True):
            if isinstance(holder, Skip | OutOfScope):
                # Deleted, or in a vault that is no longer ours.
                gone.append(other)
                continue
            if isinstance(holder, RotationError):
                raise holder
            if await self._holds(holder, target, key, keys, deadline):
                return _Found(holder, gone)
            if _has_left(holder, target, keys):
                gone.append(other)
        return _Found(None, gone)

    async def _list(self, claim_id: str, secret: SecretId | None, deadline: Deadline) -> list[SecretId]:
        # One listing at a time: whoever waits for it finds its own secret in it.
        async with self._listing:
            now = self._world.clock.now()
            is_fresh = self._listed_on is not None and now - self._listed_on <= _FRESH_FOR
            known = self._listed.get(claim_id, [])
            if is_fresh and secret and secret.identity in {other.identity for other in known}:
                return known
            lines = await self._world.gather(*(self._list_vault(vault, deadline) for vault in self._world.vaults.uris))
            self._listed = {}
            for listed, tags in chain.from_iterable(lines):
                for target in possible_targets(tags):
                    self._listed.setdefault(target.claim_id, []).append(listed)
            self._listed_on = now
            return self._listed.get(claim_id, [])

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
                raise VaultRefused(f"{error}; without a list of secrets no key can be told unused") from error
            raise

    async def _holds(self, holder: SecretVersion, target: Target, key: KeyName, keys: Keys, deadline: Deadline) -> bool:
        """
        Return whether the current version holds the key, going by its value, whatever its tags say by now.
        """
        if holder.value is None:
            return _is_tagged(holder, target, key)
        try:
            theirs = read_target(holder.tags)
        except Misconfigured:
            theirs = target
        if theirs.claim_id != target.claim_id:
            theirs = target
        if theirs.address != target.address:
            try:
                keys = await read_keys(self._world.providers, theirs, deadline)
            except TargetNotFound:
                return False  # A trigger that is gone: no URL of it is of use to anybody.
        return theirs.fingerprint(holder.value) == theirs.fingerprint(keys[key])


class _Found(NamedTuple):
    """
    Who holds a key, and which secrets have turned out to be none of the target's any more.
    """

    holder: SecretVersion | None
    gone: list[SecretId]


def _is_tagged(holder: SecretVersion, target: Target, key: KeyName) -> bool:
    """
    Return what a disabled version claims: nobody can read its value, but somebody may have.
    """
    try:
        return read_target(holder.tags).claim_id == target.claim_id and tagged_key(holder.tags) is key
    except Misconfigured:
        return False


def _has_left(holder: SecretVersion, target: Target, keys: Keys) -> bool:
    """
    Return whether a secret names another target by now, and holds no key of this one any more.
    """
    if holder.value is None:
        return False
    held = target.fingerprint(holder.value)
    if any(target.fingerprint(keys[key]) == held for key in KeyName):
        return False
    try:
        return not is_managed(holder.tags) or read_target(holder.tags).claim_id != target.claim_id
    except Misconfigured:
        return False
