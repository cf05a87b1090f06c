"""
What is to happen to one subject of the soak: it follows from the seed alone.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from localcloud.azure.faults import Fault
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind
from localcloud.shapes import SHAPES, Shape
from rotation.vocabulary.request import Trigger
from tests.chaos.kinds import FAULT_KINDS, FOR_GOOD, FaultKind
from tests.chaos.points import POINTS, QUEUE_POINTS, Point
from tests.chaos.subject import Subject

_STEPS = (2, 4)
_MOST_COPIES = 4
_LONGEST_DELAY = 2.0  # seconds
_MOST_TIMES = 3
_SETTLING = 0.3
"""How many of all regenerated keys take some time until they work."""
_LONGEST_SETTLING = 2.0  # seconds
_ASYNC = 0.5
"""How many of the callers do not wait, where clients cache."""
_CHANGED = 0.4
"""In how many steps of the soak tags are changed as well."""
_VALIDITY = (31, 3650)  # days
_SETTLING_TIMES = 8  # of one subject, again and again
_KINDS = tuple(kind for kind in FAULT_KINDS if not kind.is_hang)
# Where a data plane does not answer for long, a key may be stored before it works, and calls of witnesses fail.
_POINTS = [point for point in POINTS + QUEUE_POINTS if not point.is_of_the_proof]


@dataclass(frozen=True)
class PlannedFault:
    """
    A fault at a request of the step's first rotation, or a delay in place of one.
    """

    point: Point
    kind: FaultKind
    variant: int
    times: int
    skip: int
    delay: float | None
    """Seconds before or after the effect, in place of the fault."""

    def faults(self, subject: Subject, rotation: str) -> list[Fault]:
        """
        Return the script. What is aimed by a rotation's id hits that one, all the rest any rotation of the target.
        """
        aim = self.point.aim(subject, rotation)
        script = self.kind.faults(aim)[self.variant]
        fault = replace(script[-1], skip=aim.skip + self.skip, times=self.times)
        if self.delay is not None:
            fault = replace(fault, kind="delay", seconds=self.delay)
        return [*script[:-1], fault]


@dataclass(frozen=True)
class Ask:
    """
    One request for a rotation of one of the subject's secrets.
    """

    secret: int
    trigger: Trigger
    copies: int
    """How often its event is delivered at the same time."""
    options: dict[str, Any]
    """What a caller of the API says besides."""
    is_async: bool = False
    """A caller of the API does not wait for the outcome."""


@dataclass(frozen=True)
class Change:
    """
    A change of one secret's tag ValidityPeriodDays, as `PATCH` makes it.
    """

    secret: int
    days: int


@dataclass(frozen=True)
class Step:
    """
    What is asked for at the same time, and what goes wrong meanwhile.
    """

    asks: tuple[Ask, ...]
    faults: tuple[PlannedFault, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Plan:
    """
    One subject and what happens to it.
    """

    kind: LocalKind
    secrets: int
    shape: Shape
    steps: tuple[Step, ...]
    is_foreign: bool
    """Besides, somebody lets a secret's tags point to where the app must not go."""
    settling: tuple[float, ...]
    """After how many seconds each regenerated key works, in turn."""


def make_plan(seed: int, round_number: int, slot: int) -> Plan:
    """
    Return the plan for one of a round's subjects.
    """
    chance = Random(f"{seed}/{round_number}/{slot}")  # noqa: S311 - to be repeated is the point
    secrets = chance.choices([1, 2, 3], [6, 3, 1])[0]
    plan = _make_plan(chance, KINDS[slot % len(KINDS)], secrets, chance.randint(*_STEPS))
    steps = tuple(replace(step, changes=_make_changes(chance, secrets)) for step in plan.steps)
    return replace(plan, steps=steps, is_foreign=chance.random() < 0.05)


def make_caching_plan(seed: int, steps: int, slot: int) -> Plan:
    """
    Return the plan, of so many steps, for one of the subjects whose clients cache; some of its callers do not wait.

    There is one secret for each target of every kind, and after these there are two.
    """
    chance = Random(f"{seed}/caching/{slot}")  # noqa: S311 - as above
    more, number = divmod(slot, len(KINDS))
    plan = _make_plan(chance, KINDS[number], 1 + more, steps)
    return replace(plan, steps=tuple(_with_async_callers(chance, step) for step in plan.steps))


def _make_plan(chance: Random, kind: LocalKind, secrets: int, steps: int) -> Plan:
    planned = tuple(_make_step(chance, kind, secrets) for _ in range(steps))
    settling = (
        chance.uniform(0.0, _LONGEST_SETTLING) if chance.random() < _SETTLING else 0.0 for _ in range(_SETTLING_TIMES)
    )
    return Plan(kind, secrets, chance.choice(SHAPES), planned, is_foreign=False, settling=tuple(settling))


def _with_async_callers(chance: Random, step: Step) -> Step:
    return replace(step, asks=tuple(replace(ask, is_async=chance.random() < _ASYNC) for ask in step.asks))


def _make_changes(chance: Random, secrets: int) -> tuple[Change, ...]:
    if chance.random() >= _CHANGED:
        return ()
    return (Change(chance.randrange(secrets), chance.randint(*_VALIDITY)),)


def _make_step(chance: Random, kind: LocalKind, secrets: int) -> Step:
    match chance.choices(["one", "duplicates", "all triggers", "all secrets"], [4, 2, 2, 2])[0]:
        case "one":
            asks = [_make_ask(chance, chance.randrange(secrets))]
        case "duplicates":
            asks = [replace(_make_ask(chance, chance.randrange(secrets)), copies=chance.randint(2, _MOST_COPIES))]
        case "all triggers":
            secret = chance.randrange(secrets)
            asks = [Ask(secret, trigger, 1, {}) for trigger in Trigger if trigger is not Trigger.SWEEP]
        case _:
            asks = [_make_ask(chance, secret) for secret in range(secrets)]
    faults = chance.choices([0, 1, 2, 3], [3, 5, 2, 1])[0]
    return Step(tuple(asks), tuple(_make_fault(chance, kind) for _ in range(faults)))


def _make_ask(chance: Random, secret: int) -> Ask:
    triggers = [Trigger.SECRET_NEAR_EXPIRY, Trigger.SECRET_EXPIRED, Trigger.HTTP]
    trigger = chance.choices(triggers, [4, 2, 2])[0]
    key = chance.choices([{}, {"key": "Primary"}, {"key": "Secondary"}], [8, 1, 1])[0]
    return Ask(secret, trigger, 1, key)


def _make_fault(chance: Random, target: LocalKind) -> PlannedFault:
    point = chance.choice([point for point in _POINTS if target in point.kinds])
    kind = chance.choice([kind for kind in _KINDS if kind.suits(point, target)])
    stays = kind.variants[0].get("times") == FOR_GOOD
    return PlannedFault(
        point=point,
        kind=kind,
        variant=chance.randrange(kind.variety),
        times=_MOST_TIMES if stays else chance.randint(1, _MOST_TIMES),
        skip=chance.choices([0, 1, 2], [6, 2, 1])[0],
        delay=chance.uniform(0.0, _LONGEST_DELAY) if chance.random() < 0.2 else None,
    )
