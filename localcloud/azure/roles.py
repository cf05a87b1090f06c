"""
Azure RBAC: role definitions, their assignments, and what these allow.

It rests on assumption 127 of docs/fidelity.md.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

EVERYWHERE = "/"
"""The scope that covers all others."""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """
    What a role allows. `*` stands for any characters, slashes included, and case is ignored.
    """

    actions: Sequence[str] = ()
    not_actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()
    not_data_actions: Sequence[str] = ()

    def allows(self, action: str, *, data: bool) -> bool:
        """
        Whether it allows an action, which is one on data or one of Azure Resource Manager.
        """
        granted, excepted = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return _matches(granted, action) and not _matches(excepted, action)


@dataclass(frozen=True, kw_only=True)
class RoleDefinition:
    """
    A role, by its GUID.
    """

    id: str
    name: str
    permissions: Sequence[Permission]
    is_custom: bool = False

    def allows(self, action: str, *, data: bool) -> bool:
        """
        Whether any of its permissions allows an action.
        """
        return any(permission.allows(action, data=data) for permission in self.permissions)


@dataclass(frozen=True, kw_only=True)
class RoleAssignment:
    """
    A role that a principal has at a scope: an ARM id, or `/`.
    """

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    principal_id: str
    role: RoleDefinition
    scope: str

    @property
    def arm_id(self) -> str:
        """
        Its own id in ARM.
        """
        return f"{self.scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{self.id}"


class Roles:
    """
    All role definitions that are known, and all assignments.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, RoleDefinition] = {}
        self._assignments: list[RoleAssignment] = []
        self._granted: dict[tuple[str, str, bool], list[str]] = {}
        """The scopes at which a principal may do something, as far as they were asked for since roles changed."""

    def assign(self, principal_id: str, role: RoleDefinition, scope: str = EVERYWHERE) -> RoleAssignment:
        """
        Give a principal a role at a scope. Raises `ValueError` if it has it there already.
        """
        if self._find(principal_id, role, scope):
            raise ValueError(f"{principal_id} has the role {role.name} at {scope} already")
        made = RoleAssignment(principal_id=principal_id, role=role, scope=scope)
        self._definitions[role.id.casefold()] = role
        self._assignments.append(made)
        self._granted.clear()
        return made

    def remove(self, principal_id: str, role: RoleDefinition, scope: str | None = None) -> None:
        """
        Take a role from a principal, at a scope or wherever it has it. Raises `ValueError` if it has not.
        """
        if not (found := self._find(principal_id, role, scope)):
            raise ValueError(f"{principal_id} has not the role {role.name} at {scope or 'any scope'}")
        self._assignments = [each for each in self._assignments if each not in found]
        self._granted.clear()

    def allows(self, principal_id: str, action: str, arm_id: str, *, data: bool = False) -> bool:
        """
        Whether a principal may do something to a resource, by a role at its id or at one above.
        """
        asked = principal_id, action, data
        if (scopes := self._granted.get(asked)) is None:
            scopes = self._granted[asked] = [
                each.scope
                for each in self._assignments
                if each.principal_id == principal_id and each.role.allows(action, data=data)
            ]
        return any(is_within(arm_id, scope) for scope in scopes)

    def assignments(self, principal_id: str | None = None) -> list[RoleAssignment]:
        """
        Return all assignments, or those of a principal, in the order in which they were made.
        """
        return [each for each in self._assignments if principal_id in {None, each.principal_id}]

    def definition(self, role_id: str) -> RoleDefinition | None:
        """
        Return the role with a GUID that was assigned at some time, or None.
        """
        return self._definitions.get(role_id.casefold())

    def _find(self, principal_id: str, role: RoleDefinition, scope: str | None) -> list[RoleAssignment]:
        return [
            each
            for each in self.assignments(principal_id)
            if each.role.id == role.id and (scope is None or _key(each.scope) == _key(scope))
        ]


def is_within(arm_id: str, scope: str) -> bool:
    """
    Whether a scope covers an id: it is the same, or one above in whole segments. Case is ignored.
    """
    return f"{_key(arm_id)}/".startswith(f"{_key(scope)}/")


def _key(arm_id: str) -> str:
    return arm_id.casefold().rstrip("/")


def _matches(patterns: Sequence[str], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"), re.IGNORECASE)
