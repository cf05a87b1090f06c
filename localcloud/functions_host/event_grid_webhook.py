"""
The webhook through which Event Grid runs functions: `/runtime/webhooks/EventGrid?functionName=...`.

It does what Azure's extension does (Microsoft.Azure.WebJobs.Extensions.EventGrid, HttpRequestProcessor.cs; measured on
3.3.0).

It rests on assumptions 61 and 65 of docs/fidelity.md.
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
from localcloud.functions_host.event_json import read_events, read_json
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
            # The handshake of CloudEvents webhooks is answered to every caller.
            return web.Response(headers={"Webhook-Allowed-Origin": "eventgrid.azure.net"})
        return await self._answer(function, request)

    async def _answer(self, function: IndexedFunction, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            match request.headers.get("aeg-event-type", "").lower():
                case "subscriptionvalidation":
                    _log.info("perform handshake with eventGrid for function: %s", function.name)
                    return web.json_response({"validationResponse": _validation_code(read_json(body))})
                case "notification":
                    return await self._deliver(function, read_events(body))
                case "unsubscribe":
                    return web.Response(status=202)
                case _:
                    return web.Response(status=400)
        except (ValueError, LookupError, TypeError) as error:
            # Azure's extension throws, and Event Grid delivers again for a day.
            _log.error("the body of a request for function %s cannot be read: %s", function.name, error)
            return web.Response(status=500)

    async def _deliver(self, function: IndexedFunction, events: list[Any]) -> web.Response:
        """
        Run the function once for each event, all at a time. Event Grid repeats the whole delivery if one fails.
        """
        invocations = (self._invoker.invoke(function, converters.from_json(event)) for event in events)
        results = await asyncio.gather(*invocations, return_exceptions=True)
        if any(isinstance(result, BaseException) for result in results):
            return web.Response(status=500, text=f"Exception while executing function: {function.name}")
        return web.Response(status=202)


def _validation_code(events: Any) -> str:
    """
    Find the code. In the CloudEvents schema the body is one event, and its data JSON within JSON.
    """
    data = events[0]["data"] if isinstance(events, list) else events["data"]
    if isinstance(data, str):
        data = json.loads(data)
    return str(data["validationCode"])
