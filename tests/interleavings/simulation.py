"""
One run: the twins, the workers on them, and what each move does to them.
"""

import asyncio
import uuid
from datetime import timedelta
from typing import Any, NamedTuple

from msgspec import structs

from rotation.manage.change import Change, change_secret
from rotation.overview.comparison import Comparison
from rotation.policy.scope import Scopes
from rotation.policy.tags import PAUSED
from rotation.ports.world import World
from rotation.run.cancelling import cancel
from rotation.run.leaks import report_leak
from rotation.run.resumption import list_unfinished
from rotation.run.rotator import Rotator
from rotation.vocabulary.concurrency import capture
from rotation.vocabulary.endings import RevocationPending, VaultRefused
from rotation.vocabulary.errors import (
    Busy,
    Declined,
    DependencyError,
    NoAnswer,
    NotCancellable,
    RotationError,
    Unavailable,
    Unfinished,
    UnknownRotation,
)
from rotation.vocabulary.limits import CLAIM_TTL, HOLDERS_MOVE_WITHIN, IN_FLIGHT, QUEUED_FOR, SKEW
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Leak, Rotation, State, WaitingRotation
from rotation.vocabulary.request import (
    LeakedKey,
    Revocation,
    RotationRequest,
    Trigger,
    request_for_event,
    request_to_revoke,
    revocation_id,
)
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.interleavings import wires
from tests.interleavings.calls import Call, Kind, Worker, at_once
from tests.interleavings.gathering import LaidOut
from tests.interleavings.judge import REVOKED_AFTER, Broken, Judge
from tests.interleavings.laboratory import Laboratory
from tests.interleavings.scenarios import EVENT, RESUME, Hand, Job, Message, Scenario
from tests.interleavings.tasks import AGAIN_AFTER, Memory, Phase, Task
from tests.twins.targets import accepted_record
from tests.twins.world import SUBSCRIPTION, VAULT, TwinWorld

_NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000004")
_TAGS = {Hand.PAUSE: {PAUSED: "true"}, Hand.TAG: {"owner": "somebody"}}
_DUE = str(uuid.uuid5(_NAMESPACE, "due"))
_ROUNDS = 14  # of the timer, until everything must have ended: MAX_ATTEMPTS and some
_MAY_BE_RAISED = (
    Busy,
    DependencyError,
    Unfinished,
    RevocationPending,
    NotCancellable,
    UnknownRotation,
    VaultRefused,
)
_SCOPES = Scopes([f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"])


class Move(NamedTuple):
    """
    What happens next. `who` is a task, an orphan or a hand by its number.
    """

    verb: str
    who: int = 0
    time: float = 0.0


class Reported(NamedTuple):
    """
    What came of the rotation of a secret whose key has leaked, and the rotations that it puts into the queue.
    """

    came_of_it: Rotation | RotationError
    moves: list[RotationRequest]


class Orphan(NamedTuple):
    """
    A request that nobody waits for any more: it arrives before `until`, or never.
    """

    task: Task
    call: Call[Any]
    until: float
    seen: int


class Simulation:
    """
    A run of a scenario, moved until it `is_over`. `Broken` is raised where a promise breaks.

    With a `memory` of earlier runs of the same scenario, workers are not run where they do what was done before.
    """

    def __init__(
        self, scenario: Scenario, laboratory: Laboratory, *, is_told: bool = False, memory: Memory | None = None
    ) -> None:
        laboratory.reset(self.clear)
        self.scenario = scenario
        self.world = laboratory.world = TwinWorld(scenario.kind)
        self.world.provider.proves = scenario.settles is not None
        self.world.provider.settling = scenario.settles or 0.0
        self.world.grace = timedelta(seconds=scenario.grace)
        self._memory = memory or Memory(laboratory.lines)
        self.tasks: list[Task] = []
        self.orphans: list[Orphan] = []
        self.hands = list(scenario.hands)
        self.current: Task | None = None
        self.is_over = False
        self.story: list[str] = []
        self._laboratory = laboratory
        self._is_told = is_told
        for name, key in scenario.secrets.items():
            if name != "one":
                self.world.put(name, key=key.other if name in scenario.moved else key)
            if scenario.bound:
                at_once(self.world.ledger.bind(self.world.target.identity, SecretId(VAULT, name)))
        self._move_secrets()
        self._judge = Judge(self.world, scenario)
        self._at_the_outset = {
            key: self.world.target.fingerprint(KeyMaterial(self.world.provider.value(self.world.target, key)))
            for key in KeyName
        }
        self.epoch = self.world.clock.now()
        self.now = 0.0
        for message in scenario.messages:
            self._add(message)

    def _move_secrets(self) -> None:
        if "one" in self.scenario.moved:
            self.world.put("one", key=self.scenario.secrets["one"].other)
        # Times of versions are whole seconds.
        self.world.clock.advance(timedelta(seconds=1))
        for name in self.scenario.moved:
            self.world.put(name, key=self.scenario.secrets[name])

    def go_until(self, who: int, operation: str | None) -> Task:
        """
        Move one worker until it is about to make a call, or to its end; return it.
        """
        task = self.tasks[who]
        while task.is_live and not (task.phase is Phase.SENT and task.call and task.call.operation == operation):
            self.take(Move("go", who))
        return task

    def key(self) -> tuple[object, ...]:
        """
        Return all that the future depends on, but for the choices.
        """
        provider, vaults = self.world.provider, self.world.vaults
        return (
            self.now,
            tuple(task.key() for task in self.tasks),
            tuple((orphan.task.name, orphan.call.operation, orphan.until, orphan.seen) for orphan in self.orphans),
            tuple(self.hands),
            self.world.ledger.snapshot(),
            tuple((len(values), values[-1]) for values in provider.history.values()),
            tuple(
                (version.version, version.enabled, tuple(version.tags.items()))
                for name in self.world.managed
                for version in vaults.history(name)
            ),
            tuple(provider.works_from.values()),
            tuple(event.id for event in self.world.announcer.published),
            self._judge.key(),
        )

    def take(self, move: Move) -> None:
        """
        Let it happen.
        """
        match move.verb:
            case "wake":
                self._pass_until(min(task.until for task in self.tasks if task.phase is Phase.ASLEEP))
            case "pass":
                self._pass_until(move.time)
            case "timer":
                self._add(RESUME)
            case "late":
                orphan = self.orphans.pop(move.who)
                self._tell(orphan.task, f"its abandoned {orphan.call.operation} takes effect after all")
                self._effect(orphan.task, orphan.call)
            case "hand":
                self._use_hand(self.hands.pop(move.who))
            case "close":
                self._close()
            case _:
                self._move(self.tasks[move.who], move.verb)

    def clear(self) -> None:
        """
        Drop what is left of the workers.
        """
        for task in self.tasks:
            task.drop()

    def _move(self, task: Task, verb: str) -> None:
        self.current = task
        if verb == "die":
            self._tell(task, "dies")
            self._abandon(task)
            task.die()
        elif task.phase is Phase.READY:
            self._start(task)
        elif task.phase is Phase.SENT and task.call is not None:
            self._answer(task, task.call, verb)
        else:
            self._hear(task)

    def _answer(self, task: Task, call: Call[Any], verb: str) -> None:
        unclear: type[DependencyError] = Unavailable if call.kind is Kind.LEDGER else NoAnswer
        match verb:
            case "go" | "arrive" if self.now < task.until:
                task.arrive(*self._effect(task, call))
            case "go" | "arrive":
                task.arrive(None, unclear("it was sent too late"))
            case "fail":
                self._judge.after_failure(call, is_declined=False)
                task.arrive(None, Unavailable("503"))
            case "fail after":
                self._effect(task, call)
                task.arrive(None, Unavailable("503"))
            case "lose":
                self._abandon(task)
                task.arrive(None, unclear("dropped"))
            case "decline":
                self._judge.after_failure(call, is_declined=True)
                task.arrive(None, Declined("403"))
            case _:
                raise AssertionError(verb)
        if self._is_told:
            self._tell(task, f"{call.operation} {call.about} {'' if verb == 'go' else verb.upper()} -> {task.heard}")
        if verb != "arrive":
            self._hear(task)

    def _effect(self, task: Task, call: Call[Any]) -> tuple[object, BaseException | None]:
        self._laboratory.task = task
        try:
            answer = at_once(call.effect())
        except DependencyError as error:
            return None, error
        finally:
            self._laboratory.task = None
        self._judge.after(call, task.request)
        self._judge.after_answer(call, answer)
        return answer, None

    def _abandon(self, task: Task) -> None:
        """
        Leave a request alone: it has left its worker before now, and is under way for as long as any can be.
        """
        if task.call is None or task.phase is not Phase.SENT or not task.call.changes:
            return
        until = min(task.until, self.now + IN_FLIGHT.total_seconds())
        if until > self.now:
            self.orphans.append(Orphan(task, task.call, until, task.seen))

    def _start(self, task: Task) -> None:
        message = task.message
        if message.job in {Job.ROTATE, Job.GIVE_UP} and task.request is None:
            task.request = self._request(task, message)
        self._tell(task, f"starts to {message.job} {task.request.id[:8] if task.request else ''}")
        self._laboratory.task = task
        task.start(lambda: self._worker(task), self.now)
        self._laboratory.task = None
        self._look_at_end(task)

    def _hear(self, task: Task) -> None:
        self._laboratory.task = task
        task.hear(self.now)
        self._laboratory.task = None
        self._look_at_end(task)

    def _look_at_end(self, task: Task) -> None:
        if task.phase is not Phase.OVER:
            return
        if isinstance(task.result, Reported):
            self._enqueue(task, task.result.moves)
            task.result = task.result.came_of_it
        if isinstance(task.result, Exception):
            self._tell(task, f"ends: {task.result!r}")
            if not isinstance(task.result, _MAY_BE_RAISED):
                raise Broken(f"told: {task.name} ended with {task.result!r}") from task.result
        elif isinstance(task.result, Rotation):
            self._tell(task, f"ends: {task.result.state} {task.result.skip_reason or ''}")
        elif isinstance(task.result, Change):
            self._tell(task, "ends: paused")
            self._judge.after_change()
        elif isinstance(task.result, dict):
            self._tell(task, f"ends: {[each.result for each in task.result.values()]}")
            self._judge.after_verification(task.result)
        elif isinstance(task.result, list):
            self._enqueue(task, task.result)

    def _enqueue(self, task: Task, requests: list[RotationRequest]) -> None:
        self._tell(task, f"puts {len(requests)} rotations into the queue")
        for request in requests:
            self._add(EVENT, request)

    def _worker(self, task: Task) -> Worker:
        world, request = self._wired(task), task.request
        match task.message.job:
            case Job.VERIFY:
                secrets = {SecretId(VAULT, name): None for name in self.scenario.secrets}
                deadline = Deadline(world.clock)
                return Comparison(world, self.world.target.identity, secrets, asyncio.Semaphore(), deadline).make()
            case Job.PATCH:
                return _pause(world)
            case Job.CANCEL:
                return cancel(world, self._to_cancel())
            case Job.GIVE_UP if request:
                return Rotator(world).give_up(request)
            case Job.ROTATE if request:
                return _rotate(world, request, is_report=task.message.reports)
        return list_unfinished(world)

    def _wired(self, task: Task) -> World:
        return World(
            wires.WiredVaults(self._laboratory),
            wires.WiredProvider(self._laboratory),
            wires.WiredLedger(self._laboratory, task.name),
            self.world.inventory,  # It shows what has happened, and decides nothing.
            wires.WiredAnnouncer(self._laboratory),
            _SCOPES,
            wires.WorkerClock(self.epoch, task, monotonic_stops=self.scenario.monotonic_stops),
            LaidOut(self.scenario.order),
            self.world.lead,
            self.world.grace,
        )

    def _request(self, task: Task, message: Message) -> RotationRequest:
        secret = self.world.current(message.secret).id
        request = request_for_event(secret, message.trigger, self.epoch)
        if message.trigger is Trigger.HTTP:
            name = f"accepted {message.secret}" if message.waits else task.name
            request = structs.replace(request, id=str(uuid.uuid5(_NAMESPACE, name)), waits=message.waits)
        if message.regenerates:
            return structs.replace(request, secret=None, target=self.world.target.written, key=message.regenerates)
        if message.revokes:
            return request_to_revoke(self._revocation(_DUE, message.revokes), self.epoch, reason=None)
        held = self.scenario.secrets[message.secret]
        revocation = self._revocation(revocation_id(request.id), held) if message.reports else None
        return structs.replace(request, key=message.key, force=message.force, revocation=revocation)

    def _revocation(self, revocation: str, leaked: KeyName) -> Revocation:
        return Revocation(revocation, REVOKED_AFTER, LeakedKey(self._at_the_outset[leaked], self.world.target.written))

    def _to_cancel(self) -> str:
        """
        Return the id of the first revocation that anybody asks for.
        """
        requests = [task.request for task in self.tasks if task.request]
        return next(
            (found.id for request in requests if (found := request.revokes or request.revocation)),
            _DUE,
        )

    def _add(self, message: Message, request: RotationRequest | None = None, redelivers: Task | None = None) -> None:
        number = len(self.tasks)
        clocks = self.scenario.clocks
        task = Task(f"w{number}", message, request, clocks[number % len(clocks)], self._memory)
        if request is None and message.job in {Job.ROTATE, Job.GIVE_UP} and not message.is_late:
            task.request = self._request(task, message)
            if message.revokes:
                self._schedule(task.request)
            elif message.waits:
                record = accepted_record(task.request, self.epoch)
                at_once(self.world.ledger.wait(WaitingRotation(task.request, record, self.epoch + QUEUED_FOR)))
        task.redelivers = redelivers
        if message.redelivers is not None and redelivers is None:
            task.redelivers = self.tasks[message.redelivers]
        self.tasks.append(task)

    def _schedule(self, request: RotationRequest) -> None:
        if request.revokes is None:
            raise ValueError(f"rotation {request.id} revokes nothing")
        target = self.world.target
        record = structs.replace(accepted_record(request, self.epoch).about(target), state=State.SCHEDULED)
        leak = Leak(target.identity, request.revokes.leaked, request.id, self.epoch)
        at_once(self.world.ledger.report_leak(WaitingRotation(request, record, self.epoch + QUEUED_FOR), leak))

    def _use_hand(self, hand: Hand) -> None:
        self._tell(None, f"somebody {hand}")
        current, target = self.world.current(), self.world.target
        held = current.value.reveal() if current.value else ""
        if hand is Hand.MOVE:
            self.world.put("two", key=self.scenario.secrets["two"].other)
        elif hand is Hand.PUT:
            self.world.put(value=held)
        elif hand is Hand.STORE_ALTERNATE:
            self.world.put(key=self._held_by_hand().other)
        elif hand in _TAGS:
            self.world.vaults.tag(current.id, current.tags | _TAGS[hand])
        else:
            active = self._held_by_hand()
            self.world.provider.turn(target, active if hand is Hand.TURN_ACTIVE else active.other)
        self._judge.after_hand(
            is_turned=hand in {Hand.TURN_ACTIVE, Hand.TURN_ALTERNATE}, tags=_TAGS.get(hand, {}).keys()
        )

    def _held_by_hand(self) -> KeyName:
        """
        Return the key that the first secret holds, as somebody would find out who looks.
        """
        current, provider = self.world.current(), self.world.provider
        held = current.value.reveal() if current.value else ""
        return next((key for key in KeyName if provider.value(self.world.target, key) == held), KeyName.PRIMARY)

    def _pass_until(self, moment: float) -> None:
        self.world.clock.advance(timedelta(seconds=moment - self.now))
        self.now = moment
        self._tell(None, "time has passed")
        self.orphans = [orphan for orphan in self.orphans if orphan.until > moment]

    def _close(self) -> None:
        """
        Deliver again what was not taken to its end, let the timer do its work, and judge the result.
        """
        self.orphans.clear()
        for number in range(_ROUNDS):
            for task in self._undelivered():
                if task.phase is Phase.DEAD:
                    self._pass_until(max(self.now, task.shown_again))
                self._add(task.message, task.request, task)
            self._finish()
            ledger = self.world.ledger
            if not (self._undelivered() or ledger.claims() or ledger.outcomes() or ledger.waiting()):
                break
            # Some revocation may wait for a secret that nobody is going to move.
            is_late = number == _ROUNDS - 3
            self._pass_until(self.now + (HOLDERS_MOVE_WITHIN if is_late else CLAIM_TTL + SKEW).total_seconds())
            self._add(RESUME)
            self._finish()
        else:
            raise Broken("no loss: something never ends")
        accepted = {task.result.id for task in self.tasks if isinstance(task.result, Rotation)}
        accepted |= {task.request.id for task in self.tasks if task.request and task.request.waits}
        requests = [task.request for task in self.tasks if task.request]
        leaks = [found for request in requests if (found := request.revokes or request.revocation)]
        leaked = {leak.id: leak.leaked.fingerprint for leak in leaks}
        self._judge.at_the_end(accepted, leaked, self._laboratory.lines)
        self.is_over = True

    def _undelivered(self) -> list[Task]:
        """
        Return the messages that are still in the queue: those whose last worker died or raised.

        A call of the HTTP API is in no queue.
        """
        again = {id(task.redelivers) for task in self.tasks}
        return [
            task
            for task in self.tasks
            if task.request
            and task.message.is_queued
            and id(task) not in again
            and (task.phase is Phase.DEAD or isinstance(task.result, AGAIN_AFTER))
        ]

    def _finish(self) -> None:
        while live := [task for task in self.tasks if task.is_live]:
            awake = [task for task in live if task.can_move(self.now)]
            if awake:
                self._move(awake[0], "go")
            elif asleep := [task for task in live if task.phase is Phase.ASLEEP]:
                self._pass_until(min(task.until for task in asleep))
            else:
                # Redeliveries of messages that are gone.
                return

    def _tell(self, task: Task | None, what: str) -> None:
        if self._is_told:
            self.story.append(f"{self.now:7.0f} s  {task.name if task else '--':4} {what}")


async def _rotate(
    world: World, request: RotationRequest, *, is_report: bool
) -> Rotation | Reported | list[RotationRequest]:
    """
    Do what the HTTP API does with the report of a leak, or what the queue's function does with a message.
    """
    rotator = Rotator(world)
    if is_report:
        accepted = await report_leak(world, request)
        came_of_it = await capture(rotator.rotate, accepted)
        return Reported(came_of_it, await rotator.moves(accepted))
    if request.revokes and (moves := await rotator.moves(request)):
        return moves
    return await rotator.rotate(request)


async def _pause(world: World) -> Change:
    """
    Do what the HTTP API does to pause the first secret.
    """
    change = Change(paused=True)
    await change_secret(world, SecretId(VAULT, "one"), change)
    return change
