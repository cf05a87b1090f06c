"""
Where secrets are kept.

Every call may raise a `DependencyError`; calls that take a `deadline` check it right before they send and raise
`OutOfTime`. Nothing is sent again by an adapter unless it only reads.
"""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.secret import ListedSecret, SecretId, SecretVersion
from rotation.vocabulary.timing import Deadline


class SecretProperties(Struct, frozen=True):
    """
    A version of a secret without its value.
    """

    version: str
    enabled: bool
    created_on: datetime
    updated_on: datetime | None = None
    tags: Mapping[str, str] = {}


class NewVersion(Struct, frozen=True):
    """
    A version to be made.
    """

    value: KeyMaterial
    tags: Mapping[str, str]
    content_type: str | None
    expires_on: datetime


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

    async def store(self, secret: SecretId, version: NewVersion, deadline: Deadline) -> SecretId:
        """
        Make a new version with exactly one request; return its id.
        """
        ...

    async def read_properties(self, secret: SecretId, deadline: Deadline) -> SecretProperties:
        """
        Return the version that the id is pinned to. Raises `NotFound`, `Declined` for a disabled one.
        """
        ...

    async def write_tags(
        self, secret: SecretId, tags: Mapping[str, str], deadline: Deadline, *, expires_on: datetime | None = None
    ) -> None:
        """
        Put tags in place of all those of the version that the id is pinned to, and set its expiry unless that is None.

        It takes exactly one request.
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
