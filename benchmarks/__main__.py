"""
The benchmarks of the command line: `make bench`, or `python -m benchmarks`.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from rich.console import Console

from benchmarks import document, results
from benchmarks.cold import measure_cold_starts
from benchmarks.extent import FULL, LONG, QUICK, Extent
from benchmarks.figure import Part
from benchmarks.growth import measure_growth
from benchmarks.many import AT_A_TIME, measure_many
from benchmarks.report import show
from benchmarks.results import Results
from benchmarks.sweeps import measure_sweeps
from benchmarks.warm import measure_warm_rotations

_Measure = Callable[[Extent, int], Awaitable[Part]]

_PARTS: dict[str, _Measure] = {
    "cold": lambda extent, _: measure_cold_starts(extent),
    "warm": lambda extent, _: measure_warm_rotations(extent),
    "many": measure_many,
    "sweep": lambda extent, _: measure_sweeps(extent),
    "growth": measure_growth,
}


def main() -> None:
    """
    Measure what is asked for, print it and keep it.
    """
    arguments = _arguments()
    extent: Extent = arguments.extent
    found = results.read() if arguments.from_file else asyncio.run(_measure(extent, arguments))
    if not arguments.from_file:
        results.write(found)
    show(found)
    if arguments.write_docs and found.is_quick:
        sys.exit("docs/performance.md is left alone: a quick run is too short to be read")
    if arguments.write_docs:
        # What takes seconds to import is for this alone.
        from benchmarks.plot import draw  # noqa: PLC0415

        document.write(found)
        if curves := [curve for part in found.parts for curve in part.curves]:
            draw(curves, document.PICTURE)


async def _measure(extent: Extent, arguments: argparse.Namespace) -> Results:
    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    parts = []
    for name in arguments.parts or _PARTS:
        began = time.monotonic()
        parts.append(await _PARTS[name](extent, arguments.concurrency))
        console.print(f"{name}: measured in {time.monotonic() - began:.0f} s")
    return Results(results.circumstances(extent.runs), extent.is_quick, time.monotonic() - started, parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", type=_part, metavar="part", help=f"{', '.join(_PARTS)}; everything by default"
    )
    parser.add_argument(
        "--quick", dest="extent", action="store_const", const=QUICK, default=FULL, help="under a minute, once each"
    )
    parser.add_argument(
        "--long", dest="extent", action="store_const", const=LONG, help="with 10,000 rotations, which are else reckoned"
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=AT_A_TIME,
        metavar="N",
        help="rotations at a time in one worker (%(default)s)",
    )
    parser.add_argument("--from-file", action="store_true", help=f"measure nothing, read {results.FILE.name}")
    parser.add_argument("--write-docs", action="store_true", help="write the tables and the picture into docs/")
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in _PARTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(_PARTS)}")
    return name


if __name__ == "__main__":
    main()
