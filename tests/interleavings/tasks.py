"""
One worker at one piece of work: a coroutine that is moved by hand, from one call to the next.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

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


class Task:
    """
    A worker with its work. All times are seconds since the run began.

    `until` is when it wakes, or when its request can no longer arrive: for the ledger, whose writes are conditional,
    there is no such time.

    What a worker does next depends on nothing but what it was answered and when: `seen` stands for that.
    """

    def __init__(self, name: str, message: Message, request: RotationRequest | None, ahead: float) -> None:
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
        self._worker: Worker | None = None
        self._answer: object = None
        self._error: BaseException | None = None

    @property
    def is_live(self) -> bool:
        """
        Whether it has anything left to do.
        """
        return self.phase not in {Phase.OVER, Phase.DEAD}

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

    def start(self, worker: Worker, now: float) -> None:
        """
        Begin.
        """
        self._worker = worker
        self.started = now
        self.seen = hash(self.request.id if self.request else None)
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

    def _go_on(self, now: float) -> None:
        if self._worker is None:
            raise AssertionError("it has not been started")
        answer, error = self._answer, self._error
        self._answer = self._error = None
        self.seen = hash((self.seen, now, digest(answer) if error is None else repr(error)))
        try:
            wanted = self._worker.throw(error) if error else self._worker.send(answer)
        except StopIteration as end:
            self.phase, self.result, self.call = Phase.OVER, end.value, None
        except Exception as failure:  # noqa: BLE001 - the simulation judges what a worker may raise
            self.phase, self.result, self.call = Phase.OVER, failure, None
        else:
            self._wait_for(wanted, now)

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
        value = answer.value.reveal() if answer.value else None
        return (answer.version, value, tuple(sorted(answer.tags.items())))
    if isinstance(answer, Mapping):
        return tuple((key, digest(value)) for key, value in answer.items())
    if isinstance(answer, Versioned):
        return (answer.etag, msgspec.json.encode(answer.row))
    if isinstance(answer, Rotation | EndedRotation):
        return msgspec.json.encode(answer)
    return repr(answer)
