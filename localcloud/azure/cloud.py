"""
The local Azure as a whole: start it, fill it, watch it, disturb it.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Protocol, TypeVar, cast

from localcloud.azure import control_plane, identity
from localcloud.azure.access_keys import AccessKeys
from localcloud.azure.arm import Inventory, Managed, admit_to_arm, arm_dialect, group_id
from localcloud.azure.arm_rights import authorize
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.azure.control_plane.plane import ControlPlane
from localcloud.azure.courier import Courier
from localcloud.azure.custom_topic import PUBLISH_PATH, CustomTopic
from localcloud.azure.dialect import Dialect
from localcloud.azure.endpoint import HOST, Address, Endpoint
from localcloud.azure.identity import ARM, TOKEN_PATH, Identity
from localcloud.azure.instruments import Instruments
from localcloud.azure.key_vault_service import DIALECT as KEY_VAULT_DIALECT
from localcloud.azure.key_vault_service import KeyVaultService
from localcloud.azure.known_roles import rotation_role, usual_roles
from localcloud.azure.operation import Call, Operation
from localcloud.azure.principal import OPERATOR, Principal
from localcloud.azure.throttling import Throttle
from localcloud.azure.vault import Vault
from localcloud.azurite import Azurite
from localcloud.azurites import an_azurite
from localcloud.running import Running

Part = TypeVar("Part")
Plane = TypeVar("Plane", bound="DataPlane")

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
RESOURCE_GROUP = "rg-local"

# How many times as fast as Azure's Event Grid this one waits between attempts: 10 s become 50 ms, a day 7 minutes.
# LOCAL_EVENT_GRID_SPEED says otherwise.
_EVENT_GRID_SPEED = 200


class DataPlane(Protocol):
    """
    What answers for resources themselves, beside ARM, which manages them.
    """

    def operations(self) -> Sequence[Operation]:
        """
        Return what it can be asked.
        """

    def admit(self, call: Call) -> None:
        """
        Check whether a caller may ask. Raises `Refusal`.
        """


class LocalAzure(Instruments, Running):
    """
    An Azure on this machine, with these kinds of resource in ARM, while its context is open.

    `directory` takes the CA's bundle; hand in `ca` where one was made before aiohttp was imported. With `client_id` the
    managed identity is a user-assigned one.
    """

    def __init__(
        self,
        kinds: Sequence[Managed],
        directory: Path | None = None,
        *,
        ca: CertificateAuthority | None = None,
        client_id: str | None = None,
    ) -> None:
        if ca is None:
            if directory is None:
                raise ValueError("give a directory for the CA's bundle, or a CA")
            ca = CertificateAuthority(directory)
        super().__init__()
        self.ca = ca
        self._services = AsyncExitStack()
        self._courier = Courier(
            ca.client_context, speed=float(os.environ.get("LOCAL_EVENT_GRID_SPEED", _EVENT_GRID_SPEED))
        )
        self._kinds = kinds
        self.inventory = Inventory()
        self._throttle = Throttle()
        self._azurite: Azurite | None = None
        self._starts_azurite = asyncio.Lock()

        self.identity = Identity(client_id)
        self._identity_address = self.reserve()
        self._arm_address = self.reserve()
        self._topic_address = self.reserve()
        topic_id = f"{group_id(SUBSCRIPTION, RESOURCE_GROUP)}/providers/Microsoft.EventGrid/topics/rotations"
        self.topic = CustomTopic(topic_id, self.topic_uri, self._courier)
        self.inventory.add(topic_id, self.topic)

        self.rotation_role = rotation_role(action for kind in kinds for action in kind.actions)
        self.roles = usual_roles(self.identity.principal, self.rotation_role)
        self.control_plane = ControlPlane(self.inventory, self.identity, self.roles)

    @property
    def operator(self) -> Principal:
        """
        The person who looks after this Azure.
        """
        return OPERATOR

    @property
    def events(self) -> list[ReceivedEvent]:
        """
        What was published to the custom topic, in the order of arrival, duplicates included.
        """
        return self.topic.events

    @property
    def arm_uri(self) -> str:
        """
        The `base_url` of a management client.
        """
        return self._arm_address.uri

    @property
    def topic_uri(self) -> str:
        """
        The `endpoint` of an EventGridPublisherClient.
        """
        return self._topic_address.uri + PUBLISH_PATH

    def throttle_arm(self, *, bucket: int, per_second: float) -> None:
        """
        Let Azure Resource Manager take so many reads and so many writes of a subscription, and that many more a second.

        The buckets are full again from now on.
        """
        self._throttle.limit(bucket=bucket, per_second=per_second)

    def environment(self) -> dict[str, str]:
        """
        Return the settings that make an app, and the SDKs in it, use this Azure.
        """
        settings = {
            "IDENTITY_ENDPOINT": self._identity_address.uri + TOKEN_PATH,
            "IDENTITY_HEADER": self.identity.header,
            "SSL_CERT_FILE": str(self.ca.bundle),
            "ROTATION_ARM_ENDPOINT": self.arm_uri,
            "ROTATION_TOPIC_ENDPOINT": self.topic_uri,
            "ROTATION_VERIFY_VAULT_DOMAIN": "false",
            "ROTATION_DATA_PLANE_SUFFIXES": HOST,
            # Rotations follow one another within seconds here, and clients read every new version.
            "ROTATION_GRACE_HOURS": "0",
        }
        if self.identity.client_id:
            settings["AZURE_CLIENT_ID"] = self.identity.client_id
        return settings

    def operator_environment(self) -> dict[str, str]:
        """
        Return the variables with which a command line is signed in to this Azure as its operator.
        """
        return {
            "IDENTITY_ENDPOINT": self._identity_address.uri + TOKEN_PATH,
            "IDENTITY_HEADER": self.identity.operator_header,
            "SSL_CERT_FILE": str(self.ca.bundle),
            "KEY_ROTATOR_ARM_ENDPOINT": self.arm_uri,
        }

    async def add_vault(
        self,
        name: str,
        *,
        subscription: str = SUBSCRIPTION,
        resource_group: str = RESOURCE_GROUP,
        transition: float = 0.0,
    ) -> Vault:
        """
        Create a vault on a port of its own, in which deleting and recovering take `transition` seconds.
        """
        arm_id = f"{group_id(subscription, resource_group)}/providers/Microsoft.KeyVault/vaults/{name}"
        address = self.reserve()
        vault = Vault(name, arm_id, address.uri, self._courier)
        vault.transition = transition
        self.inventory.add(arm_id, vault)
        service = KeyVaultService(vault, self.identity, self.roles)
        await self.open("vault", service.operations(), service.admit, address, KEY_VAULT_DIALECT)
        return vault

    def access_keys(self, owner: str, make: Callable[[], str]) -> AccessKeys:
        """
        Return the keys of a resource whose data plane accepts a regenerated one when `settling` says.
        """
        return AccessKeys(owner, self.key_history, make, lambda: self.settling())  # noqa: PLW0108 - It may be replaced.

    async def data_plane(
        self, service: str, arm_id: str, make: Callable[[str], Plane], dialect: Dialect | None = None
    ) -> Plane:
        """
        Return the data plane at this id in ARM. `make` takes its URI, on a port of its own, if there is none yet.
        """
        plane = cast("Plane | None", self.inventory.get(arm_id, object))
        if plane is None:
            address = self.reserve()
            plane = make(address.uri)
            self.inventory.add(arm_id, plane)
            await self.open(service, plane.operations(), plane.admit, address, dialect)
        return plane

    async def _start(self, running: AsyncExitStack) -> None:
        await running.enter_async_context(self._services)
        running.callback(self.faults.clear)
        await self._services.enter_async_context(self._courier)
        self._services.push_async_callback(self.topic.close)
        sign_in = self.identity
        await self.open(
            "identity", sign_in.operations(), sign_in.admit, self._identity_address, Dialect(identity.explain)
        )
        managed = [operation for kind in self._kinds for operation in kind.operations(self.inventory)]
        managed += control_plane.operations(self.control_plane)
        admit = admit_to_arm(sign_in.require(ARM), authorize(sign_in, self.roles), self._throttle)
        await self.open("arm", managed, admit, self._arm_address, arm_dialect(self._throttle, self._kinds))
        publishing = self.topic.admit(sign_in, self.roles)
        await self.open("eventgrid", self.topic.operations(), publishing, self._topic_address)

    async def azurite(self) -> Azurite:
        """
        Return the Azurite of this Azure, which starts when it is first asked for.
        """
        async with self._starts_azurite:
            if self._azurite is None:
                self._azurite = await self._services.enter_async_context(an_azurite())
        return self._azurite

    async def open_part(self, part: AbstractAsyncContextManager[Part]) -> Part:
        """
        Open something that a service needs, until the context is left.
        """
        return await self._services.enter_async_context(part)

    def reserve(self) -> Address:
        """
        Return an address for a service, free again when the context is left.
        """
        address = Address()
        self._services.callback(address.socket.close)
        return address

    async def open(
        self,
        service: str,
        operations: Iterable[Operation],
        admit: Callable[[Call], None],
        address: Address,
        dialect: Dialect | None = None,
    ) -> None:
        """
        Start a service, which stops when the context is left.
        """
        endpoint = Endpoint(
            service,
            operations,
            instruments=self,
            tls=self.ca.server_context,
            admit=admit,
            address=address,
            dialect=dialect or Dialect(),
        )
        await self._services.enter_async_context(endpoint)
