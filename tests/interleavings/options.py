"""
Every move that somebody or something can make next, the plainest first.
"""

from collections import Counter
from dataclasses import dataclass, field

from rotation.vocabulary.limits import LAST_SEND
from tests.interleavings.calls import Kind
from tests.interleavings.scenarios import Budget
from tests.interleavings.simulation import Move, Simulation
from tests.interleavings.tasks import HANDED_OVER, Phase

_FAULTS = {
    Kind.READ: ("fail",),
    Kind.LEDGER: ("fail", "lose"),
    Kind.CHANGE: ("fail", "fail after", "lose", "decline"),
    Kind.NOTICE: ("fail", "lose"),
}
_COSTS = {
    "fail": "faults",
    "fail after": "faults",
    "lose": "faults",
    "decline": "faults",
    "die": "deaths",
    "pass": "pauses",
    "timer": "timers",
}
_PUBLISHING = 120.0  # seconds; see rotation/run/resumption.py


@dataclass
class Spending:
    """
    What is left of a budget.
    """

    budget: Budget
    _spent: Counter[str] = field(default_factory=Counter)

    def key(self) -> tuple[int, ...]:
        """
        Return it to be compared.
        """
        return tuple(self._spent[what] for what in ("switches", "faults", "deaths", "pauses", "timers"))

    def has(self, what: str) -> bool:
        """
        Return whether there is any left.
        """
        limit: int | None = getattr(self.budget, what)
        return limit is None or self._spent[what] < limit

    def pay(self, simulation: Simulation, move: Move) -> None:
        """
        Take note of a move that is about to be made.
        """
        if what := _COSTS.get(move.verb):
            self._spent[what] += 1
        if move.verb not in _NOBODYS and self.budget.switches is not None and _stays(simulation):
            self._spent["switches"] += simulation.tasks[move.who] is not simulation.current


_NOBODYS = {"wake", "pass", "timer", "late", "hand", "close"}


def options(simulation: Simulation, spending: Spending) -> list[Move]:
    """
    Return the moves that are possible and affordable; there is always at least one.
    """
    able = [number for number, task in enumerate(simulation.tasks) if task.can_move(simulation.now)]
    if _stays(simulation):
        able.sort(key=lambda number: simulation.tasks[number] is not simulation.current)
        if not spending.has("switches"):
            able = able[:1]
    moves = [Move("go", number) for number in able] or [_nothing_to_do(simulation)]
    moves += [Move("late", number) for number in range(len(simulation.orphans))]
    moves += [Move("hand", number) for number in range(len(simulation.hands))]
    for number in able:
        moves += _accidents(simulation, number, spending)
    if spending.has("pauses"):
        moves += [Move("pass", time=moment) for moment in moments(simulation)]
    if spending.has("timers"):
        moves.append(Move("timer"))
    return moves


def moments(simulation: Simulation) -> list[float]:
    """
    Return the times at which something begins or ceases to be possible.

    Claims run out, by each of the clocks; deadlines pass; requests can no longer arrive. Messages of dead workers come
    back, just before their claims run out and just then.
    """
    clocks = set(simulation.scenario.clocks)
    found = {orphan.until - 1 for orphan in simulation.orphans}
    for row in simulation.world.ledger.claims():
        until = (row.claimed_until - simulation.epoch).total_seconds()
        found |= {until - ahead for ahead in clocks}
    for task in simulation.tasks:
        if task.is_live and task.phase is not Phase.READY:
            found |= {task.started + LAST_SEND.total_seconds() - 1, task.started + LAST_SEND.total_seconds()}
            found |= {task.until - 1} if task.until != float("inf") else set()
        if task.phase not in {Phase.READY, Phase.OVER}:
            found |= {task.shown_again, task.shown_again + HANDED_OVER}
    for waiting in simulation.world.ledger.waiting():
        due = (waiting.due_on - simulation.epoch).total_seconds()
        found |= {due - ahead for ahead in clocks}
    if simulation.world.ledger.outcomes():
        found.add(simulation.now + _PUBLISHING + max(clocks))
    return sorted(moment for moment in found if moment > simulation.now)


def _accidents(simulation: Simulation, number: int, spending: Spending) -> list[Move]:
    task = simulation.tasks[number]
    if task.phase is Phase.READY:
        return []
    moves = []
    if task.phase is Phase.SENT and task.call is not None:
        if spending.has("pauses") and simulation.now < task.until:
            moves.append(Move("arrive", number))
        if spending.has("faults"):
            moves += [Move(fault, number) for fault in _FAULTS[task.call.kind]]
    if spending.has("deaths"):
        moves.append(Move("die", number))
    return moves


def _nothing_to_do(simulation: Simulation) -> Move:
    is_asleep = any(task.phase is Phase.ASLEEP for task in simulation.tasks)
    return Move("wake") if is_asleep else Move("close")


def _stays(simulation: Simulation) -> bool:
    return simulation.current is not None and simulation.current.can_move(simulation.now)
