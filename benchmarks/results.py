"""
All that one run of the benchmark has found, and the file that keeps it.
"""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.figure import Part, Section
from benchmarks.wording import figures_table, goals_table
from localcloud.azurite import REPOSITORY

FILE = REPOSITORY / "dist" / "bench.json"


class Results(msgspec.Struct, frozen=True):
    """
    The parts, and the circumstances.
    """

    circumstances: str
    is_quick: bool
    seconds: float
    parts: Sequence[Part]

    @property
    def sections(self) -> list[Section]:
        """
        Every table and drawing, the figures and the goals first.
        """
        figures = [figure for part in self.parts for figure in part.figures]
        goals = [goal for part in self.parts for goal in part.goals]
        first = [
            Section(
                name="figures", title="Figures: medians, with the least and the most", content=figures_table(figures)
            ),
            Section(name="goals", title="Goals", content=goals_table(goals)),
        ]
        return [*first, *(section for part in self.parts for section in part.sections)]


def circumstances(runs: int) -> str:
    """
    Return on what and how often was measured.
    """
    return (
        f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores; "
        f"{runs} {'run' if runs == 1 else 'runs'} of everything in fresh processes, after one that does not count"
    )


def write(results: Results) -> None:
    """
    Keep results as JSON, those of a quick run in a file of their own: nobody reads figures from them.
    """
    file = FILE.with_stem("bench-quick") if results.is_quick else FILE
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))


def read(file: Path = FILE) -> Results:
    """
    Return the results that were kept.
    """
    return msgspec.json.decode(file.read_bytes(), type=Results)
