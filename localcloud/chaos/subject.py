"""
A target, the secrets that hold its key, and the ids of their rotations.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from localcloud.azure.batch_accounts import BatchAccount
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION
from localcloud.azure.vault import Vault
from localcloud.azure.workflows import Workflow
from localcloud.cloud import LocalCloud
from rotation.vocabulary.request import Trigger, request_for_event
from rotation.vocabulary.secret import SecretId

Kind: TypeAlias = Literal["batch", "workflow"]
Strategy: TypeAlias = Literal["Alternate", "InPlace"]
KINDS: tuple[Kind, Kind] = ("batch", "workflow")


@dataclass(frozen=True, eq=False)
class Subject:
    """
    One target and its secrets, all of which hold its primary key at first.
    """

    kind: Kind
    target: BatchAccount | Workflow
    secrets: tuple[str, ...]
    vault: Vault
    strategy: Strategy = "Alternate"

    @property
    def arm_id(self) -> str:
        """
        The target's ARM id.
        """
        return self.target.arm_id

    @property
    def regenerate(self) -> str:
        """
        The operation that regenerates its keys.
        """
        return "Batch.RegenerateKeys" if self.kind == "batch" else "Workflow.RegenerateAccessKey"

    @property
    def read_keys(self) -> str:
        """
        The operation that shows its keys.
        """
        return "Batch.ListKeys" if self.kind == "batch" else "Workflow.ListCallbackUrl"

    @property
    def key_owner(self) -> str:
        """
        Whose lives, in the history of keys, are those of what the secrets hold.
        """
        return self.arm_id if self.kind == "batch" else f"{self.arm_id}/triggers/manual"

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


async def make_subject(  # noqa: PLR0913 - what a subject is made of
    cloud: LocalCloud,
    kind: Kind,
    name: str,
    *,
    secrets: int = 1,
    site: str = "site",
    strategy: Strategy = "Alternate",
) -> Subject:
    """
    Make a target whose primary key some secrets hold, the first of them with an older version that holds the secondary.

    Names are letters and digits, at most 24, and new. The secrets of a workflow do not name its only trigger.
    """
    names = tuple(f"{name}-{number}" for number in range(secrets))
    target: BatchAccount | Workflow
    if kind == "batch":
        target = cloud.azure.add_batch_account(subscription=SUBSCRIPTION, resource_group=RESOURCE_GROUP, name=name)
        address, primary, secondary = target.arm_id, target.primary, target.secondary
    else:
        target = await cloud.azure.add_workflow(SUBSCRIPTION, RESOURCE_GROUP, site, name)
        address = target.arm_id
        primary, secondary = target.callback_url("manual", "Primary"), target.callback_url("manual", "Secondary")
    cloud.put_secret(names[0], secondary, address, CredentialId="Secondary")
    for secret in names:
        cloud.put_secret(secret, primary, address, RotationStrategy=strategy)
    return Subject(kind, target, names, cloud.vault, strategy)
