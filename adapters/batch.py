"""
The keys of Azure Batch accounts, through azure-mgmt-batch.

It rests on assumptions 14, 15, 22, 23, 25 and 26 of docs/fidelity.md.
"""

from typing import Any

from azure.mgmt.batch.aio import BatchManagementClient

from adapters.answers import changing, until_answered
from rotation.vocabulary.errors import Declined, DependencyError, OutOfTime
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import BatchAccount, KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


class BatchAccounts:
    """
    The `Provider` of `Microsoft.Batch/batchAccounts`.
    """

    def __init__(self, credential: Any, endpoint: str, options: dict[str, Any]) -> None:
        self._credential = credential
        self._endpoint = endpoint
        self._options = options
        self._clients: dict[str, BatchManagementClient] = {}

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return both account keys.
        """
        account = _account(target)
        operations = self._client(account).batch_account

        async def read() -> Keys:
            return _keys(await operations.get_keys(account.resource_group, account.account, deadline=deadline))

        try:
            return await until_answered(f"listKeys of Batch account {account.account}", read, deadline)
        except Declined as error:
            raise Declined(f"{error}{await self._explanation(account, deadline)}") from None

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one account key; the answer holds both.
        """
        account = _account(target)
        operations = self._client(account).batch_account

        async def send() -> Keys:
            name = {"keyName": str(key)}
            return _keys(
                await operations.regenerate_key(account.resource_group, account.account, name, deadline=deadline)
            )

        try:
            return await changing(f"regenerateKeys of Batch account {account.account}", send)
        except Declined as error:
            raise Declined(f"{error}{await self._explanation(account, deadline)}") from None

    async def _explanation(self, account: BatchAccount, deadline: Deadline) -> str:
        """
        Return what else is known about a refusal: keys work only where the account allows them.
        """

        async def read() -> list[str] | None:
            found = await self._client(account).batch_account.get(
                account.resource_group, account.account, deadline=deadline
            )
            modes = found.allowed_authentication_modes
            return None if modes is None else [str(getattr(mode, "value", mode)) for mode in modes]

        try:
            modes = await until_answered(f"get of Batch account {account.account}", read, deadline)
        except (DependencyError, OutOfTime):
            return ""
        if modes is None or "SharedKey" in modes:
            return ""
        return (
            f" (its allowedAuthenticationModes are {', '.join(modes)}: allow SharedKey, "
            "or stop managing a key that cannot be used)"
        )

    def _client(self, account: BatchAccount) -> BatchManagementClient:
        subscription = account.subscription.lower()
        if subscription not in self._clients:
            self._clients[subscription] = BatchManagementClient(
                self._credential, subscription, base_url=self._endpoint, **self._options
            )
        return self._clients[subscription]


def _account(target: Target) -> BatchAccount:
    if not isinstance(target, BatchAccount):
        raise TypeError(f"{target.arm_id} is no Batch account")
    return target


def _keys(answer: Any) -> Keys:
    keys = {KeyName.PRIMARY: answer.primary, KeyName.SECONDARY: answer.secondary}
    if not all(isinstance(value, str) and value for value in keys.values()):
        raise ValueError("an account key is missing")
    return {key: KeyMaterial(value) for key, value in keys.items()}
