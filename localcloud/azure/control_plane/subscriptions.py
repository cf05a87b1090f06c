"""
The subscriptions that a caller can see: those where it has any role.

It rests on assumption 131 of docs/fidelity.md.
"""

from localcloud.azure.control_plane.plane import ControlPlane, listing
from localcloud.azure.dialect import TENANT_ID
from localcloud.azure.operation import Call, Operation
from localcloud.azure.roles import is_within

API_VERSIONS = frozenset({"2020-01-01", "2021-01-01", "2022-12-01"})
PATH = "/subscriptions"


def operations(plane: ControlPlane) -> list[Operation]:
    """
    Return the list. No role has to allow it.
    """

    def seen(call: Call) -> list[object]:
        caller = plane.identity.caller(call).principal_id
        scopes = [each.scope for each in plane.roles.assignments(caller)]
        return [
            {
                "id": f"{PATH}/{found}",
                "subscriptionId": found,
                "tenantId": TENANT_ID,
                "displayName": "Local Azure",
                "state": "Enabled",
            }
            for found in plane.inventory.subscriptions()
            if any(is_within(f"{PATH}/{found}", scope) or is_within(scope, f"{PATH}/{found}") for scope in scopes)
        ]

    return [Operation("Subscriptions.List", "GET", PATH, listing(plane, seen), PATH, API_VERSIONS)]
