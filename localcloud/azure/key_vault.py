"""
A key vault: secrets and their versions.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

NAME = re.compile(r"[0-9A-Za-z-]{1,127}")


@dataclass(frozen=True, kw_only=True)
class SecretVersion:
    """
    One version of a secret, as it is at the moment: an update makes another object.
    """

    id: str
    name: str
    version: str
    """32 hexadecimal digits."""
    value: str = field(repr=False)
    tags: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    enabled: bool = True
    not_before: datetime | None = None
    expires_on: datetime | None = None
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_on: datetime = field(default_factory=lambda: datetime.now(UTC))


class SecretStore:
    """
    The secrets of one vault. Names ignore case; the newest version is the current one, enabled or not.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._secrets: dict[str, list[SecretVersion]] = {}

    def names(self) -> list[str]:
        """
        Return the names of all secrets, in the order of their creation.
        """
        return [versions[0].name for versions in self._secrets.values()]

    def set(  # noqa: PLR0913 - What a version is made of.
        self,
        name: str,
        value: str,
        *,
        tags: Mapping[str, str] | None = None,
        content_type: str | None = None,
        enabled: bool = True,
        not_before: datetime | None = None,
        expires_on: datetime | None = None,
    ) -> SecretVersion:
        """
        Make a new version, which is the current one from now on.
        """
        versions = self._secrets.setdefault(name.casefold(), [])
        known_as = versions[0].name if versions else name
        version = secrets.token_hex(16)
        made = SecretVersion(
            id=f"{self.uri}/secrets/{known_as}/{version}",
            name=known_as,
            version=version,
            value=value,
            tags=dict(tags or {}),
            content_type=content_type,
            enabled=enabled,
            not_before=not_before,
            expires_on=expires_on,
        )
        versions.append(made)
        return made

    def update(self, changed: SecretVersion) -> None:
        """
        Put a changed version in the place of the one with its id.
        """
        versions = self._secrets[changed.name.casefold()]
        index = next(index for index, known in enumerate(versions) if known.id == changed.id)
        versions[index] = changed

    def versions(self, name: str) -> list[SecretVersion]:
        """
        All versions of a secret, oldest first; none if there is no such secret.
        """
        return list(self._secrets.get(name.casefold(), ()))

    def find(self, name: str, version: str | None = None) -> SecretVersion | None:
        """
        Return a version of a secret, the current one if none is named; None if there is none.
        """
        versions = self.versions(name)
        if version:
            return next((known for known in versions if known.version == version.casefold()), None)
        return versions[-1] if versions else None
