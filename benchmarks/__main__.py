"""
The benchmarks of the command line: `make bench`, or `python -m benchmarks`.
"""

import argparse
import asyncio
import os
import platform
import time
from contextlib import ExitStack

from rich.console import Console
from rich.markdown import Markdown

from benchmarks import measurements
from benchmarks.apps import OURS, checked_out
from benchmarks.results import Results
from localcloud.azurite import REPOSITORY
from tools.places import filled

DOCUMENT = REPOSITORY / "docs" / "performance.md"
_STORE = REPOSITORY / ".local" / "benchmarks"
_WIDTH = 200  # characters, where nobody looks: all columns have room
_PARTS = {
    "cold": measurements.measure_cold_starts,
    "warm": measurements.measure_warm_rotations,
    "many": measurements.measure_many_rotations,
    "sweep": measurements.measure_sweeps,
}


def main() -> None:
    """
    Measure what is asked for, print and store it and, if asked, write it into docs/.
    """
    arguments = _arguments()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    results, started = Results(measurements.GOALS), time.monotonic()
    with ExitStack() as before:
        apps = [OURS, *([before.enter_context(checked_out(arguments.before))] if arguments.before else [])]
        for name in arguments.parts or _PARTS:
            began = time.monotonic()
            asyncio.run(_PARTS[name](results, apps, quick=arguments.quick))
            console.print(f"{name}: measured in {time.monotonic() - began:.0f} s")
    results.store(_STORE)
    circumstances = f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores"
    for name, section in results.sections.items():
        console.print(Markdown(f"# {name}\n\n{section}"))
    hint = "quick: too few runs to compare anything; " if arguments.quick else ""
    console.print(f"\n{hint}{circumstances}; {time.monotonic() - started:.0f} s in all; stored in {_STORE}")
    if arguments.write_docs:
        sections = results.sections | {"circumstances": f"{circumstances}.\n"}
        DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8"), sections), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(_PARTS)}; everything by default")
    parser.add_argument("--quick", action="store_true", help="under a minute, once each")
    parser.add_argument("--before", metavar="COMMIT", help="measure the app of another commit beside ours")
    parser.add_argument("--write-docs", action="store_true", help="write the tables into docs/performance.md")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.parts) - _PARTS.keys()):
        parser.error(f"{', '.join(unknown)}: the parts are {', '.join(_PARTS)}")
    if arguments.write_docs and (arguments.quick or arguments.parts):
        parser.error("docs/performance.md is written by a run of everything, without --quick")
    return arguments


if __name__ == "__main__":
    main()
