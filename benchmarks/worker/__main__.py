"""
`python -m benchmarks.worker FOLDER MODULE APP`, with a job on standard input: index, do the job, print a record.

Imports little itself: it runs inside what it measures. The app's modules come from the folder, all else from here.
"""

import json
import logging
import os
import sys
import time
from importlib import import_module

from benchmarks.worker import memory

_marks: dict[str, tuple[float, float]] = {}


def _mark(name: str) -> None:
    """
    Write down an instant of the monotonic clock, which all processes share, and the CPU seconds used up by then.
    """
    _marks[name] = (time.monotonic(), time.process_time())


def main() -> None:
    """
    Do the job with the app that the command line names. Without an app in the module, that is imported and no more.
    """
    folder, module, name = sys.argv[1:]
    sys.path.insert(0, folder)
    # Azure's worker formats records too, before it hands them to the host.
    logging.basicConfig(level=logging.INFO, filename=os.devnull)
    app = getattr(import_module(module), name, None)
    functions = app.get_functions() if app else []
    _mark("indexed")
    # What serves is there before the app in Azure's worker, and its imports are mostly the app's too.
    done = import_module("benchmarks.worker.serving").serve(functions, sys.stdin.read(), _mark) if app else {}
    sys.stdout.write(json.dumps({"marks": _marks, "peak": memory("VmHWM:"), **done}))


if __name__ == "__main__":
    main()
