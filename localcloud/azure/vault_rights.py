"""
What a caller of a vault must be allowed to do with its secrets.

It rests on assumption 129 of docs/fidelity.md.
"""

from collections.abc import Callable

from localcloud.azure.arm import LOCATION
from localcloud.azure.dialect import TENANT_ID
from localcloud.azure.identity import Identity
from localcloud.azure.operation import Call
from localcloud.azure.refusal import Refusal
from localcloud.azure.roles import Roles
from localcloud.azure.vault import Vault
from localcloud.azure.wordings import CALLER, FORBIDDEN_BY_POLICY, FORBIDDEN_BY_RBAC

SECRETS = "Microsoft.KeyVault/vaults/secrets"
GET = f"{SECRETS}/getSecret/action"
READ_METADATA = f"{SECRETS}/readMetadata/action"
SET = f"{SECRETS}/setSecret/action"
UPDATE = f"{SECRETS}/update/action"
DELETE = f"{SECRETS}/delete"
RECOVER = f"{SECRETS}/recover/action"
PURGE = f"{SECRETS}/purge/action"

_IN_POLICIES = {GET: "get", READ_METADATA: "list", SET: "set", UPDATE: "set"}
"""What the permissions of access policies are called, where that is not the last word of the action."""


def authorize(vault: Vault, identity: Identity, roles: Roles) -> Callable[[Call], None]:
    """
    Return the check that the principal of a call's token may do what it asks for; it raises Key Vault's refusal.

    A vault that does not use Azure RBAC has access policies, and none of these lets anyone in.
    """

    def check(call: Call) -> None:
        principal, action = identity.caller(call), call.operation.action
        caller = CALLER.format(client=principal.client_id, object=principal.principal_id, tenant=TENANT_ID)
        name = f"{vault.name};location={LOCATION}"
        if not vault.uses_rbac:
            permission = _IN_POLICIES.get(action) or action.removesuffix("/action").rpartition("/")[2]
            message = FORBIDDEN_BY_POLICY.format(caller=caller, permission=permission, vault=name)
            raise Refusal(403, "Forbidden", message, inner_code="AccessDenied")
        resource = vault.arm_id
        if secret := call.names.get("name"):
            resource += f"/secrets/{secret}"
        if not roles.allows(principal.principal_id, action, resource, data=True):
            message = FORBIDDEN_BY_RBAC.format(caller=caller, action=action, resource=resource)
            raise Refusal(403, "Forbidden", f"{message}Vault: {name}\r\n", inner_code="ForbiddenByRbac")

    return check
