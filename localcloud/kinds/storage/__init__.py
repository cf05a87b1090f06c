"""
Storage accounts. One Azurite serves the blobs of all of them, from the first request on.
"""

from functools import partial

from localcloud.azure.access_keys import make_key
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.kinds.kind import LocalKind
from localcloud.kinds.storage.accounts import ACCOUNT, StorageAccount, operations
from localcloud.kinds.storage.blobs import REGION, Blobs
from providers.storage import STORAGE_ACCOUNT


async def add_storage_account(  # noqa: PLR0913 - What an account is made of.
    azure: LocalAzure,
    name: str,
    *,
    subscription: str = SUBSCRIPTION,
    resource_group: str = RESOURCE_GROUP,
    allows_shared_key: bool | None = None,
    has_kerberos_keys: bool = False,
) -> StorageAccount:
    """
    Create a Storage account with two keys, and two more for Kerberos where asked for.
    """
    blobs = await azure.data_plane("storage", REGION, partial(Blobs, azure))
    arm_id = ACCOUNT.format(subscription=subscription, group=resource_group, account=name)
    keys = azure.access_keys(arm_id, make_key)
    account = StorageAccount(arm_id, name.lower(), blobs.uri, keys, allows_shared_key, has_kerberos_keys)
    azure.inventory.add(arm_id, account)
    blobs.accounts[account.name] = account
    return account


STORAGE = LocalKind(
    name="storage",
    deployed=STORAGE_ACCOUNT,
    secret="storage-connection",
    make=add_storage_account,
    namespace="Microsoft.Storage",
    operations=operations,
    read="Storage.ListKeys",
    regenerate="Storage.RegenerateKey",
    proof=("Storage.GetAccount", "Blobs.ListContainers"),
)
