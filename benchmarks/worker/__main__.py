"""
`python -m benchmarks.worker MODULE`, with a job on standard input: import the app, do the job, print the logbook.

With `--watch-imports` the logbook holds every import too, and everything takes a little longer.
"""

import logging
import sys
from importlib import import_module

from benchmarks.worker.logbook import Logbook

_PARTS_OF_A_SWEEP = ("swept", "verified")  # The steps whose last line ends one.


class _Sent(logging.Handler):
    """
    Formats a record, as Azure's worker does before it hands it to the host; a sweep tells by them how far it has come.
    """

    def __init__(self, logbook: Logbook) -> None:
        super().__init__()
        self._logbook = logbook

    def emit(self, record: logging.LogRecord) -> None:
        """
        Format it, and do nothing with what comes of that.
        """
        self.format(record)
        if (step := getattr(record, "step", None)) in _PARTS_OF_A_SWEEP:
            self._logbook.mark(step)


def main() -> None:
    """
    Do the job with the app that the command line names.
    """
    logbook = Logbook()
    logbook.mark("started")
    if "--watch-imports" in sys.argv:
        import_module("benchmarks.worker.imports").watch_imports(logbook.imports)
    logging.basicConfig(level=logging.INFO, handlers=[_Sent(logbook)])
    app = getattr(import_module(sys.argv[1]), "app", None)
    functions = app.get_functions() if app else []
    logbook.mark("indexed")
    if functions:
        # What serves is there before the app in Azure's worker, and its imports are mostly the app's too.
        import_module("benchmarks.worker.serving").serve(functions, sys.stdin.read(), logbook)
    sys.stdout.write(logbook.as_json() + "\n")


if __name__ == "__main__":
    main()
