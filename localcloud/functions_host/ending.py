"""
How the host's process ends otherwise than by being told to stop.

It rests on assumption 76 of docs/fidelity.md.
"""

import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

_log = logging.getLogger("host")


def end_abruptly(error: BaseException) -> NoReturn:
    """
    End the process with all that it runs: an exception that nobody handles stops Azure's host, too.
    """
    _log.critical("An unhandled exception has occurred. Host is shutting down.", exc_info=error)
    logging.shutdown()
    os._exit(1)


def end_at_once() -> NoReturn:
    """
    End the process in good order, but for what still runs.
    """
    logging.shutdown()
    os._exit(0)


def start_again(arguments: Sequence[str]) -> NoReturn:
    """
    Put a new host into the place of this one, in the same process: what still runs here is gone.
    """
    _log.warning("Restarting worker process.")
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, "-m", "localcloud.functions_host", *arguments])  # noqa: S606 - itself
