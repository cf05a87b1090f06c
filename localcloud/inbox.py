"""
A subscriber of what the app publishes: a webhook that agrees to the handshake and keeps what it is sent.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from http import HTTPStatus

from aiohttp import web

from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.azure.instant import Instant
from localcloud.running import Running


class Inbox(Running):
    """
    Receives CloudEvents at `url`, on this machine, while its context is open; duplicates are dropped.
    """

    def __init__(self, tell: Callable[[ReceivedEvent], None] | None = None) -> None:
        self.url = ""
        self.bodies: list[str] = []
        """Everything that was sent, handshakes and duplicates included."""
        self.events: dict[str, ReceivedEvent] = {}
        """By their ids."""
        self._tell = tell
        self._arrived = asyncio.Condition()

    async def _start(self, running: AsyncExitStack) -> None:
        # An origin is allowed once and for all: every sender is on this machine.
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        running.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"

    async def event_of(self, rotation: str, *, seconds: float) -> ReceivedEvent | None:
        """
        Return the event about the end of a rotation, None if there is none within so many seconds.
        """
        found: list[ReceivedEvent] = []

        def has_arrived() -> bool:
            found.extend(event for event in self.events.values() if event.data.get("id") == rotation)
            return bool(found)

        try:
            async with asyncio.timeout(seconds), self._arrived:
                await self._arrived.wait_for(has_arrived)
        except TimeoutError:
            return None
        return found[0]

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method == "OPTIONS":
            return web.Response(headers={"WebHook-Allowed-Origin": request.headers["WebHook-Request-Origin"]})
        received = Instant.now()
        body = await request.text()
        self.bodies.append(body)
        event = ReceivedEvent(received, json.loads(body))
        if event.id not in self.events:
            self.events[event.id] = event
            if self._tell:
                self._tell(event)
            async with self._arrived:
                self._arrived.notify_all()
        return web.Response(status=HTTPStatus.NO_CONTENT)
