"""
What a measured process writes down about itself. Imports little: it runs inside what it measures.
"""

import json
import os
import resource
import sys
import time

_PAGE = os.sysconf("SC_PAGE_SIZE")
_IN_BYTES = sys.platform == "darwin"  # getrusage(2): ru_maxrss is in kilobytes elsewhere


class Logbook:
    """
    Instants of the monotonic clock, which all processes share, with the CPU seconds that were used up by then.
    """

    def __init__(self) -> None:
        self._marks: dict[str, tuple[float, float]] = {}
        self._rotations: list[tuple[float, float, int]] = []
        self.imports: list[tuple[str, float, float]] = []
        self.found_due = 0

    def mark(self, name: str) -> None:
        """
        Write down that something is reached.
        """
        self._marks[name] = (time.monotonic(), time.process_time())

    def rotated(self, began: float) -> None:
        """
        Write down that a rotation ended, with the memory that the process has by now.
        """
        self._rotations.append((began, time.monotonic(), resident_memory()))

    def as_json(self) -> str:
        """
        Return everything, on one line.
        """
        return json.dumps(
            {
                "marks": self._marks,
                "rotations": self._rotations,
                "imports": self.imports,
                "found_due": self.found_due,
                "peak": peak_memory(),
            }
        )


def resident_memory() -> int:
    """
    Return the memory that this process has now, in bytes; the most it ever had, where the system tells no more.
    """
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - pathlib is not imported yet
            return int(statm.read().split()[1]) * _PAGE
    except OSError:
        return peak_memory()


def peak_memory() -> int:
    """
    Return the most memory that this process ever had, in bytes.
    """
    try:
        # Not ru_maxrss: on Linux that begins with what the parent had when it forked.
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - as above
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _IN_BYTES else 1024)
