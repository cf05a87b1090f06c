"""
The app's HTTP API: one method for each operation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urljoin

import httpx

from rotator.answers import content_of, require_success, wait_asked_by
from rotator.connection import Connection
from rotator.courier import Courier, Notice
from rotator.errors import Misuse
from rotator.records import Health, Rotation, RotationsPage, read
from rotator.secret_records import ManagedSecret, SecretsPage

_LARGEST_PAGE = 100
_SECRET_ID = re.compile(r"https://(?P<vault>[^/?#]+)/secrets/(?P<name>[^/?#]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Seen:
    """
    A rotation's record, where the next one is to be had, and how many seconds the app asks to wait before.
    """

    rotation: Rotation
    location: str
    wait: float | None


@dataclass(frozen=True)
class Secrets:
    """
    The managed secrets; `as_of` is when the vaults were read, None if they have not been, and `as_told` a page's JSON.
    """

    secrets: list[ManagedSecret]
    as_of: datetime | None
    as_told: dict[str, Any]


@dataclass(frozen=True)
class Rotations:
    """
    Rotations, newest first, and what continues the list behind them.
    """

    rotations: list[Rotation]
    continuation: str | None


class Api:
    """
    The API at one connection. Every call may raise a `CommandError`.
    """

    def __init__(self, connection: Connection, notice: Notice) -> None:
        self._base = connection.address.base
        self._courier = Courier(connection, notice)

    async def close(self) -> None:
        """
        Let go of all connections.
        """
        await self._courier.close()

    async def request(self, body: Mapping[str, Any], idempotency_key: str) -> Seen:
        """
        Ask for a rotation; the answer is there before it has ended.
        """
        headers = {"Idempotency-Key": idempotency_key, "Prefer": "respond-async"}
        return self._seen(await self._courier.post(self._url("rotations"), body, headers))

    async def plan(self, body: Mapping[str, Any]) -> Rotation:
        """
        Return what a rotation would do.
        """
        told = content_of(await self._courier.post(self._url("rotations"), {**body, "dryRun": True}, {}))
        return read(Rotation, told)

    async def look(self, location: str) -> Seen:
        """
        Return a rotation as it is now.
        """
        return self._seen(await self._courier.get(location))

    async def rotation(self, rotation_id: str) -> Seen:
        """
        Return the rotation with an id, as it is now.
        """
        return await self.look(self._url("rotations", rotation_id))

    async def cancel(self, rotation_id: str) -> Rotation:
        """
        Return the record of a rotation that was Scheduled and never begins.
        """
        return read(Rotation, content_of(await self._courier.change("DELETE", self._url("rotations", rotation_id))))

    async def rotations(self, filters: Mapping[str, str | None], limit: int) -> Rotations:
        """
        Return the newest rotations that pass the filters, at most `limit`.
        """
        found: list[Rotation] = []
        continuation: str | None = None
        while True:
            top = min(limit - len(found), _LARGEST_PAGE)
            told = await self._get("rotations", {**filters, "top": str(top), "continuation": continuation})
            page = read(RotationsPage, told)
            found += [read(Rotation, rotation) for rotation in page.rotations]
            continuation = page.continuation
            if continuation is None or len(found) >= limit:
                return Rotations(found, continuation)

    async def secrets(self, *, target: str | None = None, status: str | None = None, refresh: bool = False) -> Secrets:
        """
        Return all managed secrets that pass the filters; `refresh` lets the app read the vaults first.
        """
        filters = {"target": target, "status": status}
        first = await self._get("secrets", {**filters, "refresh": "true" if refresh else None})
        page = first_page = read(SecretsPage, first)
        found = [read(ManagedSecret, secret) for secret in page.secrets]
        while page.continuation is not None:
            page = read(SecretsPage, await self._get("secrets", {**filters, "continuation": page.continuation}))
            found += [read(ManagedSecret, secret) for secret in page.secrets]
        return Secrets(found, first_page.as_of, first_page.as_told)

    async def secret(self, secret_id: str) -> ManagedSecret:
        """
        Return how one secret stands, with the other secrets of its target.
        """
        return read(ManagedSecret, content_of(await self._courier.get(self._url("secrets", *_place_of(secret_id)))))

    async def verify(self, secret_id: str) -> ManagedSecret:
        """
        Return the same after the app has compared the secret's value with the keys of its target.
        """
        url = self._url("secrets", *_place_of(secret_id), "verify")
        return read(ManagedSecret, content_of(await self._courier.post(url, {}, {})))

    async def manage(self, secret_id: str, body: Mapping[str, Any]) -> ManagedSecret:
        """
        Return a secret after it was put under management, and stored before where the body says so.
        """
        return await self._change_secret("PUT", secret_id, body)

    async def change(self, secret_id: str, body: Mapping[str, Any]) -> ManagedSecret:
        """
        Return a secret after its tags were changed.
        """
        return await self._change_secret("PATCH", secret_id, body)

    async def unmanage(self, secret_id: str) -> None:
        """
        Take a secret out of management: nothing is left to show of it.
        """
        url = self._url("secrets", *_place_of(secret_id))
        require_success(await self._courier.change("PATCH", url, {"managed": False}))

    async def _change_secret(self, method: str, secret_id: str, body: Mapping[str, Any]) -> ManagedSecret:
        url = self._url("secrets", *_place_of(secret_id))
        return read(ManagedSecret, content_of(await self._courier.change(method, url, body)))

    async def health(self) -> Health:
        """
        Return whether the app could rotate a key right now.
        """
        response = await self._courier.get_once(self._url("health"))
        return read(Health, content_of(response, also=HTTPStatus.SERVICE_UNAVAILABLE))

    async def _get(self, path: str, parameters: Mapping[str, str | None]) -> Any:
        given = {name: value for name, value in parameters.items() if value is not None}
        return content_of(await self._courier.get(self._url(path), given))

    def _seen(self, response: httpx.Response) -> Seen:
        rotation = read(Rotation, content_of(response))
        return Seen(rotation, self._location(response) or self._url("rotations", rotation.id), wait_asked_by(response))

    def _location(self, response: httpx.Response) -> str | None:
        """
        Return where the answer sends to, None unless that is below the base: the credential is for nobody else.
        """
        try:
            location = urljoin(str(response.request.url), response.headers.get("Location", ""))
        except ValueError:
            return None
        return location if "Location" in response.headers and location.startswith(f"{self._base}/") else None

    def _url(self, *path: str) -> str:
        return "/".join([self._base, *(quote(part, safe="") for part in path)])


def _place_of(secret_id: str) -> tuple[str, str]:
    """
    Return the authority of a vault's URI and the name in a secret's id. Raises `Misuse`.
    """
    found = _SECRET_ID.search(secret_id)
    if not found:
        raise Misuse(
            f"{secret_id!r} is not the id of a secret",
            "it must look like https://my-vault.vault.azure.net/secrets/name",
        )
    return found["vault"], found["name"]
