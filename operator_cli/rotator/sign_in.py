"""
Bearer tokens of Microsoft Entra, for an app that is behind its sign-in.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import httpx

from rotator.errors import NotAdmitted

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken  # noqa: TID251 - as below

_SPARE = 300  # seconds that a token must be valid yet


class EntraSignIn(httpx.Auth):
    """
    The identity that is signed in on this machine: environment, workload identity, managed identity, `az login`.
    """

    def __init__(self, audience: str) -> None:
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415, TID251 - half a second, for few

        # It logs at length what its error says as well.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        self._credential = DefaultAzureCredential()
        self._audience = audience
        self._asking = asyncio.Lock()
        self._granted: AccessToken | None = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """
        Put a token that is valid now on the request.

        Raises `NotAdmitted`.
        """
        request.headers["Authorization"] = f"Bearer {await self._token()}"
        yield request

    async def close(self) -> None:
        """
        Let go of the credential's connections.
        """
        await self._credential.close()

    async def _token(self) -> str:
        """
        Return a token, asked for once however many requests there are: `az` keeps none, and takes a second for each.
        """
        async with self._asking:
            if self._granted is None or self._granted.expires_on - time.time() < _SPARE:
                self._granted = await self._ask()
            return self._granted.token

    async def _ask(self) -> "AccessToken":
        from azure.core.exceptions import AzureError  # noqa: PLC0415, TID251 - as above

        try:
            return await self._credential.get_token(f"{self._audience}/.default")
        except AzureError as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise NotAdmitted(
                f"there is no token for {self._audience}: {first}",
                "sign in with `az login`, and check that --audience is the one that the app's sign-in accepts",
            ) from None
