"""
The benchmarks of the command line: `make bench`, or `python -m benchmarks`.
"""

import argparse
import asyncio
import time

from rich.console import Console

from benchmarks import document
from benchmarks.cold import measure_cold_starts
from benchmarks.extent import FULL, QUICK, Extent
from benchmarks.growth import measure_growth
from benchmarks.many import measure_many
from benchmarks.report import Results, show
from benchmarks.sweeps import measure_sweeps
from benchmarks.warm import measure_warm_rotations

_PARTS = {
    "cold": measure_cold_starts,
    "warm": measure_warm_rotations,
    "many": measure_many,
    "sweep": measure_sweeps,
    "growth": measure_growth,
}


def main() -> None:
    """
    Measure what is asked for, print it and, if asked, write it into docs/.
    """
    arguments = _arguments()
    found = asyncio.run(_measure(arguments.extent, arguments.parts or list(_PARTS)))
    show(found)
    if arguments.write_docs:
        # What takes seconds to import is for this alone.
        from benchmarks.plot import draw  # noqa: PLC0415

        document.write(found)
        if curves := [curve for part in found.parts for curve in part.curves]:
            draw(curves, document.PICTURE)


async def _measure(extent: Extent, names: list[str]) -> Results:
    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    parts = []
    for name in names:
        began = time.monotonic()
        parts.append(await _PARTS[name](extent))
        console.print(f"{name}: measured in {time.monotonic() - began:.0f} s")
    return Results(extent, time.monotonic() - started, parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(_PARTS)}; everything by default")
    parser.add_argument(
        "--quick", dest="extent", action="store_const", const=QUICK, default=FULL, help="under a minute, once each"
    )
    parser.add_argument("--write-docs", action="store_true", help="write the tables and the picture into docs/")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.parts) - _PARTS.keys()):
        parser.error(f"{', '.join(unknown)}: the parts are {', '.join(_PARTS)}")
    if arguments.write_docs and arguments.extent.is_quick:
        parser.error("a quick run is too short to be read: docs/performance.md is written without --quick")
    return arguments


if __name__ == "__main__":
    main()
