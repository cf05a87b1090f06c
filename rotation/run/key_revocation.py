"""
Steps 3 to 6 of the revocation of a leaked key: it gets a new value once nobody uses the old one.
"""

from datetime import datetime, timedelta

from rotation.run.choice import Regenerate
from rotation.run.grace import Grace
from rotation.run.key_regeneration import KeyRegeneration
from rotation.run.leaks import leaked_key
from rotation.run.live_key import LiveKey
from rotation.vocabulary.endings import ActiveKey, Exhausted, Failure, NotYet, Skip, SkipReason
from rotation.vocabulary.errors import DependencyError
from rotation.vocabulary.limits import HOLDERS_MOVE_WITHIN
from rotation.vocabulary.request import Revocation, RotationRequest
from rotation.vocabulary.target import Keys, Target


class KeyRevocation(KeyRegeneration):
    """
    One try at the revocation of a leaked key, whichever of the two it is, and whichever secrets held it.
    """

    async def inspect(self) -> None:
        """
        Step 4. Raises `NotYet` where a secret holds the key that may be moved yet, or that cannot be found out.
        """
        try:
            await super().inspect()
        except (Failure, DependencyError) as hindrance:
            now, is_patient = self._world.clock.now(), self._world.clock.now() < gives_up_on(self._claim.request)
            # Once it has begun, no row is left by which it could wait.
            if self._claim.begun or (is_patient and isinstance(hindrance, DependencyError)):
                raise
            if is_patient:
                raise NotYet(str(hindrance), allowed_on=now + self._revokes.after) from hindrance
            if isinstance(hindrance, DependencyError):
                raise Exhausted(f"it could not be found out who holds the leaked key: {hindrance}") from hindrance
            raise

    async def _choose(self, target: Target, keys: Keys) -> Regenerate:
        key = leaked_key(target, keys, self._revokes.leaked)
        if key is None:
            raise Skip(SkipReason.REVOKED)
        wanted = LiveKey(target, key, keys)
        holding = await self._find_holders(wanted)
        if holding.holders:
            names = ", ".join(sorted(holder.id.unversioned for holder in holding.holders))
            raise ActiveKey(
                f"{key} of {target.arm_id}, which leaked, is the key that {names} holds, and that was not moved to the "
                "other key; regenerating it would lock its clients out. Find out why (its status says so), then report "
                "the leak again"
            )
        if holding.unread:
            raise holding.unread
        plan = Regenerate(key, active=None)
        if not self._claim.begun:
            grace = Grace(self._world, self._claim.request, self._claim.deadline)
            await grace.require_over(plan, wanted, holding.found)
        return plan

    @property
    def _revokes(self) -> Revocation:
        revokes = self._claim.request.revokes
        if revokes is None:
            raise ValueError(f"rotation {self._claim.record.id} revokes nothing")
        return revokes


def gives_up_on(request: RotationRequest) -> datetime:
    """
    Return until when a revocation waits for secrets that cannot be moved.
    """
    after = request.revokes.after if request.revokes else timedelta()
    return request.accepted_on + after + HOLDERS_MOVE_WITHIN
