"""
The acts of the demo: something sets a rotation going, and what becomes of it is followed to its end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import msgspec

from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.azure.event import Schema
from localcloud.cloud import LocalCloud
from localcloud.inbox import Inbox
from localcloud.leaks import Place
from localcloud.narrator import Narrator
from localcloud.rotation_feed import ObservedRotation, RotationFeed, StuckError
from localcloud.running import Running
from localcloud.witness import Witness

_PATIENCE = 60  # seconds
_EVENT_PATIENCE = 10  # seconds, after the rotation is over
_SCHEMA_NAMES = {"EventGridSchema": "Event Grid schema", "CloudEventSchemaV1_0": "CloudEvents"}


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """
    A rotation that is over.
    """

    id: str
    trigger: str
    """What started it, in words."""
    secret: str
    is_confirmed: bool
    """The API calls it Completed, and the version that was current then carries its id."""
    seconds: float | None
    """From its beginning to its end; None if nobody told the end."""
    event: ReceivedEvent | None
    """None if none came."""


class Scenario(Running):
    """
    Acts on the app from outside, as Key Vault and an operator do, while its context is open.
    """

    def __init__(self, cloud: LocalCloud, feed: RotationFeed, inbox: Inbox, narrator: Narrator) -> None:
        self.answers: list[Place] = []
        """Every HTTP answer that came, for the leak scan."""
        self._cloud = cloud
        self._feed = feed
        self._inbox = inbox
        self._narrator = narrator
        self._acts = 0

    async def _start(self, running: AsyncExitStack) -> None:
        host = self._cloud.host
        session = aiohttp.ClientSession(host.url, headers={"x-functions-key": host.function_key})
        self._api = await running.enter_async_context(session)

    async def watch(self, witnesses: Sequence[Witness], *, calls: int) -> None:
        """
        Wait until every client has made so many more calls. Raises `StuckError`.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*(witness.see_more(calls) for witness in witnesses))
        except TimeoutError:
            raise StuckError(f"the clients did not make {calls} calls within {_PATIENCE} s") from None

    async def near_expiry(self, secret: str, schema: Schema) -> Rotated:
        """
        Let the vault tell that a secret is near its expiry, through a subscription of that schema and no other.
        """
        told = f"event ({_SCHEMA_NAMES[schema]})"
        self._announce(secret, f"and expires soon: Key Vault sends an {told}.")
        vault = self._cloud.vault
        vault.subscriptions.clear()
        await self._cloud.subscribe(schema)

        async def publish() -> None:
            for delivery in await vault.publish(secret):
                if delivery.outcome != "delivered":
                    raise StuckError(
                        f"the app's webhook did not take the event about {secret}: {delivery.attempts[-1]}"
                    )

        return await self._follow(secret, told, publish)

    async def by_hand(self, secret: str, reason: str) -> Rotated:
        """
        Ask for a rotation over HTTP.
        """
        self._announce(secret, f"and an operator asks for a new key over HTTP: {reason}.")
        body = {"secret": f"{self._cloud.vault.uri}/secrets/{secret}", "reason": reason}

        async def post() -> None:
            answer = await self._ask("POST", "/api/rotations", body)
            if "code" in answer:
                raise StuckError(f"the app refused to rotate {secret}: {answer['code']}, {answer['detail']}")

        return await self._follow(secret, "HTTP request", post)

    async def _follow(self, secret: str, trigger: str, act: Callable[[], Awaitable[None]]) -> Rotated:
        known = set(self._feed.rotations)
        await act()

        def over() -> ObservedRotation | None:
            news = (rotation for rotation in self._feed.rotations.values() if rotation.id not in known)
            return next((rotation for rotation in news if rotation.is_over), None)

        rotation = await self._feed.until(over, what=f"end of the rotation of {secret}", seconds=_PATIENCE)
        event = await self._inbox.event_of(rotation.id, seconds=_EVENT_PATIENCE)
        if event:
            self._narrator.tell_outcome(event)
        else:
            self._narrator.say(f"   no completion event came within {_EVENT_PATIENCE} s", "red")
        record = await self._ask("GET", f"/api/rotations/{rotation.id}")
        is_current = self._cloud.vault.current(secret).tags.get("RotationId") == rotation.id
        ended = record.get("completedOn")
        return Rotated(
            id=rotation.id,
            trigger=trigger,
            secret=secret,
            is_confirmed=record.get("state") == "Completed" and is_current,
            seconds=(datetime.fromisoformat(ended) - rotation.began).total_seconds() if ended else None,
            event=event,
        )

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        async with self._api.request(method, path, json=body) as answer:
            content = await answer.read()
        self.answers.append(Place("HTTP answers", content))
        return msgspec.json.decode(content, type=dict[str, Any])

    def _announce(self, secret: str, act: str) -> None:
        self._acts += 1
        held = self._cloud.vault.current(secret).tags["CredentialId"]
        self._narrator.head(secret, f"{self._acts}. {secret} holds {held} {act}")
