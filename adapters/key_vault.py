"""
The secrets of the configured vaults, through azure-keyvault-secrets.

It rests on assumptions 38, 39, 40, 41, 42, 44, 48, 50 and 54 of docs/fidelity.md.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from azure.keyvault.secrets.aio import SecretClient

from adapters.answers import once, until_answered
from adapters.credential import Identity
from adapters.key_vault_answers import is_disabled, is_of_certificate, meaning_of_conflict
from adapters.policies import service_policies
from rotation.policy.tags import is_managed
from rotation.ports.vaults import NewVersion, SecretProperties, Vaults
from rotation.vocabulary.errors import Forbidden, NotFound, Unavailable
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.secret import ListedSecret, SecretId, SecretVersion
from rotation.vocabulary.timing import Deadline


class KeyVaults(Vaults):
    """
    The `Vaults` that `ROTATION_VAULTS` names. There is a client for these and for no other, so nothing else is read.

    The token for `scope` goes out with the first request: the SDK's own policy would be challenged for it first, once
    for each vault and process. That the vaults are under the cloud's domain, the settings have made sure.
    """

    def __init__(self, credential: Identity, vaults: list[str], transport: Any, scope: str) -> None:
        policies = service_policies(AsyncBearerTokenCredentialPolicy(credential, scope))
        self._clients = {
            vault: SecretClient(vault, credential, transport=transport, policies=policies) for vault in vaults
        }

    @property
    def uris(self) -> list[str]:
        return list(self._clients)

    def require(self, secret: SecretId) -> None:
        if secret.vault not in self._clients:
            raise Forbidden(f"{secret.vault} is none of the vaults of ROTATION_VAULTS")

    async def read_current(self, secret: SecretId, deadline: Deadline) -> SecretVersion:
        client = self._client(secret)

        async def read() -> SecretVersion | None:
            try:
                found = await client.get_secret(secret.name, deadline=deadline)
            except HttpResponseError as error:
                if is_disabled(error):
                    return None
                raise
            if found.value is None:
                raise ValueError("a secret without a value")
            return _version(secret, found.properties, KeyMaterial(found.value))

        what = f"get of secret {secret.name!r}"
        found = await until_answered(what, read, deadline) or await self._read_disabled(secret, deadline)
        # Enabled between the two, or no longer the current one.
        found = found or await until_answered(what, read, deadline)
        if found is None:
            raise Unavailable(f"{what}: somebody is changing it")
        return found

    async def list_managed(self, vault: str, deadline: Deadline) -> list[tuple[SecretId, dict[str, str]]]:
        self.require(SecretId(vault, ""))
        managed = []
        async for page in self._pages(vault, deadline):
            managed += [(listed.id, listed.tags) for listed in page if is_managed(listed.tags)]
        return managed

    async def list_pages(self, vault: str) -> AsyncGenerator[list[ListedSecret], None]:
        self.require(SecretId(vault, ""))
        async with aclosing(self._pages(vault, None)) as pages:
            async for page in pages:
                yield page

    async def read_version(self, secret: SecretId, deadline: Deadline) -> KeyMaterial:
        client = self._client(secret)

        async def read() -> KeyMaterial:
            found = await client.get_secret(secret.name, secret.version, deadline=deadline)
            return KeyMaterial(found.value or "")

        return await until_answered(f"get of secret {str(secret)!r}", read, deadline)

    async def read_properties(self, secret: SecretId, deadline: Deadline) -> SecretProperties:
        client = self._client(secret)

        async def read() -> SecretProperties:
            found = await client.get_secret(secret.name, secret.version, deadline=deadline)
            return _properties(found.properties)

        return await until_answered(f"get of secret {str(secret)!r}", read, deadline)

    async def write_tags(
        self, secret: SecretId, tags: Mapping[str, str], deadline: Deadline, *, expires_on: datetime | None = None
    ) -> None:
        client = self._client(secret)
        await once(
            f"tagging of secret {str(secret)!r}",
            lambda: client.update_secret_properties(
                # None leaves the expiry as it is.
                secret.name,
                secret.version,
                tags=dict(tags),
                expires_on=expires_on,
                deadline=deadline,
            ),
        )

    async def store(self, secret: SecretId, version: NewVersion, deadline: Deadline) -> SecretId:
        client = self._client(secret)
        what = f"set of secret {secret.name!r}"

        async def send() -> SecretId:
            try:
                made = await client.set_secret(
                    secret.name,
                    version.value.reveal(),
                    tags=dict(version.tags),
                    content_type=version.content_type,
                    expires_on=version.expires_on,
                    deadline=deadline,
                )
                return secret.at(_text(made.properties.version))
            except HttpResponseError as error:
                if (meaning := meaning_of_conflict(error, what)) is None:
                    raise
            # Raised out here, so that the original does not travel along as its context: it holds the response.
            raise meaning

        return await once(what, send)

    async def list_versions(self, secret: SecretId, deadline: Deadline) -> list[SecretProperties]:
        client = self._client(secret)

        async def read() -> list[SecretProperties]:
            return [
                _properties(found)
                async for found in client.list_properties_of_secret_versions(secret.name, deadline=deadline)
            ]

        return await until_answered(f"versions of secret {secret.name!r}", read, deadline)

    async def disable(self, secret: SecretId, deadline: Deadline) -> None:
        client = self._client(secret)
        await once(
            f"disabling of secret {str(secret)!r}",
            lambda: client.update_secret_properties(secret.name, secret.version, enabled=False, deadline=deadline),
        )

    async def probe(self) -> None:
        """
        Ask every vault for something, as a health check does. Raises a `DependencyError`.
        """

        async def read(client: SecretClient) -> None:
            async for _ in client.list_properties_of_secrets(max_page_size=1):
                break

        for vault, client in self._clients.items():
            await once(f"list of vault {vault}", partial(read, client))

    async def _pages(self, vault: str, deadline: Deadline | None) -> AsyncGenerator[list[ListedSecret], None]:
        options = {"deadline": deadline} if deadline else {}
        pages = self._clients[vault].list_properties_of_secrets(**options).by_page()

        async def read() -> list[ListedSecret] | None:
            # Asked again after an error, the SDK asks for the same page once more (azure-core, AsyncPageIterator).
            try:
                return [_listed(vault, found) async for found in await anext(pages)]
            except StopAsyncIteration:
                return None

        while (page := await until_answered(f"list of secrets in {vault}", read, deadline)) is not None:
            yield page

    async def _read_disabled(self, secret: SecretId, deadline: Deadline) -> SecretVersion | None:
        """
        Return the current version, which is disabled, as the listing shows it: Key Vault shows its tags nowhere else.

        None if the newest version is enabled by now. Raises `NotFound` if there is none: the secret was deleted.
        """
        client = self._client(secret)
        what = f"versions of secret {secret.name!r}"

        async def read() -> list[Any]:
            return [
                version async for version in client.list_properties_of_secret_versions(secret.name, deadline=deadline)
            ]

        versions = await until_answered(what, read, deadline)
        if not versions:
            raise NotFound(f"{what}: there are none any more")
        # They come in the order of their ids. Times are whole seconds: of versions of one second, one that is disabled
        # is the current one rather than one that is not, and the one that was asked about rather than another.
        newest = max(
            versions,
            key=lambda version: (made_on(version), not version.enabled, version.version == secret.version),
        )
        return None if newest.enabled else _version(secret, newest, None)

    def _client(self, secret: SecretId) -> SecretClient:
        self.require(secret)
        return self._clients[secret.vault]


def _listed(vault: str, properties: Any) -> ListedSecret:
    return ListedSecret(
        SecretId(vault, _text(properties.name)),
        tags=dict(properties.tags or {}),
        enabled=bool(properties.enabled),
        expires_on=properties.expires_on,
        is_certificate=is_of_certificate(properties),
        created_on=made_on(properties),
    )


def _properties(found: Any) -> SecretProperties:
    return SecretProperties(
        _text(found.version),
        bool(found.enabled),
        made_on(found),
        updated_on=found.updated_on,
        tags=dict(found.tags or {}),
    )


def _version(secret: SecretId, properties: Any, value: KeyMaterial | None) -> SecretVersion:
    return SecretVersion(
        id=secret.at(_text(properties.version)),
        value=value,
        enabled=bool(properties.enabled),
        tags=dict(properties.tags or {}),
        content_type=properties.content_type,
        expires_on=properties.expires_on,
        created_on=made_on(properties),
        is_certificate=is_of_certificate(properties),
    )


def made_on(properties: Any) -> datetime:
    """
    Return when a version was made: long ago where Key Vault does not say, as of very old ones.
    """
    return properties.created_on or datetime.min.replace(tzinfo=UTC)


def _text(word: str | None) -> str:
    if not word:
        raise ValueError("a secret without a name or version")
    return word
