"""
Steps 3 to 6 of a regenerate-only request: a key of a target gets a new value, which goes nowhere.
"""

from rotation.ports.world import World
from rotation.run import change
from rotation.run.attempt import Attempt, require_attempts_left
from rotation.run.choice import Regenerate
from rotation.run.claim import Claim
from rotation.run.grace import Grace
from rotation.run.inspection import Inspection
from rotation.run.live_key import LiveKey
from rotation.run.neighbours import Neighbours
from rotation.vocabulary.endings import ActiveKey
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.target import KeyName, Target


class KeyRegeneration(Attempt):
    """
    One try at the regeneration of a key of a target; `is_last` says that its retries are used up.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and what it is about
        self, world: World, neighbours: Neighbours, claim: Claim, target: Target, key: KeyName, *, is_last: bool
    ) -> None:
        self._world = world
        self._neighbours = neighbours
        self._claim = claim
        self._plan = Regenerate(key, active=None)
        self._is_last = is_last
        self._inspection = Inspection(world, neighbours, target, None, claim.deadline)

    async def look(self) -> bool:
        inspection, journal = self._inspection, self._claim.journal
        self._world.scopes.require(inspection.target)
        if journal is None:
            if not self._claim.request.force:
                await inspection.read_ahead()
            return False
        if not change.has_changed(inspection.target, await inspection.keys(), journal):
            return False
        self._claim.say("found the key already regenerated", key=self._plan.key)
        return True

    async def inspect(self) -> None:
        require_attempts_left(self._claim, is_last=self._is_last)
        target, key = self._inspection.target, self._plan.key
        keys = await self._inspection.keys()
        if not self._claim.request.force:
            neighbours = await self._inspection.neighbours()
            wanted = LiveKey(target, key, keys)
            holder, found = await self._neighbours.find_holder(neighbours, wanted, self._claim.deadline)
            await self._neighbours.note(target, neighbours, found)
            if holder:
                raise ActiveKey(in_use(target, key, holder))
            grace = Grace(self._world, self._claim.request, self._claim.deadline)
            await grace.require_over(self._plan, wanted, found)
        self._claim.chose(self._plan)

    async def journal(self) -> None:
        target, keys = self._inspection.target, await self._inspection.keys()
        await self._claim.write_journal(self._plan, target, keys)

    async def regenerate(self) -> None:
        journal = self._claim.journal
        if journal is None:
            raise ValueError("nothing was journaled yet")
        target, keys = self._inspection.target, await self._inspection.keys()
        provider = await self._world.providers.provider_for(target)
        await change.regenerate(provider, target, journal, keys, self._claim.deadline)
        self._claim.say("regenerated", key=journal.key)

    async def prove(self) -> None:
        """
        Step 7: the new value goes nowhere.
        """

    async def store(self) -> None:
        """
        Step 7: as above.
        """

    async def follow_up(self) -> None:
        """
        Step 7: as above.
        """


def in_use(target: Target, key: KeyName, holder: SecretVersion) -> str:
    """
    Return why a key is not regenerated.
    """
    return (
        f"{key} of {target.arm_id} is the key that the secret {holder.id.unversioned} holds; regenerating it would "
        f"lock its clients out. Rotate that secret, ask for {key.other}, or say force"
    )
