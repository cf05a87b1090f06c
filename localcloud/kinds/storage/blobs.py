"""
The blobs of all Storage accounts: the real Azurite, which checks the signature of every request that is passed on.

It rests on assumptions 92 and 115 of docs/fidelity.md.
"""

import asyncio

import aiohttp
from aiohttp import web

from localcloud.azure.access_keys import make_key
from localcloud.azure.arm import LOCATION
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.forwarding import client_of_azurite, forward
from localcloud.kinds.storage.accounts import StorageAccount

REGION = f"/providers/Microsoft.Storage/locations/{LOCATION}"
# Azurite knows no account without a key: this one is for an account none of whose keys works.
_NOBODYS_KEY = make_key()
_ERROR_CODE = "x-ms-error-code"
_AZURITES_CODE, _AZURES_CODE = "AuthorizationFailure", "AuthenticationFailed"


class Blobs:
    """
    The part of the data plane that a client needs to prove that its key works.

    Azurite has, at each request, the keys that work at that moment.
    """

    def __init__(self, azure: LocalAzure, uri: str) -> None:
        self.uri = uri
        self.accounts: dict[str, StorageAccount] = {}
        """By name, which is unique in Azure."""
        self._azure = azure
        self._client: aiohttp.ClientSession | None = None
        self._telling = asyncio.Lock()

    def operations(self) -> list[Operation]:
        """
        Return a cheap read: no account here has a container.
        """
        return [Operation("Blobs.ListContainers", "GET", "/{account}/", self._pass_on)]

    def admit(self, call: Call) -> None:
        """
        Admit every caller to Azurite, but to an account that there is not, or that allows no keys.
        """
        account = self.accounts.get(call.names["account"])
        if account is None:
            raise Refusal(404, "ResourceNotFound", "The specified resource does not exist.")
        call.entry.target = account.arm_id
        if account.allows_shared_key is False:
            raise Refusal(
                403,
                "KeyBasedAuthenticationNotPermitted",
                "Key based authentication is not permitted on this storage account.",
                headers={_ERROR_CODE: "KeyBasedAuthenticationNotPermitted"},
            )

    async def _pass_on(self, call: Call) -> web.Response:
        async with self._telling:
            if self._client is None:
                self._client = await self._azure.open_part(client_of_azurite())
            azurite = await self._azure.azurite()
            keys = {name: account.keys.accepted() or (_NOBODYS_KEY,) for name, account in self.accounts.items()}
            await azurite.give(keys)
        answer = await forward(self._client, call.request, azurite.blobs, call.body)
        return _as_azure_says(answer)


def _as_azure_says(answer: web.Response) -> web.Response:
    """
    Return Azurite's answer with Azure's code for a wrong key: what Azurite says, Azure says about its firewall.
    """
    if answer.headers.get(_ERROR_CODE) == _AZURITES_CODE and isinstance(answer.body, bytes):
        answer.headers[_ERROR_CODE] = _AZURES_CODE
        answer.body = answer.body.replace(_code(_AZURITES_CODE), _code(_AZURES_CODE))
    return answer


def _code(code: str) -> bytes:
    return f"<Code>{code}</Code>".encode()
