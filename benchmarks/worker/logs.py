"""
The logging that an app finds in Azure's worker: everything from INFO on is formatted and sent away.
"""

import logging


class _Sent(logging.Handler):
    """
    Formats a record, as the worker does before it hands it to the host.
    """

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def take_logs() -> None:
    """
    Attach it to all loggers.
    """
    logging.basicConfig(level=logging.INFO, handlers=[_Sent()])
