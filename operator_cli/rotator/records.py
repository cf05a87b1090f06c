"""
The API's records as this command reads them. Each keeps what the app has told, which is what JSON output shows.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from rotator.errors import OutOfReach

T = TypeVar("T", bound="Told")

_ENDED = frozenset({"Completed", "Failed", "Skipped", "Planned"})


class Told(Struct, frozen=True, kw_only=True, rename="camel"):
    """
    Something the app has told; `as_told` is its JSON, with the fields that this version does not know.
    """

    as_told: dict[str, Any]


class RotatedSecret(Struct, frozen=True, rename="camel"):
    """
    The secret of a rotation.
    """

    vault: str
    name: str
    version: str | None = None
    previous_version: str | None = None
    expires_on: datetime | None = None


class Error(Struct, frozen=True):
    """
    Why a rotation has failed, or why a planned one would.
    """

    code: str
    message: str


class Revocation(Struct, frozen=True, rename="camel"):
    """
    The later rotation that kills the previous key.
    """

    id: str
    due_on: datetime


class Step(Struct, frozen=True):
    """
    A step that a rotation would take, where it was only planned or observed.
    """

    step: str
    detail: str


class Rotation(Told, frozen=True, kw_only=True, rename="camel"):
    """
    One rotation.
    """

    id: str
    state: str
    started_on: datetime
    trigger: str | None = None
    target: str | None = None
    key_name: str | None = None
    previous_key_name: str | None = None
    secret: RotatedSecret | None = None
    adopted: bool = False
    completed_on: datetime | None = None
    attempts: int = 1
    reason: str | None = None
    skip_reason: str | None = None
    error: Error | None = None
    proven: bool | None = None
    allowed_on: datetime | None = None
    gap_seconds: float | None = None
    revocation: Revocation | None = None
    steps: list[Step] = []

    @property
    def has_ended(self) -> bool:
        """
        Whether its record is final.
        """
        return self.state in _ENDED

    @property
    def is_too_soon(self) -> bool:
        """
        Whether it was not begun, or would not be, because clients may go on with the key.
        """
        is_deferred = self.state in {"Scheduled", "Planned"} and self.allowed_on is not None
        return is_deferred or self.skip_reason == "too_soon"

    @property
    def is_refused(self) -> bool:
        """
        Whether it failed or would fail, was too soon, or was not begun because another one of its target was running.
        """
        return self.error is not None or self.state == "Failed" or self.skip_reason == "busy" or self.is_too_soon

    def waits_until(self, now: datetime) -> datetime | None:
        """
        Return the time at which it begins by itself because it was too soon, None once that time has come.

        A revocation is Scheduled as well, and never too soon.
        """
        is_to_come = self.state == "Scheduled" and self.allowed_on is not None and self.allowed_on > now
        return self.allowed_on if is_to_come else None


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


class Neighbour(Struct, frozen=True, rename="camel"):
    """
    Another secret of the same target: the key that its tag names, and the one that was seen in its value.
    """

    secret: ListedSecret
    key_name: str | None = None
    held_key: str | None = None
    status: str | None = None
    verified: Verified | None = None


class ManagedSecret(Told, frozen=True, kw_only=True, rename="camel"):
    """
    How a managed secret stands, or one whose tags look as if it should be managed.

    `held_key` and `neighbours` are told of a secret that is asked for alone.
    """

    secret: ListedSecret
    status: str
    target: str | None = None
    key_name: str | None = None
    expires_on: datetime | None = None
    why: str | None = None
    shares_target_with: list[str] = []
    last_rotation: LastRotation | None = None
    verified: Verified | None = None
    next_rotation_on: datetime | None = None
    seen_on: datetime | None = None
    held_key: str | None = None
    neighbours: list[Neighbour] = []

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


class RotationsPage(Told, frozen=True, kw_only=True, rename="camel"):
    """
    A page of rotations, each still to be read.
    """

    rotations: list[dict[str, Any]]
    continuation: str | None = None


class SecretsPage(Told, frozen=True, kw_only=True, rename="camel"):
    """
    A page of managed secrets, each still to be read.
    """

    secrets: list[dict[str, Any]]
    as_of: datetime | None = None
    continuation: str | None = None


class Health(Told, frozen=True, kw_only=True, rename="camel"):
    """
    Whether the app could rotate a key right now.
    """

    status: str
    checks: dict[str, Any] = {}


def read(kind: type[T], told: Any) -> T:
    """
    Return the record that the app has told.

    Raises `OutOfReach` for anything else: it comes from another program, or from a version that is not understood.
    """
    try:
        if isinstance(told, dict):
            return msgspec.convert({**told, "asTold": told}, kind)
    except msgspec.ValidationError as error:
        raise OutOfReach(f"the answer is not what this command understands: {error}") from None
    raise OutOfReach(f"the answer is not what this command understands: {type(told).__name__} instead of an object")
