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
    The rotation that kills a leaked key, and when it is due at the earliest.
    """

    id: str
    due_on: datetime


class Step(Struct, frozen=True):
    """
    A step that a rotation would take, where it was only planned or observed.
    """

    step: str
    detail: str


class Caller(Struct, frozen=True, kw_only=True, rename="camel"):
    """
    Who asked: a person by name, an application by its client id.
    """

    name: str | None = None
    object_id: str | None = None
    app_id: str | None = None

    def __str__(self) -> str:
        if self.name:
            return self.name
        return f"application {self.app_id}" if self.app_id else f"object {self.object_id or 'unknown'}"


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
    requested_by: Caller | None = None
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
    def revokes(self) -> bool:
        """
        Whether it waits to kill a leaked key: it is about a target, and which of the two keys it is shows only then.
        """
        return self.state == "Scheduled" and self.secret is None and self.key_name is None

    @property
    def is_too_soon(self) -> bool:
        """
        Whether it was not begun, or would not be, because clients may go on with the key.
        """
        is_deferred = self.state in {"Scheduled", "Planned"} and self.allowed_on is not None and not self.revokes
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
        is_to_come = self.allowed_on is not None and self.allowed_on > now
        return self.allowed_on if self.state == "Scheduled" and is_to_come and not self.revokes else None


class RotationsPage(Told, frozen=True, kw_only=True, rename="camel"):
    """
    A page of rotations, each still to be read.
    """

    rotations: list[dict[str, Any]]
    continuation: str | None = None


class Health(Told, frozen=True, kw_only=True, rename="camel"):
    """
    Whether the app could rotate a key right now.
    """

    status: str
    checks: dict[str, Any] = {}

    @property
    def observes(self) -> bool:
        """
        Whether the app changes nothing.
        """
        return self.checks.get("mode") == "observing"


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
