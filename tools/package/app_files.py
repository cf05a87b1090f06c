"""
The app's own files: the files of the repository that `.funcignore` does not exclude.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from tools.package.errors import PackageError
from tools.package.funcignore import FuncIgnore

APP = (
    "adapters/",
    "dashboard/",
    "function_app.py",
    "handlers/",
    "host.json",
    "providers/",
    "requirements.txt",
    "rotation/",
    "wiring/",
)

_OF_THE_PAGE = (".css", ".html", ".js", ".svg")

# Made here by `func ... --build local`, which reads .funcignore too: it cannot be named there. The package has its own.
_MADE_BY_CORE_TOOLS = ".python_packages/"

_SHOWN = 5


def find_app_files(root: Path) -> list[str]:
    """
    Return the paths of all files to deploy, relative to `root`, in order.

    Raise PackageError if part of the app is missing, or if a file would be deployed that is no part of it: func and azd
    take whatever `.funcignore` does not name.
    """
    found = sorted(_walk(root, "", FuncIgnore.read(root / ".funcignore")))
    if strays := [path for path in found if not _is_app(path)]:
        shown = ", ".join(strays[:_SHOWN]) + (f" and {len(strays) - _SHOWN} more" if len(strays) > _SHOWN else "")
        raise PackageError(f"func and azd would deploy {shown}: name it in .funcignore, or move it away")
    if missing := [part for part in APP if not any(path.startswith(part) for path in found)]:
        raise PackageError(f"{', '.join(missing)} is missing in {root}: that is not the whole app")
    return found


def _walk(folder: Path, prefix: str, ignored: FuncIgnore) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}" + ("/" if entry.is_dir() else "")
            if ignored.excludes(path) or path == _MADE_BY_CORE_TOOLS:
                continue
            if entry.is_dir():
                yield from _walk(Path(entry), path, ignored)
            else:
                yield path


def _is_app(path: str) -> bool:
    kinds = _OF_THE_PAGE if path.startswith("dashboard/") else (".py",)
    return path in APP or (path.startswith(APP) and path.endswith(kinds))
