"""
The local cloud that is measured against, what there is to rotate in it, and apps that run in processes of their own.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

import msgspec

from benchmarks.apps import SAMPLE, App
from benchmarks.limit import LATENCY
from benchmarks.tables import TablesInMemory
from localcloud.azure.access_keys import KeyName
from localcloud.azure.cloud import SUBSCRIPTION, LocalAzure
from localcloud.azure.request_log import LoggedRequest
from localcloud.azure.vault import Vault
from localcloud.azurite import REPOSITORY
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind, Resource
from localcloud.storage_tap import StorageTap

SUBSCRIPTIONS = (SUBSCRIPTION, *(f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "2345"))
"""Those whose targets the app may rotate."""

_NEAR_EXPIRY = timedelta(days=20)
# What a developer's shell may hold, and would change what is measured.
_NOT_INHERITED = ("AZURE_", "ROTATION_", "PYTHON", "IDENTITY_", "MSI_", "AzureWebJobs")


Rotation = tuple[float, float, int]
"""When the event of a rotation was delivered, when all was done, and the memory of the process then, in bytes."""


class FailedError(Exception):
    """
    A process ended with an error, or has not done what it was measured for.
    """


class Run(msgspec.Struct):
    """
    What a process wrote down. A mark is an instant of the monotonic clock, and the CPU seconds used up by then.
    """

    marks: Mapping[str, tuple[float, float]]
    peak: int
    rotations: Sequence[Rotation] = ()
    due: int = 0
    spawned: float = 0.0

    def seconds_to(self, mark: str) -> float:
        """
        Return how long after the start of its process it came so far.
        """
        return self.marks[mark][0] - self.spawned

    @property
    def cpu_of_one(self) -> float:
        """
        CPU seconds of a rotation, on average of all after the first, which warms the process up.
        """
        return (self.marks["all"][1] - self.marks["first"][1]) / (len(self.rotations) - 1)


class Managed(NamedTuple):
    """
    A secret that holds a key of a target.
    """

    vault: Vault
    secret: str
    resource: Resource

    @property
    def alternate(self) -> KeyName:
        """
        The key that its next rotation regenerates.
        """
        return "Primary" if self.vault.current(self.secret).tags["CredentialId"] == "Secondary" else "Secondary"


def manage(vault: Vault, secret: str, resource: Resource, *, expires_in: timedelta = _NEAR_EXPIRY) -> Managed:
    """
    Put a target's primary key into a managed secret.
    """
    tags = {"ProviderAddress": resource.address, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
    expires_on = datetime.now(UTC).replace(microsecond=0) + expires_in
    vault.set(secret, resource.value("Primary"), tags=tags, expires_on=expires_on)
    return Managed(vault, secret, resource)


class Stage:
    """
    A local cloud that runs, with its vaults. `requests` are those to every service, the tables included.
    """

    def __init__(self, azure: LocalAzure, tables: TablesInMemory, storage: StorageTap) -> None:
        self.azure = azure
        self.vaults: list[Vault] = []
        self.requests = storage.requests = azure.requests
        self._tables = tables
        self._storage = storage
        self._numbers = count(1)
        self.slow_down()

    def slow_down(self, latency: float = LATENCY) -> None:
        """
        Let every request take so many seconds at least.
        """
        self.azure.latency = self._storage.latency = latency

    async def clear(self, vaults: int = 1) -> None:
        """
        Make new vaults, the only ones that an app started from now on knows, and forget all rows and requests.
        """
        self.vaults = [await self.azure.add_vault(f"kv-bench-{next(self._numbers)}") for _ in range(vaults)]
        self._tables.clear()
        self.requests.clear()

    async def add(self, kind: LocalKind, number: int) -> list[Managed]:
        """
        Make targets, each with a secret of its own that is near its expiry.
        """
        names = [f"{kind.name}{next(self._numbers):06d}" for _ in range(number)]
        return [manage(self.vaults[0], f"secret-{name}", await kind.make(self.azure, name)) for name in names]

    async def rotate(self, app: App, secrets: Sequence[Managed], *, at_a_time: int = 1) -> Run:
        """
        Let an app rotate secrets. Raises `FailedError`, also if one of them is not rotated.
        """
        due = [(managed, managed.alternate, managed.resource.value(managed.alternate)) for managed in secrets]
        run = await self.measure(app, [_event(app, managed, key) for managed, key, _ in due], at_a_time=at_a_time)
        for (vault, secret, resource), key, former in due:
            current = vault.current(secret)
            if resource.value(key) == former:
                raise FailedError(f"{app.name}: the {key} key of {resource.arm_id} is still the old one")
            if app != SAMPLE and (current.value, current.tags["CredentialId"]) != (resource.value(key), key):
                raise FailedError(f"{app.name}: secret {secret} does not hold the new {key} key")
        return run

    async def measure(self, app: App, events: Sequence[object] = (), *, at_a_time: int = 1) -> Run:
        """
        Run an app in a fresh process: rotations, without events a sweep, and without an app an import.

        Raises `FailedError`.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        spawned = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.worker", str(app.folder), app.module, app.variable),
            cwd=REPOSITORY,
            env=inherited | self._settings() | dict(app.settings),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        written, complaints = await process.communicate(msgspec.json.encode([events, at_a_time]))
        if process.returncode:
            raise FailedError(f"{app.name} ended with {process.returncode}:\n{complaints.decode(errors='replace')}")
        run = msgspec.json.decode(written, type=Run)
        run.spawned = spawned
        return run

    def _settings(self) -> dict[str, str]:
        return self.azure.environment() | {
            "AzureWebJobsStorage": self._storage.connection_string,
            "ROTATION_VAULTS": ",".join(vault.uri for vault in self.vaults),
            "ROTATION_ALLOWED_SCOPES": ",".join(f"/subscriptions/{subscription}" for subscription in SUBSCRIPTIONS),
            "ROTATION_SWEEP_SCHEDULE": "0 0 3 * * *",
            # What the rivals ask for. The synchronous SDKs stand on requests, which looks for its CAs there.
            "ARM_ENDPOINT": self.azure.arm_uri,
            "VAULT_URL": self.vaults[0].uri,
            "REQUESTS_CA_BUNDLE": str(self.azure.ca.bundle),
        }

    def took(self, rotation: Rotation) -> Sequence[LoggedRequest]:
        """
        Return the requests that arrived during a rotation.
        """
        return [entry for entry in self.requests if rotation[0] <= entry.received.monotonic <= rotation[1]]


def _event(app: App, managed: Managed, key: KeyName) -> object:
    event = managed.vault.event(managed.secret, "SecretNearExpiry")
    # The sample does not read the secret, which says what to regenerate.
    data = {"target": managed.resource.address, "key": key} if app == SAMPLE else event.data
    (payload,) = cast("Sequence[object]", replace(event, data=data).in_schema("EventGridSchema"))
    return payload


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """
    Start a local cloud with one vault.
    """
    with TemporaryDirectory(prefix="bench-") as folder, closing(TablesInMemory()) as tables:
        async with LocalAzure(KINDS, Path(folder)) as azure, StorageTap(tables, tables.answer) as storage:
            stage = Stage(azure, tables, storage)
            await stage.clear()
            yield stage
