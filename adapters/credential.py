"""
The app's identity.

It rests on assumptions 71, 93 and 94 of docs/fidelity.md.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import AzureError

from rotation.vocabulary.errors import Unavailable
from rotation.vocabulary.limits import TOKEN_WITHIN

T = TypeVar("T")


class Identity:
    """
    A credential whose failures are told apart from those of the service that a token is for.

    Without a token nothing is sent, so any failure to get one is `Unavailable`, never a refusal by ARM or Key Vault.
    Rotations that begin together wait for one token: credentials keep what they got, but ask once for each that asks.
    """

    def __init__(self, credential: Any, scope: str | None = None, *, within: float = TOKEN_WITHIN) -> None:
        self._credential = credential
        self._scope = scope
        self._within = within
        self._asking: defaultdict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)

    def for_scope(self, scope: str) -> "Identity":
        """
        Return the same identity for a client that would ask for another cloud's scope.
        """
        return Identity(self._credential, scope, within=self._within)

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """
        Return a token as azure-core's policies ask for it.
        """
        asked = self._asked(scopes)
        return await self._told(asked, lambda: self._credential.get_token(*asked, **options))

    async def get_token_info(self, *scopes: str, **options: Any) -> AccessTokenInfo:
        """
        Return a token with its refresh time as azure-core's policies ask for it.
        """
        asked = self._asked(scopes)
        return await self._told(asked, lambda: self._credential.get_token_info(*asked, **options))

    async def close(self) -> None:
        """
        Close the credential's own clients.
        """
        await self._credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """
        Stay open: clients that enter a credential would close it for all others.
        """

    async def _told(self, scopes: tuple[str, ...], ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._within), self._asking[scopes]:
                return await ask()
        except AzureError as error:
            kind = type(error).__name__
        except TimeoutError:
            # azure-identity obeys a Retry-After however long it is.
            kind = f"none within {self._within} seconds"
        # Raised out here, so that the original does not travel along as its context: it holds the response.
        raise Unavailable(f"no token from the identity endpoint ({kind})")

    def _asked(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        return (self._scope,) if self._scope else scopes


def managed_identity(client_id: str | None, transport: Any) -> Identity:
    """
    Return the identity that Azure gives to the app: user-assigned with a client id, system-assigned without.

    It is asked directly; a chain of credentials would probe for others first, at every cold start.
    """
    from azure.identity.aio import ManagedIdentityCredential  # noqa: PLC0415 - costs 0.2 s

    return Identity(ManagedIdentityCredential(client_id=client_id, transport=transport))


def developer_identity(authority: str) -> Identity:
    """
    Return the identity that a developer is signed in with: environment, command line tools, and so on.
    """
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - as above

    return Identity(DefaultAzureCredential(authority=authority))
