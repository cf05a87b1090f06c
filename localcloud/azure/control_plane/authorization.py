"""
Microsoft.Authorization: the assignments of roles, and what these roles allow.

It rests on assumption 132 of docs/fidelity.md.
"""

import re
from typing import Any

from aiohttp import web

from localcloud.azure.control_plane.plane import SUBSCRIPTION, ControlPlane, listing
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.principal import OPERATOR
from localcloud.azure.refusal import Refusal
from localcloud.azure.roles import RoleAssignment, RoleDefinition, is_within

API_VERSIONS = frozenset({"2022-04-01"})
PROVIDER = f"{SUBSCRIPTION}/providers/Microsoft.Authorization"
ASSIGNMENTS = f"{PROVIDER}/roleAssignments"
DEFINITION = f"{PROVIDER}/roleDefinitions/{{role}}"
_AT_SCOPE = "atScope()"
_OF_A_PRINCIPAL = re.compile(r"assignedTo\('([^']+)'\)|principalId eq '([^']+)'", re.IGNORECASE)


def operations(plane: ControlPlane) -> list[Operation]:
    """
    Return what can be read of roles in a subscription.
    """

    def assigned(call: Call) -> list[object]:
        subscription = call.names["subscription"]
        plane.inventory.require_subscription(subscription)
        here, wanted = SUBSCRIPTION.format(subscription=subscription), call.query("$filter")
        with_below = wanted != _AT_SCOPE
        principal = _principal_in(wanted) if wanted and with_below else None
        return [
            _assignment(each, subscription)
            for each in plane.roles.assignments(principal)
            if is_within(here, each.scope) or (with_below and is_within(each.scope, here))
        ]

    async def define(call: Call) -> web.Response:
        subscription, role = call.names["subscription"], call.names["role"]
        plane.inventory.require_subscription(subscription)
        found = plane.roles.definition(role)
        if found is None:
            message = f"The specified role definition with ID '{role}' does not exist."
            raise Refusal(404, "RoleDefinitionDoesNotExist", message)
        return json_answer(_definition(found, subscription))

    assignments = listing(plane, assigned)
    return [
        Operation("Roles.ListAssignments", "GET", ASSIGNMENTS, assignments, ASSIGNMENTS, API_VERSIONS),
        Operation("Roles.GetDefinition", "GET", DEFINITION, define, DEFINITION, API_VERSIONS),
    ]


def _principal_in(wanted: str) -> str:
    found = _OF_A_PRINCIPAL.fullmatch(wanted.strip())
    if found is None:
        message = (
            f"The filter '{wanted}' is not supported. Supported filters are either 'atScope()' or "
            "'principalId eq '{value}' or assignedTo('{value}')'."
        )
        raise Refusal(400, "UnsupportedQuery", message)
    return found[1] or found[2]


def _assignment(assignment: RoleAssignment, subscription: str) -> dict[str, Any]:
    return {
        "properties": {
            "roleDefinitionId": DEFINITION.format(subscription=subscription, role=assignment.role.id),
            "principalId": assignment.principal_id,
            "principalType": OPERATOR.type if assignment.principal_id == OPERATOR.principal_id else "ServicePrincipal",
            "scope": assignment.scope,
            "condition": None,
            "conditionVersion": None,
        },
        "id": assignment.arm_id,
        "type": "Microsoft.Authorization/roleAssignments",
        "name": assignment.id,
    }


def _definition(role: RoleDefinition, subscription: str) -> dict[str, Any]:
    scope = SUBSCRIPTION.format(subscription=subscription) if role.is_custom else "/"
    return {
        "properties": {
            "roleName": role.name,
            "type": "CustomRole" if role.is_custom else "BuiltInRole",
            "description": "",
            "assignableScopes": [scope],
            "permissions": [
                {
                    "actions": each.actions,
                    "notActions": each.not_actions,
                    "dataActions": each.data_actions,
                    "notDataActions": each.not_data_actions,
                }
                for each in role.permissions
            ],
        },
        "id": DEFINITION.format(subscription=subscription, role=role.id),
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.id,
    }
