"""
Azure Resource Manager, read as the person who is signed in here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from rotator.connection import Address, Connection, is_local_host
from rotator.courier import Courier, Notice
from rotator.credentials import Credentials
from rotator.errors import CommandError, Misuse, OutOfReach

T = TypeVar("T", bound=Struct)


class Cloud(StrEnum):
    """
    The clouds of ROTATION_CLOUD.
    """

    PUBLIC = "AzurePublicCloud"
    US_GOVERNMENT = "AzureUSGovernment"
    CHINA = "AzureChinaCloud"


_ENDPOINTS = {
    Cloud.PUBLIC: "https://management.azure.com",
    Cloud.US_GOVERNMENT: "https://management.usgovcloudapi.net",
    Cloud.CHINA: "https://management.chinacloudapi.cn",
}


@dataclass(frozen=True)
class Place:
    """
    Where Azure Resource Manager is: the address to ask, and the audience of a token for it.
    """

    endpoint: str
    audience: str


def place_of(cloud: Cloud, endpoint: str | None) -> Place:
    """
    Return the place of a cloud, or that of a private gateway to it. Raises `Misuse`.
    """
    written = (endpoint or _ENDPOINTS[cloud]).strip().rstrip("/")
    parts = urlsplit(written)
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or parts.username is not None:
        raise Misuse(
            "--arm-endpoint is not the address of Azure Resource Manager",
            f"leave it out, or give one that looks like {_ENDPOINTS[cloud]}",
        )
    return Place(written, _ENDPOINTS[cloud])


class NotShown(CommandError):
    """
    Azure Resource Manager does not show something: `is_missing` where there is no such thing, nor a provider of it.
    """

    code = "not_shown"

    def __init__(self, message: str, *, is_missing: bool) -> None:
        super().__init__(message)
        self.is_missing = is_missing


class ResourceManager:
    """
    What Azure Resource Manager shows. Every call may raise a `CommandError`.
    """

    def __init__(self, place: Place, notice: Notice) -> None:
        self._base = place.endpoint
        host = urlsplit(place.endpoint).hostname or ""
        address = Address(self._base, is_local_host(host))
        self._courier = Courier(Connection(address, Credentials(audience=place.audience)), notice)
        self._lists: dict[tuple[str, str], asyncio.Task[list[Any]]] = {}

    async def close(self) -> None:
        """
        Let go of all connections.
        """
        await self._courier.close()

    async def get(self, kind: type[T], path: str, version: str) -> T:
        """
        Return one thing.
        """
        url = f"{self._base}{path}"
        return _as(kind, _content_of(await self._courier.get(url, {"api-version": version})))

    async def post(self, kind: type[T], path: str, version: str) -> T:
        """
        Return what Azure lists only when it is asked so, such as the settings of a Function App.
        """
        url = f"{self._base}{path}?api-version={version}"
        return _as(kind, _content_of(await self._courier.post(url, {}, {})))

    async def read_list(
        self, kind: type[T], path: str, version: str, parameters: Mapping[str, str] | None = None
    ) -> list[T]:
        """
        Return all things of a list, which is read once however often it is asked for.
        """
        key = (path, str(parameters))
        if key not in self._lists:
            self._lists[key] = asyncio.create_task(self._pages(path, {"api-version": version, **(parameters or {})}))
        return [_as(kind, one) for one in await self._lists[key]]

    async def _pages(self, path: str, parameters: Mapping[str, str]) -> list[Any]:
        page = _content_of(await self._courier.get(f"{self._base}{path}", parameters))
        found = list(page.get("value") or [])
        while following := page.get("nextLink"):
            # Only the path: the token is for this address, which may be a gateway, and for no other.
            next_page = urlsplit(str(following))._replace(scheme="", netloc="", fragment="").geturl()
            page = _content_of(await self._courier.get(f"{self._base}{next_page}"))
            found += page.get("value") or []
        return found


def _content_of(response: httpx.Response) -> Any:
    try:
        told = response.json()
    except ValueError:
        told = None
    if response.is_success and isinstance(told, dict):
        return told
    error = told.get("error") if isinstance(told, dict) else None
    code = error.get("code") if isinstance(error, dict) else response.reason_phrase
    said = f"Azure does not show {response.request.url.path}: {response.status_code} {code}"
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise NotShown(said, is_missing=False)
    # 409 MissingSubscriptionRegistration: nothing of that provider can be there.
    if response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
        raise NotShown(said, is_missing=True)
    raise OutOfReach(said)


def _as(kind: type[T], told: Any) -> T:
    try:
        return msgspec.convert(_without_nulls(told), kind)
    except msgspec.ValidationError as error:
        raise OutOfReach(f"Azure answers in a way that this command does not understand: {error}") from None


def _without_nulls(told: Any) -> Any:
    """
    Return an answer without the members that are null: Azure writes some so, and leaves others out.
    """
    if isinstance(told, dict):
        return {name: _without_nulls(value) for name, value in told.items() if value is not None}
    return [_without_nulls(one) for one in told] if isinstance(told, list) else told
