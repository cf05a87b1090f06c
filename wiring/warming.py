"""
What is done ahead: SDKs are imported and tokens fetched while the process waits for other answers.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from adapters.late import Preloading

if TYPE_CHECKING:
    from wiring.parts import Wiring


class Warming:
    """
    Prepares the parts of a wiring for what is expected next.
    """

    def __init__(self, wiring: "Wiring") -> None:
        self._wiring = wiring
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
        _ = self._wiring.ledger
        self._preloading.expect(client)
        if self._tokens is None:
            self._tokens = asyncio.create_task(self._get_tokens())

    async def finish(self) -> None:
        """
        Wait until all of it is done.
        """
        await asyncio.to_thread(self._preloading.finish)
        if self._tokens:
            await self._tokens

    async def _get_tokens(self) -> None:
        # What needs a token asks again, and meets the error.
        with suppress(Exception):
            cloud = self._wiring.settings.cloud
            await self._wiring.identity.get_token_info(cloud.arm_scope)
            await self._wiring.identity.get_token_info(cloud.event_grid_scope)
