"""
HTTP triggers: requests find their function by route and method, and show a key before it runs.

It rests on assumption 68 of docs/fidelity.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from multidict import CIMultiDict, MultiMapping

from localcloud.functions_host import converters
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.bindings import HttpTrigger
from localcloud.functions_host.invocation import InvocationError, Invoker
from localcloud.functions_host.keys import AuthLevel, Keys
from localcloud.functions_host.routes import RouteTemplate

# Set by aiohttp from the body that it is given.
_FRAMING = {"content-length", "transfer-encoding"}


class HttpTriggers:
    """
    The functions of the app that answer requests.
    """

    def __init__(
        self, functions: Iterable[IndexedFunction], *, route_prefix: str, keys: Keys, invoker: Invoker
    ) -> None:
        self._keys = keys
        self._invoker = invoker
        self._routes: list[tuple[RouteTemplate, HttpTrigger, IndexedFunction]] = []
        for function in functions:
            if isinstance(function.trigger, HttpTrigger):
                text = f"{route_prefix}/{function.trigger.route}"
                template = RouteTemplate.parse(text, where=f"function {function.name}")
                self._routes.append((template, function.trigger, function))
        self._routes.sort(key=lambda route: route[0].precedence)

    async def handle(self, request: web.Request) -> web.Response:
        """
        Answer a request that is for no other part of the host.
        """
        found = self._find(request)
        if found is None:
            return web.Response(status=404)
        trigger, function, route_values = found
        if not self._keys.admit(request, AuthLevel[trigger.auth_level]):
            return web.Response(status=401)
        data = _data_of(request, route_values, await request.read())
        try:
            answer = await self._invoker.invoke(function, data)
        except InvocationError:
            return web.Response(status=500)
        return web.Response(status=204) if answer is None else _response(answer)

    def _find(self, request: web.Request) -> tuple[HttpTrigger, IndexedFunction, Mapping[str, str]] | None:
        """
        Find who answers. A route that exists for other methods only is no route: Azure's host answers 404, not 405.
        """
        for template, trigger, function in self._routes:
            if trigger.methods and request.method not in trigger.methods:
                continue
            route_values = template.match(request.rel_url.raw_path)
            if route_values is not None:
                return trigger, function, route_values
        return None


def _response(answer: converters.Datum) -> web.Response:
    if answer.type == "string":
        return web.Response(text=answer.value)
    parts: Mapping[str, Any] = answer.value
    headers = CIMultiDict(
        {name: value.value for name, value in parts["headers"].items() if name.lower() not in _FRAMING}
    )
    for cookie in parts["cookies"] or ():
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
    return web.Response(status=int(parts["status_code"].value), headers=headers, body=parts["body"].value)


def _data_of(request: web.Request, route_values: Mapping[str, str], body: bytes) -> converters.Datum:
    """
    Describe a request as the host describes it to the worker.
    """
    return converters.Datum(
        {
            "method": converters.text(request.method),
            "url": converters.text(str(request.url)),
            # In lower case, and several of one name as one (GrpcMessageConversionExtensions.cs).
            "headers": _texts(CIMultiDict((name.lower(), value) for name, value in request.headers.items())),
            # Azure's host drops parameters without a value (GrpcMessageConversionExtensions.cs).
            "query": {name: value for name, value in _texts(request.query).items() if value.value},
            "params": {name: converters.text(value) for name, value in route_values.items()},
            "body": converters.Datum(body, "bytes"),
        },
        "http",
    )


def _texts(values: MultiMapping[str]) -> dict[str, converters.Datum]:
    joined: dict[str, str] = {}
    for name, value in values.items():
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return {name: converters.text(value) for name, value in joined.items()}
