"""
Storage queues, with the bodies of their messages encoded as host.json says.

It rests on assumption 75 of docs/fidelity.md.
"""

import base64
from contextlib import suppress
from typing import Literal

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

MessageEncoding = Literal["base64", "none"]


class StorageQueue:
    """
    One queue; the first message that is sent to it creates it.
    """

    def __init__(self, client: QueueClient, encoding: MessageEncoding) -> None:
        self.client = client
        self._encoding = encoding

    @property
    def name(self) -> str:
        """
        The queue's name.
        """
        return self.client.queue_name

    async def send(self, body: bytes) -> None:
        """
        Add a message.
        """
        await self.send_content(base64.b64encode(body).decode() if self._encoding == "base64" else body.decode())

    async def send_content(self, content: str) -> None:
        """
        Add a message whose content is encoded already.
        """
        try:
            await self.client.send_message(content)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):
                await self.client.create_queue()
            await self.client.send_message(content)

    async def receive(self, count: int, *, hidden_seconds: int) -> list[QueueMessage]:
        """
        Take at most so many messages, each with its content as it is stored, and hide them for so long.
        """
        received = self.client.receive_messages(
            messages_per_page=count, max_messages=count, visibility_timeout=hidden_seconds
        )
        return [message async for message in received]

    def body_of(self, message: QueueMessage) -> bytes:
        """
        Decode a message's content; raises ValueError.
        """
        content = str(message.content)
        if self._encoding == "none":
            return content.encode()
        # .NET skips white space, wherever it stands.
        return base64.b64decode("".join(content.split()), validate=True)


class StorageQueues:
    """
    All the queues of the app, over one client for each storage account.
    """

    def __init__(self, encoding: MessageEncoding) -> None:
        self._encoding = encoding
        self._services: dict[str, QueueServiceClient] = {}

    def queue(self, connection_string: str, name: str) -> StorageQueue:
        """
        Give the queue of that name in the account that the connection string leads to.
        """
        if connection_string not in self._services:
            # A status is not asked for twice: in a script it is what is left when .NET's SDK has tried again in vain.
            self._services[connection_string] = QueueServiceClient.from_connection_string(
                connection_string, retry_status=0, initial_backoff=0, increment_base=0, random_jitter_range=0
            )
        return StorageQueue(self._services[connection_string].get_queue_client(name), self._encoding)

    async def close(self) -> None:
        """
        Close the connections.
        """
        for service in self._services.values():
            await service.close()
