"""
A tap on the way to Azurite: every table row and queue message passes through it, and is kept for the leak scan.

Requests to the app's tables and to the queues are logged and meet faults like those of every other service. What the
Functions host keeps for itself in a table is passed on as it is.

It rests on assumptions 84 and 92 of docs/fidelity.md.
"""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from localcloud import storage_requests
from localcloud.azure.endpoint import port_of_caller
from localcloud.azure.faults import ConnectionCut, Fault, Faults
from localcloud.azure.request_log import LoggedRequest, RequestLog
from localcloud.forwarding import client_of_azurite, forward
from localcloud.functions_host.timer_table import TABLE
from localcloud.running import Running

_MESSAGE = re.compile(rb"<MessageText>([A-Za-z0-9+/=\s]+)</MessageText>")
_ERROR = HTTPStatus.BAD_REQUEST

Watcher = Callable[[LoggedRequest, bytes], None]
Tables = Callable[[web.Request, bytes], Awaitable[web.Response]]
_Proxy = Callable[[web.Request, str, bytes], Awaitable[web.Response]]


class Storage(Protocol):
    """
    A storage account, such as Azurite's.
    """

    @property
    def connection_string(self) -> str:
        """
        Its addresses and its key.
        """


class StorageTap(Running):
    """
    Proxies for the tables and the queues of an Azurite, for `async with`.

    With `tables`, that answers requests to tables in the storage's place.

    `bodies` holds every body that went by, in both directions, queue messages decoded. `requests` logs what was asked
    of the tables, as `Ledger.*` operations whose target is a row key, and of the queues, as `Queue.*` operations whose
    target is the queue's name; `faults` is the script of what goes wrong there. Put those of a local Azure into their
    place to have one log and one script. `latency` is how many seconds a request to a table takes at least.
    """

    def __init__(self, storage: Storage, tables: Tables | None = None) -> None:
        self._storage = storage
        self._tables = tables
        self._watchers: list[Watcher] = []
        self.bodies: list[bytes] = []
        self.connection_string = ""
        self.requests = RequestLog()
        self.faults = Faults()
        self.latency = 0.0

    @property
    def past_the_tap(self) -> str:
        """
        The connection string of Azurite itself, for requests that are not recorded.
        """
        return self._storage.connection_string

    def watch(self, watcher: Watcher) -> None:
        """
        Call a watcher with every request to a table that has taken effect, and its body.
        """
        self._watchers.append(watcher)

    async def _start(self, running: AsyncExitStack) -> None:
        self._client = await running.enter_async_context(client_of_azurite())
        parts = []
        for part in self._storage.connection_string.rstrip(";").split(";"):
            name, _, address = part.partition("=")
            if name in {"TableEndpoint", "QueueEndpoint"}:
                proxy = self._serve_table if name == "TableEndpoint" else self._serve_queue
                parts.append(f"{name}={await self._proxy(address, proxy, running)}")
            else:
                parts.append(part)
        self.connection_string = ";".join(parts)
        running.callback(self.faults.clear)

    async def _proxy(self, address: str, serve: _Proxy, running: AsyncExitStack) -> str:
        origin, _, account = address.rpartition("/")

        async def answer(request: web.Request) -> web.Response:
            return await serve(request, origin, await request.read())

        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        running.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/{account}"

    async def _serve_table(self, request: web.Request, origin: str, body: bytes) -> web.Response:
        if f"/{TABLE}" in request.path:
            return await self._forward(request, origin, body)
        return await self._serve(request, origin, body, storage_requests.of_tables(request, body))

    async def _serve_queue(self, request: web.Request, origin: str, body: bytes) -> web.Response:
        return await self._serve(request, origin, body, storage_requests.of_queues(request))

    async def _serve(self, request: web.Request, origin: str, body: bytes, asked: tuple[str, str]) -> web.Response:
        path = urlsplit(request.raw_path).path
        entry = self.requests.open("storage", request.method, path, port_of_caller(request))
        entry.operation, entry.target = asked
        answer_from = time.monotonic() + (self.latency if entry.operation.startswith("Ledger.") else 0.0)
        try:
            answer = await self._take_effect(request, origin, body, entry)
        except ConnectionCut:
            entry.end(status=None)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        await asyncio.sleep(max(0.0, answer_from - time.monotonic()))
        entry.end(status=answer.status)
        return answer

    async def _take_effect(self, request: web.Request, origin: str, body: bytes, entry: LoggedRequest) -> web.Response:
        if fault := await self.faults.meet("before", entry):
            return _fail(fault, entry)
        is_of_table = entry.operation.startswith("Ledger.")
        tables = self._tables if is_of_table else None
        answer = await (tables(request, body) if tables else self._forward(request, origin, body))
        entry.took_effect = answer.status < _ERROR and not _has_failed(entry, answer)
        if entry.took_effect and is_of_table:
            for watcher in self._watchers:
                watcher(entry, body)
        if fault := await self.faults.meet("after", entry):
            return _fail(fault, entry)
        return answer

    async def _forward(self, request: web.Request, origin: str, body: bytes) -> web.Response:
        self._keep(body)
        answer = await forward(self._client, request, origin, body)
        self._keep(_body_of(answer))
        return answer

    def _keep(self, body: bytes) -> None:
        if body:
            self.bodies.append(body)
            self.bodies.extend(base64.b64decode(text) for text in _MESSAGE.findall(body))


def _has_failed(entry: LoggedRequest, answer: web.Response) -> bool:
    """
    Whether a transaction was refused: it is answered 202, and the status of its parts stands in the body.
    """
    return entry.operation == "Ledger.Transaction" and b"HTTP/1.1 4" in _body_of(answer)


def _body_of(answer: web.Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b""


def _fail(fault: Fault, entry: LoggedRequest) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    is_of_table = entry.operation.startswith("Ledger.")
    body = fault.body
    if body is None and fault.status != HTTPStatus.OK:
        code = headers["x-ms-error-code"] = fault.code or "ServerBusy"
        body = (storage_requests.table_error if is_of_table else storage_requests.queue_error)(code)
    content_type = "application/json" if is_of_table else "application/xml"
    return web.Response(status=fault.status, body=body, content_type=content_type, headers=headers)
