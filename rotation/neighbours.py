"""
The other secrets of a target: none of them may lose the key that it holds.
"""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from rotation.errors import Declined, DependencyError, Misconfigured, OutOfScope, Skip, TargetNotFound, VaultRefused
from rotation.managed import read_keys, read_secret
from rotation.policy import is_managed, possible_targets, read_target, tagged_key
from rotation.ports import Keys
from rotation.secret import SecretId, SecretVersion
from rotation.target import KeyName, Target
from rotation.timing import Deadline
from rotation.world import World

_log = logging.getLogger(__name__)

_FRESH_FOR = timedelta(minutes=5)


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

    async def find_holder(
        self, secret: SecretId | None, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> SecretVersion | None:
        """
        Return the current version of another secret that holds this key, None if there is none.

        Keeps the ledger's list of a target's secrets right on the way. Raises a `Failure` or a `DependencyError` if
        it cannot be found out: then nothing may be regenerated.
        """
        ledger = self._world.ledger
        bound = await self._bound(target)
        if secret and secret.identity not in bound:
            await ledger.bind(target.claim_id, secret)
        found = await self._search(bound, secret, target, key, keys, deadline)
        for other in found.gone:
            await ledger.unbind(target.claim_id, other)
        return found.holder

    async def look_for_holder(
        self, secret: SecretId | None, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> SecretVersion | None:
        """
        Return what `find_holder` would, and write nothing.
        """
        bound = await self._bound(target)
        return (await self._search(bound, secret, target, key, keys, deadline)).holder

    async def _bound(self, target: Target) -> dict[str, SecretId]:
        return {other.identity: other for other in await self._world.ledger.bound_secrets(target.claim_id)}

    async def _search(  # noqa: PLR0913, PLR0917 - what is looked for, and where
        self,
        bound: dict[str, SecretId],
        secret: SecretId | None,
        target: Target,
        key: KeyName,
        keys: Keys,
        deadline: Deadline,
    ) -> "_Found":
        others = bound | {other.identity: other for other in await self._list(target.claim_id, secret, deadline)}
        if secret:
            others.pop(secret.identity, None)
        gone = []
        for other in others.values():
            try:
                holder = await read_secret(self._world.vaults, other, deadline)
            except (Skip, OutOfScope):
                # Deleted, or in a vault that is no longer ours.
                gone.append(other)
                continue
            if await self._holds(holder, target, key, keys, deadline):
                return _Found(holder, gone)
            if _has_left(holder, target, keys):
                gone.append(other)
        return _Found(None, gone)

    async def _list(self, claim_id: str, secret: SecretId | None, deadline: Deadline) -> list[SecretId]:
        now = self._world.clock.now()
        is_fresh = self._listed_on is not None and now - self._listed_on <= _FRESH_FOR
        if not (
            is_fresh and secret and secret.identity in {other.identity for other in self._listed.get(claim_id, [])}
        ):
            managed = [line for vault in self._world.vaults.uris for line in await self._list_vault(vault, deadline)]
            self._listed = {}
            for listed, tags in managed:
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
