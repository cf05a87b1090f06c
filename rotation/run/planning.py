"""
Step 4 with all that it asks: what is to be done about a secret, whose key may be held by its neighbours.
"""

from msgspec import structs

from rotation.policy.tags import RotationPolicy, Strategy, read_policy, stored_by
from rotation.policy.values import require_exchange
from rotation.ports.world import World
from rotation.run.choice import Regenerate, StoreLive, choose, heal
from rotation.run.leaks import is_leaked
from rotation.run.live_key import LiveKey
from rotation.run.neighbours import Holding, Neighbours, TargetNeighbours
from rotation.vocabulary.endings import ActiveKey, Drift, Misconfigured, RevocationPending, Skip, SkipReason
from rotation.vocabulary.record import State
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target, identity_of
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
        if isinstance(plan, StoreLive):
            plan = await self._without_leaked(plan, policy.target, keys)
        # Before a key dies for a value that could not hold the new one.
        require_exchange(policy.target, secret.value, held_before(plan, policy.target, keys), keys, plan.key)
        key = LiveKey(policy.target, plan.key, keys)
        holding = await self._neighbours.find_holders(neighbours, key, self._deadline)
        if isinstance(plan, Regenerate) and plan.in_place and self._request.revocation:
            self._require_nobody_else(policy.target, plan.key, holding)
        if holding.holder and isinstance(plan, Regenerate) and not plan.in_place:
            plan = plan.adopted_from(holding.holder.expires_on)
            if await self._is_leaked(plan.key, policy.target, keys):
                raise _leaked(plan.key, policy.target, f"{holding.holder.id.unversioned} holds it")
        return plan, holding

    def _require_nobody_else(self, target: Target, key: KeyName, holding: Holding) -> None:
        """
        Raise `ActiveKey` where a leaked key is to be regenerated in place that other secrets hold, for them to move.
        """
        others = [holder.id.unversioned for holder in holding.holders if not is_in_place(self._world, holder)]
        if others:
            raise ActiveKey(
                f"{key} of {target.arm_id}, which leaked, would be regenerated in place, and "
                f"{', '.join(sorted(others))} holds it too: that is moved first, and then this secret is rotated"
            )

    async def _without_leaked(self, plan: StoreLive, target: Target, keys: Keys) -> StoreLive:
        """
        Return how drift is put right: with the other key where the one that is named has leaked.
        """
        for key in (plan.key, plan.key.other):
            if not await self._is_leaked(key, target, keys):
                return structs.replace(plan, key=key)
        raise _leaked(plan.key, target, f"so was {plan.key.other}")

    async def _is_leaked(self, key: KeyName, target: Target, keys: Keys) -> bool:
        """
        Return whether a key must not be given to a secret. To leave another leaked key behind, it may.
        """
        return self._request.revocation is None and await is_leaked(self._world, target, keys, key, self._deadline)

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


def is_in_place(world: World, secret: SecretVersion) -> bool:
    """
    Return whether the key that a secret holds is regenerated when it is rotated, as far as its tags can be read.
    """
    try:
        return read_policy(secret.tags, world.case_of(secret).target).strategy is Strategy.IN_PLACE
    except Misconfigured:
        return False


def _leaked(key: KeyName, target: Target, why: str) -> RevocationPending:
    return RevocationPending(
        f"{key} of {target.arm_id} was reported as leaked, so it is given to no other secret; {why}. Rotate the secret "
        "again when that key is dead"
    )
