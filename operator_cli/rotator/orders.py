"""
What the options of `rotate` ask for.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rotator.catalog import Wanted
from rotator.errors import Misuse
from rotator.moments import delay, iso
from rotator.rotating import Order
from rotator.wording import target_name


class KeyChoice(StrEnum):
    """
    Which key to regenerate; `auto` is the one that the secret does not hold.
    """

    AUTO = "auto"
    PRIMARY = "Primary"
    SECONDARY = "Secondary"

    @property
    def named(self) -> str | None:
        """
        The key's name, None where the app chooses.
        """
        return None if self is KeyChoice.AUTO else self.value


@dataclass(frozen=True)
class Wish:
    """
    How to rotate, whatever is rotated. Raises `Misuse` for what cannot be.
    """

    key: KeyChoice
    force: bool
    ignore_grace: bool
    reason: str | None
    revoke_previous_after: str | None

    def __post_init__(self) -> None:
        if self.revoke_previous_after is not None:
            delay(self.revoke_previous_after, "--revoke-previous-after")

    def orders(self, secrets: list[Wanted]) -> list[Order]:
        """
        Return an order for each secret. Those on targets that are not known share a lane: they may be one target.
        """
        return [Order(one.label, self._body(secret=one.id), (one.target or "").lower()) for one in secrets]

    def order_for_target(self, target: str) -> Order:
        """
        Return the order to regenerate a key whose new value goes nowhere.
        """
        if self.key is KeyChoice.AUTO:
            raise Misuse("--target needs --key Primary or --key Secondary", "without a secret no key counts as in use")
        if self.revoke_previous_after:
            raise Misuse("--revoke-previous-after is about a secret", "leave it out with --target")
        return Order(target_name(target), self._body(target=target), target.lower())

    def _body(self, **about: str) -> dict[str, Any]:
        body: dict[str, Any] = {**about}
        if self.key.named:
            body["key"] = self.key.named
        if self.force:
            body["force"] = True
        if self.ignore_grace:
            body["ignoreGrace"] = True
        if self.reason:
            body["reason"] = self.reason
        if self.revoke_previous_after:
            body["revokePreviousAfter"] = iso(delay(self.revoke_previous_after, "--revoke-previous-after"))
        return body
