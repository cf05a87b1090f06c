"""
What the workers are asked to do, and how much may go wrong meanwhile.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from rotation.vocabulary.request import Trigger
from rotation.vocabulary.target import KeyName
from tests.interleavings.gathering import Order


class Job(StrEnum):
    """
    What a worker is started for.
    """

    ROTATE = "rotate"
    GIVE_UP = "give up"
    RESUME = "resume"
    VERIFY = "verify"
    CANCEL = "cancel"
    PATCH = "pause"


@dataclass(frozen=True)
class Message:
    """
    One thing to do: a message of the queue, or a call of the HTTP API.

    Pinned to the version that is current at the outset; a late one, to that at its own start. Equal ones are two
    messages with one id, as of an event delivered twice; `redelivers` is the number of the message that this is
    another delivery of, after the queue has missed its worker.

    An accepted one `waits` in the ledger, and comes through the queue; accepted ones of a secret have one id. One that
    `regenerates` a key is about no secret. One that `revokes` is the revocation of a leaked key, due by now: the value
    that leaked is what this key had at the outset. One that `reports` a leak is about the key that its secret held.
    """

    secret: str = "one"
    trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY
    job: Job = Job.ROTATE
    is_late: bool = False
    key: KeyName | None = None
    force: bool = False
    redelivers: int | None = None
    waits: bool = False
    regenerates: KeyName | None = None
    revokes: KeyName | None = None
    reports: bool = False

    @property
    def is_queued(self) -> bool:
        """
        Whether the queue holds it, and hands it out again: a call of the HTTP API is in no queue.
        """
        return self.trigger is not Trigger.HTTP or self.waits


class Hand(StrEnum):
    """
    What somebody does by hand.
    """

    PUT = "makes a new version with the same value"
    TURN_ACTIVE = "regenerates the key in use"
    TURN_ALTERNATE = "regenerates the key not in use"
    PAUSE = "pauses the secret"
    TAG = "sets a tag of their own"
    MOVE = "gives the second secret the other key"
    STORE_ALTERNATE = "makes a new version with the key not in use"


@dataclass(frozen=True)
class Budget:
    """
    How much may happen in one run; None is any number.

    `pauses` counts the times that time passes although somebody could move. Within one instant everything else
    happens in any order.
    """

    switches: int | None = None
    faults: int = 0
    deaths: int = 0
    pauses: int = 0
    timers: int = 0


@dataclass(frozen=True)
class Scenario:
    """
    Messages, the secrets' keys at the outset, and the clocks: seconds ahead of the world's, one for each instance.

    Secrets that are not `bound` are unknown to the ledger, as before their first rotation. `order` is that of the
    requests that a worker has under way at the same time. Where a new key `settles`, the target can be asked with it,
    and takes it after so many seconds. For `grace` seconds clients may go on with what a secret held before; those that
    were `moved` held their other key until right before the outset.
    """

    messages: tuple[Message, ...]
    secrets: dict[str, KeyName] = field(default_factory=lambda: {"one": KeyName.PRIMARY})
    bound: bool = False
    kind: str = "batch"
    clocks: tuple[float, ...] = (0.0, 30.0, 15.0)
    monotonic_stops: bool = False
    hands: tuple[Hand, ...] = ()
    order: Order = Order.FORWARD
    settles: float | None = None
    grace: float = 0.0
    moved: tuple[str, ...] = ()


EVENT = Message()
EXPIRED = Message(trigger=Trigger.SECRET_EXPIRED)
MANUAL = Message(trigger=Trigger.HTTP)
NEXT = Message(trigger=Trigger.HTTP, is_late=True)
POISON = Message(job=Job.GIVE_UP)
RESUME = Message(job=Job.RESUME)
VERIFY = Message(job=Job.VERIFY)
REDELIVERY = Message(redelivers=0)
OTHER = Message("two")
OTHER_NEXT = Message("two", Trigger.HTTP, is_late=True)
ACCEPTED = Message(trigger=Trigger.HTTP, waits=True)
ACCEPTED_POISON = Message(trigger=Trigger.HTTP, waits=True, job=Job.GIVE_UP)
REGENERATE_ALTERNATE = Message(trigger=Trigger.HTTP, regenerates=KeyName.SECONDARY)
REGENERATE_ACTIVE = Message(trigger=Trigger.HTTP, regenerates=KeyName.PRIMARY)
REVOKE_ALTERNATE = Message(trigger=Trigger.HTTP, waits=True, revokes=KeyName.SECONDARY)
REVOKE_ACTIVE = Message(trigger=Trigger.HTTP, waits=True, revokes=KeyName.PRIMARY)
FORCED = Message(trigger=Trigger.HTTP, force=True, key=KeyName.PRIMARY)
LATE_EVENT = Message(is_late=True)
LEAK = Message(trigger=Trigger.HTTP, reports=True)
OTHER_LEAK = Message("two", Trigger.HTTP, reports=True)
PATCH = Message(trigger=Trigger.HTTP, job=Job.PATCH)
CANCEL = Message(trigger=Trigger.HTTP, job=Job.CANCEL)

_SAME_KEY = {"one": KeyName.PRIMARY, "two": KeyName.PRIMARY}
_EACH_ITS_KEY = {"one": KeyName.PRIMARY, "two": KeyName.SECONDARY}

SCENARIOS: dict[str, Scenario] = {
    "alone": Scenario((EVENT,)),
    "duplicate": Scenario((EVENT, EVENT)),
    "redelivery": Scenario((EVENT, REDELIVERY)),
    "redelivery and the next one": Scenario((EVENT, REDELIVERY, NEXT)),
    "thrice": Scenario((EVENT, EVENT, EVENT)),
    "near-expiry and expired": Scenario((EVENT, EXPIRED)),
    "manual against event": Scenario((EVENT, MANUAL)),
    "event, expired and manual": Scenario((EVENT, EXPIRED, MANUAL)),
    "one after another": Scenario((EVENT, NEXT)),
    "duplicate and the next one": Scenario((EVENT, EVENT, NEXT)),
    "poison": Scenario((EVENT, POISON)),
    "poison and duplicate": Scenario((EVENT, EVENT, POISON)),
    "resume against redelivery": Scenario((EVENT, REDELIVERY, RESUME)),
    "two secrets on one key": Scenario((EVENT, OTHER), _SAME_KEY, bound=True),
    "two secrets on two keys": Scenario((EVENT, OTHER), _EACH_ITS_KEY, bound=True),
    "two secrets, again and again": Scenario((EVENT, OTHER, NEXT, OTHER_NEXT), _SAME_KEY, bound=True),
    "two secrets for the first time": Scenario((EVENT, OTHER), _SAME_KEY),
    "workflow duplicate": Scenario((EVENT, EVENT), kind="workflow"),
    "workflow, two secrets": Scenario((EVENT, OTHER), _EACH_ITS_KEY, bound=True, kind="workflow"),
    "a version made by hand": Scenario((EVENT, EXPIRED), hands=(Hand.PUT,)),
    "keys regenerated by hand": Scenario((EVENT, EXPIRED), hands=(Hand.TURN_ALTERNATE, Hand.TURN_ACTIVE)),
    "paused meanwhile": Scenario((EVENT, EVENT), hands=(Hand.PAUSE,)),
    "forced": Scenario((FORCED, EVENT)),
    "forced, a version made by hand": Scenario((FORCED,), hands=(Hand.PUT,)),
    "accepted twice": Scenario((ACCEPTED, ACCEPTED)),
    "accepted against event": Scenario((ACCEPTED, EVENT)),
    "accepted twice against event": Scenario((ACCEPTED, ACCEPTED, EVENT)),
    "accepted and poisoned against event": Scenario((ACCEPTED_POISON, EVENT)),
    "accepted twice, once poisoned": Scenario((ACCEPTED, ACCEPTED_POISON, EVENT)),
    "a key of its own against event": Scenario((REGENERATE_ALTERNATE, EVENT)),
    "the key in use against event": Scenario((REGENERATE_ACTIVE, EVENT)),
    "a revocation against event": Scenario((REVOKE_ALTERNATE, EVENT)),
    "a revocation of the key in use against event": Scenario((REVOKE_ACTIVE, EVENT)),
    "a revocation twice": Scenario((REVOKE_ALTERNATE, REVOKE_ALTERNATE)),
    "a revocation against its cancellation": Scenario((REVOKE_ALTERNATE, CANCEL)),
    "a revocation of the key in use against its cancellation": Scenario((REVOKE_ACTIVE, CANCEL)),
    "a leak": Scenario((LEAK,)),
    "a leak against event": Scenario((LEAK, EVENT)),
    "a leak against its cancellation": Scenario((LEAK, CANCEL)),
    "a leak, paused meanwhile": Scenario((LEAK,), hands=(Hand.PAUSE,)),
    "a leak, a key regenerated by hand": Scenario((LEAK,), hands=(Hand.TURN_ALTERNATE,)),
    "a leak, the key put back by hand": Scenario((LEAK,), hands=(Hand.PUT,)),
    "a leak of two secrets": Scenario((LEAK,), _SAME_KEY, bound=True),
    "a leak of two secrets against event": Scenario((LEAK, OTHER), _SAME_KEY, bound=True),
    "a leak of two secrets is reported twice": Scenario((LEAK, OTHER_LEAK), _SAME_KEY, bound=True),
    "a leak of two secrets, event and cancellation": Scenario((LEAK, OTHER, CANCEL), _SAME_KEY, bound=True),
    "both keys leak": Scenario((LEAK, OTHER_LEAK), _EACH_ITS_KEY, bound=True),
    "a leak beside a secret that moves to the key": Scenario((LEAK, OTHER), _EACH_ITS_KEY, bound=True),
    "a key that settles": Scenario((EVENT, EVENT), settles=90),
    "a key that settles against the next one": Scenario((EVENT, NEXT), settles=90),
    "a key that never works": Scenario((EVENT, EVENT), settles=inf),
    "a key that settles, poisoned": Scenario((EVENT, POISON), settles=90),
    "two secrets on a key that settles": Scenario((EVENT, OTHER), _SAME_KEY, bound=True, settles=90),
    "a key that settles, paused meanwhile": Scenario((EVENT, EVENT), hands=(Hand.PAUSE,), settles=90),
    "a key that settles, a version made by hand": Scenario((EVENT,), hands=(Hand.PUT,), settles=90),
    "a key that settles, regenerated by hand": Scenario((EVENT,), hands=(Hand.TURN_ALTERNATE,), settles=90),
    "a key in use that settles": Scenario((FORCED, EVENT), settles=90),
    "a tag that is set meanwhile": Scenario((EVENT, EVENT), hands=(Hand.TAG,)),
    "paused through the API": Scenario((EVENT, PATCH)),
    "paused through the API twice": Scenario((PATCH, PATCH)),
    "paused through the API, two rotations": Scenario((EVENT, NEXT, PATCH)),
    "paused through the API while a key settles": Scenario((EVENT, PATCH), settles=90),
    "paused through the API during a leak": Scenario((LEAK, PATCH)),
    "verified during a rotation": Scenario((EVENT, VERIFY), bound=True),
    "verified during a rotation in place": Scenario((FORCED, VERIFY), bound=True),
    "verified during two rotations": Scenario((EVENT, NEXT, VERIFY), bound=True),
    "verified during a rotation in place and the next one": Scenario((FORCED, NEXT, VERIFY), bound=True),
    "verified during a revocation": Scenario((EVENT, REVOKE_ALTERNATE, VERIFY), bound=True),
    "verified while a key settles": Scenario((EVENT, VERIFY), bound=True, settles=90),
    "verified with two secrets": Scenario((EVENT, OTHER, VERIFY), _SAME_KEY, bound=True),
    "verified while a person is at work": Scenario(
        (VERIFY, VERIFY), bound=True, hands=(Hand.PUT, Hand.TURN_ALTERNATE, Hand.STORE_ALTERNATE)
    ),
    "too soon": Scenario((EVENT, EVENT), _SAME_KEY, bound=True, grace=900, moved=("two",)),
    "too soon for two secrets": Scenario((EVENT, OTHER), _SAME_KEY, bound=True, grace=900, moved=("one", "two")),
    "too soon, accepted twice": Scenario((ACCEPTED, ACCEPTED), _SAME_KEY, bound=True, grace=900, moved=("two",)),
    "too soon, accepted against event": Scenario((ACCEPTED, EVENT), grace=900, moved=("one",)),
    "too soon for the next event": Scenario((EVENT, LATE_EVENT), grace=900),
    "too soon for the next one": Scenario((EVENT, NEXT), grace=900),
    "too soon, poisoned": Scenario((EVENT, POISON), grace=900, moved=("one",)),
    "too soon for a key of its own": Scenario((REGENERATE_ALTERNATE, EVENT), grace=900, moved=("one",)),
    "too soon, a neighbour is moved": Scenario(
        (EVENT, EVENT), _EACH_ITS_KEY, bound=True, grace=900, hands=(Hand.MOVE,)
    ),
}
