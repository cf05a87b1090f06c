"""
Bytecode, so that a cold start compiles nothing: without it, azure-mgmt-web alone costs seconds and 200 MB.
"""

import subprocess
import sys
from pathlib import Path

from tools.package.errors import PackageError

AZURES_PYTHON = (3, 13)  # What infra/modules/function-app.bicep asks for; bytecode of another version is of no use.
APP_ROOT = "/home/site/wwwroot"  # Where Azure puts an app. It shows in tracebacks.


def require_azures_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """
    Raise PackageError if this Python is not the one that Azure runs the app on.
    """
    if version != AZURES_PYTHON:
        wanted, found = (".".join(map(str, each)) for each in (AZURES_PYTHON, version))
        raise PackageError(
            f"Azure runs the app on Python {wanted}, which has to compile it, and this is Python {found}: install"
            f" Python {wanted}, or name one that is not on PATH: make package PYTHON=/path/to/python{wanted}"
        )


def compile_all(folder: Path) -> None:
    """
    Compile every module below a folder; raise PackageError if one cannot be.

    The bytecode is never held against its source: a zip has no time stamps to rely on, and what is deployed does not
    change. Nothing of this machine is in it, so that the same sources give the same bytes.
    """
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", APP_ROOT, str(folder)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - it stands above
        raise PackageError("a module could not be compiled; Python says above which, and why")
