"""
Step 4, the decision: which key is in use, and what is to be done about it. No I/O: a dry run asks the same question.
"""

from datetime import datetime

from msgspec import Struct

from rotation.policy.tags import KEY, RotationPolicy, Strategy
from rotation.policy.values import active_key, drift_of
from rotation.vocabulary.endings import ActiveKey, Misconfigured, SingleKey
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.target import KeyName, Keys, Target


class Regenerate(Struct, frozen=True):
    """
    Regenerate `key` and store its new value; `active` is the key that the secret holds until then, None without one.
    """

    key: KeyName
    active: KeyName | None

    @property
    def in_place(self) -> bool:
        """
        Whether the secret's own key dies, so that clients wait for the new version.
        """
        return self.key is self.active

    @property
    def adopts(self) -> bool:
        """
        Whether the key is taken over from another secret.
        """
        return False

    def adopted_from(self, expires_on: datetime | None) -> "StoreLive":
        """
        Return what is to be done instead where another secret holds `key`, until then.
        """
        return StoreLive(self.key, self.active, adopts=True, not_after=expires_on)


class StoreLive(Struct, frozen=True):
    """
    Regenerate nothing: store the present value of `key`, to expire no later than `not_after`.

    `active` is the key that the secret held, None where it held a dead one. `adopts` says that another secret holds
    `key`.
    """

    key: KeyName
    active: KeyName | None
    adopts: bool = False
    not_after: datetime | None = None


def choose(request: RotationRequest, policy: RotationPolicy, keys: Keys, value: KeyMaterial) -> Regenerate | StoreLive:
    """
    Return what the rotation has to do, going by the values and not by what a tag claims.

    Raises `Drift`, `ActiveKey`, `SingleKey`, and `Misconfigured` where no key can be exchanged in the value, or healing
    needs a tag that is not there.
    """
    active = active_key(policy.target, keys, value, tagged=policy.tagged_key)
    in_place = policy.strategy is Strategy.IN_PLACE
    if active is None:
        if not request.force:
            raise drift_of(policy.target)
        return heal(policy)
    if signed_with_one_key(policy.target, keys):
        if not in_place:
            raise SingleKey(
                f"both keys of {policy.target.arm_id} give the same credential, so there is no alternate to move to; "
                "the tag RotationStrategy=InPlace regenerates the key in use, with a short gap"
            )
        # Whichever key is asked for, it may be the one that signs.
        active = request.key or active
    key = request.key or (active if in_place else active.other)
    if key is active and not (in_place or request.force):
        raise ActiveKey(
            f"{key} of {policy.target.arm_id} is the key that the secret holds; regenerating it would lock its clients "
            f"out. Ask for {key.other} or 'auto', or say force"
        )
    return Regenerate(key, active)


def signed_with_one_key(target: Target, keys: Keys) -> bool:
    """
    Return whether both keys give the same credential.
    """
    return target.fingerprint(keys[KeyName.PRIMARY]) == target.fingerprint(keys[KeyName.SECONDARY])


def heal(policy: RotationPolicy) -> StoreLive:
    """
    Return what puts drift right: to store the present value of the key that the tag names.

    Raises `Misconfigured` where that tag is not there.
    """
    if policy.tagged_key is None:
        raise Misconfigured(f"tag {KEY} is missing; it must be Primary or Secondary, the key whose value to store")
    return StoreLive(policy.tagged_key, active=None)
