"""
One TLS port of one service: routing, faults, the log; what every request goes through.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web

from localcloud.azure.dialect import Dialect
from localcloud.azure.faults import ConnectionCut, Fault
from localcloud.azure.instruments import Instruments
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.azure.request_log import LoggedRequest
from localcloud.running import Running

LARGEST_BODY = 1024 * 1024
HOST = "localhost"
"""Every service is here."""


class Address:
    """
    A free port of this machine, ours from the moment it is asked for.
    """

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.uri = f"https://{HOST}:{self.socket.getsockname()[1]}"


class Endpoint(Running):
    """
    A service at an address, while its context is open.

    A request is routed, admitted (`admit` raises `Refusal` for a caller or an api-version that is not accepted), meets
    the faults before the effect, takes effect, and meets the faults after it. `dialect` is how the service words it.
    """

    def __init__(  # noqa: PLR0913 - What a service is made of; every call site names them.
        self,
        service: str,
        operations: Iterable[Operation],
        *,
        instruments: Instruments,
        tls: ssl.SSLContext,
        admit: Callable[[Call], None],
        address: Address,
        dialect: Dialect,
    ) -> None:
        self._service = service
        self._operations = list(operations)
        self._instruments = instruments
        self._tls = tls
        self._admit = admit
        self._dialect = dialect
        self._address = address
        self._late: set[asyncio.Task[None]] = set()

    async def _start(self, running: AsyncExitStack) -> None:
        # Nobody waits for a caller that keeps its connection open: everything that hangs was released before.
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.5)
        await runner.setup()
        running.push_async_callback(runner.cleanup)
        running.callback(self._cancel_late_effects)
        await web.SockSite(runner, self._address.socket, ssl_context=self._tls).start()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = urlsplit(request.raw_path).path
        entry = self._instruments.requests.open(self._service, request.method, path, port_of_caller(request))
        try:
            response = await self._serve(request, path, entry)
        except ConnectionCut:
            entry.end(status=None)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        except Refusal as refusal:
            response = self._refuse(refusal)
        response.headers.update(self._dialect.headers(request, response.status))
        entry.status = response.status
        if not entry.is_at_work:
            entry.end(status=response.status)
        return response

    async def _serve(self, request: web.BaseRequest, path: str, entry: LoggedRequest) -> web.Response:
        await asyncio.sleep(self._instruments.latency)
        call = await self._route(request, path, entry)
        self._admit(call)
        faults = self._instruments.faults
        if fault := await faults.meet("before", entry):
            if fault.effect_after is not None:
                self._take_effect_later(call, fault.effect_after)
            return self._fail(fault, entry)
        response = await call.operation.answer(call)
        entry.took_effect = True
        if fault := await faults.meet("after", entry):
            return self._fail(fault, entry)
        return response

    def _take_effect_later(self, call: Call, seconds: float) -> None:
        async def take_effect() -> None:
            await asyncio.sleep(seconds)
            try:
                await call.operation.answer(call)
                call.entry.took_effect = True
            finally:
                call.entry.is_at_work = False
                call.entry.end(status=call.entry.status)

        call.entry.is_at_work = True
        effect = asyncio.create_task(take_effect())
        self._late.add(effect)
        effect.add_done_callback(self._late.discard)

    def _cancel_late_effects(self) -> None:
        for effect in self._late:
            effect.cancel()

    async def _route(self, request: web.BaseRequest, path: str, entry: LoggedRequest) -> Call:
        other_methods = []
        for operation in self._operations:
            names = operation.match(path)
            if names is None:
                continue
            if operation.method != request.method:
                other_methods.append(operation.method)
                continue
            entry.operation = operation.name
            entry.target = operation.target.format(**names)
            return Call(operation, names, request, await self._read(request), entry)
        if other_methods:
            message = f"The method {request.method} is not allowed here."
            raise Refusal(405, "MethodNotAllowed", message, headers={"Allow": ", ".join(other_methods)})
        raise Refusal(404, "NotFound", f"There is nothing at {path!r}.")

    async def _read(self, request: web.BaseRequest) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise Refusal(413, "RequestEntityTooLarge", f"A body may have {LARGEST_BODY} bytes.") from error

    def _refuse(self, refusal: Refusal) -> web.Response:
        explain = refusal.explain or self._dialect.explain
        answer = json_answer(explain(refusal), status=refusal.status)
        answer.headers.update(refusal.headers)
        return answer

    def _fail(self, fault: Fault, entry: LoggedRequest) -> web.Response:
        if fault.body is None and fault.status != HTTPStatus.OK:
            return self._refuse(self._dialect.refusal(fault, entry))
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return web.Response(status=fault.status, body=fault.body, content_type="application/json", headers=headers)


def port_of_caller(request: web.BaseRequest) -> int | None:
    """
    Return the port that a request came from, None if its connection is gone.
    """
    address = request.transport.get_extra_info("peername") if request.transport else None
    return address[1] if address else None
