"""
Before azd packages: the package is built, and lies unpacked in dist/azure-key-rotator, which is what azd ships.
"""

import os
import subprocess
from pathlib import Path

from tools.azd.clis import HookError

_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = Path(".venv/package")


def prepackage(system: str = os.name) -> None:
    """
    Build the package; raise HookError if that fails. What went wrong was printed by then.
    """
    for command in _windows() if system == "nt" else [["make", "package"]]:
        if subprocess.run(command, cwd=_ROOT, check=False).returncode:  # noqa: S603 - as it stands here
            raise HookError(f"The package could not be built: {' '.join(command)} failed.")


def _windows() -> list[list[str]]:
    """
    Return what `make package` does, where there is no make: an environment of Azure's Python with uv, and the build.
    """
    python = str(_ENVIRONMENT / "Scripts" / "python.exe")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [
        ["py", "-3.13", "-m", "venv", str(_ENVIRONMENT)],
        [*pip, "uv", "--constraint", "requirements-dev.txt"],
        [python, "-m", "tools.package"],
    ]
