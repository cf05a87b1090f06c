"""
Logs as JSON lines: one record a line, with the invocation that it belongs to and every `extra` field.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple


class CurrentInvocation(NamedTuple):
    """
    What runs where a record is logged.
    """

    function: str
    invocation_id: str


current_invocation: ContextVar[CurrentInvocation | None] = ContextVar("current_invocation", default=None)

_PLAIN_FIELDS = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}


def configure(file: Path | None) -> None:
    """
    Send every record of level INFO and above to the file, or to standard error.
    """
    handler = logging.StreamHandler(sys.stderr) if file is None else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # The host's own queue client tells every request at INFO, headers and all.
    logging.getLogger("azure").setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """
    Formats a record as one line of JSON.
    """

    def format(self, record: logging.LogRecord) -> str:
        """
        Put the fixed fields first, then those that were given as `extra`.
        """
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if invocation := current_invocation.get():
            fields |= {"function": invocation.function, "invocationId": invocation.invocation_id}
        fields |= {name: value for name, value in vars(record).items() if name not in _PLAIN_FIELDS | fields.keys()}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str, ensure_ascii=False)
