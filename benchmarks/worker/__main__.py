"""
`python -m benchmarks.worker MODULE`, with a job on standard input: import the app, do the job, print the logbook.

With `--watch-imports` the logbook holds every import too, and everything takes a little longer.
"""

import logging
import sys
from importlib import import_module

from benchmarks.worker.logbook import Logbook


class _Sent(logging.Handler):
    """
    Formats a record, as Azure's worker does before it hands it to the host.
    """

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def main() -> None:
    """
    Do the job with the app that the command line names.
    """
    logbook = Logbook()
    logbook.mark("started")
    if "--watch-imports" in sys.argv:
        import_module("benchmarks.worker.imports").watch_imports(logbook.imports)
    logging.basicConfig(level=logging.INFO, handlers=[_Sent()])
    app = getattr(import_module(sys.argv[1]), "app", None)
    functions = app.get_functions() if app else []
    logbook.mark("indexed")
    if functions:
        # What serves is there before the app in Azure's worker, and its imports are mostly the app's too.
        import_module("benchmarks.worker.serving").serve(functions, sys.stdin.read(), logbook)
    sys.stdout.write(logbook.as_json() + "\n")


if __name__ == "__main__":
    main()
