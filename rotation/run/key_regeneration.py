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
from rotation.run.neighbours import Holding, Neighbours
from rotation.vocabulary.endings import ActiveKey
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target


class KeyRegeneration(Attempt):
    """
    One try at the regeneration of a key of a target; `is_last` says that its retries are used up.
    """

    def __init__(self, world: World, neighbours: Neighbours, claim: Claim, target: Target, *, is_last: bool) -> None:
        self._world = world
        self._neighbours = neighbours
        self._claim = claim
        self._is_last = is_last
        self._plan: Regenerate | None = None
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
        self._claim.say("found the key already regenerated", key=journal.key)
        return True

    async def inspect(self) -> None:
        require_attempts_left(self._claim, is_last=self._is_last)
        plan = await self._choose(self._inspection.target, await self._inspection.keys())
        self._plan = plan
        self._claim.chose(plan)

    async def _choose(self, target: Target, keys: Keys) -> Regenerate:
        """
        Return what is to be regenerated. Raises as `inspect` does.
        """
        request = self._claim.request
        if request.key is None:
            raise ValueError("a request about no key")
        plan, wanted = Regenerate(request.key, active=None), LiveKey(target, request.key, keys)
        if request.force:
            return plan
        holding = await self._find_holders(wanted)
        if holding.holder:
            raise ActiveKey(in_use(target, request.key, holding.holder))
        await Grace(self._world, request, self._claim.deadline).require_over(plan, wanted, holding.found)
        return plan

    async def _find_holders(self, key: LiveKey) -> Holding:
        neighbours = await self._inspection.neighbours()
        holding = await self._neighbours.find_holders(neighbours, key, self._claim.deadline)
        await self._neighbours.note(key.target, neighbours, holding.found)
        return holding

    async def journal(self) -> None:
        target, keys = self._inspection.target, await self._inspection.keys()
        if self._plan is None:
            raise ValueError("nothing was inspected yet")
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
