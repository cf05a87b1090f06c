"""
Run mutmut and list the changes that no test noticed: `python -m tools.mutants rotation/policy/due.py`.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

SURVIVORS = Path("mutants/survivors.txt")
_TYPES, _SURVIVED, _NO_TESTS, _NOT_CHECKED = "caught by type check", "survived", "no tests", "not checked"
_NOTICED = ("killed", "timeout", "segfault")
_COLUMNS = ("killed", "timeout", _SURVIVED, _NO_TESTS, _TYPES)


class Mutant(NamedTuple):
    """
    One change of the code, and what the tests made of it.
    """

    name: str
    file: Path
    status: str


def main(arguments: list[str]) -> int:
    """
    Run the mutants of the named files, folders or modules again, or with none named all that have no verdict yet.
    """
    patterns = [_pattern(argument) for argument in arguments]
    run = subprocess.run(["mutmut", "run", *patterns], check=False)  # noqa: S603, S607 - in the environment
    if run.returncode:
        return run.returncode
    mutants = [mutant for mutant in _mutants() if not patterns or any(fnmatch(mutant.name, each) for each in patterns)]
    _write_survivors(mutants)
    sys.stdout.write("\n".join(summary(mutants)) + f"\nWhat survived, with its diff: {SURVIVORS}\n")
    return 0


def _pattern(argument: str) -> str:
    return argument.removesuffix("/").removesuffix(".py").removesuffix("/__init__").replace("/", ".") + ".*"


def _mutants() -> Iterator[Mutant]:
    for file in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=file)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            yield Mutant(name, file, status_by_exit_code[exit_code])


def summary(mutants: Iterable[Mutant]) -> Iterator[str]:
    """
    Yield a line for each file and one for all: how many mutants met which fate, and the share that the tests noticed.

    The share is of those that tests had to notice: not of what the type checker has caught.
    """
    counts: dict[str, Counter[str]] = {}
    for mutant in mutants:
        counts.setdefault(str(mutant.file), Counter())[mutant.status] += 1
    columns = [*_COLUMNS, *sorted({status for count in counts.values() for status in count} - {*_COLUMNS})]
    width = max(map(len, counts), default=5)
    yield f"{'':{width}}  " + "  ".join(columns) + "  score"
    for file, count in [*counts.items(), ("total", sum(counts.values(), Counter()))]:
        figures = "  ".join(f"{count[column]:{len(column)}}" for column in columns)
        yield f"{file:{width}}  {figures}  {_score(count)}"


def _score(count: Counter[str]) -> str:
    judged = count.total() - count[_TYPES] - count[_NOT_CHECKED]
    return f"{sum(count[status] for status in _NOTICED) / judged:5.1%}" if judged else "    -"


def _write_survivors(mutants: Iterable[Mutant]) -> None:
    with SURVIVORS.open("w") as file:
        for mutant in mutants:
            if mutant.status in {_SURVIVED, _NO_TESTS}:
                diff = get_diff_for_mutant(mutant.name, path=mutant.file)
                file.write(f"# {mutant.file}: {mutant.name}: {mutant.status}\n{diff}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
