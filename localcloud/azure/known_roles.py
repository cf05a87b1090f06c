"""
The roles that matter here: some built-in ones as Azure defines them, and the custom one that infra/ defines.

It rests on assumption 127 of docs/fidelity.md.
"""

from collections.abc import Iterable

from localcloud.azure.principal import OPERATOR, SECRET_USERS, Principal
from localcloud.azure.roles import Permission, RoleDefinition, Roles

OWNER = RoleDefinition(
    id="8e3af657-a8ff-443c-a75c-2fe8c4bcb635", name="Owner", permissions=(Permission(actions=("*",)),)
)
READER = RoleDefinition(
    id="acdd72a7-3385-48ef-bd42-f606fba81ae7", name="Reader", permissions=(Permission(actions=("*/read",)),)
)
KEY_VAULT_SECRETS_OFFICER = RoleDefinition(
    id="b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    name="Key Vault Secrets Officer",
    permissions=(
        Permission(
            actions=(
                "Microsoft.Authorization/*/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Support/*",
                "Microsoft.KeyVault/checkNameAvailability/read",
                "Microsoft.KeyVault/deletedVaults/read",
                "Microsoft.KeyVault/locations/*/read",
                "Microsoft.KeyVault/vaults/*/read",
                "Microsoft.KeyVault/operations/read",
            ),
            data_actions=("Microsoft.KeyVault/vaults/secrets/*",),
        ),
    ),
)
KEY_VAULT_SECRETS_USER = RoleDefinition(
    id="4633458b-17de-408a-b874-0445c86b69e6",
    name="Key Vault Secrets User",
    permissions=(
        Permission(
            data_actions=(
                "Microsoft.KeyVault/vaults/secrets/getSecret/action",
                "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            )
        ),
    ),
)
EVENT_GRID_DATA_SENDER = RoleDefinition(
    id="d5a91429-5739-47e2-a06b-3470a27159e7",
    name="EventGrid Data Sender",
    permissions=(
        Permission(
            actions=(
                "Microsoft.Authorization/*/read",
                "Microsoft.EventGrid/topics/read",
                "Microsoft.EventGrid/domains/read",
                "Microsoft.EventGrid/partnerNamespaces/read",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.EventGrid/namespaces/read",
            ),
            data_actions=("Microsoft.EventGrid/events/send/action",),
        ),
    ),
)


def rotation_role(actions: Iterable[str]) -> RoleDefinition:
    """
    Return the custom role, which allows these actions and no other.
    """
    return RoleDefinition(
        id="dddddddd-dddd-4ddd-8ddd-dddddddddddd",
        name="Azure Key Rotator (local)",
        permissions=(Permission(actions=tuple(actions)),),
        is_custom=True,
    )


def usual_roles(app: Principal, rotation: RoleDefinition) -> Roles:
    """
    Return the roles with which everything works: the app may do what infra/ lets it do, here at all scopes.
    """
    roles = Roles()
    assigned = {
        app: (rotation, KEY_VAULT_SECRETS_OFFICER, EVENT_GRID_DATA_SENDER),
        OPERATOR: (OWNER, KEY_VAULT_SECRETS_OFFICER, EVENT_GRID_DATA_SENDER),
        SECRET_USERS: (KEY_VAULT_SECRETS_USER,),
    }
    for principal, definitions in assigned.items():
        for role in definitions:
            roles.assign(principal.principal_id, role)
    return roles
