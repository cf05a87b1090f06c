"""
One connection pool for every client, and the last check before the socket.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ServiceResponseTimeoutError
from azure.core.pipeline.transport import AioHttpTransport

if TYPE_CHECKING:
    from rotation.timing import Deadline

_CONNECT_WITHIN = 10  # seconds
_ANSWER_WITHIN = 60  # seconds, for the whole of one request and its answer


class SharedTransport(AioHttpTransport):  # type: ignore[misc]  # exported lazily, so untyped
    """
    Sends requests for all clients of the process, which must not close it: that is for whoever made it.

    The `deadline` given to an SDK call arrives here as an option and is checked at the last moment: a pipeline may
    fetch a token or meet a challenge between the call and the request. Raises `OutOfTime`.
    """

    def __init__(self, answer_within: float = _ANSWER_WITHIN) -> None:
        super().__init__()
        self._answer_within = answer_within

    async def open(self) -> None:
        """
        Open the session, so that it sends each request once.

        aiohttp sends an idempotent request again when a connection that was idle drops: a PUT of a secret whose answer
        is lost would make two versions. It has no public switch for that; a contract test watches this one.
        """
        await super().open()
        self.session._retry_connection = False  # noqa: SLF001

    async def send(self, request: Any, **options: Any) -> Any:
        """
        Send one request, with a bound on the time until its whole answer is there.
        """
        deadline: Deadline | None = options.pop("deadline", None)
        if deadline:
            deadline.check()
        options.setdefault("connection_timeout", _CONNECT_WITHIN)
        options.setdefault("read_timeout", self._answer_within)
        try:
            async with asyncio.timeout(self._answer_within):
                return await super().send(request, **options)
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
