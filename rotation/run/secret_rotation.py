"""
Steps 3 to 7 of a secret's rotation: after them its current version holds a live key, another one than before.
"""

from datetime import datetime
from functools import partial

from msgspec import Struct, structs

from rotation.policy.eligibility import TO_FINISH, TO_ROTATE, decide, superseded
from rotation.policy.tags import RotationPolicy, read_policy, read_target, renewed, stored_by, tagged_key
from rotation.policy.values import exchanged
from rotation.ports.vaults import NewVersion
from rotation.ports.world import World
from rotation.run import change
from rotation.run.attempt import Attempt, require_an_end, require_attempts_left
from rotation.run.choice import Regenerate, StoreLive
from rotation.run.claim import Claim
from rotation.run.inspection import Inspection
from rotation.run.neighbours import Neighbours, TargetNeighbours
from rotation.run.planning import Planner, held_before
from rotation.run.reading import read_secret
from rotation.vocabulary.endings import (
    ActiveKey,
    Drift,
    Ending,
    Misconfigured,
    Refused,
    Skip,
    TargetNotFound,
    VaultRefused,
)
from rotation.vocabulary.errors import Unfinished
from rotation.vocabulary.limits import EVENT_MARGIN
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Journal
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target


class SecretRotation(Attempt):
    """
    One try at the rotation of a secret.

    `ahead` is the target to inspect with the look, None where that may be for nothing, or nobody has seen the tags.
    `is_last` says that its retries are used up.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and what it is about
        self,
        world: World,
        neighbours: Neighbours,
        claim: Claim,
        secret: SecretId,
        *,
        ahead: Target | None,
        is_last: bool,
    ) -> None:
        self._world = world
        self._neighbours = neighbours
        self._claim = claim
        self._id = secret
        self._is_last = is_last
        self._inspection = None if ahead is None else self._inspection_of(ahead)
        # What the look finds: the current version, or why it cannot be read.
        self._secret: SecretVersion | None = None
        self._hindrance: Ending | None = None
        self._work: _Work | None = None
        self._journal: Journal | None = None

    async def look(self) -> bool:
        claim = self._claim
        try:
            secret = self._secret = await self._read()
        except (Skip, VaultRefused) as hindrance:
            if claim.must_finish:
                # It may be recovered, or be readable again, with the dead key in it.
                self._hindrance = hindrance
                return False
            raise
        if stored_by(secret.tags) == claim.request.id:
            target = read_target(secret.tags, self._world.providers.parse_target)
            claim.found_stored(target, tagged_key(secret.tags), secret.id, secret.expires_on)
            return True
        case = structs.replace(
            self._world.case_of(secret),
            request=claim.request,
            now=self._world.clock.now(),
            claimed=claim.target,
            journal=claim.journal,
        )
        reason = decide(case, TO_FINISH if claim.must_finish else TO_ROTATE)
        if self._id.version is None and not superseded(case):
            self._id = secret.id
            claim.pin(secret.id)
        if reason:
            raise reason
        claim.about(case.target)
        return False

    async def inspect(self) -> None:
        claim, secret, earlier = self._claim, self._secret, self._claim.journal
        require_an_end(claim)
        if earlier is None:
            # Nothing was regenerated: nothing has to be looked at for that.
            require_attempts_left(claim, is_last=self._is_last)
        if secret is None:
            raise _dead_key(self._hindrance)
        try:
            policy = read_policy(secret.tags, read_target(secret.tags, self._world.providers.parse_target))
            inspection = self._inspection
            if inspection is None or inspection.target != policy.target:
                inspection = self._inspection_of(policy.target)
            keys = await inspection.keys()
        except (Misconfigured, Refused, TargetNotFound) as hindrance:
            if claim.must_finish:
                raise _dead_key(hindrance) from hindrance
            raise
        if earlier and change.has_changed(policy.target, keys, earlier):
            claim.say("found the key already regenerated", key=earlier.key)
            held = earlier.held or policy.target.fingerprint(keys[earlier.key.other])
            self._work = _Work(secret, policy, keys, earlier.key, held)
            return
        require_attempts_left(claim, is_last=self._is_last)
        neighbours = await inspection.neighbours()
        planner = Planner(self._world, self._neighbours, claim.request, claim.deadline)
        plan, holding = await planner.plan(policy, secret, keys, neighbours)
        await self._neighbours.forget(policy.target, holding.gone)
        if holding.holder and claim.request.revokes:
            raise ActiveKey(
                f"{holding.holder.id.unversioned} holds the key that is to be revoked; rotate that secret first"
            )
        if holding.holder and plan.adopts:
            claim.say("adopts the key of another secret", key=plan.key, holder=holding.holder.id)
        claim.chose(plan)
        self._work = _Work(
            secret, policy, keys, plan.key, held_before(plan, policy.target, keys), plan=plan, neighbours=neighbours
        )

    async def journal(self) -> None:
        claim, work = self._claim, self._inspected
        if work.plan is None:
            await claim.begin_without_journal()
            return
        if work.neighbours is None:
            raise ValueError("a plan without neighbours")
        register = partial(self._neighbours.register, work.secret.id, work.policy.target, work.neighbours)
        if isinstance(work.plan, StoreLive):
            await self._world.gather(claim.begin_without_journal(), register())
        else:
            self._journal = await claim.write_journal(work.plan, work.policy.target, work.keys, beside=register)

    async def regenerate(self) -> None:
        if journal := self._journal:
            work, target = self._inspected, self._inspected.policy.target
            provider = await self._world.providers.provider_for(target)
            keys = await change.regenerate(provider, target, journal, work.keys, self._claim.deadline)
            self._work = structs.replace(work, keys=keys)
            self._claim.say("regenerated", key=journal.key)

    async def store(self) -> None:
        claim, work = self._claim, self._inspected
        new = NewVersion(
            self._value(work),
            tags=renewed(work.secret.tags, work.key, claim.record.id),
            content_type=work.secret.content_type,
            expires_on=self._expiry(work),
        )
        claim.begins_to_store()
        try:
            version = await change.store(self._world.vaults, self._id, new, claim.deadline)
        except VaultRefused as error:
            if claim.must_finish:
                raise Unfinished(f"{error}; the secret holds a dead key until it is stored", in_flight=False) from error
            raise VaultRefused(f"{error}; the secret still holds its live key") from error
        claim.stored(version, new.expires_on)
        claim.say("stored", key=work.key)

    @property
    def _inspected(self) -> "_Work":
        if self._work is None:
            raise ValueError("nothing was inspected yet")
        return self._work

    async def _read(self) -> SecretVersion:
        """
        Return the current version. Where the target is known already, it is inspected at the same time.
        """
        reading = read_secret(self._world.vaults, self._id, self._claim.deadline)
        # A resumed rotation may find the new key there, and has to store it before anything else is asked.
        if self._inspection is None or self._claim.journal:
            return await reading
        secret, _ = await self._world.gather(reading, self._inspection.read_ahead())
        return secret

    def _inspection_of(self, target: Target) -> Inspection:
        return Inspection(self._world, self._neighbours, target, self._id, self._claim.deadline)

    def _value(self, work: "_Work") -> KeyMaterial:
        """
        Return what the new version holds: the key alone where nobody can read what stands around the dead one.
        """
        key, value = work.keys[work.key], work.secret.value
        if value is None:
            self._claim.say("stores the key alone: the version before is disabled", key=work.key)
            return key
        if work.held is None and not work.policy.target.candidates(value):
            self._claim.say("replaces the whole value: nothing in it looks like a key", key=work.key)
        try:
            return exchanged(work.policy.target, value, work.held, key)
        except (Misconfigured, Drift) as hindrance:
            # It could hold a key when it was inspected; by now another version of this app may be stricter.
            if self._claim.must_finish:
                raise _dead_key(hindrance) from hindrance
            raise

    def _expiry(self, work: "_Work") -> datetime:
        """
        Return when the new version expires: no later than the one whose key it adopts.
        """
        expires_on = self._world.clock.now().replace(microsecond=0) + work.policy.validity
        if isinstance(work.plan, StoreLive) and work.plan.not_after:
            # Near its expiry, so that its event comes at once; past it, none would come.
            return min(expires_on, max(work.plan.not_after, expires_on - work.policy.validity + EVENT_MARGIN))
        return expires_on


class _Work(Struct, frozen=True):
    """
    What was found, and what is to be done: without a plan, an earlier attempt has regenerated `key` already.

    `held` is the fingerprint of the credential in whose place the new one is put, None where the secret's is dead.
    """

    secret: SecretVersion
    policy: RotationPolicy
    keys: Keys
    key: KeyName
    held: str | None
    plan: Regenerate | StoreLive | None = None
    neighbours: TargetNeighbours | None = None


def _dead_key(hindrance: Ending | None) -> Unfinished:
    """
    Return why an attempt ends that cannot replace a dead key: its rotation goes on, since nothing else helps.
    """
    return Unfinished(f"{hindrance}; the secret may hold a dead key until a new one is stored", in_flight=False)
