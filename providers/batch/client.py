"""
The keys of Azure Batch accounts, through azure-mgmt-batch.

It rests on assumptions 14, 15, 22, 23, 25 and 26 of docs/fidelity.md.
"""

from typing import Any

from azure.mgmt.batch.aio import BatchManagementClient

from providers.accounts import AccountClient, both, place_of
from providers.questions import Question, SharedKeyQuestion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

_API_VERSION = "2024-07-01.20.0"


class Client(AccountClient):
    """
    The `Provider` of `Microsoft.Batch/batchAccounts`.
    """

    noun = "Batch account"

    async def list_keys(self, target: Target, deadline: Deadline) -> Keys:
        answer = await self._accounts(target).get_keys(*place_of(target), deadline=deadline)
        return both(answer.primary, answer.secondary)

    async def regenerate_key(self, target: Target, key: KeyName, deadline: Deadline) -> Keys:
        name = {"keyName": str(key)}
        answer = await self._accounts(target).regenerate_key(*place_of(target), name, deadline=deadline)
        return both(answer.primary, answer.secondary)

    async def obstacle(self, target: Target, deadline: Deadline) -> str | None:
        account = await self._accounts(target).get(*place_of(target), deadline=deadline)
        modes = account.allowed_authentication_modes
        if modes is None or "SharedKey" in modes:
            return None
        return (
            f"its allowedAuthenticationModes are {', '.join(modes)}: allow SharedKey, "
            "or stop managing a key that cannot be used"
        )

    async def question(self, target: Target, deadline: Deadline) -> Question | None:
        account = await self._accounts(target).get(*place_of(target), deadline=deadline)
        pools = f"https://{account.account_endpoint}/pools?api-version={_API_VERSION}&maxresults=1"
        return SharedKeyQuestion(pools, account.name, "ocp-date")

    def _accounts(self, target: Target) -> Any:
        return self._arm.client(BatchManagementClient, target.names["subscription"]).batch_account
