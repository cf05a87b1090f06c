"""
Brings events to webhooks, as Event Grid does.

Sources: "Event Grid message delivery and retry"; on handshakes "Webhook event delivery", "CloudEvents v1.0 schema".

It rests on assumptions 59 and 61 of docs/fidelity.md.
"""

import asyncio
import secrets
import ssl
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec

from localcloud.azure.delivery_schedule import Attempt, reason_to_give_up, second_of_next
from localcloud.azure.event_subscription import Delivery, EventSubscription
from localcloud.azure.instant import Instant
from localcloud.running import Running

ORIGIN = "eventgrid.azure.net"
PATIENCE = aiohttp.ClientTimeout(total=30)  # Seconds that Event Grid waits for an answer.
CONTENT_TYPES = {
    "EventGridSchema": "application/json; charset=utf-8",
    "CloudEventSchemaV1_0": "application/cloudevents+json; charset=utf-8",
}


class HandshakeError(Exception):
    """
    A webhook did not prove that it wants events: Azure would not create the subscription.
    """


class Courier(Running):
    """
    Shakes hands with webhooks and delivers to them, while its context is open.

    It waits between attempts as Event Grid does, but `speed` times as fast. An answer still has 30 seconds to come.
    """

    def __init__(
        self, trust: ssl.SSLContext, *, speed: float, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._trust = trust
        self._speed = speed
        self._sleep = sleep

    async def _start(self, running: AsyncExitStack) -> None:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust), timeout=PATIENCE)
        self._session = await running.enter_async_context(session)

    async def shake_hands(self, subscription: EventSubscription, topic: str) -> None:
        """
        Validate a new subscription's webhook. Raises `HandshakeError`.
        """
        try:
            if subscription.schema == "CloudEventSchemaV1_0" and not subscription.is_function:
                await self._ask_for_permission(subscription)
            else:
                await self._send_validation_code(subscription, topic)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HandshakeError(f"{subscription.name}: the webhook did not answer: {type(error).__name__}") from error

    async def deliver(self, subscription: EventSubscription, event_id: str, payload: object) -> Delivery:
        """
        Deliver until an answer is 2xx, or the event is dead-lettered.
        """
        delivery = Delivery(event_id, payload)
        subscription.deliveries.append(delivery)
        body = msgspec.json.encode(payload)
        second = 0.0
        while True:
            delivery.attempts.append(await self._post(subscription, body, len(delivery.attempts), second))
            if delivery.attempts[-1].is_success:
                delivery.outcome = "delivered"
                return delivery
            if reason := reason_to_give_up(delivery.attempts, subscription.retry_policy):
                delivery.outcome, delivery.given_up_because = "dead-lettered", reason
                return delivery
            waited_since, second = second, second_of_next(delivery.attempts)
            await self._sleep((second - waited_since) / self._speed)

    async def _post(
        self, subscription: EventSubscription, body: bytes, earlier_attempts: int, second: float
    ) -> Attempt:
        at = Instant.now()
        headers = {
            **_headers(subscription, "Notification"),
            "aeg-delivery-count": str(earlier_attempts),
            "Content-Type": CONTENT_TYPES[subscription.schema],
        }
        try:
            async with self._session.post(
                subscription.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                return Attempt(at, second, response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Attempt(at, second, None, type(error).__name__)

    async def _send_validation_code(self, subscription: EventSubscription, topic: str) -> None:
        code = str(uuid.UUID(bytes=secrets.token_bytes(16)))
        event = {
            "id": str(uuid.uuid4()),
            "topic": topic,
            "subject": "",
            "data": {"validationCode": code, "validationUrl": f"https://{ORIGIN}/validate"},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": datetime.now(UTC),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = {
            **_headers(subscription, "SubscriptionValidation"),
            "Content-Type": CONTENT_TYPES["EventGridSchema"],
        }
        body = msgspec.json.encode([event])
        async with self._session.post(subscription.url, data=body, headers=headers) as response:
            answer = await response.read()
        if response.status != 200 or _validation_response(answer) != code:  # noqa: PLR2004 - The only status that counts.
            raise HandshakeError(
                f"{subscription.name}: the webhook answered {response.status} and did not return the code"
            )

    async def _ask_for_permission(self, subscription: EventSubscription) -> None:
        headers = {"WebHook-Request-Origin": ORIGIN}
        async with self._session.options(subscription.url, headers=headers) as response:
            allowed = response.headers.get("WebHook-Allowed-Origin")
        if response.status != 200 or allowed not in {"*", ORIGIN}:  # noqa: PLR2004 - As above.
            raise HandshakeError(f"{subscription.name}: the webhook answered {response.status} and allows {allowed!r}")


def _headers(subscription: EventSubscription, event_type: str) -> dict[str, str]:
    return {"aeg-event-type": event_type, "aeg-subscription-name": subscription.name.upper()}


def _validation_response(answer: bytes) -> Any:
    try:
        content = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        return None
    return content.get("validationResponse") if isinstance(content, dict) else None
