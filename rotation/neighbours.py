"""
The other secrets of a target: none of them may lose the key that it holds.
"""

from datetime import datetime, timedelta

from rotation.errors import Declined, Misconfigured, OutOfScope, Skip, TargetNotFound, VaultRefused
from rotation.managed import read_keys, read_secret
from rotation.policy import is_managed, possible_targets, read_target, tagged_key
from rotation.ports import Keys
from rotation.secret import SecretId, SecretVersion
from rotation.target import KeyName, Target
from rotation.timing import Deadline
from rotation.world import World

_FRESH_FOR = timedelta(minutes=5)


class Neighbours:
    """
    Knows which secrets share a target: those the ledger has seen, and those that the vaults list.

    A listing is kept for five minutes, for all rotations of the process: a secret that began to be managed later, and
    holds another key than its neighbours, is not known until then.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._listed: dict[str, list[SecretId]] = {}
        self._listed_on: datetime | None = None

    async def find_holder(
        self, secret: SecretId, target: Target, key: KeyName, keys: Keys, deadline: Deadline
    ) -> SecretVersion | None:
        """
        Return the current version of another secret that holds this key, None if there is none.

        Raises a `Failure` or a `DependencyError` if that cannot be found out: then nothing may be regenerated.
        """
        bound = {other.identity: other for other in await self._world.ledger.bound_secrets(target.claim_id)}
        if secret.identity not in bound:
            await self._world.ledger.bind(target.claim_id, secret)
        bound |= {other.identity: other for other in await self._list(target.claim_id, deadline)}
        bound.pop(secret.identity, None)
        for other in bound.values():
            try:
                holder = await read_secret(self._world.vaults, other, deadline)
            except (Skip, OutOfScope):
                # Deleted, or in a vault that is no longer ours.
                await self._world.ledger.unbind(target.claim_id, other)
                continue
            if await self._holds(holder, target, key, keys, deadline):
                return holder
            if _has_left(holder, target, keys):
                await self._world.ledger.unbind(target.claim_id, other)
        return None

    async def _list(self, claim_id: str, deadline: Deadline) -> list[SecretId]:
        now = self._world.clock.now()
        if self._listed_on is None or now - self._listed_on > _FRESH_FOR:
            try:
                managed = await self._world.vaults.list_managed(deadline)
            except Declined as error:
                raise VaultRefused(f"{error}; without a list of secrets no key can be told unused") from error
            self._listed = {}
            for secret, tags in managed:
                for target in possible_targets(tags):
                    self._listed.setdefault(target.claim_id, []).append(secret)
            self._listed_on = now
        return self._listed.get(claim_id, [])

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
