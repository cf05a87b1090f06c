"""
Key Vault's data plane: what a SecretClient talks to.

It rests on assumptions 38, 40, 41, 42, 43, 44, 48, 50 and 51 of docs/fidelity.md.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from localcloud.azure import deleted_secrets, vault_rights, wordings
from localcloud.azure.dialect import TENANT_ID, Dialect
from localcloud.azure.identity import KEY_VAULT, Identity
from localcloud.azure.json_answer import json_answer
from localcloud.azure.key_vault import API_VERSIONS, NAME, SecretVersion
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.azure.roles import Roles
from localcloud.azure.secret_shapes import bad_parameter, bundle, deleted_bundle, moment, page_of
from localcloud.azure.vault import Vault
from localcloud.azure.vault_rights import DELETE, GET, READ_METADATA, SET, UPDATE

CHALLENGE = f'Bearer authorization="https://login.microsoftonline.com/{TENANT_ID}", resource="{KEY_VAULT}"'
# The id of the role assignment is missing from what was refused for want of a token.
_HEADERS = {
    "x-ms-keyvault-region": "westus",
    "x-ms-keyvault-service-version": "1.9.3347.1",
    "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=192.0.2.10;act_addr_fam=InterNetwork;",
}
_OF_THE_ADMITTED = {"x-ms-keyvault-rbac-assignment-id": "5" * 32}
_UNAUTHORIZED = 401
DIALECT = Dialect(
    headers=lambda _, status: (
        _HEADERS | ({"WWW-Authenticate": CHALLENGE} if status == _UNAUTHORIZED else _OF_THE_ADMITTED)
    ),
    wordings=wordings.of_key_vault,
)
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

    def __init__(self, vault: Vault, identity: Identity, roles: Roles) -> None:
        self._store = vault
        self._identity = identity
        self._authorize = vault_rights.authorize(vault, identity, roles)

    def operations(self) -> list[Operation]:
        """
        Return what a vault can be asked. A version left out leaves its slash behind, as the SDK sends it.
        """
        return [
            self._operation("Vault.ListSecrets", READ_METADATA, "GET", "/secrets", self._list),
            self._operation(
                "Vault.ListVersions", READ_METADATA, "GET", "/secrets/{name}/versions", self._list_versions
            ),
            self._operation("Vault.GetSecret", GET, "GET", "/secrets/{name}", self._get),
            self._operation("Vault.GetSecret", GET, "GET", "/secrets/{name}/", self._get),
            self._operation("Vault.GetSecret", GET, "GET", "/secrets/{name}/{version}", self._get),
            self._operation("Vault.SetSecret", SET, "PUT", "/secrets/{name}", self._set),
            self._operation("Vault.UpdateSecret", UPDATE, "PATCH", "/secrets/{name}/", self._update),
            self._operation("Vault.UpdateSecret", UPDATE, "PATCH", "/secrets/{name}/{version}", self._update),
            self._operation("Vault.DeleteSecret", DELETE, "DELETE", "/secrets/{name}", self._delete),
            *deleted_secrets.operations(self._store),
        ]

    def admit(self, call: Call) -> None:
        """
        Challenge who has no token, then check token, api-version, name and rights.

        The SDK sends its first request without token and body to be challenged: that is logged as `Vault.Challenge`, so
        that the log counts what was really asked.
        """
        if "Authorization" not in call.request.headers:
            call.entry.operation = "Vault.Challenge"
            raise _unauthorized("AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.")
        problem = self._identity.problem(call, KEY_VAULT)
        if problem and problem[0] != "InvalidAuthenticationTokenAudience":
            raise _unauthorized(f"AKV10032: {problem[1]}")
        # A slash at its end makes it another one.
        if (audience := self._identity.audience(call)) != KEY_VAULT:
            raise _unauthorized(f"AKV10022: Invalid audience. Expected {KEY_VAULT}, found: {audience}.")
        version = call.query("api-version")
        if version is None:
            raise bad_parameter("api-version must be specified")
        if version not in call.operation.api_versions:
            raise bad_parameter(f"The specified version ({version}) is not recognized.")
        name = call.names.get("name")
        if name is not None and not NAME.fullmatch(name):
            raise bad_parameter(f"The request URI contains an invalid name: {name}")
        self._authorize(call)

    def _operation(self, name: str, action: str, method: str, path: str, answer: Callable[[Call], Any]) -> Operation:
        target = self._store.uri
        if "{name}" in path:
            target += "/secrets/{name}/{version}" if "{version}" in path else "/secrets/{name}"
        return Operation(name, method, path, answer, target, API_VERSIONS, action)

    def _find(self, call: Call) -> SecretVersion:
        found = self._store.find(call.names["name"], call.names.get("version"))
        if found is None:
            message = wordings.SECRET_NOT_FOUND.format(name="/".join(call.names.values()))
            raise Refusal(404, "SecretNotFound", message)
        return found

    def _require_free(self, name: str) -> None:
        match self._store.state(name):
            case "being deleted":
                raise _conflict(wordings.BEING_DELETED, name, "ObjectIsBeingDeleted")
            case "deleted":
                raise _conflict(wordings.DELETED, name, "ObjectIsDeletedButRecoverable")
            case "being recovered":
                raise _conflict(wordings.BEING_RECOVERED, name, "ObjectIsBeingRecovered")

    async def _get(self, call: Call) -> web.Response:
        secret = self._find(call)
        if not secret.enabled:
            message = "Operation get is not allowed on a disabled secret."
            raise Refusal(403, "Forbidden", message, inner_code="SecretDisabled")
        # No list shows the key of a certificate.
        key = {"kid": secret.id.replace("/secrets/", "/keys/")} if secret.is_certificate else {}
        return json_answer({"value": secret.value, **bundle(secret, secret.id), **key})

    async def _set(self, call: Call) -> web.Response:
        wanted = call.decode(_SetSecret, "BadParameter")
        if len(wanted.value.encode()) > LONGEST_VALUE:
            raise bad_parameter(f"The secret value may have {LONGEST_VALUE} bytes.")
        _check_tags(wanted.tags)
        self._require_free(call.names["name"])
        attributes = wanted.attributes or _Attributes()
        secret = self._store.make_version(
            call.names["name"],
            wanted.value,
            tags=wanted.tags,
            content_type=wanted.content_type,
            enabled=attributes.enabled is not False,
            not_before=moment(attributes.nbf),
            expires_on=moment(attributes.exp),
        )
        return json_answer({"value": secret.value, **bundle(secret, secret.id)})

    async def _update(self, call: Call) -> web.Response:
        secret = self._find(call)
        wanted = call.decode(_UpdateSecret, "BadParameter")
        _check_tags(wanted.tags)
        attributes = wanted.attributes or _Attributes()
        changes: dict[str, Any] = {
            "content_type": wanted.content_type,
            "tags": wanted.tags,
            "enabled": attributes.enabled,
            "not_before": moment(attributes.nbf),
            "expires_on": moment(attributes.exp),
        }
        asked = {name: value for name, value in changes.items() if value is not None}
        changed = replace(secret, updated_on=datetime.now(UTC), **asked)
        self._store.update(changed)
        return json_answer(bundle(changed, changed.id))

    async def _list(self, call: Call) -> web.Response:
        names = sorted(self._store.names(), key=str.casefold)
        page, link = page_of(call, f"{self._store.uri}/secrets", names)
        current = [secret for name in page if (secret := self._store.find(name))]
        bundles = [bundle(secret, secret.id.rpartition("/")[0]) for secret in current]
        return json_answer({"value": bundles, "nextLink": link})

    async def _list_versions(self, call: Call) -> web.Response:
        """
        Answer in the order of the ids, which is not that of creation, and with nothing for an unknown secret.
        """
        name = call.names["name"]
        versions = sorted(self._store.versions(name), key=lambda known: known.version)
        page, link = page_of(call, f"{self._store.uri}/secrets/{name}/versions", versions)
        return json_answer({"value": [bundle(secret, secret.id) for secret in page], "nextLink": link})

    async def _delete(self, call: Call) -> web.Response:
        self._find(call)
        return json_answer(deleted_bundle(self._store.uri, self._store.delete(call.names["name"])))


def _check_tags(tags: dict[str, str] | None) -> None:
    if len(tags or {}) > MOST_TAGS:
        raise bad_parameter(f"A secret may have {MOST_TAGS} tags.")
    for name, value in (tags or {}).items():
        if len(name) > LONGEST_TAG or len(value) > LONGEST_TAG:
            raise bad_parameter(f"A tag's name and value may have {LONGEST_TAG} characters each.")


def _conflict(message: str, name: str, inner_code: str) -> Refusal:
    return Refusal(409, "Conflict", message.format(name=name), inner_code=inner_code)


def _unauthorized(message: str) -> Refusal:
    return Refusal(401, "Unauthorized", message)
