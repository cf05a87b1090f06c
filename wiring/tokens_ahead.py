"""
The tokens that a rotation needs next, fetched while its claim is written.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class TokensAhead:
    """
    Fetches tokens once in the life of a process; the credential keeps them and renews them.
    """

    def __init__(self, get_tokens: Callable[[], Awaitable[None]]) -> None:
        self._get_tokens = get_tokens
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """
        Begin to fetch them, and return at once.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._try())

    async def finish(self) -> None:
        """
        Wait until they are there, or could not be fetched.
        """
        if self._task:
            await self._task

    async def _try(self) -> None:
        # A client that needs a token asks again, and reports the error.
        with suppress(Exception):
            await self._get_tokens()
