"""
A subscriber's side of Event Grid: it agrees to handshakes, keeps what it is sent and answers as told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Received:
    """
    One request, its header names in lower case.
    """

    method: str
    headers: dict[str, str]
    content: Any


@dataclass
class Webhook:
    """
    A webhook on this machine, while its context is open.
    """

    statuses: Iterator[int] = field(default_factory=lambda: iter(()))
    """What it answers notifications with, one after the other, and 200 from then on."""
    agrees: bool = True
    url: str = ""
    received: list[Received] = field(default_factory=list)

    @property
    def notifications(self) -> list[Received]:
        """
        What came after the handshake.
        """
        return [one for one in self.received if one.headers.get("aeg-event-type") == "Notification"]

    async def __aenter__(self) -> Self:
        """
        Listen.
        """
        self._runner = web.ServerRunner(web.Server(self._answer))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://localhost:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        """
        Stop listening.
        """
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        content: Any = await request.json() if request.can_read_body else None
        self.received.append(Received(request.method, headers, content))
        if not self.agrees:
            return web.json_response({"validationResponse": "no"})
        if request.method == "OPTIONS":
            return web.Response(headers={"WebHook-Allowed-Origin": "eventgrid.azure.net"})
        if headers["aeg-event-type"] == "SubscriptionValidation":
            return web.json_response({"validationResponse": content[0]["data"]["validationCode"]})
        return web.Response(status=next(self.statuses, 200))
