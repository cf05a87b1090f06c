"""
One connection pool for every client, and the last check before the socket.

It rests on assumptions 7, 13, 48 and 71 of docs/fidelity.md.
"""

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import aiohttp
from azure.core.exceptions import ServiceResponseTimeoutError
from azure.core.pipeline.transport import AioHttpTransport

from rotation.vocabulary.limits import ANSWERED_WITHIN, CONNECTED_WITHIN

if TYPE_CHECKING:
    from rotation.vocabulary.timing import Deadline


class SharedTransport(AioHttpTransport):  # type: ignore[misc]  # exported lazily, so untyped
    """
    Sends requests for all clients of the process, which must not close it: its maker does.

    The `deadline` given to an SDK call arrives here as an option and is checked at the last moment, when the connection
    is there: a pipeline may fetch a token or meet a challenge after the call, and a name may take its time to resolve.
    Raises `OutOfTime`.
    """

    def __init__(self, answer_within: float = ANSWERED_WITHIN) -> None:
        super().__init__()
        self._answer_within = answer_within

    async def open(self) -> None:
        """
        Open the session, so that it sends each request once, and in time.

        aiohttp sends an idempotent request again when a connection that was idle drops: a PUT of a secret whose answer
        is lost would make two versions. It has no public switch for that; a contract test watches this one.
        """
        if getattr(self, "session", None) is None:
            checking = aiohttp.TraceConfig()
            checking.on_connection_create_end.append(_check)
            checking.on_connection_reuseconn.append(_check)
            session = aiohttp.ClientSession(
                # With it, every request looks for proxies in the environment and for a .netrc on the disk: a sixth of
                # what a rotation costs the processor. Without proxies there is nothing to be found.
                trust_env=bool(getproxies()),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=[checking],
            )
            session._retry_connection = False  # noqa: SLF001
            self.session = session
        await super().open()

    async def send(self, request: Any, **options: Any) -> Any:
        """
        Send one request, with a bound on the time until its whole answer is there.
        """
        deadline: Deadline | None = options.pop("deadline", None)
        if deadline:
            deadline.check()
        options.setdefault("connection_timeout", CONNECTED_WITHIN)
        options.setdefault("read_timeout", self._answer_within)
        try:
            async with asyncio.timeout(self._answer_within):
                return await super().send(request, trace_request_ctx=deadline, **options)
        except TimeoutError as error:
            raise ServiceResponseTimeoutError("no whole answer in time", error=error) from error

    async def close(self) -> None:
        """
        Stay open: another client may be using it.
        """

    async def shut(self) -> None:
        """
        Close the connections, at the end of the process.
        """
        await super().close()


async def _check(_: aiohttp.ClientSession, context: Any, __: object) -> None:
    """
    Check the deadline when the request has its connection, right before it is written.
    """
    if context.trace_request_ctx:
        context.trace_request_ctx.check()
