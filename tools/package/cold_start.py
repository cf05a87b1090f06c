"""
What a cold start costs: the time that importing the app takes in a fresh process.
"""

import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.package.build import SITE_PACKAGES
from tools.package.errors import PackageError

_PROCESSES = 5
_IMPORT = """
import sys, time
sys.path[:0] = sys.argv[2:]
began = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class ColdStart:
    """
    Median times of imports, in seconds.
    """

    app: float
    azure_functions: float
    """What every app in Python pays."""


def is_for_this_machine() -> bool:
    """
    Return whether a package, which is for Azure, runs here too.
    """
    return (platform.system(), platform.machine()) == ("Linux", "x86_64")


def measure(folder: Path) -> ColdStart:
    """
    Import the app from an unpacked package, and nothing but the package; raise PackageError if that fails.
    """
    # In turns, so that whatever else this machine does slows down both.
    turns = [(_seconds("function_app", folder), _seconds("azure.functions", folder)) for _ in range(_PROCESSES)]
    return ColdStart(*(statistics.median(times) for times in zip(*turns, strict=True)))


def _seconds(module: str, folder: Path) -> float:
    # Without site-packages (-S), and leaving nothing behind (-B) that would make the next process quicker.
    command = [sys.executable, "-I", "-S", "-B", "-c", _IMPORT, module, str(folder / SITE_PACKAGES), str(folder)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603 - it stands above
    if done.returncode:
        raise PackageError(f"{module} cannot be imported from it; Python says above why")
    return float(done.stdout)
