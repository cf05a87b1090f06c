"""
An Event Grid custom topic that takes CloudEvents.

It rests on assumption 62 of docs/fidelity.md.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web

from localcloud.azure.cloud_events import ReceivedEvent, decode_batch
from localcloud.azure.courier import Courier
from localcloud.azure.event_subscription import EventSubscription
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal

PUBLISH_PATH = "/api/events"
API_VERSIONS = frozenset({"2018-01-01"})


class CustomTopic:
    """
    Keeps what it receives, duplicates included, and passes it on to its subscribers.
    """

    def __init__(self, arm_id: str, courier: Courier) -> None:
        self.arm_id = arm_id
        self.events: list[ReceivedEvent] = []
        self._subscriptions: list[EventSubscription] = []
        self._courier = courier
        self._under_way: set[asyncio.Task[object]] = set()

    def operations(self) -> list[Operation]:
        """
        Return what a publisher can ask.
        """
        return [Operation("EventGrid.Publish", "POST", PUBLISH_PATH, self._publish, self.arm_id, API_VERSIONS)]

    def admit(self, authenticate: Callable[[Call], None]) -> Callable[[Call], None]:
        """
        Return the check of every call: the token, then the api-version.
        """

        def admit(call: Call) -> None:
            authenticate(call)
            if call.query("api-version") not in call.operation.api_versions:
                raise Refusal(
                    400, "BadRequest", f"The api-version must be one of {sorted(call.operation.api_versions)}."
                )

        return admit

    async def subscribe(self, url: str) -> None:
        """
        Send the topic's events, as CloudEvents, to a webhook from now on. Raises `HandshakeError` if it does not agree.
        """
        name = f"subscription-{len(self._subscriptions) + 1}"
        subscription = EventSubscription(name=name, url=url, schema="CloudEventSchemaV1_0")
        await self._courier.shake_hands(subscription, self.arm_id)
        self._subscriptions.append(subscription)

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
        for content in decode_batch(call):
            event = ReceivedEvent(call.entry.received, content)
            self.events.append(event)
            for subscription in self._subscriptions:
                self._pass_on(subscription, event)
        return web.Response()

    def _pass_on(self, subscription: EventSubscription, event: ReceivedEvent) -> None:
        task: asyncio.Task[object] = asyncio.create_task(self._courier.deliver(subscription, event.id, event.content))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
