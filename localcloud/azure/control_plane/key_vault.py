"""
Microsoft.KeyVault: the vaults of a subscription.

It rests on assumption 133 of docs/fidelity.md.
"""

from typing import Any

from localcloud.azure.arm import LOCATION
from localcloud.azure.control_plane.plane import SUBSCRIPTION, ControlPlane, listing
from localcloud.azure.dialect import TENANT_ID
from localcloud.azure.key_vault import RETENTION
from localcloud.azure.operation import Call, Operation
from localcloud.azure.vault import Vault

API_VERSIONS = frozenset({"2023-07-01", "2024-11-01"})
VAULTS = f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/vaults"


def operations(plane: ControlPlane) -> list[Operation]:
    """
    Return the list of vaults.
    """

    def vaults(call: Call) -> list[object]:
        return [_shown(each) for each in plane.inventory.all_in(call.names["subscription"], Vault)]

    return [Operation("KeyVault.ListVaults", "GET", VAULTS, listing(plane, vaults), VAULTS, API_VERSIONS)]


def _shown(vault: Vault) -> dict[str, Any]:
    return {
        "id": vault.arm_id,
        "name": vault.name,
        "type": "Microsoft.KeyVault/vaults",
        "location": LOCATION,
        "tags": {},
        "properties": {
            "sku": {"family": "A", "name": "standard"},
            "tenantId": TENANT_ID,
            "accessPolicies": [],
            "enabledForDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": RETENTION.days,
            # Vaults with access policies that are older than the member have it as null.
            "enableRbacAuthorization": vault.uses_rbac or None,
            "vaultUri": f"{vault.uri}/",
            "provisioningState": "Succeeded",
            "publicNetworkAccess": vault.public_network_access,
        },
    }
