"""
Azure Batch accounts. One data plane serves all of them, as it serves those of a region.
"""

from collections.abc import Sequence

from localcloud.azure.access_keys import make_key
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.kinds.batch.accounts import ACCOUNT, BatchAccount, operations
from localcloud.kinds.batch.service import DIALECT, REGION, BatchService
from localcloud.kinds.batch.wordings import MANAGEMENT
from localcloud.kinds.kind import LocalKind
from providers.batch import BATCH_ACCOUNT


async def add_batch_account(
    azure: LocalAzure,
    name: str,
    *,
    subscription: str = SUBSCRIPTION,
    resource_group: str = RESOURCE_GROUP,
    authentication_modes: Sequence[str] | None = ("SharedKey", "AAD"),
) -> BatchAccount:
    """
    Create a Batch account with two keys.
    """
    service = await azure.data_plane("batch", REGION, BatchService, DIALECT)
    arm_id = ACCOUNT.format(subscription=subscription, group=resource_group, account=name)
    keys = azure.access_keys(arm_id, make_key)
    account = BatchAccount(arm_id, name, service.uri, authentication_modes, keys)
    azure.inventory.add(arm_id, account)
    service.accounts[name.casefold()] = account
    return account


BATCH = LocalKind(
    name="batch",
    deployed=BATCH_ACCOUNT,
    secret="batch-key",
    make=add_batch_account,
    namespace="Microsoft.Batch",
    operations=operations,
    wordings=MANAGEMENT,
    read="Batch.ListKeys",
    regenerate="Batch.RegenerateKeys",
    proof=("Batch.GetAccount", "BatchService.ListPools"),
)
