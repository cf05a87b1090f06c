"""
Step 4 with all that it asks: what is to be done about a secret, whose key may be held by its neighbours.
"""

from rotation.policy.tags import RotationPolicy, stored_by
from rotation.policy.values import require_exchange
from rotation.ports.world import World
from rotation.run.choice import Regenerate, StoreLive, choose, heal
from rotation.run.live_key import LiveKey
from rotation.run.neighbours import Holding, Neighbours, TargetNeighbours
from rotation.vocabulary.endings import Drift, Skip, SkipReason
from rotation.vocabulary.record import State
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.target import Keys, Target, identity_of
from rotation.vocabulary.timing import Deadline


def held_before(plan: Regenerate | StoreLive, target: Target, keys: Keys) -> str | None:
    """
    Return the fingerprint of the credential that a secret holds until its rotation, None for a dead one.
    """
    return target.fingerprint(keys[plan.active]) if plan.active else None


class Planner:
    """
    Plans a rotation, and a dry run. It writes nothing.
    """

    def __init__(self, world: World, neighbours: Neighbours, request: RotationRequest, deadline: Deadline) -> None:
        self._world = world
        self._neighbours = neighbours
        self._request = request
        self._deadline = deadline

    async def plan(
        self, policy: RotationPolicy, secret: SecretVersion, keys: Keys, neighbours: TargetNeighbours
    ) -> tuple[Regenerate | StoreLive, Holding]:
        """
        Return what is to be done, which is to adopt the key where a neighbour holds it, and which neighbour does.

        Raises `Skip`, `Failure` or a `DependencyError`.
        """
        if secret.value is None:
            raise Skip(SkipReason.DISABLED)
        try:
            plan: Regenerate | StoreLive = choose(self._request, policy, keys, secret.value)
        except Drift:
            if not await self._is_to_be_healed(secret, policy.target):
                raise
            plan = heal(policy)
        # Before a key dies for a value that could not hold the new one.
        require_exchange(policy.target, secret.value, held_before(plan, policy.target, keys), keys, plan.key)
        key = LiveKey(policy.target, plan.key, keys)
        holding = await self._neighbours.find_holder(neighbours, key, self._deadline)
        # A key that is to be revoked is nobody's to take over.
        if holding.holder and isinstance(plan, Regenerate) and not (plan.in_place or self._request.revokes):
            plan = plan.adopted_from(holding.holder.expires_on)
        return plan, holding

    async def _is_to_be_healed(self, secret: SecretVersion, target: Target) -> bool:
        """
        Return whether drift is put right unasked: for a sweep, where this app itself stored that very version.

        And stored it for this target: or anyone who may write tags could have another target's key put into the secret.
        """
        maker = stored_by(secret.tags)
        if self._request.trigger is not Trigger.SWEEP or maker is None:
            return False
        made = await self._world.ledger.find(maker)
        return (
            made is not None
            and made.state is State.COMPLETED
            and made.secret is not None
            and made.secret.version == secret.version
            and made.target is not None
            and identity_of(made.target) == target.identity
        )
