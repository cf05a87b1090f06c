"""
A tap on the way to Azurite: every table row and queue message passes through it, and is kept for the leak scan.

The signature of a storage request covers its path, not its host, so the way through a proxy changes nothing.
Requests to the tables are the app's own: they are logged and meet faults like those of every other service. Queues
belong to the Functions host and are passed on as they are.
"""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

from localcloud.azure.endpoint import port_of_caller
from localcloud.azure.faults import ConnectionCut, Fault, Faults
from localcloud.azure.request_log import LoggedRequest, RequestLog

_MESSAGE = re.compile(rb"<MessageText>([A-Za-z0-9+/=\s]+)</MessageText>")
_ROW_KEY = re.compile(r"RowKey='((?:[^']|'')*)'")
_CREATED_KEY = re.compile(r'"RowKey": ?"([^"]*)"')
_FIRST_KEY = re.compile(r"RowKey ge '((?:[^']|'')*)'")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"}
_ERROR = HTTPStatus.BAD_REQUEST
_KEEP = 2.0  # seconds; Node.js drops an idle connection after 5, also one that is just being used again

Watcher = Callable[[LoggedRequest, bytes], None]
Tables = Callable[[web.Request, bytes], Awaitable[web.Response]]
_Serve = Callable[[web.Request, str, bytes], Awaitable[web.Response]]


class Storage(Protocol):
    """
    A storage account, such as Azurite's.
    """

    @property
    def connection_string(self) -> str:
        """
        Its addresses and its key.
        """


class StorageTap:
    """
    Proxies for the tables and the queues of an Azurite, for `async with`.

    With `tables`, that answers requests to tables in the storage's place.

    `bodies` holds every body that went by, in both directions, queue messages decoded. `requests` logs what was asked
    of the tables, as `Ledger.*` operations whose target is a row key, and `faults` is the script of what goes wrong
    there. Put those of a local Azure into their place to have one log and one script. `latency` is how many seconds a
    request to a table takes at least.
    """

    def __init__(self, storage: Storage, tables: Tables | None = None) -> None:
        self._storage = storage
        self._tables = tables
        self._running = AsyncExitStack()
        self._watchers: list[Watcher] = []
        self.bodies: list[bytes] = []
        self.connection_string = ""
        self.requests = RequestLog()
        self.faults = Faults()
        self.latency = 0.0

    @property
    def past_the_tap(self) -> str:
        """
        The connection string of the Azurite itself, for whoever sets the scene unseen.
        """
        return self._storage.connection_string

    def watch(self, watcher: Watcher) -> None:
        """
        Call a watcher with every request to a table that has taken effect, and its body.
        """
        self._watchers.append(watcher)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP)
            self._client = await starting.enter_async_context(aiohttp.ClientSession(connector=connector))
            parts = []
            for part in self._storage.connection_string.rstrip(";").split(";"):
                name, _, address = part.partition("=")
                if name in {"TableEndpoint", "QueueEndpoint"}:
                    proxy = self._serve_table if name == "TableEndpoint" else self._forward
                    parts.append(f"{name}={await self._proxy(address, proxy, starting)}")
                else:
                    parts.append(part)
            self.connection_string = ";".join(parts)
            starting.callback(self.faults.clear)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def _proxy(self, address: str, serve: _Serve, starting: AsyncExitStack) -> str:
        origin, _, account = address.rpartition("/")

        async def answer(request: web.Request) -> web.Response:
            return await serve(request, origin, await request.read())

        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        starting.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/{account}"

    async def _serve_table(self, request: web.Request, origin: str, body: bytes) -> web.Response:
        answer_from = time.monotonic() + self.latency
        path = urlsplit(request.raw_path).path
        entry = self.requests.open("storage", request.method, path, port_of_caller(request))
        entry.operation, entry.target = _classify(request, body)
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
            return _fail(fault)
        answer = await (self._tables(request, body) if self._tables else self._forward(request, origin, body))
        entry.took_effect = answer.status < _ERROR and not _has_failed(entry, answer)
        if entry.took_effect:
            for watcher in self._watchers:
                watcher(entry, body)
        if fault := await self.faults.meet("after", entry):
            return _fail(fault)
        return answer

    async def _forward(self, request: web.Request, origin: str, body: bytes) -> web.Response:
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

    def _keep(self, body: bytes) -> None:
        if body:
            self.bodies.append(body)
            self.bodies.extend(base64.b64decode(text) for text in _MESSAGE.findall(body))


def _classify(request: web.Request, body: bytes) -> tuple[str, str]:
    """
    Return what a request asks of the tables, and the row it is about.

    Of a query that is the first key of its range, of a transaction its first row.
    """
    path = unquote(urlsplit(request.raw_path).path)
    if path.endswith("/$batch"):
        text = body.decode(errors="replace")
        row = _ROW_KEY.search(unquote(text)) or _CREATED_KEY.search(text)
        return "Ledger.Transaction", row[1] if row else ""
    if path.endswith("/Tables"):
        return "Ledger.CreateTable", ""
    if row := _ROW_KEY.search(path):
        return _of_one_row(request), row[1]
    if request.method == "POST":
        return "Ledger.Insert", _inserted_key(body)
    first = _FIRST_KEY.search(request.query.get("$filter", ""))
    return "Ledger.Query", first[1] if first else ""


def _of_one_row(request: web.Request) -> str:
    match request.method:
        case "GET":
            return "Ledger.Read"
        case "DELETE":
            return "Ledger.Delete"
        case _:
            return "Ledger.Replace" if "If-Match" in request.headers else "Ledger.Upsert"


def _inserted_key(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Entity).row_key
    except msgspec.DecodeError:
        return ""


class _Entity(msgspec.Struct):
    row_key: str = msgspec.field(name="RowKey")


def _has_failed(entry: LoggedRequest, answer: web.Response) -> bool:
    """
    Whether a transaction was refused: it is answered 202, and the status of its parts stands in the body.
    """
    return entry.operation == "Ledger.Transaction" and b"HTTP/1.1 4" in _body_of(answer)


def _body_of(answer: web.Response) -> bytes:
    return answer.body if isinstance(answer.body, bytes) else b""


def _fail(fault: Fault) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = fault.body
    if body is None and fault.status != HTTPStatus.OK:
        code = fault.code or "ServerBusy"
        error = {"code": code, "message": {"lang": "en-US", "value": "A scripted fault."}}
        body = msgspec.json.encode({"odata.error": error})
        headers["x-ms-error-code"] = code
    return web.Response(status=fault.status, body=body, content_type="application/json", headers=headers)
