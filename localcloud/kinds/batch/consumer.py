"""
A client of the Batch service: the official one.

It rests on assumption 27 of docs/fidelity.md.
"""

from datetime import UTC, datetime

import aiohttp
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport

from localcloud.consumers import failure_of


class BatchConsumer:
    """
    Lists the pools of a Batch account, with one client for each version of the key.
    """

    client = "azure-batch"
    service = "the Batch service"

    def __init__(self, arm_id: str, name: str, endpoint: str) -> None:
        self.target = arm_id
        self._name = name
        self._endpoint = endpoint
        self._clients: dict[str, BatchClient] = {}

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        if version not in self._clients:
            credential = AzureNamedKeyCredential(self._name, value)
            transport = AioHttpTransport(session=session, session_owner=False)
            self._clients[version] = BatchClient(self._endpoint, credential, transport=transport)
        try:
            # azure-batch dates a request with utcnow(), which Python 3.12 and later warn about: it takes ours instead.
            async for _ in self._clients[version].list_pools(ocp_date=datetime.now(UTC)):
                pass
        except AzureError as error:
            raise failure_of(error) from None

    async def forget(self, version: str) -> None:
        if client := self._clients.pop(version, None):
            await client.close()
