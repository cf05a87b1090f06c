"""
A tap on the way to Azurite: every table row and queue message passes through it, and is kept for the leak scan.

The signature of a storage request covers its path, not its host, so the way through a proxy changes nothing.
"""

import base64
import re
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from localcloud.azurite import Azurite

_MESSAGE = re.compile(rb"<MessageText>([A-Za-z0-9+/=\s]+)</MessageText>")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"}


class StorageTap:
    """
    Proxies for the tables and the queues of an Azurite, for `async with`.

    `bodies` holds every body that went by, in both directions, queue messages decoded.
    """

    def __init__(self, azurite: Azurite) -> None:
        self._azurite = azurite
        self._running = AsyncExitStack()
        self.bodies: list[bytes] = []
        self.connection_string = ""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            self._client = await starting.enter_async_context(aiohttp.ClientSession(auto_decompress=True))
            parts = []
            for part in self._azurite.connection_string.rstrip(";").split(";"):
                name, _, address = part.partition("=")
                if name in {"TableEndpoint", "QueueEndpoint"}:
                    parts.append(f"{name}={await self._proxy(address, starting)}")
                else:
                    parts.append(part)
            self.connection_string = ";".join(parts)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def _proxy(self, address: str, starting: AsyncExitStack) -> str:
        origin, _, account = address.rpartition("/")

        async def forward(request: web.Request) -> web.Response:
            body = await request.read()
            self._keep(body)
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
            url = URL(origin + request.raw_path, encoded=True)
            async with self._client.request(
                request.method, url, data=body or None, headers=headers, skip_auto_headers={"Content-Type"}
            ) as answer:
                answered = await answer.read()
                self._keep(answered)
                passed = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                return web.Response(status=answer.status, body=answered, headers=passed)

        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        starting.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/{account}"

    def _keep(self, body: bytes) -> None:
        if body:
            self.bodies.append(body)
            self.bodies.extend(base64.b64decode(text) for text in _MESSAGE.findall(body))
