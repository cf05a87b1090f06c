"""
The local cloud: a local Azure, Azurite, and the app in a local Functions host, as one.

It rests on assumption 82 of docs/fidelity.md.
"""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.storage.queue.aio import QueueServiceClient

from localcloud.azure.arm import group_id
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.control_plane.site import FunctionSite
from localcloud.azure.event import Schema
from localcloud.azure.event_subscription import EventSubscription
from localcloud.azure.site_authentication import Authentication, as_deployed
from localcloud.azure.vault import Vault
from localcloud.azurite import REPOSITORY, Azurite
from localcloud.functions_host.process import FunctionsHost
from localcloud.functions_host.sign_in import KEY, SETTINGS
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind, Resource
from localcloud.running import Running
from localcloud.storage_tap import StorageTap

SITE = f"{group_id(SUBSCRIPTION, RESOURCE_GROUP)}/providers/Microsoft.Web/sites/rotator"
"""The Function App in Azure Resource Manager."""

QUEUES = ("rotations", "rotations-poison")
"""What infra/modules/storage.bicep declares: nobody creates a queue by listening to it."""

MAX_POLLING_INTERVAL = "AzureFunctionsJobHost__extensions__queues__maxPollingInterval"
OFTEN = "00:00:00.2"
"""How often an idle instance looks for messages where somebody waits for it."""

_IMPATIENT = {
    MAX_POLLING_INTERVAL: OFTEN,
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
}


class LocalCloud(Running):
    """
    Everything the app needs, and the app, for `async with`.

    `vaults` are those that the app is set up for, `vault` the first of them. Only settings tell the app that this is
    not Azure; `settings` adds to them. Where it `is_impatient`, as for tests, which report no latency, an idle instance
    looks for messages more often than host.json says, and a message whose run has failed comes back sooner. With
    `ROTATION_AUTHENTICATION=entra` among the settings callers have to sign in, as where infra/ sets it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        ca: CertificateAuthority | None = None,
        app: Path = REPOSITORY,
        vault_names: Sequence[str] = ("kv-local",),
        is_impatient: bool = False,
        **settings: str,
    ) -> None:
        self._directory = directory
        self._more_settings = (_IMPATIENT if is_impatient else {}) | settings
        self._vault_names = vault_names
        self.vaults: list[Vault] = []
        self.app = app
        signs_in = self._more_settings.get("ROTATION_AUTHENTICATION", "").lower() == "entra"
        self.authentication = as_deployed() if signs_in else Authentication()
        self._ca = ca

    async def _start(self, running: AsyncExitStack) -> None:
        azure = LocalAzure(KINDS, self._directory, ca=self._ca, client_id=self._more_settings.get("AZURE_CLIENT_ID"))
        self.azure = await running.enter_async_context(azure)
        azurite = await self.azure.azurite()
        await _create_queues(azurite)
        self.storage = await running.enter_async_context(StorageTap(azurite))
        self.vaults = [await self.azure.add_vault(name) for name in self._vault_names]
        self.vault = self.vaults[0]
        self.log = self._directory / "functions-host.log"
        self.host = await running.enter_async_context(self.new_host())
        self.site = FunctionSite(SITE, self.azure.identity, lambda: self.host, replace(self.authentication))
        self.azure.inventory.add(SITE, self.site)

    @property
    def settings(self) -> dict[str, str]:
        """
        What the app is told.
        """
        return self.azure.environment() | {
            "AzureWebJobsStorage": self.storage.connection_string,
            "ROTATION_VAULTS": ",".join(vault.uri for vault in self.vaults),
            "ROTATION_SWEEP_SCHEDULE": "0 0 3 * * *",
            "ROTATION_ALLOWED_SCOPES": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}",
            **self._sign_in,
            **self._more_settings,
        }

    @property
    def _sign_in(self) -> dict[str, str]:
        """
        What App Service sets where callers have to sign in, and what its stand-in has to know.
        """
        if not self.authentication.is_enabled:
            return {}
        configured = json.dumps(self.authentication.properties)
        return {"WEBSITE_AUTH_ENABLED": "True", SETTINGS: configured, KEY: self.azure.identity.signing_key}

    def new_host(self) -> FunctionsHost:
        """
        Return one more host with the app, yet to be entered: another instance, or the next after a crash.
        """
        return FunctionsHost(app=self.app, environment=self.settings, log=self.log)

    async def add_secret(self, kind: LocalKind, name: str, secret: str, **tags: str) -> Resource:
        """
        Make a target of a kind, and a secret that holds its primary key and is near its expiry.
        """
        made = await kind.make(self.azure, name)
        self.put_secret(secret, made.value("Primary"), made.address, **tags)
        return made

    def put_secret(self, secret: str, value: str, target: str, **tags: str) -> str:
        """
        Make a version of a managed secret that expires in 20 days; return the version.
        """
        managed = {"ProviderAddress": target, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
        expires_on = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
        return self.vault.set(secret, value, tags=managed | tags, expires_on=expires_on)

    async def subscribe(self, schema: Schema = "EventGridSchema") -> EventSubscription:
        """
        Let the vault's events reach the app's webhook from now on, handshake included.
        """
        return await self.vault.subscribe(self.host.webhook_url("on_secret_event"), schema=schema, is_function=True)


async def _create_queues(azurite: Azurite) -> None:
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        for name in QUEUES:
            await service.create_queue(name)
