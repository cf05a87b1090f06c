"""
Steps 3 to 7 of one rotation, by one worker that holds the claim.
"""

from datetime import timedelta

from msgspec import structs

from rotation import change
from rotation.choice import Regenerate, StoreLive, choose
from rotation.errors import DependencyError, Misconfigured, Skip, Unfinished, VaultRefused
from rotation.managed import find_target, read_keys, read_secret
from rotation.material import KeyMaterial
from rotation.neighbours import Neighbours
from rotation.policy import RotationPolicy, read_policy, read_target, renewed, stored_by, tagged_key
from rotation.ports import Keys, Versioned
from rotation.record import Journal, OpenRotation, Rotation, State, stored
from rotation.secret import SecretVersion
from rotation.story import report
from rotation.target import KeyName, Target
from rotation.timing import IN_FLIGHT, SKEW, Deadline
from rotation.world import World

_TOLD_OF = timedelta(days=1)


class TargetMoved(Exception):
    """
    The secret names another target than the one that is claimed.
    """


class Attempt:
    """
    One try at a rotation. `row` is the running rotation as this worker last wrote it.
    """

    def __init__(
        self,
        world: World,
        neighbours: Neighbours,
        claim_id: str,
        row: Versioned[OpenRotation],
        deadline: Deadline,
    ) -> None:
        self._world = world
        self._neighbours = neighbours
        self._deadline = deadline
        self._changes_something = row.row.journal is not None
        self.claim_id = claim_id
        self.etag = row.etag
        self.row = row.row
        self.record = row.row.record

    @property
    def must_finish(self) -> bool:
        """
        Whether the key in use may have been regenerated: then nothing but storing the new one helps the clients.
        """
        return self.row.journal is not None and self.row.journal.in_place

    async def look(self) -> tuple[SecretVersion, bool]:
        """
        Step 3: return the current version, and whether it is already the one that this rotation makes.

        Raises `Skip`, `Failure` or `TargetMoved`.
        """
        request = self.row.request
        secret = await read_secret(self._world.vaults, request.secret, self._deadline)
        if stored_by(secret.tags) == request.id:
            self._found_stored(secret)
            return secret, True
        if secret.version != request.secret.version:
            raise Skip("superseded")
        target = read_target(secret.tags) if self.must_finish else find_target(secret)
        if (journal := self.row.journal) and target.address != journal.address:
            raise Misconfigured(
                f"tag ProviderAddress was {journal.address} when its key was regenerated; it changed since"
            )
        if target.claim_id != self.claim_id:
            raise TargetMoved
        self._world.scopes.require(target)
        self.record = self.record.about(target)
        return secret, False

    async def rotate(self, secret: SecretVersion) -> None:
        """
        Take steps 4 to 7: after this the secret's current version holds a live key.

        Raises `Failure`, `Unfinished` or a `DependencyError`; the secret goes on holding the key that it held.
        """
        policy = read_policy(secret.tags)
        keys = await read_keys(self._world.providers, policy.target, self._deadline)
        if (journal := self.row.journal) and change.has_changed(policy.target, keys, journal):
            self._say("found the key already regenerated", key=journal.key)
            await self._store(policy, secret, journal.key, keys[journal.key])
            return
        plan = await self._inspect(policy, secret, keys)
        if isinstance(plan, StoreLive):
            await self._store(policy, secret, plan.key, keys[plan.key], plan)
            return
        journal = await self._write_journal(plan, policy.target, keys)
        provider = await self._world.providers.of(policy.target)
        keys = await change.regenerate(provider, policy.target, journal, keys, self._deadline)
        self._say("regenerated", key=journal.key)
        await self._store(policy, secret, journal.key, keys[journal.key])

    async def suspend(self, cause: Unfinished | DependencyError) -> Rotation:
        """
        End this attempt without ending the rotation: return the record as it stands, to be resumed.

        Where this rotation has changed nothing, the claim is given back and the cause raised: the trigger tries again.
        """
        ledger = self._world.ledger
        if not self._changes_something:
            await ledger.release(self.claim_id, self.etag)
            raise cause
        in_flight = isinstance(cause, Unfinished) and cause.in_flight
        safe_from = self._world.clock.now() + (IN_FLIGHT + SKEW if in_flight else timedelta())
        self._say("suspended", because=str(cause))
        if safe_from < self.row.claimed_until:
            row = structs.replace(self.row, record=self.record, claimed_until=safe_from)
            await ledger.replace(self.claim_id, row, self.etag)
        return self.record

    async def _inspect(self, policy: RotationPolicy, secret: SecretVersion, keys: Keys) -> Regenerate | StoreLive:
        """
        Step 4: return what is to be done, which is to adopt the key where another secret holds it.
        """
        if secret.value is None:
            raise Skip("disabled")
        plan: Regenerate | StoreLive = choose(self.row.request, policy, keys, secret.value)
        # Asked in any case: it also makes this secret known to its neighbours' rotations.
        holder = await self._neighbours.find_holder(secret.id, policy.target, plan.key, keys, self._deadline)
        if holder and isinstance(plan, Regenerate) and not plan.in_place:
            plan = StoreLive(plan.key, plan.active, adopted=True, not_after=holder.expires_on)
            self._say("adopts the key of another secret", key=plan.key, holder=holder.id)
        self.record = structs.replace(
            self.record,
            key_name=plan.key,
            previous_key_name=plan.active,
            adopted=isinstance(plan, StoreLive) and plan.adopted,
        )
        self._say("inspected", key=plan.key)
        return plan

    async def _write_journal(self, plan: Regenerate, target: Target, keys: Keys) -> Journal:
        """
        Step 5. From here on the row is never given back: whoever resumes must know which key may have changed.
        """
        self._deadline.check()
        now = self._world.clock.now()
        journal = Journal(
            plan.key, target.fingerprint(keys[plan.key]), plan.active, now, target.address, in_place=plan.in_place
        )
        self.record = structs.replace(self.record, state=State.REGENERATING)
        row = structs.replace(self.row, record=self.record, journal=journal)
        written = await self._world.ledger.replace(self.claim_id, row, self.etag)
        if written is None:
            raise Unfinished("another worker has taken this rotation over", in_flight=False)
        self.row, self.etag = written.row, written.etag
        self._changes_something = True
        self._say("journaled", key=plan.key)
        return journal

    async def _store(
        self,
        policy: RotationPolicy,
        secret: SecretVersion,
        key: KeyName,
        value: KeyMaterial,
        plan: StoreLive | None = None,
    ) -> None:
        """
        Step 7.
        """
        request = self.row.request
        expires_on = self._world.clock.now().replace(microsecond=0) + policy.validity
        if plan and plan.not_after:
            # Near its expiry, so that it is told of at once; past it, nobody would be told.
            expires_on = min(expires_on, max(plan.not_after, expires_on - policy.validity + _TOLD_OF))
        self._changes_something = True
        try:
            version = await change.store(
                self._world.vaults,
                request.secret,
                value,
                rotation_id=request.id,
                tags=renewed(secret.tags, key, request.id),
                content_type=secret.content_type,
                expires_on=expires_on,
                deadline=self._deadline,
            )
        except VaultRefused as error:
            if self.must_finish:
                raise Unfinished(f"{error}; the secret holds a dead key until it is stored", in_flight=False) from error
            raise VaultRefused(f"{error}; the secret still holds its live key") from error
        self.record = self._with_gap(stored(self.record, version, expires_on))
        self._say("stored", key=key)

    def _found_stored(self, secret: SecretVersion) -> None:
        """
        Complete the record of a rotation whose earlier attempt stored the version and told nobody.
        """
        target, key = read_target(secret.tags), tagged_key(secret.tags)
        journal = self.row.journal
        record = structs.replace(
            stored(self.record.about(target), secret.id, secret.expires_on),
            key_name=journal.key if journal else key,
            previous_key_name=journal.previous_key if journal else key and key.other,
            # Without a journal nothing was regenerated: the version holds a key that was live already.
            adopted=journal is None and not self.row.request.force,
        )
        self.record = self._with_gap(record)
        self._say("found the new version already stored", key=record.key_name)

    def _with_gap(self, record: Rotation) -> Rotation:
        journal = self.row.journal
        if journal is None or not journal.in_place:
            return record
        gap = self._world.clock.now() - journal.written_on
        return structs.replace(record, gap_seconds=round(gap.total_seconds(), 3))

    def _say(self, step: str, **facts: object) -> None:
        report(self.record, step, self._deadline, **facts)
