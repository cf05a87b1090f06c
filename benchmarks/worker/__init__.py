"""
A process in which one app does one job, as in Azure's Python worker, and which writes down how that went.
"""

import sys


def memory(kind: str) -> int:
    """
    Return VmRSS, what this process has now, or VmHWM, the most it had, in bytes; the most where there is no /proc.
    """
    try:
        # Not ru_maxrss: on Linux that begins with what the parent had when it forked.
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib is not imported yet
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(kind))
    except OSError:
        import resource  # noqa: PLC0415 - where it is needed

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
