"""
The keys of Storage accounts, through azure-mgmt-storage.

It rests on assumptions 14, 15, 112, 113 and 114 of docs/fidelity.md.
"""

from typing import Any

from azure.mgmt.storage.aio import StorageManagementClient

from providers.accounts import AccountClient, both, place_of
from providers.questions import Question, SharedKeyQuestion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

_API_VERSION = "2021-12-02"
_WIRE_NAMES = {KeyName.PRIMARY: "key1", KeyName.SECONDARY: "key2"}


class Client(AccountClient):
    """
    The `Provider` of `Microsoft.Storage/storageAccounts`.
    """

    noun = "Storage account"

    async def list_keys(self, target: Target, deadline: Deadline) -> Keys:
        # By default the SDK asks for the keys of Kerberos too.
        return _keys(await self._accounts(target).list_keys(*place_of(target), expand=None, deadline=deadline))

    async def regenerate_key(self, target: Target, key: KeyName, deadline: Deadline) -> Keys:
        name = {"keyName": _WIRE_NAMES[key]}
        return _keys(await self._accounts(target).regenerate_key(*place_of(target), name, deadline=deadline))

    async def obstacle(self, target: Target, deadline: Deadline) -> str | None:
        account = await self._accounts(target).get_properties(*place_of(target), deadline=deadline)
        if account.allow_shared_key_access is not False:
            return None
        return "its allowSharedKeyAccess is false: allow shared keys, or stop managing a key that cannot be used"

    async def question(self, target: Target, deadline: Deadline) -> Question | None:
        account = await self._accounts(target).get_properties(*place_of(target), deadline=deadline)
        # An account for premium files has no blobs, one for premium blobs no files.
        endpoint = account.primary_endpoints.blob or account.primary_endpoints.file
        if not endpoint:
            return None
        containers = f"{endpoint.rstrip('/')}/?comp=list&maxresults=1"
        return SharedKeyQuestion(containers, account.name, "x-ms-date", {"x-ms-version": _API_VERSION})

    def _accounts(self, target: Target) -> Any:
        return self._arm.client(StorageManagementClient, target.names["subscription"]).storage_accounts


def _keys(answer: Any) -> Keys:
    # `answer.keys` is a method of the SDK's mapping. Where Kerberos keys are listed too, they have other names.
    values = {key["keyName"].casefold(): key["value"] for key in answer["keys"]}
    return both(*(values.get(name) for name in _WIRE_NAMES.values()))
