"""
What is done ahead: SDKs are imported and tokens fetched while the process waits for other answers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from adapters.late import Preloading


class Warming:
    """
    Prepares what is expected next; `make_ledger` is needed for every claim, and `get_tokens` keeps the tokens it gets.
    """

    def __init__(self, make_ledger: Callable[[], object], get_tokens: Callable[[], Awaitable[None]]) -> None:
        self._make_ledger = make_ledger
        self._get_tokens = get_tokens
        self._preloading = Preloading()
        self._tokens: asyncio.Task[None] | None = None

    def expect_a_rotation(self) -> None:
        """
        Import what every rotation needs, while the process waits for its message or for the first answers.
        """
        self._preloading.expect("adapters.key_vault", "azure.identity.aio", "adapters.ledger", "adapters.announcer")

    def expect_a_target(self, client: str) -> None:
        """
        Import the module of a target's client, and get the tokens that are needed next, while the claim is written.
        """
        # The claim comes next, and is not to wait for the import of anything else.
        self._make_ledger()
        self._preloading.expect(client)
        if self._tokens is None:
            self._tokens = asyncio.create_task(self._try_to_get_tokens())

    async def finish(self) -> None:
        """
        Wait until all of it is done.
        """
        await asyncio.to_thread(self._preloading.finish)
        if self._tokens:
            await self._tokens

    async def _try_to_get_tokens(self) -> None:
        # What needs a token asks again, and meets the error.
        with suppress(Exception):
            await self._get_tokens()
