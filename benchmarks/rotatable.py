"""
A target with the secret that holds a key of it, and the proof that it was rotated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from benchmarks.worker.serving import Task
from localcloud.azure.access_keys import KeyName
from localcloud.azure.cloud import SUBSCRIPTION, LocalAzure
from localcloud.azure.vault import Vault
from localcloud.kinds import KINDS
from localcloud.kinds.kind import Resource

_NEAR_EXPIRY = timedelta(days=20)
_SOON, _LATER = timedelta(days=29), timedelta(days=60)  # the first is due since yesterday


class NotRotatedError(Exception):
    """
    What was measured has not done what it should.
    """


@dataclass(frozen=True)
class Rotatable:
    """
    One rotation that is due.
    """

    vault: Vault
    secret: str
    version: str
    """Id of the current version."""
    resource: Resource
    key: KeyName
    """Which key is to be regenerated."""
    former: str
    """What that key gave before."""

    @property
    def task(self) -> Task:
        """
        The rotation as a worker is asked for it.
        """
        return Task(self.version, self.resource.address, self.key)

    def require_regenerated(self) -> None:
        """
        Raise `NotRotatedError` unless the key is another one by now.
        """
        if self.resource.value(self.key) == self.former:
            raise NotRotatedError(f"the {self.key} key of {self.resource.arm_id} is still the old one")

    def require_stored(self) -> None:
        """
        Raise `NotRotatedError` unless the key is another one by now, and the secret holds it and says so.
        """
        self.require_regenerated()
        current = self.vault.current(self.secret)
        if current.value != self.resource.value(self.key) or current.tags.get("CredentialId") != self.key:
            raise NotRotatedError(f"secret {self.secret} does not hold the new {self.key} key")

    def next(self) -> "Rotatable":
        """
        Return the rotation after this one.
        """
        key: KeyName = "Primary" if self.key == "Secondary" else "Secondary"
        return _due(self.vault, self.secret, self.resource, key)


def managed(vault: Vault, secret: str, resource: Resource, *, expires_in: timedelta = _NEAR_EXPIRY) -> Rotatable:
    """
    Put a resource's primary key into a managed secret; return its next rotation.
    """
    tags = {"ProviderAddress": resource.address, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
    expires_on = datetime.now(UTC).replace(microsecond=0) + expires_in
    vault.set(secret, resource.value("Primary"), tags=tags, expires_on=expires_on)
    return _due(vault, secret, resource, "Secondary")


def _due(vault: Vault, secret: str, resource: Resource, key: KeyName) -> Rotatable:
    return Rotatable(vault, secret, vault.current(secret).id, resource, key, resource.value(key))


class Fleet(NamedTuple):
    """
    Managed secrets, of which `sharing` in a row hold keys of one target, and one in so many is due.

    Each of the subscriptions has as many targets as the others, whose secrets stand in a row.
    """

    secrets: int
    sharing: int
    due_one_in: int
    subscriptions: Sequence[str] = (SUBSCRIPTION,)

    @property
    def targets(self) -> int:
        """
        How many targets there are.
        """
        return math.ceil(self.secrets / self.sharing)

    @property
    def due(self) -> int:
        """
        How many secrets are due.
        """
        return math.ceil(self.secrets / self.due_one_in)

    async def fill(self, azure: LocalAzure, vaults: Sequence[Vault]) -> None:
        """
        Make all targets, and put the secrets into the vaults in turn.
        """
        in_each = math.ceil(self.targets / len(self.subscriptions))
        for number in range(self.secrets):
            if number % self.sharing == 0:
                place = number // self.sharing
                subscription = self.subscriptions[place // in_each]
                target = await KINDS[0].make(azure, f"shared{place}", subscription=subscription)
            expires_in = _LATER if number % self.due_one_in else _SOON
            managed(vaults[number % len(vaults)], f"secret-{number:06d}", target, expires_in=expires_in)
