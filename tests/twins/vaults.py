"""
Key Vault in memory.
"""

import uuid
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime

from msgspec import structs

from rotation.policy.tags import is_managed
from rotation.ports.vaults import NewVersion, SecretProperties
from rotation.vocabulary.errors import Declined, DeletedName, Forbidden, NotFound, Unavailable
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.secret import ListedSecret, SecretId, SecretVersion
from rotation.vocabulary.timing import Clock, Deadline
from tests.twins.faults import Faults


class MemoryVaults:
    """
    The `Vaults` of a list of URIs.
    """

    def __init__(self, clock: Clock, vaults: list[str], faults: Faults | None = None) -> None:
        self._clock = clock
        self._vaults = vaults
        self._versions: dict[str, list[SecretVersion]] = {}
        self._deleted: dict[str, list[SecretVersion]] = {}
        self._in_transition: set[str] = set()
        self._updated: dict[str, datetime] = {}
        self.faults = faults or Faults()
        self.page_size = 2

    def put(
        self,
        secret: SecretId,
        value: str,
        *,
        tags: Mapping[str, str],
        enabled: bool = True,
        content_type: str | None = None,
        expires_on: datetime | None = None,
    ) -> SecretId:
        """
        Make a version by hand, and return its id. A deleted secret of that name is purged.
        """
        self._deleted.pop(secret.identity, None)
        made = secret.at(uuid.uuid4().hex)
        made_on = self._clock.now().replace(microsecond=0)
        version = SecretVersion(made, KeyMaterial(value), enabled, dict(tags), content_type, expires_on, made_on)
        self._versions.setdefault(secret.identity, []).append(version)
        return made

    def history(self, secret: SecretId) -> list[SecretVersion]:
        """
        Return every version, oldest first.
        """
        return list(self._versions[secret.identity])

    def delete(self, secret: SecretId, *, is_done: bool = True) -> None:
        """
        Delete a secret by hand. Until that is done, its name is refused for a passing reason.
        """
        self._deleted[secret.identity] = self._versions.pop(secret.identity)
        if not is_done:
            self._in_transition.add(secret.identity)

    def recover(self, secret: SecretId) -> None:
        """
        Begin to bring a deleted secret back by hand.
        """
        self._in_transition.add(secret.identity)

    def settle(self, secret: SecretId, *, recovered: bool = False) -> None:
        """
        End the deletion of a secret, or its recovery.
        """
        self._in_transition.remove(secret.identity)
        if recovered:
            self._versions[secret.identity] = self._deleted.pop(secret.identity)

    def forget_vaults(self) -> None:
        """
        Be configured for no vault any more.
        """
        self._vaults = []

    def make_certificate(self, secret: SecretId) -> None:
        """
        Let the current version belong to a certificate.
        """
        versions = self._versions[secret.identity]
        versions[-1] = structs.replace(versions[-1], is_certificate=True)

    @property
    def uris(self) -> list[str]:
        """
        The URIs of the vaults.
        """
        return list(self._vaults)

    def require(self, secret: SecretId) -> None:
        """
        Raise `Forbidden` for any other vault.
        """
        if secret.vault not in self._vaults:
            raise Forbidden(f"{secret.vault} is none of the vaults of ROTATION_VAULTS")

    async def read_current(self, secret: SecretId, deadline: Deadline) -> SecretVersion:
        """
        Return the newest version.
        """
        await self._enter("read_current", secret, deadline)
        current = self._of(secret)[-1]
        await self.faults.leave("read_current")
        return current if current.enabled else structs.replace(current, value=None)

    async def list_managed(self, vault: str, deadline: Deadline) -> list[tuple[SecretId, dict[str, str]]]:
        """
        Return every managed secret of a vault.
        """
        self.require(SecretId(vault, ""))
        deadline.check()
        await self.faults.enter("list_managed")
        current = [versions[-1] for _, versions in sorted(self._versions.items())]
        found = [
            (version.id, dict(version.tags))
            for version in current
            if version.id.vault == vault and is_managed(version.tags)
        ]
        return [(SecretId(secret.vault, secret.name), tags) for secret, tags in found]

    async def list_pages(self, vault: str) -> AsyncGenerator[list[ListedSecret], None]:
        """
        Yield every secret of a vault, a page at a time.
        """
        self.require(SecretId(vault, ""))
        everywhere = [versions[-1] for _, versions in sorted(self._versions.items())]
        current = [version for version in everywhere if version.id.vault == vault]
        for start in range(0, max(len(current), 1), self.page_size):
            await self.faults.enter("list_pages")
            yield [_listed(version) for version in current[start : start + self.page_size]]

    async def read_version(self, secret: SecretId, deadline: Deadline) -> KeyMaterial:
        """
        Return the value of one version.
        """
        await self._enter("read_version", secret, deadline)
        version = self._enabled(secret)
        if version.value is None:
            raise Declined("403 Forbidden: the secret is disabled")
        return version.value

    async def read_properties(self, secret: SecretId, deadline: Deadline) -> SecretProperties:
        """
        Return one version without its value.
        """
        await self._enter("read_properties", secret, deadline)
        return self._properties(self._enabled(secret))

    async def write_tags(
        self, secret: SecretId, tags: Mapping[str, str], deadline: Deadline, *, expires_on: datetime | None = None
    ) -> None:
        """
        Replace the tags of one version, and its expiry unless that is None.
        """
        await self._enter("write_tags", secret, deadline)
        self.tag(secret, tags, expires_on)
        await self.faults.leave("write_tags")

    def tag(self, secret: SecretId, tags: Mapping[str, str], expires_on: datetime | None = None) -> None:
        """
        Replace the tags of one version by hand.
        """
        versions = self._of(secret)
        for index, found in enumerate(versions):
            if found.version == secret.version:
                versions[index] = structs.replace(found, tags=dict(tags), expires_on=expires_on or found.expires_on)
                self._updated[found.version] = self._clock.now()

    async def store(self, secret: SecretId, version: NewVersion, deadline: Deadline) -> SecretId:
        """
        Make a new version.
        """
        await self._enter("store", secret, deadline)
        if secret.identity in self._in_transition:
            raise Unavailable("409 Conflict: the secret is being deleted or recovered")
        if secret.identity in self._deleted:
            raise DeletedName("409 Conflict: the secret is deleted; recover or purge it")
        made = self.put(
            secret,
            version.value.reveal(),
            tags=version.tags,
            content_type=version.content_type,
            expires_on=version.expires_on,
        )
        await self.faults.leave("store")
        return made

    async def list_versions(self, secret: SecretId, deadline: Deadline) -> list[SecretProperties]:
        """
        Return every version, in the order of their ids, made in whole seconds; none of a secret that is not there.
        """
        await self._enter("list_versions", secret, deadline)
        versions = map(self._properties, self._versions.get(secret.identity, ()))
        return sorted(versions, key=lambda version: version.version)

    async def disable(self, secret: SecretId, deadline: Deadline) -> None:
        """
        Disable one version.
        """
        await self._enter("disable", secret, deadline)
        versions = self._of(secret)
        for index, found in enumerate(versions):
            if found.version == secret.version:
                versions[index] = structs.replace(found, enabled=False)
        await self.faults.leave("disable")

    async def _enter(self, operation: str, secret: SecretId, deadline: Deadline) -> None:
        self.require(secret)
        deadline.check()
        await self.faults.enter(operation)

    def _enabled(self, secret: SecretId) -> SecretVersion:
        for version in self._of(secret):
            if version.id.version == secret.version:
                if not version.enabled:
                    raise Declined("403 Forbidden: the secret is disabled")
                return version
        raise NotFound(f"404 SecretNotFound: {secret}")

    def _properties(self, version: SecretVersion) -> SecretProperties:
        updated = self._updated.get(version.version, version.created_on).replace(microsecond=0)
        return SecretProperties(version.version, version.enabled, version.created_on, updated, dict(version.tags))

    def _of(self, secret: SecretId) -> list[SecretVersion]:
        versions = self._versions.get(secret.identity)
        if not versions:
            raise NotFound(f"404 SecretNotFound: {secret.unversioned}")
        return versions


def _listed(version: SecretVersion) -> ListedSecret:
    return ListedSecret(
        SecretId(version.id.vault, version.id.name),
        dict(version.tags),
        version.enabled,
        version.expires_on,
        version.is_certificate,
        version.created_on,
    )
