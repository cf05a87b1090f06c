"""
The local cloud that is measured against: a local Azure without a Functions host, tables, and what to rotate in it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.kind import Kind
from benchmarks.rotatable import Rotatable, managed
from benchmarks.tables import TablesInMemory
from localcloud.azure.cloud import SUBSCRIPTION, LocalAzure
from localcloud.azure.request_log import LoggedRequest
from localcloud.azure.vault import Vault
from localcloud.kinds import KINDS, named
from localcloud.storage_tap import StorageTap

SUBSCRIPTIONS = (SUBSCRIPTION, *(f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "2345"))
"""Those whose targets the app may rotate."""

# What a developer's shell may hold, and would change what is measured.
_NOT_INHERITED = ("AZURE_", "ROTATION_", "PYTHON", "IDENTITY_", "MSI_", "AzureWebJobs")


class Stage:
    """
    A local cloud that runs, with its vaults. `requests` are those to every service, the tables included.
    """

    def __init__(self, azure: LocalAzure, storage: StorageTap) -> None:
        self.azure = azure
        self.requests = storage.requests = azure.requests
        self.vaults: list[Vault] = []
        self._storage = storage
        self._vault_numbers = count(1)
        self._numbers = count(1)

    @property
    def environment(self) -> dict[str, str]:
        """
        What a worker finds in its environment: the settings of our app, and what the rivals ask for.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        return {
            **inherited,
            **self.azure.environment(),
            "AzureWebJobsStorage": self._storage.connection_string,
            "ROTATION_VAULTS": ",".join(vault.uri for vault in self.vaults),
            "ROTATION_ALLOWED_SCOPES": ",".join(f"/subscriptions/{subscription}" for subscription in SUBSCRIPTIONS),
            "ROTATION_SWEEP_SCHEDULE": "0 0 3 * * *",
            "ARM_ENDPOINT": self.azure.arm_uri,
            "VAULT_URL": self.vaults[0].uri,
            # The synchronous SDKs stand on requests, which looks for its CAs there.
            "REQUESTS_CA_BUNDLE": str(self.azure.ca.bundle),
        }

    async def open_vaults(self, number: int = 1) -> None:
        """
        Make new vaults, the only ones that a worker started from now on is told of.
        """
        names = [f"kv-bench-{next(self._vault_numbers)}" for _ in range(number)]
        self.vaults = [await self.azure.add_vault(name) for name in names]

    async def add(self, kind: Kind, number: int) -> list[Rotatable]:
        """
        Make targets, each with a secret of its own that is near its expiry.
        """
        names = [f"{kind}{next(self._numbers):06d}" for _ in range(number)]
        make = named(kind).make
        return [managed(self.vaults[0], f"secret-{name}", await make(self.azure, name)) for name in names]

    def took(self, began: float, ended: float) -> list[LoggedRequest]:
        """
        Return the requests that arrived between two instants of the monotonic clock.
        """
        return [entry for entry in self.requests if began <= entry.received.monotonic <= ended]


@asynccontextmanager
async def open_stage(latency: float) -> AsyncIterator[Stage]:
    """
    Start a local cloud with one vault, in which every request takes so many seconds.
    """
    tables = TablesInMemory()
    with TemporaryDirectory(prefix="bench-") as directory:
        async with LocalAzure(KINDS, Path(directory)) as azure, StorageTap(tables, tables.answer) as storage:
            stage = Stage(azure, storage)
            azure.latency = storage.latency = latency
            await stage.open_vaults()
            yield stage
