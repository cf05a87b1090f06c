"""
Break everything that can break, and count the promises that broke with it: `python -m tests.chaos`.

Exits with 0 if none did.
"""

import argparse
import asyncio
import secrets
import sys
import time
from argparse import Namespace
from functools import partial
from pathlib import Path
from random import Random

from rich.console import Console

from localcloud import command
from localcloud.azurite import REPOSITORY
from tests.chaos.caching import CachingReport, run_caching
from tests.chaos.judge import Broken
from tests.chaos.killer import Killer
from tests.chaos.leaking import LeakReport, run_all_leaks
from tests.chaos.matrix import MatrixReport, all_cases, run_matrix
from tests.chaos.soak import SoakReport, run_soak
from tests.chaos.table import summarise, write_tables

_ROUNDS = 50
_CACHING_STEPS = 8  # each of which takes a grace time
_LONGEST = 40 * 60  # seconds; a run that takes so long is stuck
_DOCUMENT = REPOSITORY / "docs" / "reliability.md"
_INTERRUPTED = 130
_EVERY = 5.0  # seconds between two lines in a pipe
_PLAIN_WIDTH = 200


class Teller:
    """
    Tells a person how a run gets on: a line that is always fresh on a terminal, one every few seconds in a pipe.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = _PLAIN_WIDTH
        self.status = self._console.status("")
        self._started = self._last = time.monotonic()

    def say(self, text: str) -> None:
        """
        Write a line.
        """
        self._console.print(text, markup=False, soft_wrap=True)

    def progress(self, doing: str, rotations: int, faults: int) -> None:
        """
        Tell what is being done, and how far it is.
        """
        now = time.monotonic()
        text = f"{now - self._started:5.0f} s  {doing}: {rotations} rotations, {faults} faults"
        self.status.update(text)
        if not self._console.is_terminal and now - self._last >= _EVERY:
            self._last = now
            self.say(text)


async def wreak(options: Namespace, directory: Path) -> int:
    """
    Run the matrix, the soak, the clients that cache and the leaks; return the exit status.
    """
    teller = Teller()
    teller.say(f"seed {options.seed}: `make chaos ROUNDS={options.rounds} SEED={options.seed}` repeats this run")
    matrix, soak, caching, leaks = MatrixReport(), SoakReport(), CachingReport(), LeakReport()
    try:
        with teller.status:
            async with asyncio.timeout(_LONGEST):
                if options.matrix:
                    matrix = await _run_matrix(directory / "matrix", teller)
                soak = await run_soak(
                    rounds=options.rounds, seed=options.seed, directory=directory / "soak", told=teller.progress
                )
                caching = await run_caching(
                    steps=_CACHING_STEPS,
                    seed=options.seed,
                    directory=directory / "caching",
                    disturb=partial(Killer, chance=Random(f"{options.seed}/killer/caching")),  # noqa: S311 - as in the plan
                    told=teller.progress,
                )
                if options.matrix:
                    leaks = await run_all_leaks(directory / "leaks", teller.progress)
    except TimeoutError:
        teller.say(f"chaos: not done after {_LONGEST} s")
        return 1
    if options.write_docs and options.matrix:
        write_tables(matrix.results, _DOCUMENT)
    return _conclude(teller, options, matrix, soak, caching, leaks)


async def _run_matrix(directory: Path, teller: Teller) -> MatrixReport:
    cases = all_cases()
    done = 0

    def told(_: object) -> None:
        nonlocal done
        done += 1
        teller.progress(f"matrix of {len(cases)} cases", done, done)

    report = await run_matrix(cases, directory, None, told)
    for line in summarise(report.results):
        teller.say(line)
    return report


def _conclude(
    teller: Teller,
    options: Namespace,
    matrix: MatrixReport,
    soak: SoakReport,
    caching: CachingReport,
    leaks: LeakReport,
) -> int:
    broken: list[Broken] = [*matrix.broken, *soak.broken, *caching.broken, *leaks.broken]
    rotations = len(matrix.results) + soak.rotations + caching.rotations
    faults = matrix.faults + soak.faults + caching.faults + leaks.kills
    if options.matrix:
        teller.say(f"matrix: {len(matrix.results)} rotations, {matrix.faults} faults")
        teller.say(f"leaks: {leaks.leaks}, in {leaks.kills} of which an instance was killed")
    if options.rounds:
        _describe(teller, soak)
    teller.say(
        f"clients that cache: {caching.rotations} rotations, {caching.deferred} of them after a wait; "
        f"{caching.too_soon} callers told to come back; {caching.faults} faults, {caching.kills} of them instances "
        f"killed; {caching.calls} calls, {caching.calls_with_previous} of them with what was not current any more, "
        f"{caching.failed_calls} failed"
    )
    for promise in broken:
        teller.say(f"seed {options.seed}: {promise}")
    teller.say(f"chaos: {rotations} rotations, {faults} faults, {len(broken)} promises broken")
    return 1 if broken else 0


def _describe(teller: Teller, soak: SoakReport) -> None:
    states = ", ".join(f"{count} {state}" for state, count in soak.states.most_common())
    triggers = ", ".join(f"{count} by {trigger}" for trigger, count in soak.triggers.most_common())
    teller.say(f"soak: {states}; {triggers}")
    teller.say(
        f"soak: {soak.faults} faults, {soak.kills} of them instances killed; {soak.stopped} instances stopped by their "
        f"storage; {soak.resumed} rotations resumed; {soak.changes} changes of tags; {soak.calls} calls by clients"
    )


def main() -> None:
    """
    Run it from the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of the soak (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="what the soak follows from")
    parser.add_argument("--matrix", action=argparse.BooleanOptionalAction, default=True, help="run the fault matrix")
    parser.add_argument("--write-docs", action="store_true", help=f"put the tables into {_DOCUMENT.name}")
    options = parser.parse_args()
    sys.exit(command.run("chaos", lambda: partial(wreak, options), interrupted=_INTERRUPTED))


if __name__ == "__main__":
    main()
