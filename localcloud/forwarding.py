"""
Passes requests on to Azurite.

The signature of a storage request covers its path, not its host, so the way through a proxy changes nothing.
"""

import aiohttp
from aiohttp import web
from yarl import URL

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"}
_KEEP = 2.0  # seconds; Node.js drops an idle connection after 5, also one that is just being used again


def client_of_azurite() -> aiohttp.ClientSession:
    """
    Return what requests are passed on with.
    """
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP))


async def forward(client: aiohttp.ClientSession, request: web.BaseRequest, origin: str, body: bytes) -> web.Response:
    """
    Pass a request on to an origin; return what that answers.
    """
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
    url = URL(origin + request.raw_path, encoded=True)
    async with client.request(
        request.method, url, data=body or None, headers=headers, skip_auto_headers={"Content-Type"}
    ) as answer:
        passed = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return web.Response(status=answer.status, body=await answer.read(), headers=passed)
