"""
A key vault: secrets, their versions, and what was deleted and can be recovered.

It rests on assumptions 39, 45, 47 and 52 of docs/fidelity.md.
"""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

State: TypeAlias = Literal["there", "being deleted", "deleted", "being recovered", "unknown"]

API_VERSIONS = frozenset({
    "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"
})  # fmt: skip
RETENTION = timedelta(days=90)
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
    is_certificate: bool = False
    """It belongs to a certificate, which manages it."""
    created_on: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_on: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(kw_only=True)
class DeletedSecret:
    """
    A secret that was deleted: gone for everybody from then on, and recoverable once the deletion is done.
    """

    versions: list[SecretVersion]
    deleted_on: datetime = field(default_factory=lambda: datetime.now(UTC))
    under_way_until: float
    """When its deletion or its recovery is done, by the monotonic clock."""
    is_being_recovered: bool = False

    @property
    def current(self) -> SecretVersion:
        """
        The newest version.
        """
        return self.versions[-1]

    @property
    def purged_on(self) -> datetime:
        """
        When Key Vault would purge it.
        """
        return self.deleted_on + RETENTION


class SecretStore:
    """
    The secrets of one vault. Names ignore case; the newest version is the current one, enabled or not.

    Deleting and recovering take `transition` seconds, where a call does not say how long.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.transition = 0.0
        self._deleted: dict[str, DeletedSecret] = {}
        self._secrets: dict[str, list[SecretVersion]] = {}

    def names(self) -> list[str]:
        """
        Return the names of all secrets, in the order of their creation.
        """
        self._end_recoveries()
        return [versions[0].name for versions in self._secrets.values()]

    def make_version(  # noqa: PLR0913 - What a version is made of.
        self,
        name: str,
        value: str,
        *,
        tags: Mapping[str, str] | None = None,
        content_type: str | None = None,
        enabled: bool = True,
        not_before: datetime | None = None,
        expires_on: datetime | None = None,
        is_certificate: bool = False,
    ) -> SecretVersion:
        """
        Make a new version, which is the current one from now on. Raises `ValueError` while the name is not free.
        """
        if (state := self.state(name)) not in {"there", "unknown"}:
            raise ValueError(f"secret {name} is {state}")
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
            is_certificate=is_certificate,
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
        self._end_recoveries()
        return list(self._secrets.get(name.casefold(), ()))

    def find(self, name: str, version: str | None = None) -> SecretVersion | None:
        """
        Return a version of a secret, the current one if none is named; None if there is none.
        """
        versions = self.versions(name)
        if version:
            return next((known for known in versions if known.version == version.casefold()), None)
        return versions[-1] if versions else None

    def state(self, name: str) -> State:
        """
        Return where a secret is in its life; one that was purged is unknown again.
        """
        self._end_recoveries()
        deleted = self._deleted.get(name.casefold())
        if deleted is None:
            return "there" if name.casefold() in self._secrets else "unknown"
        if deleted.is_being_recovered:
            return "being recovered"
        return "being deleted" if time.monotonic() < deleted.under_way_until else "deleted"

    def delete(self, name: str, takes: float | None = None) -> DeletedSecret:
        """
        Delete a secret with all its versions. Raises `KeyError` if there is none.
        """
        self._end_recoveries()
        until = time.monotonic() + (self.transition if takes is None else takes)
        deleted = DeletedSecret(versions=self._secrets.pop(name.casefold()), under_way_until=until)
        self._deleted[name.casefold()] = deleted
        return deleted

    def deleted(self) -> list[DeletedSecret]:
        """
        Return every secret whose deletion is done.
        """
        return [found for name, found in self._deleted.items() if self.state(name) == "deleted"]

    def find_deleted(self, name: str) -> DeletedSecret | None:
        """
        Return a secret whose deletion is done, or None.
        """
        return self._deleted[name.casefold()] if self.state(name) == "deleted" else None

    def recover(self, name: str, takes: float | None = None) -> SecretVersion:
        """
        Begin to bring a deleted secret back, and return its current version. Raises `KeyError` if there is none.
        """
        if (found := self.find_deleted(name)) is None:
            raise KeyError(name)
        found.is_being_recovered = True
        found.under_way_until = time.monotonic() + (self.transition if takes is None else takes)
        self._end_recoveries()
        return found.current

    def purge(self, name: str) -> None:
        """
        Forget a deleted secret. Raises `KeyError` if there is none.
        """
        if self.find_deleted(name) is None:
            raise KeyError(name)
        del self._deleted[name.casefold()]

    def settle(self) -> None:
        """
        End every deletion and every recovery that is under way.
        """
        for found in self._deleted.values():
            found.under_way_until = time.monotonic()
        self._end_recoveries()

    def _end_recoveries(self) -> None:
        for name, found in tuple(self._deleted.items()):
            if found.is_being_recovered and found.under_way_until <= time.monotonic():
                self._secrets[name] = self._deleted.pop(name).versions
