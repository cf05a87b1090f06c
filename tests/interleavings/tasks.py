"""
One worker at one piece of work: a coroutine that is moved by hand, from one call to the next.

What a worker does next depends on nothing but what it was answered and when. What it did is kept in a `Memory`: another
one with the same past does the same, and is only run once it comes to hear something new.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from rotation.ports.ledger import Versioned
from rotation.vocabulary.errors import Busy, DependencyError, Unfinished
from rotation.vocabulary.limits import IN_FLIGHT, PAUSE
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import EndedRotation, Rotation
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretVersion
from tests.interleavings.calls import Call, Nap, Worker
from tests.interleavings.scenarios import Message

VISIBILITY = 600.0  # seconds; for how long the Functions host takes a message out of the queue, if it cannot renew
HANDED_OVER = 1.0  # seconds from taking a message to the start of its worker: it comes back before the claim expires
AGAIN_AFTER = (DependencyError, Unfinished, Busy)  # What makes the queue keep a message.
_NEVER = float("inf")


class Phase(Enum):
    """
    Where a worker stands.
    """

    READY = "not started"
    SENT = "its request is under way"
    ANSWERED = "its answer is under way"
    ASLEEP = "asleep"
    OVER = "done"
    DEAD = "dead"


class _Heard(NamedTuple):
    """
    What a worker was answered, when, and how many names it and its requests had made by then.
    """

    answer: object
    error: BaseException | None
    now: float
    names: int


class _Step(NamedTuple):
    """
    What a worker did with an answer: what it waits for or how it ended, what it logged, how many names it has made.
    """

    wanted: Call[Any] | Nap | None
    result: object
    lines: list[str]
    names: int


class Memory:
    """
    What the workers of one scenario do, by their past. `lines` is the log that they write to.
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.steps: dict[tuple[str, int, int], _Step] = {}


class Task:
    """
    A worker with its work. All times are seconds since the run began.

    `until` is when it wakes, or when its request can no longer arrive: for the ledger, whose writes are conditional,
    there is no such time.

    `seen` stands for what it was answered and when, and for what it was given to do.
    """

    def __init__(
        self, name: str, message: Message, request: RotationRequest | None, ahead: float, memory: Memory
    ) -> None:
        self.name = name
        self.message = message
        self.request = request
        self.ahead = ahead
        self.phase = Phase.READY
        self.started = 0.0
        self.until = 0.0
        self.redelivers: Task | None = None
        self.names = 0
        self.seen = 0
        self.call: Call[Any] | None = None
        self.result: object = None
        self.now = 0.0
        self._memory = memory
        self._make: Callable[[], Worker] | None = None
        self._worker: Worker | None = None
        self._past: list[_Heard] = []
        self._told = 0
        self._answer: object = None
        self._error: BaseException | None = None

    @property
    def is_live(self) -> bool:
        """
        Whether it has anything left to do.
        """
        return self.phase is not Phase.OVER and self.phase is not Phase.DEAD

    @property
    def heard(self) -> str:
        """
        What it is about to hear, in a word.
        """
        if self._error:
            return repr(self._error)
        return repr(self._answer)[:100] if self._answer is not None else "ok"

    def can_move(self, now: float) -> bool:
        """
        Whether anything can become of it now.
        """
        if self.phase is Phase.READY and self.redelivers:
            return self.redelivers.can_be_redelivered(now)
        return self.is_live and (self.phase is not Phase.ASLEEP or self.until <= now)

    @property
    def shown_again(self) -> float:
        """
        When its message comes back if its worker is not heard of: at about the time at which its claim expires.
        """
        return self.started + VISIBILITY - HANDED_OVER

    def can_be_redelivered(self, now: float) -> bool:
        """
        Whether the queue hands out its message once more: its worker failed, or was not heard of for long.
        """
        if self.phase is Phase.OVER:
            return isinstance(self.result, AGAIN_AFTER)
        return self.phase is not Phase.READY and now >= self.shown_again

    def key(self) -> tuple[object, ...]:
        """
        Return all that its future depends on.
        """
        return (self.phase, self.seen, self.started, self.until, self.names)

    def start(self, make: Callable[[], Worker], now: float) -> None:
        """
        Begin as the worker that is made, or as one before it did.
        """
        self._make = make
        self.started = now
        self.seen = hash((self.message.job, self.request and msgspec.json.encode(self.request)))
        self._go_on(now)

    def arrive(self, answer: object, error: BaseException | None) -> None:
        """
        Take note of what its request did; it does not know yet.
        """
        self._answer, self._error = answer, error
        self.phase = Phase.ANSWERED

    def hear(self, now: float) -> None:
        """
        Get the answer, and go on to the next call.
        """
        self._go_on(now)

    def die(self) -> None:
        """
        Go no further.
        """
        self.phase = Phase.DEAD

    def drop(self) -> None:
        """
        Clear away what is left of the coroutine.
        """
        if self._worker is not None:
            self._worker.close()
        self._make = self._worker = None

    def _go_on(self, now: float) -> None:
        answer, error = self._answer, self._error
        self._answer = self._error = None
        self.seen = hash((self.seen, now, digest(answer) if error is None else repr(error)))
        self._past.append(_Heard(answer, error, now, self.names))
        known = (self.name, self.seen, self.names)
        if step := self._memory.steps.get(known):
            self._memory.lines += step.lines
        else:
            step = self._memory.steps[known] = self._run()
        self.names = step.names
        if step.wanted is None:
            self.phase, self.result, self.call = Phase.OVER, step.result, None
        else:
            self._wait_for(step.wanted, now)

    def _run(self) -> _Step:
        """
        Bring the worker to where it stands, if others went there before it, and let it go on.
        """
        lines = self._memory.lines
        begun = len(lines)
        for heard in self._past[self._told : -1]:
            self._tell(heard)
        del lines[begun:]
        wanted = result = None
        try:
            wanted = self._tell(self._past[-1])
        except StopIteration as end:
            result = end.value
        except Exception as failure:  # noqa: BLE001 - the simulation judges what a worker may raise
            result = failure
        self._told = len(self._past)
        return _Step(wanted, result, lines[begun:], self.names)

    def _tell(self, heard: _Heard) -> Call[Any] | Nap:
        if self._worker is None:
            if self._make is None:
                raise AssertionError("it has not been started")
            self._worker = self._make()
        self.now, self.names = heard.now, heard.names
        return self._worker.throw(heard.error) if heard.error else self._worker.send(heard.answer)

    def _wait_for(self, wanted: Call[Any] | Nap, now: float) -> None:
        if isinstance(wanted, Nap):
            self.phase, self.until, self.call = Phase.ASLEEP, now + wanted.seconds, None
            return
        self.phase, self.call = Phase.SENT, wanted
        self.until = now + (PAUSE + IN_FLIGHT).total_seconds() if wanted.is_timely else _NEVER


def digest(answer: object) -> object:
    """
    Return something hashable that is equal for equal answers, key values included.
    """
    if isinstance(answer, KeyMaterial):
        return answer.reveal()
    if isinstance(answer, SecretVersion):
        return (answer.value.reveal() if answer.value else None, repr(answer))
    if isinstance(answer, Mapping):
        return tuple((key, digest(value)) for key, value in answer.items())
    if isinstance(answer, Versioned):
        return (answer.etag, msgspec.json.encode(answer.row))
    if isinstance(answer, Rotation | EndedRotation):
        return msgspec.json.encode(answer)
    return repr(answer)
