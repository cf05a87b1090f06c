"""
Another door to a vault, through which witnesses come: what goes wrong at the front is meant for the app.
"""

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.endpoint import Address, Endpoint
from localcloud.azure.instruments import Instruments
from localcloud.azure.key_vault_service import DIALECT, KeyVaultService
from localcloud.azure.vault import Vault


@asynccontextmanager
async def back_door(azure: LocalAzure, vault: Vault) -> AsyncIterator[Vault]:
    """
    Yield the same vault at an address of its own, where no fault happens and nothing is logged.
    """
    address = Address()
    service = KeyVaultService(vault, azure.identity, azure.roles)
    endpoint = Endpoint(
        "vault",
        service.operations(),
        instruments=Instruments(),
        tls=azure.ca.server_context,
        admit=service.admit,
        address=address,
        dialect=DIALECT,
    )
    door = copy.copy(vault)
    door.uri = address.uri
    async with endpoint:
        yield door
