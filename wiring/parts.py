"""
What everything is made of, each part on its first use.

An import of the function app costs little because nothing here imports an SDK before it is needed; azure-mgmt-web alone
takes half a second and 42 MB.

It rests on assumptions 71, 80 and 94 of docs/fidelity.md.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from wiring.authentication import Authentication, is_sign_in_on, read_authentication
from wiring.tokens_ahead import TokensAhead

if TYPE_CHECKING:
    from adapters.arm import ResourceManager
    from adapters.credential import Identity
    from adapters.history import TableHistory
    from adapters.inventory import TableInventory
    from adapters.key_vault import KeyVaults
    from adapters.ledger import TableLedger
    from adapters.table import Table
    from adapters.telemetry import Telemetry
    from adapters.throttling import Throttling
    from adapters.transport import SharedTransport
    from rotation.overview.sharing import Sharing
    from rotation.ports.announcer import Announcer
    from rotation.ports.world import World
    from rotation.run.rotator import Rotator
    from wiring.health import HealthCheck
    from wiring.kinds import KnownKinds
    from wiring.settings import Settings


class Wiring:
    """
    One of everything, for one process.

    Every part raises `SettingsError` when it is first asked for and a setting is missing or malformed.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.tokens_ahead = TokensAhead(self._get_tokens)

    @cached_property
    def settings(self) -> "Settings":
        from wiring.settings import read_settings

        return read_settings(self._environment)

    @cached_property
    def authentication(self) -> Authentication:
        """
        Who may call the HTTP API, whatever stands in the other settings.
        """
        return read_authentication(self._environment)

    @cached_property
    def lacks_sign_in(self) -> bool:
        """
        Whether App Service, which is to say who calls, does not.
        """
        return self.authentication is Authentication.ENTRA and not is_sign_in_on(self._environment)

    @cached_property
    def rotator(self) -> "Rotator":
        from rotation.run.rotator import Rotator

        return Rotator(self.world)

    @cached_property
    def world(self) -> "World":
        from adapters.clock import SystemClock
        from adapters.concurrency import gather
        from rotation.ports.world import World

        return World(
            vaults=self.vaults,
            providers=self.providers,
            ledger=self.ledger,
            inventory=self.inventory,
            announcer=self.announcer,
            scopes=self.settings.scopes,
            clock=SystemClock(),
            gather=gather,
            lead=self.settings.lead,
            grace=self.settings.grace,
            observes=self.settings.observes,
        )

    @cached_property
    def providers(self) -> "KnownKinds":
        from providers import KINDS
        from wiring.kinds import KnownKinds

        return KnownKinds(
            KINDS,
            arm=lambda: self.arm,
            transport=lambda: self.transport,
            suffixes=self.settings.suffixes_of,
            prepare=self.tokens_ahead.begin,
        )

    @cached_property
    def arm(self) -> "ResourceManager":
        from adapters.arm import ResourceManager

        settings = self.settings
        return ResourceManager(
            self.identity, settings.arm_endpoint, settings.cloud.arm_scope, self.transport, self.throttling
        )

    @cached_property
    def throttling(self) -> "Throttling":
        from adapters.clock import SystemClock
        from adapters.throttling import Throttling

        return Throttling(SystemClock())

    @cached_property
    def vaults(self) -> "KeyVaults":
        from adapters.key_vault import KeyVaults

        return KeyVaults(
            self.identity,
            self.settings.vaults,
            self.transport,
            f"https://{self.settings.cloud.vault_domain}/.default",
        )

    @cached_property
    def ledger(self) -> "TableLedger":
        from adapters.ledger import TableLedger

        return TableLedger(self.table)

    @cached_property
    def history(self) -> "TableHistory":
        from adapters.history import TableHistory

        return TableHistory(self.table)

    @cached_property
    def inventory(self) -> "TableInventory":
        from adapters.inventory import TableInventory

        return TableInventory(self.table)

    @cached_property
    def table(self) -> "Table":
        from adapters.table import open_table

        storage = self.settings.storage
        credential = None if storage.connection_string else self._identity_of(storage.client_id)
        return open_table(storage.connection_string, storage.table_service_uri, credential, self.transport)

    @cached_property
    def announcer(self) -> "Announcer":
        from adapters.announcer import EventGridTopic

        cloud = self.settings.cloud
        return EventGridTopic(self.identity, self.settings.topic_endpoint, cloud.event_grid_scope, self.transport)

    @cached_property
    def sharing(self) -> "Sharing":
        """
        What the pages of one list have in common.
        """
        from rotation.overview.sharing import Sharing

        return Sharing(self.ledger, self.world.clock)

    @cached_property
    def health(self) -> "HealthCheck":
        """
        Whether the app could rotate a key right now.
        """
        from wiring.health import check_of

        return check_of(
            ledger=self.ledger,
            inventory=self.inventory,
            vaults=self.vaults,
            identity=self.identity,
            arm_scope=self.settings.cloud.arm_scope,
            sweep_schedule=self._environment.get("ROTATION_SWEEP_SCHEDULE", ""),
            observes=self.settings.observes,
            lacks_sign_in=self.lacks_sign_in,
        )

    @cached_property
    def telemetry(self) -> "Telemetry":
        """
        What makes metrics of the log lines, once it is attached to them.
        """
        from adapters.telemetry import telemetry

        return telemetry(self._environment)

    @cached_property
    def identity(self) -> "Identity":
        return self._identity_of(self.settings.client_id)

    @cached_property
    def transport(self) -> "SharedTransport":
        from adapters.transport import SharedTransport

        # azure-core logs the headers and the address of every request at INFO.
        logging.getLogger("azure").setLevel(logging.WARNING)
        return SharedTransport()

    async def _get_tokens(self) -> None:
        await self.identity.get_token_info(self.settings.cloud.arm_scope)
        await self.identity.get_token_info(self.settings.cloud.event_grid_scope)

    async def close(self) -> None:
        """
        Close all connections.
        """
        await self.tokens_ahead.finish()
        if "telemetry" in self.__dict__:
            await asyncio.to_thread(self.telemetry.close)
        if "identity" in self.__dict__:
            await self.identity.close()
        if "transport" in self.__dict__:
            await self.transport.shut()

    def _identity_of(self, client_id: str | None) -> "Identity":
        from adapters.credential import developer_identity, managed_identity

        settings = self.settings
        if settings.in_azure:
            return managed_identity(client_id, self.transport)
        return developer_identity(settings.cloud.authority)
