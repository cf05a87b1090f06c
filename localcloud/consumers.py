"""
What a secret's value is good for: calls as a workload makes them, with the official client where there is one.
"""

from collections.abc import Mapping
from typing import Protocol

import aiohttp
import msgspec
from azure.core.exceptions import AzureError, HttpResponseError

_PATIENCE = aiohttp.ClientTimeout(total=30)


class CallFailed(Exception):
    """
    A call did not succeed. Carries no message of the service, which might quote what it was sent.
    """

    def __init__(self, code: str, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        """The service's error code; where there was no answer, what went wrong."""
        self.status = status


class _Code(msgspec.Struct):
    code: str


class _Error(msgspec.Struct):
    error: _Code


class Consumer(Protocol):
    """
    Somebody who needs the value of a secret.
    """

    target: str
    """The ARM id of what the value opens."""
    client: str
    """With what the calls are made."""
    service: str
    """What accepts or refuses them."""

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        """
        Make one call with the value of a version. Raises `CallFailed`.
        """

    async def forget(self, version: str) -> None:
        """
        Close what was kept for a version.
        """


async def call_over_http(
    session: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str] | None = None, json: object = None
) -> None:
    """
    Make one call where there is no client for it. Raises `CallFailed`.
    """
    try:
        async with session.request(method, url, headers=headers, json=json, timeout=_PATIENCE) as answer:
            body = await answer.read()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CallFailed(type(error).__name__) from None
    if not answer.ok:
        raise CallFailed(code_in(body) or str(answer.reason), answer.status)


def failure_of(error: AzureError) -> CallFailed:
    """
    Return what may be shown about an SDK's error.
    """
    if not isinstance(error, HttpResponseError):
        return CallFailed(type(error).__name__)
    # Storage names the code in a header, which its SDK keeps as `error_code`.
    code = getattr(error, "error_code", None) or (error.error.code if error.error else None)
    return CallFailed(str(getattr(code, "value", code) or error.reason), error.status_code)


def code_in(body: bytes) -> str | None:
    """
    Return the error code of an answer.
    """
    try:
        return msgspec.json.decode(body, type=_Error).error.code
    except msgspec.DecodeError:
        return None
