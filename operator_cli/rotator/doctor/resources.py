"""
What Azure Resource Manager tells about resources, as far as it matters here.

Shapes: the REST references of Microsoft.Web, Authorization, KeyVault, EventGrid and Storage.
"""

from typing import Any

from msgspec import Struct, field


class Subscription(Struct, rename="camel"):
    """
    A subscription that the person sees.
    """

    subscription_id: str


class Resource(Struct):
    """
    Anything with an id.
    """

    id: str
    name: str = ""


class _UserAssigned(Struct, rename="camel"):
    """
    A user-assigned identity of a site.
    """

    principal_id: str = ""
    client_id: str = ""


class _SiteIdentity(Struct, rename="camel"):
    """
    The identities of a site: the system-assigned one, if there is one, and the others by id.
    """

    principal_id: str | None = None
    user_assigned_identities: dict[str, _UserAssigned] | None = None


class _SiteProperties(Struct, rename="camel"):
    state: str = ""
    host_names: list[str] = []


class Site(Resource):
    """
    The Function App.
    """

    identity: _SiteIdentity | None = None
    properties: _SiteProperties = field(default_factory=_SiteProperties)


class AppSettings(Struct):
    """
    The settings of a Function App.
    """

    properties: dict[str, str]


class _FunctionProperties(Struct, rename="camel"):
    name: str = ""
    is_disabled: bool = False


class Function(Resource):
    """
    A function that the host has found in the app, `app/on_secret_event` by name.
    """

    properties: _FunctionProperties = field(default_factory=_FunctionProperties)

    @property
    def short_name(self) -> str:
        """
        The name that the code gives it.
        """
        return self.name.rpartition("/")[2]


class _Platform(Struct):
    enabled: bool = False


class _Validation(Struct, rename="camel"):
    excluded_paths: list[str] | None = None


class _AuthProperties(Struct, rename="camel"):
    platform: _Platform | None = None
    global_validation: _Validation | None = None


class AuthSettings(Struct):
    """
    App Service's own sign-in before the app.
    """

    properties: _AuthProperties = field(default_factory=_AuthProperties)


class _AssignmentProperties(Struct, rename="camel"):
    scope: str
    role_definition_id: str


class RoleAssignment(Resource, kw_only=True):
    """
    A role of somebody at a scope.
    """

    properties: _AssignmentProperties


class Permission(Struct, rename="camel"):
    """
    Actions with wildcards, and those that are left out of them.
    """

    actions: list[str] = []
    not_actions: list[str] = []
    data_actions: list[str] = []
    not_data_actions: list[str] = []


class _RoleProperties(Struct, rename="camel"):
    role_name: str = ""
    permissions: list[Permission] = []


class RoleDefinition(Resource, kw_only=True):
    """
    What a role permits.
    """

    properties: _RoleProperties


class _SecretPermissions(Struct):
    secrets: list[str] | None = None


class _AccessPolicy(Struct, rename="camel"):
    object_id: str
    permissions: _SecretPermissions = field(default_factory=_SecretPermissions)


class _VaultProperties(Struct, rename="camel"):
    vault_uri: str = ""
    enable_rbac_authorization: bool | None = None
    access_policies: list[_AccessPolicy] | None = None


class Vault(Resource, kw_only=True):
    """
    A vault.
    """

    properties: _VaultProperties


class _TopicProperties(Struct, rename="camel"):
    endpoint: str | None = None
    input_schema: str = ""
    provisioning_state: str = ""
    public_network_access: str = "Enabled"
    private_endpoint_connections: list[Any] | None = None


class Topic(Resource, kw_only=True):
    """
    A custom topic of Event Grid.
    """

    properties: _TopicProperties


class _SystemTopicProperties(Struct, rename="camel"):
    source: str = ""


class SystemTopic(Resource, kw_only=True):
    """
    What the events of a resource, here a vault, come from.
    """

    properties: _SystemTopicProperties


class _DestinationProperties(Struct, rename="camel"):
    resource_id: str | None = None
    endpoint_base_url: str | None = None


class _Destination(Struct, rename="camel"):
    endpoint_type: str = ""
    properties: _DestinationProperties = field(default_factory=_DestinationProperties)


class _DeliveryWithIdentity(Struct):
    destination: _Destination = field(default_factory=_Destination)


class _Filter(Struct, rename="camel"):
    included_event_types: list[str] | None = None


class _SubscriptionProperties(Struct, rename="camel"):
    destination: _Destination | None = None
    delivery_with_resource_identity: _DeliveryWithIdentity | None = None
    filter: _Filter | None = None
    provisioning_state: str = "Succeeded"


class EventSubscription(Resource, kw_only=True):
    """
    Where events of a topic go, and which.
    """

    properties: _SubscriptionProperties

    @property
    def goes_to(self) -> str:
        """
        The id or the address that events are delivered to, in lower case.
        """
        delivery = self.properties.delivery_with_resource_identity
        destination = delivery.destination if delivery else self.properties.destination
        if destination is None:
            return ""
        return (destination.properties.resource_id or destination.properties.endpoint_base_url or "").lower()

    def wants(self, event_type: str) -> bool:
        """
        Return whether events of a type are delivered.
        """
        included = self.properties.filter.included_event_types if self.properties.filter else None
        return not included or event_type.lower() in {one.lower() for one in included}


class StorageAccount(Resource):
    """
    A storage account.
    """
