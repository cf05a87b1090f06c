"""
Ways through a scenario: all of them, or some at random; and the way back to a short one where a promise broke.

What is left out when all of them are taken, and why nothing is missed by it:

- A state that was met before. A worker's future depends on what it was answered and when, the rest of the state is
  compared in full, and so are the promises' memory and the budget that is left.
- Switches between a request's effect and its answer while no time passes: what a worker does in between is read by
  nobody else. Where time may pass, the answer can come later than the effect (`arrive`).
- Death after an effect: it equals death before the next one, with a request that never arrives.
- An answer lost after the effect: it equals a lost request that takes effect at once (`lose`, then `late`).
- Times at which nothing begins or ceases to be possible (`options.moments`).

The budgets are bounds and not reductions: beyond them nothing is claimed.
"""

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.interleavings.gathering import Order
from tests.interleavings.judge import Broken
from tests.interleavings.laboratory import Laboratory
from tests.interleavings.options import Spending, options
from tests.interleavings.scenarios import Budget, Scenario
from tests.interleavings.simulation import Move, Simulation
from tests.interleavings.tasks import Memory

_WEIGHTS = {
    "go": 3.0, "arrive": 1.0, "fail": 0.3, "fail after": 0.6, "lose": 0.8, "decline": 0.2, "die": 0.4,
    "pass": 0.25, "timer": 0.4, "late": 2.0, "hand": 0.3, "wake": 3.0, "close": 3.0,
}  # fmt: skip
_STAYING = 12.0  # The worker that moved last goes on, rather than another one.


class Found(AssertionError):
    """
    A way on which a promise breaks: its choices repeat it.
    """

    def __init__(self, choices: Sequence[int], broken: Broken, story: Sequence[str]) -> None:
        told = "\n".join(story)
        super().__init__(f"{broken}\n{told}\nchoices: {','.join(map(str, choices))}")
        self.choices = tuple(choices)
        self.broken = broken


@dataclass(frozen=True)
class Tally:
    """
    What an exploration has covered.
    """

    runs: int
    states: int
    moves: int


def follow(
    scenario: Scenario,
    budget: Budget,
    choices: Sequence[int],
    laboratory: Laboratory,
    *,
    is_told: bool = False,
    memory: Memory | None = None,
) -> Simulation:
    """
    Run a scenario by a list of choices among its options, the plainest where the list ends.

    Raises `Broken`, with the story so far as a note where it is told.
    """
    simulation = Simulation(scenario, laboratory, is_told=is_told, memory=memory)
    spending = Spending(budget)
    remaining = iter(choices)
    try:
        while not simulation.is_over:
            possible = options(simulation, spending)
            move = possible[next(remaining, 0) % len(possible)]
            spending.pay(simulation, move)
            simulation.take(move)
    except Broken as broken:
        broken.add_note("\n".join(simulation.story))
        raise
    finally:
        simulation.clear()
    return simulation


def vary(scenario: Scenario, chance: random.Random) -> tuple[Scenario, Budget]:
    """
    Return the scenario with other clocks, on another kind of target, in another order, and a budget.
    """
    varied = dataclasses.replace(
        scenario,
        kind=chance.choice(["batch", "workflow"]),
        clocks=chance.choice([(0.0, 30.0, 15.0), (30.0, 0.0), (0.0, 0.0), (15.0, 30.0, 0.0)]),
        monotonic_stops=chance.random() < 0.3,
        order=chance.choice(list(Order)),
    )
    budget = Budget(
        faults=chance.randrange(5), deaths=chance.randrange(3), pauses=chance.randrange(6), timers=chance.randrange(3)
    )
    return varied, budget


def wander(scenario: Scenario, budget: Budget, chance: random.Random, laboratory: Laboratory) -> int:
    """
    Run a scenario at random; return the number of moves. Raises `Found`.
    """
    simulation = Simulation(scenario, laboratory)
    spending = Spending(budget)
    choices: list[int] = []
    try:
        while not simulation.is_over:
            possible = options(simulation, spending)
            choice = _choose(possible, chance) if len(possible) > 1 else 0
            choices.append(choice)
            spending.pay(simulation, possible[choice])
            simulation.take(possible[choice])
    except Broken as broken:
        raise explain(scenario, budget, choices, broken, laboratory) from broken
    finally:
        simulation.clear()
    return len(choices)


def exhaust(scenario: Scenario, budget: Budget, laboratory: Laboratory, *, limit: int = 10**9) -> Tally:
    """
    Take every way through a scenario that the budget allows; a state that was met before is not gone through again.

    Raises `Found`; stops after `limit` runs.
    """
    met: set[int] = set()
    ways: list[tuple[Move, ...]] = [()]
    memory = Memory(laboratory.lines)
    runs = moves = 0
    while ways and runs < limit:
        way = ways.pop()
        runs += 1
        simulation = Simulation(scenario, laboratory, memory=memory)
        spending = Spending(budget)
        taken: list[Move] = []
        try:
            for move in way:
                spending.pay(simulation, move)
                taken.append(move)
                simulation.take(move)
            while not simulation.is_over:
                possible = options(simulation, spending)
                if len(possible) > 1:
                    state = _state(simulation, spending)
                    if state in met:
                        break
                    met.add(state)
                    ways += [(*taken, other) for other in possible[:0:-1]]
                spending.pay(simulation, possible[0])
                taken.append(possible[0])
                simulation.take(possible[0])
        except Broken as broken:
            raise explain(
                scenario, budget, _numbered(scenario, budget, taken, laboratory), broken, laboratory
            ) from None
        finally:
            simulation.clear()
            moves += len(taken)
    return Tally(runs, len(met), moves)


def explain(
    scenario: Scenario, budget: Budget, choices: Sequence[int], broken: Broken, laboratory: Laboratory
) -> Found:
    """
    Return the finding with as few choices other than the plainest as is found quickly, and its story.
    """
    memory = Memory(laboratory.lines)

    def breaks(choices: Sequence[int]) -> Broken | None:
        try:
            follow(scenario, budget, choices, laboratory, memory=memory)
        except Broken as broken:
            return broken
        return None

    shortest = list(choices)
    while shortest and not shortest[-1]:
        shortest.pop()
    for position in reversed(range(len(shortest))):
        for simpler in ([*shortest[:position], *shortest[position + 1 :]], _plain(shortest, position)):
            if simpler != shortest and (again := breaks(simpler)):
                shortest, broken = simpler, again
                break
    try:
        follow(scenario, budget, shortest, laboratory, is_told=True)
    except Broken as told:
        return Found(shortest, told, getattr(told, "__notes__", []))
    return Found(shortest, broken, ["it does not happen again"])


def _plain(choices: list[int], position: int) -> list[int]:
    return [*choices[:position], 0, *choices[position + 1 :]]


def _numbered(scenario: Scenario, budget: Budget, way: Sequence[Move], laboratory: Laboratory) -> list[int]:
    simulation = Simulation(scenario, laboratory)
    spending = Spending(budget)
    choices = []
    try:
        for move in way:
            choices.append(options(simulation, spending).index(move))
            spending.pay(simulation, move)
            simulation.take(move)
    except Broken:
        pass
    finally:
        simulation.clear()
    return choices


def _state(simulation: Simulation, spending: Spending) -> int:
    current = simulation.current.name if simulation.current and spending.budget.switches is not None else None
    return hash((spending.key(), current, simulation.key()))


def _choose(possible: list[Move], chance: random.Random) -> int:
    weights = [_WEIGHTS[move.verb] for move in possible]
    if possible[0].verb == "go":
        weights[0] = _STAYING
    return chance.choices(range(len(possible)), weights)[0]
