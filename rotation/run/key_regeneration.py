"""
Steps 3 to 6 of a regenerate-only request: a key of a target gets a new value, which goes nowhere.
"""

from msgspec import structs

from rotation.ports.world import World
from rotation.run import change
from rotation.run.choice import Regenerate
from rotation.run.claim import Claim
from rotation.run.inspection import Inspection
from rotation.run.neighbours import Neighbours
from rotation.vocabulary.errors import ActiveKey
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.target import KeyName, Target


class KeyRegeneration:
    """
    One try at the regeneration of a key.
    """

    def __init__(self, world: World, neighbours: Neighbours, claim: Claim, target: Target, key: KeyName) -> None:
        self._world = world
        self._neighbours = neighbours
        self._claim = claim
        self._target = target
        self._key = key
        self._inspection = Inspection(world, neighbours, target, None, claim.deadline)

    async def look(self) -> bool:
        """
        Step 3: return whether an earlier attempt has regenerated the key.

        Raises `Failure`.
        """
        self._world.scopes.require(self._target)
        journal = self._claim.row.journal
        if journal is None:
            if not self._claim.row.request.force:
                await self._inspection.read_ahead()
            return False
        if not change.has_changed(self._target, await self._inspection.keys(), journal):
            return False
        self._claim.say("found the key already regenerated", key=self._key)
        return True

    async def proceed(self) -> None:
        """
        Take steps 4 to 6.

        Raises `Failure`, `Unfinished` or a `DependencyError`.
        """
        claim, target, key = self._claim, self._target, self._key
        keys = await self._inspection.keys()
        if not claim.row.request.force:
            others = await self._inspection.others()
            if holder := await self._neighbours.find_holder(others, target, key, keys, claim.deadline):
                raise ActiveKey(in_use(target, key, holder))
        claim.record = structs.replace(claim.record, key_name=key)
        claim.say("inspected", key=key)
        journal = await claim.write_journal(Regenerate(key, active=None), target, keys)
        provider = await self._world.providers.of(target)
        await change.regenerate(provider, target, journal, keys, claim.deadline)
        claim.say("regenerated", key=key)


def in_use(target: Target, key: KeyName, holder: SecretVersion) -> str:
    """
    Return why a key is not regenerated.
    """
    return (
        f"{key} of {target.arm_id} is the key that the secret {holder.id.unversioned} holds; regenerating it would "
        f"lock its clients out. Rotate that secret, ask for {key.other}, or say force"
    )
