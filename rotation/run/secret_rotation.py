"""
Steps 3 to 7 of a secret's rotation: after them its current version holds a live key, another one than before.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import structs

from rotation.policy.eligibility import TO_FINISH, TO_ROTATE, TargetMoved, decide, superseded
from rotation.policy.tags import TARGET, read_policy, read_target, stored_by, tagged_key
from rotation.ports.reading import read_secret
from rotation.ports.world import World
from rotation.run import change
from rotation.run.attempt import Attempt, require_an_end, require_attempts_left
from rotation.run.choice import Regenerate
from rotation.run.claim import Claim
from rotation.run.grace import Grace
from rotation.run.inspection import Inspection
from rotation.run.late_tags import carry_late_tags
from rotation.run.live_key import LiveKey
from rotation.run.neighbours import FoundSecret, Neighbours
from rotation.run.next_version import Work, dead_key, next_version
from rotation.run.planning import Planner, held_before
from rotation.run.proof import Proof, note_found
from rotation.vocabulary.endings import (
    Ending,
    Misconfigured,
    Refused,
    Skip,
    TargetNotFound,
    TooSoon,
    VaultRefused,
)
from rotation.vocabulary.errors import Unfinished
from rotation.vocabulary.limits import LOOK_HOLDS_FOR
from rotation.vocabulary.record import Journal
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import Target


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
        self._looked_at = 0.0  # seconds since the attempt began
        self._work: Work | None = None
        self._journal: Journal | None = None
        self._proof: Proof | None = None
        self._has_stored = False

    async def look(self) -> bool:
        return await self._look(self._read)

    async def _look(self, read: Callable[[], Awaitable[SecretVersion]]) -> bool:
        claim = self._claim
        if claim.has_stored:
            return True
        self._looked_at = claim.deadline.elapsed
        try:
            secret = self._secret = await read()
        except (Skip, VaultRefused) as hindrance:
            if claim.must_finish:
                # It may be recovered, or be readable again, with the dead key in it.
                self._secret, self._hindrance = None, hindrance
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
        if isinstance(reason, TargetMoved) and claim.begun:
            reason = Misconfigured(f"tag {TARGET} was changed while the secret was being rotated")
        is_meant = superseded(case) is None if self._id.version is None else reason is None
        if is_meant and self._id.version != secret.version:
            # Asked for without a version; or it was made since, with the dead key in it.
            self._id = secret.id
            claim.pin(secret.id)
            if claim.journal:
                await claim.save()
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
            raise dead_key(self._hindrance)
        try:
            policy = read_policy(secret.tags, read_target(secret.tags, self._world.providers.parse_target))
            inspection = self._inspection
            if inspection is None or inspection.target != policy.target:
                inspection = self._inspection_of(policy.target)
            keys = await inspection.keys()
        except (Misconfigured, Refused, TargetNotFound) as hindrance:
            if claim.must_finish:
                raise dead_key(hindrance) from hindrance
            raise
        if earlier and change.has_changed(policy.target, keys, earlier):
            claim.say("found the key already regenerated", key=earlier.key)
            held = earlier.held or policy.target.fingerprint(keys[earlier.key.other])
            self._work = Work(secret, policy, keys, earlier.key, held)
            return
        require_attempts_left(claim, is_last=self._is_last)
        neighbours = await inspection.neighbours()
        planner = Planner(self._world, self._neighbours, claim.request, claim.deadline)
        plan, holding = await planner.plan(policy, secret, keys, neighbours)
        await self._neighbours.note(policy.target, neighbours, holding.found)
        if holding.holder and plan.adopts:
            claim.say("adopts the key of another secret", key=plan.key, holder=holding.holder.id)
        claim.chose(plan)
        found = [FoundSecret(secret.id, secret, secret.created_on), *holding.found]
        grace = Grace(self._world, claim.request, claim.deadline)
        try:
            await grace.require_over(plan, LiveKey(policy.target, plan.key, keys), found)
        except TooSoon:
            # A rotation of a neighbour has to know it meanwhile.
            await self._neighbours.register(secret.id, policy.target, neighbours)
            raise
        self._work = Work(
            secret, policy, keys, plan.key, held_before(plan, policy.target, keys), plan=plan, neighbours=neighbours
        )

    async def journal(self) -> None:
        claim, work = self._claim, self._inspected
        is_bound = work.neighbours is None or work.secret.id.identity in work.neighbours.bound
        bind = None if is_bound else work.secret.id
        if isinstance(work.plan, Regenerate):
            self._journal = await claim.write_journal(work.plan, work.policy.target, work.keys, bind=bind)
        else:
            await claim.begin(bind=bind)

    async def regenerate(self) -> None:
        if journal := self._journal:
            work, target = self._inspected, self._inspected.policy.target
            provider = await self._world.providers.provider_for(target)
            regeneration = change.regenerate(provider, target, journal, work.keys, self._claim.deadline)
            if journal.in_place:
                # Its clients wait for the new key, and for nothing else.
                keys = await regeneration
            else:
                keys, _ = await self._world.gather(regeneration, self._proof_of(target).prepare())
            self._work = structs.replace(work, keys=keys)
            self._claim.say("regenerated", key=journal.key)

    async def prove(self) -> None:
        work = self._inspected
        if not self._holds_dead_key(work):
            await self._proof_of(work.policy.target).require(work.keys[work.key], work.keys[work.key.other])

    async def store(self) -> None:
        claim = self._claim
        if claim.deadline.elapsed - self._looked_at > LOOK_HOLDS_FOR and await self._look_again():
            return
        work = self._inspected
        new = next_version(work, claim, self._world.clock.now(), self._world.grace)
        try:
            version = await change.store(self._world.vaults, work.secret, new, claim.deadline)
        except VaultRefused as error:
            if claim.must_finish:
                raise Unfinished(f"{error}; the secret holds a dead key until it is stored", in_flight=False) from error
            raise VaultRefused(f"{error}; the secret still holds its live key") from error
        claim.stored(version, new.expires_on)
        claim.say("stored", key=work.key)
        self._has_stored = True

    async def follow_up(self) -> None:
        work = self._work
        if work is None or not self._has_stored:
            await carry_late_tags(self._world, self._claim, None)
            await note_found(self._world, self._claim)
            return
        await carry_late_tags(self._world, self._claim, work.secret.tags)
        if self._holds_dead_key(work):
            await self._proof_of(work.policy.target).note(work.keys[work.key])

    def _holds_dead_key(self, work: Work) -> bool:
        """
        Return whether the secret's clients wait for the new key: then it is stored at once, and asked for afterwards.

        That is so in place, where drift is put right, and where somebody has regenerated the key in use meanwhile.
        """
        return work.held != work.policy.target.fingerprint(work.keys[work.key.other])

    async def _look_again(self) -> bool:
        """
        Look at the secret once more before a version is stored; return whether that is there already.

        Raises as `look` does: a version or a tag that somebody has made since counts.
        """
        if await self._look(partial(read_secret, self._world.vaults, self._id, self._claim.deadline)):
            return True
        secret, work = self._secret, self._inspected
        if secret is None:
            raise dead_key(self._hindrance)
        try:
            policy = read_policy(secret.tags, work.policy.target)
        except Misconfigured as hindrance:
            if self._claim.must_finish:
                raise dead_key(hindrance) from hindrance
            raise
        self._work = structs.replace(work, secret=secret, policy=policy)
        return False

    def _proof_of(self, target: Target) -> Proof:
        if self._proof is None or self._proof.target != target:
            self._proof = Proof(self._world, self._claim, target)
        return self._proof

    @property
    def _inspected(self) -> Work:
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
