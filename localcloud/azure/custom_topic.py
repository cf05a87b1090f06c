"""
An Event Grid custom topic that takes CloudEvents.

It rests on assumptions 62 and 130 of docs/fidelity.md.
"""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from localcloud.azure.cloud_events import ReceivedEvent, decode_batch, nonconforming
from localcloud.azure.courier import Courier
from localcloud.azure.dialect import american
from localcloud.azure.event_subscription import EventSubscription
from localcloud.azure.identity import EVENT_GRID, Identity
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.azure.roles import Roles

PUBLISH_PATH = "/api/events"
API_VERSIONS = frozenset({"2018-01-01"})
SEND = "Microsoft.EventGrid/events/send/action"


class CustomTopic:
    """
    Keeps what it receives, duplicates included, and passes it on to its subscribers.
    """

    def __init__(self, arm_id: str, endpoint: str, courier: Courier) -> None:
        self.arm_id = arm_id
        self.endpoint = endpoint
        self.input_schema = "CloudEventSchemaV1_0"
        """Nothing is taken where it is another one."""
        self.provisioning_state = "Succeeded"
        self.public_network_access = "Enabled"
        self.disables_local_auth = True
        self.events: list[ReceivedEvent] = []
        self.subscriptions: list[EventSubscription] = []
        self._courier = courier
        self._under_way: set[asyncio.Task[object]] = set()

    def operations(self) -> list[Operation]:
        """
        Return what a publisher can ask.
        """
        return [Operation("EventGrid.Publish", "POST", PUBLISH_PATH, self._publish, self.arm_id, API_VERSIONS, SEND)]

    def admit(self, identity: Identity, roles: Roles) -> Callable[[Call], None]:
        """
        Return the check of every call: the token, then the rights, then the api-version.
        """
        authenticate = identity.require(EVENT_GRID)

        def admit(call: Call) -> None:
            authenticate(call)
            if not roles.allows(identity.caller(call).principal_id, call.operation.action, self.arm_id, data=True):
                message = (
                    "The principal associated with access token presented with the incoming request does not have "
                    f"permission to send data to {self.arm_id}. Report '{uuid.uuid4()}:0:{american(datetime.now(UTC))} "
                    "(UTC)' to our forums for assistance or raise a support ticket."
                )
                raise Refusal(401, "Unauthorized", message)
            if call.query("api-version") not in call.operation.api_versions:
                raise Refusal(
                    400, "BadRequest", f"The api-version must be one of {sorted(call.operation.api_versions)}."
                )

        return admit

    async def subscribe(self, url: str) -> None:
        """
        Send the topic's events, as CloudEvents, to a webhook from now on. Raises `HandshakeError` if it does not agree.
        """
        name = f"subscription-{len(self.subscriptions) + 1}"
        subscription = EventSubscription(name=name, url=url, schema="CloudEventSchemaV1_0")
        await self._courier.shake_hands(subscription, self.arm_id)
        self.subscriptions.append(subscription)

    async def settle(self) -> None:
        """
        Wait until everything received so far is delivered or given up.
        """
        await asyncio.gather(*self._under_way)

    async def close(self) -> None:
        """
        Stop delivering.
        """
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _publish(self, call: Call) -> web.Response:
        if self.input_schema != "CloudEventSchemaV1_0":
            raise nonconforming("it is a batch of CloudEvents", self.input_schema)
        for content in decode_batch(call):
            event = ReceivedEvent(call.entry.received, content)
            self.events.append(event)
            for subscription in self.subscriptions:
                self._pass_on(subscription, event)
        return web.Response()

    def _pass_on(self, subscription: EventSubscription, event: ReceivedEvent) -> None:
        task: asyncio.Task[object] = asyncio.create_task(self._courier.deliver(subscription, event.id, event.content))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
