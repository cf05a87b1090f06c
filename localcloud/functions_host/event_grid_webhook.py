"""
The webhook through which Event Grid runs functions: `/runtime/webhooks/EventGrid?functionName=...`.

It does what Azure's extension does (Microsoft.Azure.WebJobs.Extensions.EventGrid, HttpRequestProcessor.cs).
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from localcloud.functions_host import converters
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.bindings import EventGridTrigger
from localcloud.functions_host.invocation import Invoker
from localcloud.functions_host.keys import AuthLevel, Keys

PATH = "/runtime/webhooks/EventGrid"

_log = logging.getLogger("host.eventgrid")


class EventGridWebhook:
    """
    Answers Event Grid's deliveries and its handshakes.
    """

    def __init__(self, functions: Mapping[str, IndexedFunction], *, keys: Keys, invoker: Invoker) -> None:
        self._functions = {
            name: function for name, function in functions.items() if isinstance(function.trigger, EventGridTrigger)
        }
        self._keys = keys
        self._invoker = invoker

    async def handle(self, request: web.Request) -> web.Response:
        """
        Answer one request to the webhook.
        """
        if not self._keys.admit(request, AuthLevel.EVENT_GRID):
            return web.Response(status=401)
        name = request.query.get("functionName", "")
        function = self._functions.get(name)
        if function is None:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _allow_origin(request)
        return await self._answer(function, request)

    async def _answer(self, function: IndexedFunction, request: web.Request) -> web.Response:
        match request.headers.get("aeg-event-type", "").lower():
            case "subscriptionvalidation":
                _log.info("perform handshake with eventGrid for function: %s", function.name)
                return web.json_response({"validationResponse": _validation_code(await request.json())})
            case "notification":
                return await self._deliver(function, await request.json())
            case "unsubscribe":
                return web.Response(status=202)
            case _:
                return web.Response(status=400)

    async def _deliver(self, function: IndexedFunction, events: Any) -> web.Response:
        """
        Run the function once for each event, all at a time. Event Grid repeats the whole delivery if one fails.
        """
        invocations = (
            self._invoker.invoke(function, converters.event(event))
            for event in (events if isinstance(events, list) else [events])
        )
        results = await asyncio.gather(*invocations, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                return web.Response(status=500, text=str(result))
        return web.Response(status=202)


def _validation_code(events: Any) -> str:
    """
    Find the code. In the CloudEvents schema the body is one event, and its data JSON within JSON.
    """
    data = events[0]["data"] if isinstance(events, list) else events["data"]
    if isinstance(data, str):
        data = json.loads(data)
    return str(data["validationCode"])


def _allow_origin(request: web.Request) -> web.Response:
    # The handshake of CloudEvents webhooks. Azure's extension knows only the other one and answers 400 here; a sender
    # that follows the CloudEvents specification is none the worse for an answer.
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None:
        return web.Response(status=400)
    return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})
