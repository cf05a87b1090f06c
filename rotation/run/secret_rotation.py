"""
Steps 3 to 7 of a secret's rotation: after them its current version holds a live key, another one than before.
"""

from datetime import timedelta
from functools import partial

from msgspec import structs

from rotation.policy.due import is_meant
from rotation.policy.eligibility import find_target
from rotation.policy.tags import RotationPolicy, read_policy, read_target, renewed, stored_by, tagged_key
from rotation.ports.world import World
from rotation.run import change
from rotation.run.choice import Regenerate, StoreLive, choose, heal
from rotation.run.claim import Claim, TargetMoved
from rotation.run.inspection import Inspection
from rotation.run.neighbours import Neighbours, OtherSecrets
from rotation.run.reading import read_secret
from rotation.vocabulary.errors import (
    SUPERSEDED,
    ActiveKey,
    Drift,
    Ending,
    Misconfigured,
    Refused,
    Skip,
    TargetNotFound,
    Unfinished,
    VaultRefused,
)
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Rotation, State, stored
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target, parse_target

_TOLD_OF = timedelta(days=1)


class SecretRotation:
    """
    One try at the rotation of a secret.

    `ahead` is the target to inspect with the look, None where that may be for nothing, or nobody has seen the tags.
    """

    def __init__(
        self, world: World, neighbours: Neighbours, claim: Claim, secret: SecretId, ahead: Target | None
    ) -> None:
        self._world = world
        self._neighbours = neighbours
        self._claim = claim
        self._id = secret
        self._secret: SecretVersion | None = None
        self._hindrance: Ending | None = None
        self._inspection = None if ahead is None else self._inspection_of(ahead)

    async def look(self) -> bool:
        """
        Step 3: return whether the current version is already the one that this rotation makes.

        Raises `Skip`, `Failure` or `TargetMoved`.
        """
        claim, request = self._claim, self._claim.row.request
        try:
            secret = self._secret = await self._read()
        except (Skip, VaultRefused) as hindrance:
            if claim.must_finish:
                # It may be recovered, or be readable again, with the dead key in it.
                self._hindrance = hindrance
                return False
            raise
        if stored_by(secret.tags) == request.id:
            self._found_stored(secret)
            return True
        if not is_meant(secret, request, self._world.clock.now(), self._world.lead):
            raise Skip(SUPERSEDED)
        if self._id.version is None:
            self._pin(secret)
        target = read_target(secret.tags) if claim.must_finish else find_target(secret)
        if (journal := claim.row.journal) and target.address != journal.address:
            raise Misconfigured(
                f"tag ProviderAddress was {journal.address} when its key was regenerated; it changed since"
            )
        if target.claim_id != claim.claim_id:
            raise TargetMoved
        self._world.scopes.require(target)
        claim.record = claim.record.about(target)
        return False

    async def proceed(self) -> None:
        """
        Take steps 4 to 7.

        Raises `Failure`, `Unfinished` or a `DependencyError`; the secret goes on holding the key that it held.
        """
        claim, secret = self._claim, self._secret
        if secret is None:
            raise _dead_key(self._hindrance)
        try:
            policy = read_policy(secret.tags)
            inspection = self._inspection
            if inspection is None or inspection.target != policy.target:
                inspection = self._inspection_of(policy.target)
            keys = await inspection.keys()
        except (Misconfigured, Refused, TargetNotFound) as hindrance:
            if claim.must_finish:
                raise _dead_key(hindrance) from hindrance
            raise
        earlier = claim.row.journal
        if earlier and change.has_changed(policy.target, keys, earlier):
            claim.say("found the key already regenerated", key=earlier.key)
            await claim.begin_without_journal()
            await self._store(policy, secret, earlier.key, keys[earlier.key])
            return
        others = await inspection.others()
        plan = await self._choose(policy, secret, keys, others)
        register = partial(self._neighbours.register, secret.id, policy.target, others)
        if isinstance(plan, StoreLive):
            await self._world.gather(claim.begin_without_journal(), register())
            await self._store(policy, secret, plan.key, keys[plan.key], plan)
            return
        journal = await claim.write_journal(plan, policy.target, keys, beside=register)
        provider = await self._world.providers.of(policy.target)
        keys = await change.regenerate(provider, policy.target, journal, keys, claim.deadline)
        claim.say("regenerated", key=journal.key)
        await self._store(policy, secret, journal.key, keys[journal.key])

    def _pin(self, secret: SecretVersion) -> None:
        """
        Let the request be about the version that is current now; it is written with the journal.
        """
        claim, self._id = self._claim, secret.id
        claim.row = structs.replace(claim.row, request=structs.replace(claim.row.request, secret=secret.id))
        if claim.record.secret:
            pinned = structs.replace(claim.record.secret, version=secret.version)
            claim.record = structs.replace(claim.record, secret=pinned)

    async def _read(self) -> SecretVersion:
        """
        Return the current version. Where the target is known already, it is inspected at the same time.
        """
        reading = read_secret(self._world.vaults, self._id, self._claim.deadline)
        # Who resumes may find the new key there, and has to store it before anything else is asked.
        if self._inspection is None or self._claim.row.journal:
            return await reading
        secret, _ = await self._world.gather(reading, self._inspection.read_ahead())
        return secret

    def _inspection_of(self, target: Target) -> Inspection:
        return Inspection(self._world, self._neighbours, target, self._id, self._claim.deadline)

    async def _choose(
        self, policy: RotationPolicy, secret: SecretVersion, keys: Keys, others: OtherSecrets
    ) -> Regenerate | StoreLive:
        """
        Step 4: return what is to be done, which is to adopt the key where another secret holds it.
        """
        claim, request = self._claim, self._claim.row.request
        if secret.value is None:
            raise Skip("disabled")
        try:
            plan: Regenerate | StoreLive = choose(request, policy, keys, secret.value)
        except Drift:
            if not await self._is_to_be_healed(secret, policy.target):
                raise
            plan = heal(policy)
        holder = await self._neighbours.find_holder(others, policy.target, plan.key, keys, claim.deadline)
        if holder and isinstance(plan, Regenerate) and not plan.in_place:
            if request.revokes:
                raise ActiveKey(
                    f"{holder.id.unversioned} holds the key that is to be revoked; rotate that secret first"
                )
            plan = plan.adopted_from(holder.expires_on)
            claim.say("adopts the key of another secret", key=plan.key, holder=holder.id)
        claim.record = structs.replace(
            claim.record,
            key_name=plan.key,
            previous_key_name=plan.active,
            adopted=isinstance(plan, StoreLive) and plan.adopted,
        )
        claim.say("inspected", key=plan.key)
        return plan

    async def _is_to_be_healed(self, secret: SecretVersion, target: Target) -> bool:
        """
        Return whether drift is put right unasked: for a sweep, where this app itself stored that very version.

        And stored it for this target: or whoever may write tags could have another target's key put into the secret.
        """
        maker = stored_by(secret.tags)
        if self._claim.row.request.trigger is not Trigger.SWEEP or maker is None:
            return False
        made = await self._world.ledger.find(maker)
        return (
            made is not None
            and made.state is State.COMPLETED
            and made.secret is not None
            and made.secret.version == secret.version
            and made.target is not None
            and parse_target(made.target).claim_id == target.claim_id
        )

    async def _store(
        self,
        policy: RotationPolicy,
        secret: SecretVersion,
        key: KeyName,
        value: KeyMaterial,
        plan: StoreLive | None = None,
    ) -> None:
        """
        Step 7. Whoever gets here has begun.
        """
        claim = self._claim
        expires_on = self._world.clock.now().replace(microsecond=0) + policy.validity
        if plan and plan.not_after:
            # Near its expiry, so that it is told of at once; past it, nobody would be told.
            expires_on = min(expires_on, max(plan.not_after, expires_on - policy.validity + _TOLD_OF))
        claim.has_changed_something = True
        try:
            version = await change.store(
                self._world.vaults,
                self._id,
                value,
                rotation_id=claim.record.id,
                tags=renewed(secret.tags, key, claim.record.id),
                content_type=secret.content_type,
                expires_on=expires_on,
                deadline=claim.deadline,
            )
        except VaultRefused as error:
            if claim.must_finish:
                raise Unfinished(f"{error}; the secret holds a dead key until it is stored", in_flight=False) from error
            raise VaultRefused(f"{error}; the secret still holds its live key") from error
        claim.record = self._with_gap(stored(claim.record, version, expires_on))
        claim.say("stored", key=key)

    def _found_stored(self, secret: SecretVersion) -> None:
        """
        Complete the record of a rotation whose earlier attempt stored the version and told nobody.
        """
        claim = self._claim
        target, key = read_target(secret.tags), tagged_key(secret.tags)
        journal = claim.row.journal
        record = structs.replace(
            stored(claim.record.about(target), secret.id, secret.expires_on),
            key_name=journal.key if journal else key,
            previous_key_name=journal.previous_key if journal else key and key.other,
            # Without a journal nothing was regenerated: the version holds a key that was live already.
            adopted=journal is None and not claim.row.request.force,
        )
        claim.record = self._with_gap(record)
        claim.say("found the new version already stored", key=record.key_name)

    def _with_gap(self, record: Rotation) -> Rotation:
        journal = self._claim.row.journal
        if journal is None or not journal.in_place:
            return record
        gap = self._world.clock.now() - journal.written_on
        return structs.replace(record, gap_seconds=round(gap.total_seconds(), 3))


def _dead_key(hindrance: Ending | None) -> Unfinished:
    """
    Return why an attempt ends that cannot replace a dead key: its rotation goes on, since nothing else helps.
    """
    return Unfinished(f"{hindrance}; the secret may hold a dead key until a new one is stored", in_flight=False)
