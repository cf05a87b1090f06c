"""
The host's admin API: it runs any function now, and tells how functions fared. It takes the master key.

    POST /admin/functions/{name}        run it; 202 as in Azure, here with the id of the invocation
    GET  /admin/invocations/{id}        wait until that run ended (not in Azure)
    GET  /admin/host/status             the state, and for each function how many runs there are and were

It rests on assumption 67 of docs/fidelity.md.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec
from aiohttp import web

from localcloud.functions_host import converters
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.bindings import EventGridTrigger, HttpTrigger, QueueTrigger
from localcloud.functions_host.invocation import Counts, Invocation, InvocationError, Invoker
from localcloud.functions_host.keys import AuthLevel, Keys


class _RunRequest(msgspec.Struct):
    input: str = ""


class Admin:
    """
    The admin API of one host.
    """

    def __init__(self, functions: Mapping[str, IndexedFunction], *, keys: Keys, invoker: Invoker) -> None:
        self._functions = functions
        self._keys = keys
        self._invoker = invoker
        self._invocations: dict[str, Invocation] = {}

    def routes(self) -> list[web.RouteDef]:
        """
        List what it serves.
        """
        return [
            web.post("/admin/functions/{name}", self._run),
            web.get("/admin/invocations/{id}", self._outcome),
            web.get("/admin/host/status", self._status),
        ]

    async def _run(self, request: web.Request) -> web.Response:
        self._check_key(request)
        function = self._functions.get(request.match_info["name"])
        if function is None:
            raise web.HTTPNotFound
        try:
            content = await request.read()
            data = _trigger_data(function, msgspec.json.decode(content or b"{}", type=_RunRequest).input)
        except msgspec.DecodeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        invocation = self._invoker.start(function, data)
        self._invocations[invocation.id] = invocation
        return web.json_response({"invocationId": invocation.id}, status=202)

    async def _outcome(self, request: web.Request) -> web.Response:
        self._check_key(request)
        invocation = self._invocations.get(request.match_info["id"])
        if invocation is None:
            raise web.HTTPNotFound
        try:
            await invocation.result()
        except InvocationError as error:
            return web.json_response({"succeeded": False, "error": str(error)})
        return web.json_response({"succeeded": True, "error": None})

    async def _status(self, request: web.Request) -> web.Response:
        self._check_key(request)
        counts = {name: asdict(self._invoker.counts.get(name, Counts())) for name in self._functions}
        return web.json_response({"state": "Running", "functions": counts})

    def _check_key(self, request: web.Request) -> None:
        if not self._keys.admit(request, AuthLevel.ADMIN):
            raise web.HTTPUnauthorized


def _trigger_data(function: IndexedFunction, text: str) -> converters.Datum:
    """
    Make of the input what the trigger would bring; raises msgspec.DecodeError.
    """
    match function.trigger:
        case QueueTrigger():
            return converters.text(text)
        case EventGridTrigger():
            return converters.from_json(msgspec.json.decode(text, type=dict[str, Any]))
        case HttpTrigger():
            raise msgspec.DecodeError(f"function {function.name} has a route: call that")
        case _:
            return converters.timer()
