"""
What the rotator needs of the world. Each port has an adapter and an in-memory twin, and both pass the same tests.

Every call may raise a `DependencyError`; calls that take a `deadline` check it right before they send and raise
`OutOfTime`. Nothing is sent again by an adapter unless it only reads.
"""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from rotation.announcement import Announcement
from rotation.material import KeyMaterial
from rotation.secret import SecretId, SecretVersion
from rotation.target import KeyName, Target
from rotation.timing import Deadline

Keys = Mapping[KeyName, KeyMaterial]


class SecretProperties(Struct, frozen=True):
    """
    A version of a secret as a listing shows it: without its value.
    """

    version: str
    enabled: bool
    created_on: datetime | None


class ListedSecret(Struct, frozen=True):
    """
    The current version of a secret as the listing of a vault shows it: without its value, and `id` without version.
    """

    id: SecretId
    tags: dict[str, str]
    enabled: bool
    expires_on: datetime | None
    is_certificate: bool = False


class Provider(Protocol):
    """
    What regenerates keys.

    It raises `NotFound` for an unknown target and `Misconfigured` for a workflow without one clear Request trigger.
    """

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return the credential that each key gives at present: account keys, or one trigger's callback URLs.
        """
        ...

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key with exactly one request; return both keys if the answer holds them.
        """
        ...


class Providers(Protocol):
    """
    The providers by kind of target.
    """

    def prepare(self, target: Target) -> None:
        """
        Get ready for a target whose provider is about to be asked for; return at once.
        """
        ...

    async def of(self, target: Target) -> Provider:
        """
        Return the provider of a target.
        """
        ...


class Vaults(Protocol):
    """
    The secrets of the configured vaults; for any other vault every call raises `Forbidden` and sends nothing.
    """

    @property
    def uris(self) -> list[str]:
        """
        The URIs of the configured vaults.
        """
        ...

    def require(self, secret: SecretId) -> None:
        """
        Raise `Forbidden` unless the secret is in one of the configured vaults.
        """
        ...

    async def read_current(self, secret: SecretId, deadline: Deadline) -> SecretVersion:
        """
        Return the current version, whichever the id is pinned to. Raises `NotFound`.
        """
        ...

    async def list_managed(self, vault: str, deadline: Deadline) -> list[tuple[SecretId, dict[str, str]]]:
        """
        Return every secret of a vault that has the tag ProviderAddress, with all its tags.
        """
        ...

    def list_pages(self, vault: str) -> AsyncGenerator[list[ListedSecret], None]:
        """
        Yield every secret of a vault, managed or not, a page at a time; one page is kept in memory.
        """
        ...

    async def read_version(self, secret: SecretId, deadline: Deadline) -> KeyMaterial:
        """
        Return the value of the version that the id is pinned to. Raises `NotFound`, `Declined` for a disabled one.
        """
        ...

    async def store(  # noqa: PLR0913 - a version is made of these
        self,
        secret: SecretId,
        value: KeyMaterial,
        *,
        tags: Mapping[str, str],
        content_type: str | None,
        expires_on: datetime,
        deadline: Deadline,
    ) -> SecretId:
        """
        Make a new version with exactly one request; return its id.
        """
        ...

    async def list_versions(self, secret: SecretId, deadline: Deadline) -> list[SecretProperties]:
        """
        Return every version of the secret, in no order.
        """
        ...

    async def disable(self, secret: SecretId, deadline: Deadline) -> None:
        """
        Disable the version that the id is pinned to.
        """
        ...


class Announcer(Protocol):
    """
    Where completion events go.
    """

    async def publish(self, announcement: Announcement) -> None:
        """
        Publish one event, at least once.
        """
        ...
