"""
A target, the secrets that hold its key, and the ids of their rotations.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from localcloud.azure.vault import Vault
from localcloud.cloud import LocalCloud
from localcloud.consumers import Consumer
from localcloud.kinds.kind import LocalKind, Resource
from localcloud.shapes import ALONE, Reader, Shape
from rotation.vocabulary.request import Trigger, request_for_event
from rotation.vocabulary.secret import SecretId

OWNER = {"owner": "team-checkout"}
"""A tag of somebody else, which every secret has and keeps."""

Strategy: TypeAlias = Literal["Alternate", "InPlace"]


@dataclass(frozen=True, eq=False)
class Subject:
    """
    One target and its secrets, all of which hold its primary key at first.
    """

    kind: LocalKind
    target: Resource
    secrets: tuple[str, ...]
    vault: Vault
    strategy: Strategy = "Alternate"
    shape: Shape = ALONE
    """What the values of its secrets look like."""

    def consumer(self) -> Consumer:
        """
        Return a client that needs the value of one of its secrets.
        """
        return Reader(self.target.consumer(), self.shape)

    @property
    def arm_id(self) -> str:
        """
        The target's ARM id.
        """
        return self.target.arm_id

    def uri(self, secret: str) -> str:
        """
        Return a secret's id without a version.
        """
        return f"{self.vault.uri}/secrets/{secret}"

    def rotation_id(self, secret: str, trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY) -> str:
        """
        Return the id of the rotation that an event about the current version asks for.
        """
        pinned = SecretId(self.vault.uri, secret, self.vault.current(secret).version)
        return request_for_event(pinned, trigger, datetime.now(UTC)).id


async def make_subject(
    cloud: LocalCloud,
    kind: LocalKind,
    name: str,
    *,
    secrets: int = 1,
    strategy: Strategy = "Alternate",
    shape: Shape = ALONE,
) -> Subject:
    """
    Make a target whose primary key some secrets hold, the first of them with an older version that holds the secondary.

    The secrets name the target and nothing below it: a rotation has to look up the rest.
    """
    names = tuple(f"{name}-{number}" for number in range(secrets))
    target = await kind.make(cloud.azure, name)
    cloud.put_secret(names[0], shape.write(target.value("Secondary")), target.arm_id, CredentialId="Secondary")
    for secret in names:
        tags = OWNER | {"RotationStrategy": strategy}
        cloud.put_secret(secret, shape.write(target.value("Primary")), target.arm_id, **tags)
    return Subject(kind, target, names, cloud.vault, strategy, shape)
