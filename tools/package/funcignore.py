"""
`.funcignore`: which files are never deployed.

Core Tools and azd read the same file differently, as its head says. So only such lines are taken that mean the same to
both: `/name`, `/name/` and `/part*part`, from the root of the app.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tools.package.errors import PackageError

_UNDERSTOOD = re.compile(r"(?!.*\*\*)(/[^\s/!?\\\[\]]+)+/?")


class FuncIgnore:
    """
    The lines of a `.funcignore`.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._excluded = [_pattern(line) for line in lines]

    @classmethod
    def read(cls, file: Path) -> Self:
        """
        Return what a file says; raise PackageError for a line that means different things to different tools.
        """
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        for line in lines:
            if not _UNDERSTOOD.fullmatch(line):
                raise PackageError(
                    f"{file.name} says '{line}', which Core Tools and azd read differently: write /name, /name/ or"
                    " /part*part"
                )
        return cls(lines)

    def excludes(self, path: str) -> bool:
        """
        Return whether a path, relative to the app and with slashes, stays home. A folder's path ends with a slash.
        """
        return any(excluded.match(path) for excluded in self._excluded)


def _pattern(line: str) -> re.Pattern[str]:
    name = line.removeprefix("/").removesuffix("/")
    matched = "[^/]+".join(re.escape(part) for part in name.split("*"))
    return re.compile(matched + ("/" if line.endswith("/") else r"(?:/|\Z)"))
