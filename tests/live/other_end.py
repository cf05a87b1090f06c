"""
The other end of the adapters, to prepare and to check, by the SDKs' own clients.
"""

import base64
import contextlib
import json
import time
from datetime import datetime
from functools import cache
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableClient
from azure.identity.aio import DefaultAzureCredential as AsyncCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.queue import QueueClient

from tests.live.description import Description
from tests.live.http import credential


class RealVault:
    """
    A vault as a person uses it; the same calls as the local cloud's `Vault` takes.
    """

    def __init__(self, place: Description) -> None:
        self.uri = place.vault
        verify = place.settings.get("ROTATION_VERIFY_VAULT_DOMAIN", "true") == "true"
        self.client = SecretClient(place.vault, credential(), verify_challenge_resource=verify)
        self._patience = place.patience
        self._deleted: set[str] = set()
        self._recovering: set[str] = set()

    def set(
        self,
        name: str,
        value: str,
        *,
        tags: dict[str, str] | None = None,
        expires_on: datetime | None = None,
        content_type: str | None = None,
        enabled: bool = True,
    ) -> str:
        """
        Make a new version of a secret and return its version.
        """
        made = self.client.set_secret(
            name, value, tags=tags, expires_on=expires_on, content_type=content_type, enabled=enabled
        )
        return str(made.properties.version)

    def delete(self, name: str, *, takes: float = 0.0) -> None:
        """
        Delete a secret; wait until that is done, unless it is meant to take its time.
        """
        self.client.begin_delete_secret(name)
        self._deleted.add(name)
        if not takes:
            self.settle()

    def recover(self, name: str, **_: float) -> None:
        """
        Begin to bring a deleted secret back.
        """
        self.client.begin_recover_deleted_secret(name)
        self._recovering.add(name)

    def settle(self) -> None:
        """
        Wait until every deletion and every recovery is done.
        """
        for name in self._deleted:
            self._until(lambda name=name: self.client.get_deleted_secret(name))
        for name in self._recovering:
            self._until(lambda name=name: self.client.get_secret(name))
        self._deleted.clear()
        self._recovering.clear()

    def _until(self, ask: Any) -> None:
        end = time.monotonic() + self._patience
        while True:
            with contextlib.suppress(ResourceNotFoundError):
                ask()
                return
            if time.monotonic() > end:
                raise TimeoutError(f"not there within {self._patience} s")
            time.sleep(1)


class Subscriber:
    """
    Who listens to the topic: a storage queue.
    """

    def __init__(self, place: Description) -> None:
        self._patience = place.patience
        if "=" in place.queue_service:
            self._queue = QueueClient.from_connection_string(place.queue_service, place.queue)
        else:
            self._queue = QueueClient(place.queue_service, place.queue, credential=credential())

    def wait_for(self, event_id: str) -> dict[str, Any]:
        """
        Return the event with this id; raise TimeoutError if it does not come.
        """
        end = time.monotonic() + self._patience
        while time.monotonic() < end:
            messages = self._queue.receive_messages(messages_per_page=32, max_messages=32, visibility_timeout=30)
            for message in messages:
                # Events of other tests were asked for by nobody: each test waits for its own as soon as it was sent.
                self._queue.delete_message(message)
                event = _decode(message.content)
                if event["id"] == event_id:
                    return event
            time.sleep(1)
        raise TimeoutError(f"no event {event_id} within {self._patience} s")


@cache
def _async_credential() -> AsyncCredential:
    # Of the Azure CLI, which has no connection to close.
    return AsyncCredential()


def table_client(place: Description, name: str, **options: Any) -> TableClient:
    """
    Return a client of a table that does not exist yet.
    """
    connection_string = place.settings.get("AzureWebJobsStorage")
    if connection_string:
        return TableClient.from_connection_string(connection_string, name, **options)
    service = place.settings["AzureWebJobsStorage__tableServiceUri"]
    return TableClient(service, name, credential=_async_credential(), **options)


def _decode(content: str) -> dict[str, Any]:
    """
    Return the event in a message, which Event Grid writes as base64.
    """
    text = content if content.lstrip().startswith("{") else base64.b64decode(content).decode()
    return dict(json.loads(text))
