"""
Longer explorations than the test suite's: `python -m tests.interleavings --runs 10000 --seed 7`.

A finding is printed with its story; `--choices` walks the same way again.
"""

import argparse
import random
import sys
import time
from collections import Counter

from tests.interleavings.exploration import Found, exhaust, follow, vary, wander
from tests.interleavings.judge import Broken
from tests.interleavings.laboratory import Laboratory
from tests.interleavings.scenarios import SCENARIOS, Budget, Scenario


def main() -> int:
    """
    Explore as the command line says; return 1 if a promise breaks.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.interleavings", description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, help="one of them only")
    parser.add_argument("--runs", type=int, default=1000, help="random runs of each scenario (1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first run's; the next one's is one more")
    parser.add_argument("--choices", help="the choices of a finding, to see that run of --scenario and --seed again")
    parser.add_argument("--exhaust", action="store_true", help="every way within the budget, instead of random ones")
    for what in ("switches", "faults", "deaths", "pauses", "timers"):
        parser.add_argument(f"--{what}", type=int, help="the budget; without any, it is drawn for each run")
    asked = parser.parse_args()
    names = [asked.scenario] if asked.scenario else list(SCENARIOS)
    given = {what: value for what in Budget.__dataclass_fields__ if (value := getattr(asked, what)) is not None}
    budget = Budget(**given) if given or asked.exhaust else None
    found: Counter[str] = Counter()
    with Laboratory() as laboratory:
        for name in names:
            began = time.monotonic()
            if asked.choices is not None:
                print(_retell(name, asked.seed, budget, asked.choices, laboratory))  # noqa: T201 - a command's output
                continue
            said = (
                _exhaust(name, budget or Budget(), found, laboratory)
                if asked.exhaust
                else _wander(name, budget, range(asked.seed, asked.seed + asked.runs), found, laboratory)
            )
            print(f"{name}: {said}, {time.monotonic() - began:.1f} s", flush=True)  # noqa: T201
    print(f"interleavings: {found.total()} promises broken")  # noqa: T201
    return 1 if found else 0


def _exhaust(name: str, budget: Budget, found: Counter[str], laboratory: Laboratory) -> str:
    try:
        tally = exhaust(SCENARIOS[name], budget, laboratory)
    except Found as finding:
        found[name] += 1
        return f"{finding}\n"
    return f"{tally.runs} runs, {tally.states} states, {tally.moves} moves"


def _wander(name: str, budget: Budget | None, seeds: range, found: Counter[str], laboratory: Laboratory) -> str:
    moves = 0
    for seed in seeds:
        scenario, drawn, chance = _draw(name, seed, budget)
        try:
            moves += wander(scenario, drawn, chance, laboratory)
        except Found as finding:
            found[name] += 1
            return f"seed {seed}: {finding}\n"
    return f"{len(seeds)} runs from seed {seeds.start}, {moves} moves"


def _retell(name: str, seed: int, budget: Budget | None, choices: str, laboratory: Laboratory) -> str:
    if budget is None:
        scenario, budget, _ = _draw(name, seed, None)
    else:
        scenario = SCENARIOS[name]
    try:
        numbers = [int(choice) for choice in choices.split(",") if choice]
        simulation = follow(scenario, budget, numbers, laboratory, is_told=True)
    except Broken as broken:
        return "\n".join([*getattr(broken, "__notes__", []), str(broken)])
    return "\n".join([*simulation.story, "no promise is broken"])


def _draw(name: str, seed: int, budget: Budget | None) -> tuple[Scenario, Budget, random.Random]:
    chance = random.Random(f"{name} {seed}")  # noqa: S311 - to be repeated, not to be secret
    scenario, drawn = vary(SCENARIOS[name], chance)
    return scenario, budget or drawn, chance


if __name__ == "__main__":
    sys.exit(main())
