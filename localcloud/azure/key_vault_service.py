"""
Key Vault's data plane: what a SecretClient talks to.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from localcloud.azure.identity import KEY_VAULT, Identity
from localcloud.azure.json_answer import json_answer
from localcloud.azure.key_vault import NAME, SecretStore, SecretVersion
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal

T = TypeVar("T")

API_VERSIONS = frozenset({
    "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"
})  # fmt: skip
CHALLENGE = (
    'Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001", '
    f'resource="{KEY_VAULT}"'
)
PAGE = 25
MOST_TAGS = 15
LONGEST_TAG = 256
LONGEST_VALUE = 25_000  # 25 kB


class _Attributes(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool | None = None
    nbf: int | None = None
    exp: int | None = None


class _UpdateSecret(msgspec.Struct, forbid_unknown_fields=True):
    content_type: str | None = msgspec.field(name="contentType", default=None)
    attributes: _Attributes | None = None
    tags: dict[str, str] | None = None


class _SetSecret(_UpdateSecret, forbid_unknown_fields=True, kw_only=True):
    value: str


class KeyVaultService:
    """
    The operations on the secrets of one vault.
    """

    def __init__(self, store: SecretStore, identity: Identity) -> None:
        self._store = store
        self._identity = identity

    def operations(self) -> list[Operation]:
        """
        Return what a vault can be asked. A version left out leaves its slash behind, as the SDK sends it.
        """
        return [
            self._operation("Vault.ListSecrets", "GET", "/secrets", self._list),
            self._operation("Vault.ListVersions", "GET", "/secrets/{name}/versions", self._list_versions),
            self._operation("Vault.GetSecret", "GET", "/secrets/{name}", self._get),
            self._operation("Vault.GetSecret", "GET", "/secrets/{name}/", self._get),
            self._operation("Vault.GetSecret", "GET", "/secrets/{name}/{version}", self._get),
            self._operation("Vault.SetSecret", "PUT", "/secrets/{name}", self._set),
            self._operation("Vault.UpdateSecret", "PATCH", "/secrets/{name}/", self._update),
            self._operation("Vault.UpdateSecret", "PATCH", "/secrets/{name}/{version}", self._update),
        ]

    def admit(self, call: Call) -> None:
        """
        Challenge who has no token, then check token, api-version and name.

        The SDK sends its first request without token and body to be challenged: that is logged as `Vault.Challenge`, so
        that the log counts what was really asked.
        """
        if "Authorization" not in call.request.headers:
            call.entry.operation = "Vault.Challenge"
            raise _unauthorized("AKV10000: Request is missing a Bearer or PoP token.")
        if problem := self._identity.problem(call, KEY_VAULT):
            raise _unauthorized(f"AKV10022: {problem[1]}")
        version = call.query("api-version")
        if version is None:
            raise _bad_parameter("api-version must be specified")
        if version not in call.operation.api_versions:
            raise _bad_parameter(f"The specified version ({version}) is not recognized.")
        name = call.names.get("name")
        if name is not None and not NAME.fullmatch(name):
            raise _bad_parameter(f"The request URI contains an invalid name: {name}")

    def _operation(self, name: str, method: str, path: str, answer: Callable[[Call], Any]) -> Operation:
        target = self._store.uri
        if "{name}" in path:
            target += "/secrets/{name}/{version}" if "{version}" in path else "/secrets/{name}"
        return Operation(name, method, path, answer, target, API_VERSIONS)

    def _find(self, call: Call) -> SecretVersion:
        found = self._store.find(call.names["name"], call.names.get("version"))
        if found is None:
            message = f"A secret with (name/id) {'/'.join(call.names.values())} was not found in this key vault."
            raise Refusal(404, "SecretNotFound", message)
        return found

    async def _get(self, call: Call) -> web.Response:
        secret = self._find(call)
        if not secret.enabled:
            message = "Operation get is not allowed on a disabled secret."
            raise Refusal(403, "Forbidden", message, inner_code="SecretDisabled")
        return json_answer({"value": secret.value, **_bundle(secret, secret.id)})

    async def _set(self, call: Call) -> web.Response:
        wanted = call.decode(_SetSecret, "BadParameter")
        if len(wanted.value.encode()) > LONGEST_VALUE:
            raise _bad_parameter(f"The secret value may have {LONGEST_VALUE} bytes.")
        _check_tags(wanted.tags)
        attributes = wanted.attributes or _Attributes()
        secret = self._store.set(
            call.names["name"],
            wanted.value,
            tags=wanted.tags,
            content_type=wanted.content_type,
            enabled=attributes.enabled is not False,
            not_before=_moment(attributes.nbf),
            expires_on=_moment(attributes.exp),
        )
        return json_answer({"value": secret.value, **_bundle(secret, secret.id)})

    async def _update(self, call: Call) -> web.Response:
        secret = self._find(call)
        wanted = call.decode(_UpdateSecret, "BadParameter")
        _check_tags(wanted.tags)
        attributes = wanted.attributes or _Attributes()
        changes: dict[str, Any] = {
            "content_type": wanted.content_type,
            "tags": wanted.tags,
            "enabled": attributes.enabled,
            "not_before": _moment(attributes.nbf),
            "expires_on": _moment(attributes.exp),
        }
        asked = {name: value for name, value in changes.items() if value is not None}
        changed = replace(secret, updated_on=datetime.now(UTC), **asked)
        self._store.update(changed)
        return json_answer(_bundle(changed, changed.id))

    async def _list(self, call: Call) -> web.Response:
        names = self._store.names()
        page, link = self._page(call, "/secrets", names)
        current = [secret for name in page if (secret := self._store.find(name))]
        bundles = [_bundle(secret, secret.id.rpartition("/")[0]) for secret in current]
        return json_answer({"value": bundles, "nextLink": link})

    async def _list_versions(self, call: Call) -> web.Response:
        name = self._find(call).name
        page, link = self._page(call, f"/secrets/{name}/versions", self._store.versions(name))
        return json_answer({"value": [_bundle(secret, secret.id) for secret in page], "nextLink": link})

    def _page(self, call: Call, path: str, items: list[T]) -> tuple[list[T], str | None]:
        size, start = _page_size(call), _page_start(call)
        following = start + size
        link = None
        if following < len(items):
            token = base64.urlsafe_b64encode(str(following).encode()).decode().rstrip("=")
            version = call.query("api-version")
            link = f"{self._store.uri}{path}?api-version={version}&$skiptoken={token}&maxresults={size}"
        return items[start:following], link


def _page_size(call: Call) -> int:
    asked = call.query("maxresults") or str(PAGE)
    if not asked.isdecimal() or not 1 <= int(asked) <= PAGE:
        raise _bad_parameter(f"maxresults must be 1 to {PAGE}.")
    return int(asked)


def _page_start(call: Call) -> int:
    token = call.query("$skiptoken")
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _bad_parameter("The $skiptoken is malformed.") from error


def _bundle(secret: SecretVersion, id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "contentType": secret.content_type,
        "tags": secret.tags,
        "attributes": {
            "enabled": secret.enabled,
            "nbf": _seconds(secret.not_before),
            "exp": _seconds(secret.expires_on),
            "created": _seconds(secret.created_on),
            "updated": _seconds(secret.updated_on),
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
    }


def _check_tags(tags: dict[str, str] | None) -> None:
    if len(tags or {}) > MOST_TAGS:
        raise _bad_parameter(f"A secret may have {MOST_TAGS} tags.")
    for name, value in (tags or {}).items():
        if len(name) > LONGEST_TAG or len(value) > LONGEST_TAG:
            raise _bad_parameter(f"A tag's name and value may have {LONGEST_TAG} characters each.")


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _bad_parameter(message: str) -> Refusal:
    return Refusal(400, "BadParameter", message)


def _unauthorized(message: str) -> Refusal:
    return Refusal(401, "Unauthorized", message, headers={"WWW-Authenticate": CHALLENGE})
