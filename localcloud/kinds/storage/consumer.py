"""
A client of blobs: the official one.
"""

import aiohttp
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from localcloud.consumers import CallFailed, failure_of


class BlobConsumer:
    """
    Lists the containers of an account by its connection string, with one client for each version of that.
    """

    client = "azure-storage-blob"
    service = "Azurite"

    def __init__(self, arm_id: str) -> None:
        self.target = arm_id
        self._clients: dict[str, BlobServiceClient] = {}

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        try:
            if version not in self._clients:
                transport = AioHttpTransport(session=session, session_owner=False)
                self._clients[version] = BlobServiceClient.from_connection_string(
                    value, transport=transport, retry_total=0
                )
            async for _ in self._clients[version].list_containers():
                pass
        except ValueError:
            raise CallFailed("NotAConnectionString") from None
        except AzureError as error:
            raise failure_of(error) from None

    async def forget(self, version: str) -> None:
        if client := self._clients.pop(version, None):
            await client.close()
