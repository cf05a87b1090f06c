"""
What a person reads of a deployment in Azure Resource Manager: roles, vaults, topics and the Function App.

It knows no kind of target: what ARM can be asked about these stands in `localcloud/kinds/`.
"""

from localcloud.azure.control_plane import authorization, event_grid, key_vault, site, subscriptions
from localcloud.azure.control_plane.plane import ControlPlane
from localcloud.azure.operation import Operation


def operations(plane: ControlPlane) -> list[Operation]:
    """
    Return all that can be read.
    """
    parts = (subscriptions, authorization, key_vault, event_grid, site)
    return [operation for part in parts for operation in part.operations(plane)]
