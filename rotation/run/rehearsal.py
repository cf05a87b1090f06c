"""
What a request would do, step by step, for a dry run and for an app that only observes.

It reads what a rotation reads, and changes nothing.
"""

from datetime import timedelta

from msgspec import UNSET, structs

from rotation.policy.eligibility import TO_CLAIM, decide, moved, superseded
from rotation.policy.tags import RotationPolicy, read_policy
from rotation.ports.announcer import EventType
from rotation.ports.reading import read_keys, read_secret
from rotation.ports.world import World
from rotation.run.choice import Regenerate, StoreLive
from rotation.run.grace import Grace
from rotation.run.key_regeneration import in_use
from rotation.run.leaks import require_none_pending
from rotation.run.live_key import LiveKey
from rotation.run.neighbours import FoundSecret, Neighbours, TargetNeighbours
from rotation.run.planning import Planner
from rotation.vocabulary.endings import ActiveKey, Ending, Skip, TooSoon
from rotation.vocabulary.errors import Busy, RotationError
from rotation.vocabulary.record import Problem, Rotation, State, Step
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


async def rehearse(world: World, request: RotationRequest) -> Rotation:
    """
    Return a record in the state Planned, with the steps that the request would take now and how it would end.

    Raises a `DependencyError` or `OutOfTime` if that cannot be found out.
    """
    deadline = Deadline(world.clock)
    # What a dry run reports as leaked is revoked by nothing.
    record = structs.replace(world.accepted(request, deadline.started_on), revocation=UNSET)
    rehearsal = Rehearsal(world, Neighbours(world), request, record, deadline)
    try:
        await rehearsal.run()
    except TooSoon as early:
        rehearsal.defer(early)
    except Skip as skip:
        rehearsal.skip(skip)
    except (Ending, Busy) as error:
        rehearsal.fail(error)
    return structs.replace(rehearsal.record, state=State.PLANNED, steps=rehearsal.steps)


class Rehearsal:
    """
    The steps so far, and what the record would show.

    `claimed` is the identity of the target where the request holds its claim, so that nobody else can.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and what it is about
        self,
        world: World,
        neighbours: Neighbours,
        request: RotationRequest,
        record: Rotation,
        deadline: Deadline,
        *,
        claimed: str | None = None,
    ) -> None:
        self._world = world
        self._neighbours = neighbours
        self._request = request
        self._deadline = deadline
        self._claimed = claimed
        self._grace = Grace(world, request, deadline)
        self.record = record
        self.steps: list[Step] = []
        self._early: TooSoon | None = None

    async def run(self) -> None:
        """
        Go through the request to its end. Raises as a rotation does where that is no success.
        """
        await self.schedule()
        if self._request.target and self._request.key:
            await self.regenerate(self._world.providers.parse_target(self._request.target), self._request.key)
        elif self._request.secret:
            await self.rotate(self._request.secret)

    def add(self, step: str, detail: str) -> None:
        """
        Add a step.
        """
        self.steps.append(Step(step, detail))

    def defer(self, early: TooSoon) -> None:
        """
        Add until when the rotation would wait.
        """
        how = State.SCHEDULED if self._request.is_patient else f"Skipped: {early.reason}"
        self.add(
            "end",
            f"{how}. {early.holder.unversioned} held {self.record.key_name} until a while ago, and "
            f"clients may go on with it until {early.allowed_on:%Y-%m-%d %H:%M:%S} UTC. Events, sweeps and requests "
            "with Prefer: respond-async wait until then; ignoreGrace regenerates it at once",
        )
        self.record = structs.replace(self.record, allowed_on=early.allowed_on)

    def skip(self, skip: Skip) -> None:
        """
        Add why there would be nothing to do.
        """
        self.add("end", f"Skipped: {skip.reason}. The secret is left as it is")

    def fail(self, error: RotationError) -> None:
        """
        Add how the rotation would fail.
        """
        self.add("end", f"Failed ({error.code}): {error}. Nothing is changed")
        problem = Problem(error.code, str(error), error.retryable)
        self.record = structs.replace(self.record, error=problem)

    async def schedule(self) -> None:
        """
        Add what a report of a leak writes first of all.
        """
        await require_none_pending(self._world, self._request)
        if revocation := self._request.revocation:
            self.add(
                "schedule",
                "write down that the key which the secret holds now has leaked, to be regenerated "
                f"{_spelled(revocation.after)} after the last secret has moved away from it",
            )

    async def rotate(self, asked: SecretId) -> None:
        """
        Go through the rotation of a secret.
        """
        secret = await read_secret(self._world.vaults, asked, self._deadline)
        case = structs.replace(
            self._world.case_of(secret), request=self._request, now=self._deadline.started_on, claimed=self._claimed
        )
        if reason := decide(case, (*TO_CLAIM, moved)):
            raise reason
        await self._claim(case.target)
        self.add("look", f"read {secret.id}, the current version")
        if reason := superseded(case):
            raise reason
        policy = read_policy(secret.tags, case.target)
        plan = await self._inspect(secret, policy)
        if isinstance(plan, Regenerate):
            self._add_regeneration(plan.key)
        days = policy.validity.days
        await self._add_proof(policy.target, plan)
        self.add(
            "store",
            f"make a new version of {secret.id.unversioned} with {plan.key} in place of the key in its value, which "
            f"expires in {days} days" + (", or with the secret whose key it adopts" if plan.adopts else ""),
        )
        self._add_end(plan)

    async def regenerate(self, target: Target, key: KeyName) -> None:
        """
        Go through the regeneration of a key.
        """
        await self._claim(target)
        keys = await read_keys(self._world.providers, target, self._deadline)
        self.add("inspect", f"read both keys of {target.arm_id}, and whether a managed secret holds {key}")
        neighbours = await self._neighbours.find(None, target, self._deadline)
        wanted = LiveKey(target, key, keys)
        holding = await self._neighbours.find_holders(neighbours, wanted, self._deadline)
        holder = holding.holder
        if holder and not self._request.force:
            raise ActiveKey(in_use(target, key, holder))
        await self._require_over(Regenerate(key, active=None), wanted, holding.found)
        self._add_regeneration(key)
        if holder:
            self.add("end", f"Completed. {holder.id.unversioned} holds a dead key from then on: its clients fail")
        else:
            self.add("end", "Completed. The new value goes nowhere")
        self._add_announcement()

    async def _claim(self, target: Target) -> None:
        self._world.scopes.require(target)
        self.record = self.record.about(target)
        if self._claimed is None and (running := await self._world.ledger.read_open(target.identity)):
            raise Busy(running.row.request.id)
        self.add("claim", f"claim {target.arm_id}, so that nobody else rotates it meanwhile")

    async def _inspect(self, secret: SecretVersion, policy: RotationPolicy) -> Regenerate | StoreLive:
        target = policy.target
        keys = await read_keys(self._world.providers, target, self._deadline)
        neighbours = await self._neighbours.find(secret.id, target, self._deadline)
        planner = Planner(self._world, self._neighbours, self._request, self._deadline)
        plan, holding = await planner.plan(policy, secret, keys, neighbours)
        holds = "neither key" if plan.active is None else f"{plan.active}"
        self.add("inspect", f"read both keys of {target.arm_id}: the secret holds {holds}")
        self.record = self.record.chose(plan.key, plan.active, adopted=plan.adopts)
        if plan.adopts and holding.holder:
            adopted = f"{holding.holder.id.unversioned} holds {plan.key}"
            self.add("adopt", f"{adopted}, so it is adopted instead of regenerated")
        await self._add_moves(plan, keys, neighbours, target)
        found = [FoundSecret(secret.id, secret, secret.created_on), *holding.found]
        await self._require_over(plan, LiveKey(target, plan.key, keys), found)
        return plan

    async def _add_moves(
        self, plan: Regenerate | StoreLive, keys: Keys, neighbours: TargetNeighbours, target: Target
    ) -> None:
        """
        Add which other secrets a report of a leak moves.
        """
        if self._request.revocation is None or plan.active is None:
            return
        leaked = LiveKey(target, plan.active, keys)
        holding = await self._neighbours.find_holders(neighbours, leaked, self._deadline)
        if holding.holders:
            names = ", ".join(sorted(holder.id.unversioned for holder in holding.holders))
            self.add("move", f"rotate at once what holds {plan.active} too: {names}")

    async def _require_over(self, plan: Regenerate | StoreLive, key: LiveKey, secrets: list[FoundSecret]) -> None:
        self._early = await self._grace.find(plan, key, secrets)
        if self._early and self._grace.counts:
            raise self._early

    async def _add_proof(self, target: Target, plan: Regenerate | StoreLive) -> None:
        """
        Add that the key is asked for; where the secret holds a dead one, that waits until the new one is stored.
        """
        if await self._world.providers.prober_for(target) is None:
            return
        holds_dead_key = plan.active in {None, plan.key}
        when = "after it is stored" if holds_dead_key else "before it is stored"
        self.add("prove", f"ask {target.arm_id} for something harmless with {plan.key}, {when}")

    def _add_regeneration(self, key: KeyName) -> None:
        self.add("journal", f"write down that {key} is regenerated, and the fingerprint of its present value")
        detail = f"regenerate {key}; its present value is dead from then on"
        if early := self._early:
            detail += (
                f". {early.holder.unversioned} held it until a while ago: clients that may go on with it until "
                f"{early.allowed_on:%Y-%m-%d %H:%M:%S} UTC fail"
            )
        self.add("regenerate", detail)

    def _add_end(self, plan: Regenerate | StoreLive) -> None:
        gap = isinstance(plan, Regenerate) and plan.in_place
        self.add("end", "Completed" + (", with a gap in which the secret holds a dead key" if gap else ""))
        self._add_announcement()
        if isinstance(plan, Regenerate):
            self.add("tidy", f"disable older versions that hold the dead value of {plan.key}")

    def _add_announcement(self) -> None:
        self.add("announce", f"publish {EventType.ROTATION_COMPLETED}")


def _spelled(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:g} minute{'' if hours * 60 == 1 else 's'}"
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
