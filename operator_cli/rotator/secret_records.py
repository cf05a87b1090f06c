"""
The API's records of managed secrets as this command reads them.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct, field

from rotator.records import Told


class ListedSecret(Struct, frozen=True):
    """
    A managed secret's vault and name; no name stands for a vault that could not be listed.
    """

    vault: str
    name: str | None = None


class LastRotation(Struct, frozen=True, rename="camel"):
    """
    How a secret's last rotation ended; `error` is its code.
    """

    id: str
    state: str
    completed_on: datetime | None = None
    error: str | None = None


class Verified(Struct, frozen=True):
    """
    What came of comparing a secret's value with the keys of its target, and when; `why` where it is not Live.
    """

    on: datetime
    result: str
    why: str | None = None


class Leaked(Struct, frozen=True, rename="camel"):
    """
    The rotation that is to kill a leaked key, and when it is due at the earliest, None where nothing is due any more.
    """

    revocation: str
    due_on: datetime | None = None


class Neighbour(Struct, frozen=True, rename="camel"):
    """
    Another secret of the same target: the key that its tag names, and the one that was seen in its value.
    """

    secret: ListedSecret
    key_name: str | None = None
    held_key: str | None = None
    status: str | None = None
    verified: Verified | None = None
    leaked_key: Leaked | None = None


class ManagedSecret(Told, frozen=True, kw_only=True, rename="camel"):
    """
    How a managed secret stands, or one whose tags look as if it should be managed.

    `held_key` and `neighbours` are there for a secret that is asked for alone.
    """

    secret: ListedSecret
    status: str = "-"
    target: str | None = None
    key_name: str | None = None
    expires_on: datetime | None = None
    why: str | None = None
    shares_target_with: list[str] = field(default_factory=list)
    last_rotation: LastRotation | None = None
    verified: Verified | None = None
    next_rotation_on: datetime | None = None
    seen_on: datetime | None = None
    leaked_key: Leaked | None = None
    held_key: str | None = None
    neighbours: list[Neighbour] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        """
        Whether its key was seen to be live.
        """
        return self.verified is not None and self.verified.result == "Live"

    @property
    def is_managed(self) -> bool:
        """
        Whether it is a secret that the app rotates, and not a vault or a secret that only looks managed.
        """
        return self.secret.name is not None and self.status != "NearlyManaged"

    @property
    def id(self) -> str | None:
        """
        The secret's id without a version, None for a vault that could not be listed.
        """
        return f"{self.secret.vault}/secrets/{self.secret.name}" if self.secret.name else None


class SecretsPage(Told, frozen=True, kw_only=True, rename="camel"):
    """
    A page of managed secrets, each still to be read.
    """

    secrets: list[dict[str, Any]]
    as_of: datetime | None = None
    continuation: str | None = None
