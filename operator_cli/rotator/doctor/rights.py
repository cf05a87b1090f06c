"""
What the app's identity may do, by its role assignments: the rules of Azure RBAC.

Conditions of assignments and deny assignments are not looked at: where one stands in the way, the app's own refusals
show it. Source: "Understand Azure role definitions", Microsoft Learn.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rotator.doctor.estate import is_within, subscription_of
from rotator.doctor.resource_manager import ResourceManager
from rotator.doctor.resources import Permission, RoleAssignment, RoleDefinition

_VERSION = "2022-04-01"


@dataclass(frozen=True)
class Grant:
    """
    What a role permits from a scope downwards.
    """

    scope: str
    permissions: Sequence[Permission]

    def covers(self, resource_id: str) -> bool:
        """
        Return whether a resource is the scope, or lies below it. A management group is above all that is shown with it.
        """
        is_above_subscriptions = not self.scope.lower().startswith("/subscriptions/")
        return is_above_subscriptions or is_within(resource_id, self.scope)

    def allows(self, action: str, *, is_data: bool) -> bool:
        """
        Return whether the role has an action, by one of its permissions.
        """
        for permission in self.permissions:
            allowed = permission.data_actions if is_data else permission.actions
            left_out = permission.not_data_actions if is_data else permission.not_actions
            if _matches(allowed, action) and not _matches(left_out, action):
                return True
        return False


class Rights:
    """
    The rights of one identity, read a subscription at a time.
    """

    def __init__(self, manager: ResourceManager, principal_id: str) -> None:
        self._manager = manager
        self.principal_id = principal_id
        self._grants: dict[str, asyncio.Task[list[Grant]]] = {}

    async def lacking(self, resource_id: str, actions: Iterable[str], *, is_data: bool = False) -> list[str]:
        """
        Return the actions that the identity may not do with a resource. Raises a `CommandError`.
        """
        grants = [grant for grant in await self._in(subscription_of(resource_id)) if grant.covers(resource_id)]
        return [action for action in actions if not any(grant.allows(action, is_data=is_data) for grant in grants)]

    async def scopes_below(self, scope: str) -> list[str]:
        """
        Return the scopes below another one at which the identity has a role.
        """
        start = f"{scope.lower().rstrip('/')}/"
        scopes = {one.scope.lower() for one in await self._in(subscription_of(scope))}
        return sorted(one for one in scopes if one.startswith(start))

    async def _in(self, subscription: str) -> list[Grant]:
        if subscription not in self._grants:
            self._grants[subscription] = asyncio.create_task(self._read(subscription))
        return await self._grants[subscription]

    async def _read(self, subscription: str) -> list[Grant]:
        path = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleAssignments"
        # Also those of groups that the identity belongs to.
        filters = {"$filter": f"assignedTo('{self.principal_id}')"}
        assignments = await self._manager.read_list(RoleAssignment, path, _VERSION, filters)
        ids = {one.properties.role_definition_id for one in assignments}
        roles = dict(zip(ids, await asyncio.gather(*map(self._role, ids)), strict=True))
        return [
            Grant(one.properties.scope, roles[one.properties.role_definition_id].properties.permissions)
            for one in assignments
        ]

    async def _role(self, definition_id: str) -> RoleDefinition:
        return await self._manager.get(RoleDefinition, definition_id, _VERSION)


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), action, re.IGNORECASE) for one in patterns)
