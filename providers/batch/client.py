"""
The keys of Azure Batch accounts, through azure-mgmt-batch.

It rests on assumptions 14, 15, 22, 23, 25 and 26 of docs/fidelity.md.
"""

from typing import Any

from azure.mgmt.batch.aio import BatchManagementClient

from adapters.answers import changing, until_answered
from adapters.arm import ResourceManager
from rotation.ports.providers import Provider
from rotation.vocabulary.errors import Declined, DependencyError, OutOfTime
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


class Client(Provider):
    """
    The `Provider` of `Microsoft.Batch/batchAccounts`.
    """

    def __init__(self, arm: ResourceManager) -> None:
        self._arm = arm

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        group, account = _names(target)

        async def read() -> Keys:
            return _keys(await self._accounts(target).get_keys(group, account, deadline=deadline))

        try:
            return await until_answered(f"listKeys of Batch account {account}", read, deadline)
        except Declined as error:
            raise Declined(f"{error}{await self._explanation(target, deadline)}") from None

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        group, account = _names(target)

        async def send() -> Keys:
            name = {"keyName": str(key)}
            return _keys(await self._accounts(target).regenerate_key(group, account, name, deadline=deadline))

        try:
            return await changing(f"regenerateKeys of Batch account {account}", send)
        except Declined as error:
            raise Declined(f"{error}{await self._explanation(target, deadline)}") from None

    async def _explanation(self, target: Target, deadline: Deadline) -> str:
        """
        Return what else is known about a refusal: keys work only where the account allows them.
        """
        group, account = _names(target)

        async def read() -> str:
            found = await self._accounts(target).get(group, account, deadline=deadline)
            modes = found.allowed_authentication_modes
            if modes is None or "SharedKey" in modes:
                return ""
            return (
                f" (its allowedAuthenticationModes are {', '.join(modes)}: allow SharedKey, "
                "or stop managing a key that cannot be used)"
            )

        try:
            return await until_answered(f"get of Batch account {account}", read, deadline)
        except (DependencyError, OutOfTime):
            return ""

    def _accounts(self, target: Target) -> Any:
        return self._arm.client(BatchManagementClient, target.names["subscription"]).batch_account


def _names(target: Target) -> tuple[str, str]:
    return target.names["resource_group"], target.names["account"]


def _keys(answer: Any) -> Keys:
    keys = {KeyName.PRIMARY: answer.primary, KeyName.SECONDARY: answer.secondary}
    if not all(keys.values()):
        raise ValueError("an account key is missing")
    return {key: KeyMaterial(value) for key, value in keys.items()}
