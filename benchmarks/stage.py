"""
The local cloud that is measured against: a local Azure without a Functions host, tables, and what to rotate in it.
"""

import os
from collections.abc import Iterable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.kind import Kind
from benchmarks.rotatable import Rotatable, managed
from benchmarks.tables import TablesInMemory
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.request_log import LoggedRequest
from localcloud.kinds import KINDS
from localcloud.storage_tap import StorageTap

# What a developer's shell may hold, and would change what is measured.
_NOT_INHERITED = ("AZURE_", "ROTATION_", "PYTHON", "IDENTITY_", "MSI_", "AzureWebJobs")


class Stage:
    """
    A local cloud for `async with`, in which every request takes `latency` seconds.
    """

    def __init__(self, directory: Path, *, latency: float) -> None:
        self._directory = directory
        self._latency = latency
        self._numbers = count(1)
        self._opened = 0
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            self.azure = await starting.enter_async_context(LocalAzure(KINDS, self._directory))
            tables = TablesInMemory()
            self.storage = await starting.enter_async_context(StorageTap(tables, tables.answer))
            # Every request to every service, the tables included.
            self.requests = self.storage.requests = self.azure.requests
            self.azure.latency = self.storage.latency = self._latency
            await self.open_vaults()
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    @property
    def environment(self) -> dict[str, str]:
        """
        What a worker finds in its environment: the settings of our app, and what the rivals ask for.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        return {
            **inherited,
            **self.azure.environment(),
            "AzureWebJobsStorage": self.storage.connection_string,
            "ROTATION_VAULTS": ",".join(vault.uri for vault in self.vaults),
            "ROTATION_ALLOWED_SCOPES": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}",
            "ROTATION_SWEEP_SCHEDULE": "0 0 3 * * *",
            "ARM_ENDPOINT": self.azure.arm_uri,
            "VAULT_URL": self.vaults[0].uri,
            # The synchronous SDKs stand on requests, which looks for its CAs there.
            "REQUESTS_CA_BUNDLE": str(self.azure.ca.bundle),
        }

    async def open_vaults(self, count: int = 1) -> None:
        """
        Make new vaults, the only ones that a worker started from now on is told of.
        """
        first = self._opened + 1
        self._opened += count
        self.vaults = [await self.azure.add_vault(f"kv-bench-{first + number}") for number in range(count)]

    async def add(self, kind: Kind, count: int) -> list[Rotatable]:
        """
        Make targets, each with a secret of its own that is near its expiry.
        """
        names = [f"{kind}{next(self._numbers):06d}" for _ in range(count)]
        return [managed(self.vaults[0], f"secret-{name}", await kind.local.make(self.azure, name)) for name in names]

    def took(self, began: float, ended: float) -> list[LoggedRequest]:
        """
        Return the requests that arrived between two instants of the monotonic clock.
        """
        return [entry for entry in self.requests if began <= entry.received.monotonic <= ended]


def again(rotated: Iterable[Rotatable]) -> list[Rotatable]:
    """
    Return the next rotations of secrets that have been rotated.
    """
    return [rotatable.next() for rotatable in rotated]
