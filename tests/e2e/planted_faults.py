"""
Faults of a deployment, planted in the local Azure: each as it comes about in a subscription.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION
from localcloud.azure.known_roles import (
    EVENT_GRID_DATA_SENDER,
    KEY_VAULT_SECRETS_OFFICER,
    KEY_VAULT_SECRETS_USER,
    rotation_role,
)
from localcloud.azure.roles import RoleDefinition
from localcloud.azure.site_authentication import EXCLUDED_PATHS, as_deployed
from localcloud.cloud import LocalCloud
from localcloud.kinds import KINDS, named

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"

Fault: TypeAlias = Callable[[LocalCloud], Awaitable[None]]


def _without(cloud: LocalCloud, role: RoleDefinition) -> None:
    """
    Take a role from the app wherever it has it.
    """
    cloud.azure.roles.remove(cloud.azure.identity.principal_id, role)


def _give(cloud: LocalCloud, role: RoleDefinition, scope: str) -> None:
    """
    Give the app a role.
    """
    cloud.azure.roles.assign(cloud.azure.identity.principal_id, role, scope)


async def missing_role(cloud: LocalCloud) -> None:
    """
    Assign the custom role in another resource group alone.
    """
    _without(cloud, cloud.azure.rotation_role)
    _give(cloud, cloud.azure.rotation_role, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/another")


async def role_of_another_version(cloud: LocalCloud) -> None:
    """
    Let the role list the keys of one kind, and not regenerate them: no dry run shows that.
    """
    actions = [one for kind in KINDS for one in kind.actions if "batchAccounts/regeneratekeys" not in one]
    _without(cloud, cloud.azure.rotation_role)
    _give(cloud, rotation_role(actions), GROUP)


async def reading_role_on_a_vault(cloud: LocalCloud) -> None:
    """
    Let the app read one vault, and not write it.
    """
    _without(cloud, KEY_VAULT_SECRETS_OFFICER)
    _give(cloud, KEY_VAULT_SECRETS_USER, cloud.vaults[0].arm_id)
    _give(cloud, KEY_VAULT_SECRETS_OFFICER, cloud.vaults[1].arm_id)


async def no_role_on_a_vault(cloud: LocalCloud) -> None:
    """
    Let the app do nothing in one vault.
    """
    _without(cloud, KEY_VAULT_SECRETS_OFFICER)
    _give(cloud, KEY_VAULT_SECRETS_OFFICER, cloud.vaults[0].arm_id)


async def access_policies(cloud: LocalCloud) -> None:
    """
    Let a vault use access policies, for which roles do not count.
    """
    cloud.vaults[1].uses_rbac = False


async def no_right_to_publish(cloud: LocalCloud) -> None:
    """
    Take the role on the topic away.
    """
    _without(cloud, EVENT_GRID_DATA_SENDER)


async def wrong_topic(cloud: LocalCloud) -> None:
    """
    Let the endpoint be another topic's.
    """
    cloud.site.changed_settings["ROTATION_TOPIC_ENDPOINT"] = (
        "https://evgt-x.westeurope-1.eventgrid.azure.net/api/events"
    )


async def topic_of_another_schema(cloud: LocalCloud) -> None:
    """
    Let the topic take events of Event Grid's own schema.
    """
    cloud.azure.topic.input_schema = "EventGridSchema"


async def closed_topic(cloud: LocalCloud) -> None:
    """
    Leave the topic neither public access nor a private endpoint.
    """
    cloud.azure.topic.public_network_access = "Disabled"


async def no_subscription(cloud: LocalCloud) -> None:
    """
    Delete the subscription to the events of one vault.
    """
    cloud.vaults[1].subscriptions.clear()


async def no_system_topic(cloud: LocalCloud) -> None:
    """
    Let there never have been one.
    """
    cloud.vaults[1].subscriptions.clear()
    cloud.vaults[1].has_system_topic = False


async def subscription_without_near_expiry(cloud: LocalCloud) -> None:
    """
    Report expired secrets alone.
    """
    vault = cloud.vaults[0]
    vault.subscriptions[:] = [
        replace(one, event_types=["Microsoft.KeyVault.SecretExpired"]) for one in vault.subscriptions
    ]


async def broken_subscription(cloud: LocalCloud) -> None:
    """
    Let a subscription never have been provisioned.
    """
    vault = cloud.vaults[0]
    vault.subscriptions[:] = [replace(one, provisioning_state="Failed") for one in vault.subscriptions]


async def foreign_vault(cloud: LocalCloud) -> None:
    """
    Set the app up for one vault, while it gets the events of two.
    """
    cloud.site.changed_settings["ROTATION_VAULTS"] = cloud.vaults[0].uri


async def unknown_identity(cloud: LocalCloud) -> None:
    """
    Let the setting name an identity that is not the app's.
    """
    cloud.site.changed_settings["AZURE_CLIENT_ID"] = "6b7c3b0e-4a2f-4d0e-8f0b-2f4f0d7a9c11"


async def disabled_sweep(cloud: LocalCloud) -> None:
    """
    Disable a timer by a setting.
    """
    cloud.site.changed_settings["AzureWebJobs.sweep_vaults.Disabled"] = "true"


async def stopped_app(cloud: LocalCloud) -> None:
    """
    Stop the app in Azure.
    """
    cloud.site.state = "Stopped"


async def sign_in_before_events(cloud: LocalCloud) -> None:
    """
    Let App Service ask everybody to sign in.
    """
    cloud.site.authentication.is_enabled = cloud.site.authentication.is_required = True


async def believed_without_sign_in(cloud: LocalCloud) -> None:
    """
    Let the app believe a principal for which App Service does not vouch.
    """
    cloud.site.changed_settings["ROTATION_AUTHENTICATION"] = "entra"


def _sign_in(cloud: LocalCloud, **changed: Any) -> None:
    cloud.site.changed_settings["ROTATION_AUTHENTICATION"] = "entra"
    cloud.site.authentication = replace(as_deployed(), **changed)


async def sign_in_for_any_application(cloud: LocalCloud) -> None:
    """
    Name no application that may call.
    """
    _sign_in(cloud, allowed_applications=())


async def sign_in_without_people(cloud: LocalCloud) -> None:
    """
    Forget the application by which people sign in.
    """
    _sign_in(cloud, allowed_applications=("55555555-5555-4555-8555-555555555555",))


async def sign_in_with_a_hole(cloud: LocalCloud) -> None:
    """
    Leave out whatever lies below the page.
    """
    _sign_in(cloud, excluded_paths=(*EXCLUDED_PATHS, "/api/dashboard/*"))


async def empty_scopes(cloud: LocalCloud) -> None:
    """
    Allow nothing to be regenerated.
    """
    cloud.site.changed_settings["ROTATION_ALLOWED_SCOPES"] = ""


async def scope_without_rights(cloud: LocalCloud) -> None:
    """
    Add a scope to the settings, and forget the role there.
    """
    _without(cloud, cloud.azure.rotation_role)
    _give(cloud, cloud.azure.rotation_role, GROUP)
    added = f"{GROUP},/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-added"
    cloud.site.changed_settings["ROTATION_ALLOWED_SCOPES"] = added


async def no_right_on_its_storage(cloud: LocalCloud) -> None:
    """
    Let the app sign in to its storage account with its identity, which has no role there.
    """
    await named("storage").make(cloud.azure, "strotator")
    cloud.site.changed_settings |= {"AzureWebJobsStorage": None, "AzureWebJobsStorage__accountName": "strotator"}
