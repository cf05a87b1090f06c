"""
Carries requests to the app, again where that may help. None of them does more when it arrives twice.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

import httpx

from rotator.answers import code_of, wait_asked_by
from rotator.connection import Connection, client_for
from rotator.errors import OutOfReach
from rotator.sign_in import EntraSignIn

Notice: TypeAlias = Callable[[str], None]
"""Tells the person why nothing happens for a while."""

_TRY_AGAIN = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
# What no page of another site can send: an app that is signed in to asks for it.
_NOT_FROM_A_PAGE = {"X-Rotator": "1"}
_PAUSES = (0.5, 2.0, 5.0)  # seconds between tries, where the app does not ask for more
_LONGEST_WAIT = 120.0  # seconds; what asks for more is told instead of waited for


class _NoAnswer(OutOfReach):
    def __init__(self, cause: httpx.RequestError, url: httpx.URL) -> None:
        said = _said(cause)
        remedy = (
            "let SSL_CERT_FILE name the certificates to trust, if the app, or a gateway before it, has a CA of its own"
            if "CERTIFICATE" in said.upper()
            else "check --url or KEY_ROTATOR_URL, the network, and that the app is running"
        )
        super().__init__(f"no answer from {url.netloc.decode('ascii')}: {said}", remedy)
        self.cause = cause


class Courier:
    """
    The HTTP client with the credential.
    """

    def __init__(self, connection: Connection, notice: Notice) -> None:
        self._client = client_for(connection)
        self._client.headers["User-Agent"] = "azure-key-rotator-operator-cli"
        credentials = connection.credentials
        if credentials.function_key:
            self._client.headers["x-functions-key"] = credentials.function_key
        self._sign_in = EntraSignIn(credentials.audience) if credentials.audience else None
        if self._sign_in:
            self._client.auth = self._sign_in
        self._notice = notice
        self._has_been_answered = False

    async def close(self) -> None:
        """
        Let go of all connections.
        """
        await self._client.aclose()
        if self._sign_in:
            await self._sign_in.close()

    async def get(self, url: str, parameters: Mapping[str, str] | None = None) -> httpx.Response:
        """
        Return the answer to a GET, whatever its status; asked again while the app cannot answer just now.

        Raises `OutOfReach` or `NotAdmitted`.
        """
        return await self._send_patiently(self._client.build_request("GET", url, params=parameters))

    async def get_once(self, url: str) -> httpx.Response:
        """
        Return the answer to a GET that is sent once.

        Raises as `get` does.
        """
        return await self._send(self._client.build_request("GET", url))

    async def post(self, url: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        """
        Return the answer to a POST that may be sent more than once, as `get` does.
        """
        return await self.change("POST", url, body, headers)

    async def change(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """
        Return the answer to a call that changes something and may be sent more than once, as `get` does.
        """
        marked = {**(headers or {}), **_NOT_FROM_A_PAGE}
        request = self._client.build_request(method, url, json=body, headers=marked)
        return await self._send_patiently(request)

    async def _send_patiently(self, request: httpx.Request) -> httpx.Response:
        for pause in _PAUSES:
            try:
                response = await self._send(request)
            except _NoAnswer as error:
                if not self._is_passing(error.cause):
                    raise
                wait, why = pause, _said(error.cause)
            else:
                asked = wait_asked_by(response)
                wait, why = pause if asked is None else asked, str(response.status_code)
                if wait > _LONGEST_WAIT or not _is_worth_asking_again(response):
                    return response
            self._notice(f"no answer yet ({why}); asking again in {wait:g} s")
            await asyncio.sleep(wait)
        return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._client.send(request)
        except httpx.RequestError as error:
            raise _NoAnswer(error, request.url) from None
        self._has_been_answered = True
        return response

    def _is_passing(self, error: httpx.RequestError) -> bool:
        """
        Return whether another try may help: an address that has never answered is more likely wrong than busy.
        """
        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        return self._has_been_answered or not (never_sent or isinstance(error, httpx.LocalProtocolError))


def _is_worth_asking_again(response: httpx.Response) -> bool:
    # A setting that is wrong stays wrong.
    return response.status_code in _TRY_AGAIN and code_of(response) != "settings"


def _said(error: httpx.RequestError) -> str:
    """
    Return the reason, in one line: the operating system's, since the HTTP library says no more than that it failed.
    """
    root: BaseException = error
    while inner := _cause_of(root):
        root = inner
    if isinstance(root, ConnectionError) and root.errno:
        # asyncio puts words of its own in place of the system's.
        return os.strerror(root.errno)
    reason = root.strerror if isinstance(root, OSError) and root.strerror else str(error)
    return " ".join(reason.split()) or type(error).__name__


def _cause_of(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        first: BaseException = error.exceptions[0]
        return first
    return error.__cause__ or error.__context__
