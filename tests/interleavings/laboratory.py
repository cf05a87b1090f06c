"""
What makes two equal runs equal: names that depend on who makes something, not on chance.
"""

import logging
import secrets
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from unittest import mock

from tests.interleavings.tasks import Task
from tests.twins.world import TwinWorld

KEY_MARK = "key-value-"  # In every account key, for the search for leaks.

_NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000003")


class Laboratory:
    """
    A context in which claims, versions and keys get reproducible names, and log lines are kept.

    `world` is that of the run that goes on now.
    """

    world: TwinWorld

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.task: Task | None = None
        self._made = 0
        self._clear: Callable[[], None] = lambda: None
        self._stack = ExitStack()

    def reset(self, clear: Callable[[], None]) -> None:
        """
        Begin another run, which is cleared away when its turn is over.
        """
        self._clear()
        self._clear = clear
        self.lines.clear()
        self.task = None
        self._made = 0

    def __enter__(self) -> Self:
        self._stack.enter_context(mock.patch.object(uuid, "uuid4", self._next_uuid))
        self._stack.enter_context(mock.patch.object(secrets, "token_urlsafe", self._next_key))
        logger = logging.getLogger("rotation")
        handler = _Keeper(self.lines)
        level, propagates = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False

        def restore() -> None:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagates

        self._stack.callback(restore)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()
        self._stack.close()

    def _next_uuid(self) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, self._next_name())

    def _next_key(self, _: int) -> str:
        return KEY_MARK + self._next_name()

    def _next_name(self) -> str:
        if self.task is None:
            self._made += 1
            return f"outset-{self._made}"
        self.task.names += 1
        return f"{self.task.name}-{self.task.names}"


class _Keeper(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.msg} {record.args} {vars(record).get('step')}")
