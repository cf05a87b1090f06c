"""
What Azure Resource Manager tells about resources, as far as it matters here.

Shapes: the REST references of Microsoft.Web, Authorization, KeyVault and EventGrid. Members that are null were dropped.
"""

from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field


class Subscription(Struct, rename="camel"):
    """
    A subscription that the person sees.
    """

    subscription_id: str


class Resource(Struct):
    """
    Anything with an id, such as a storage account.
    """

    id: str
    name: str = ""


class _UserAssigned(Struct, rename="camel"):
    principal_id: str = ""
    client_id: str = ""


class _SiteIdentity(Struct, rename="camel"):
    principal_id: str = ""
    user_assigned_identities: dict[str, _UserAssigned] = {}


class _SiteProperties(Struct, rename="camel"):
    state: str = ""
    host_names: list[str] = []


class Site(Resource):
    """
    The Function App. The identity's own `principal_id` is that of the system-assigned one.
    """

    identity: _SiteIdentity = field(default_factory=_SiteIdentity)
    properties: _SiteProperties = field(default_factory=_SiteProperties)


class AppSettings(Struct):
    """
    The settings of a Function App.
    """

    properties: dict[str, str] = {}


class _FunctionProperties(Struct, rename="camel"):
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


class _RoleProperties(Struct):
    permissions: list[Permission] = []


class RoleDefinition(Resource, kw_only=True):
    """
    What a role permits.
    """

    properties: _RoleProperties


class _SecretPermissions(Struct):
    secrets: list[str] = []


class AccessPolicy(Struct, rename="camel"):
    """
    What somebody, or a group, may do with the secrets of a vault that knows no roles.
    """

    object_id: str
    permissions: _SecretPermissions = field(default_factory=_SecretPermissions)


class VaultProperties(Struct, rename="camel"):
    """
    Without a word about RBAC, a vault has access policies.
    """

    vault_uri: str = ""
    enable_rbac_authorization: bool = False
    access_policies: list[AccessPolicy] = []


class Vault(Resource, kw_only=True):
    """
    A vault.
    """

    properties: VaultProperties


class _TopicProperties(Struct, rename="camel"):
    endpoint: str = ""
    input_schema: str = ""
    public_network_access: str = "Enabled"
    private_endpoint_connections: list[Any] = []


class Topic(Resource, kw_only=True):
    """
    A custom topic of Event Grid.
    """

    properties: _TopicProperties

    @property
    def host(self) -> str:
        """
        Where it takes events, in lower case, with a port that is another than 443.
        """
        return urlsplit(self.properties.endpoint).netloc.lower().removesuffix(":443")


class _SystemTopicProperties(Struct):
    source: str = ""


class SystemTopic(Resource, kw_only=True):
    """
    What the events of a resource, here a vault, come from.
    """

    properties: _SystemTopicProperties


class _DestinationProperties(Struct, rename="camel"):
    resource_id: str = ""
    endpoint_base_url: str = ""


class _Destination(Struct):
    properties: _DestinationProperties = field(default_factory=_DestinationProperties)


class _DeliveryWithIdentity(Struct):
    destination: _Destination = field(default_factory=_Destination)


class EventFilter(Struct, rename="camel"):
    """
    Which events are delivered. Without types, or with `All`, it is those of every type.
    """

    included_event_types: list[str] = []
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    advanced_filters: list[Any] = []

    @property
    def is_narrow(self) -> bool:
        """
        Whether it chooses by more than the type.
        """
        return bool(self.subject_begins_with or self.subject_ends_with or self.advanced_filters)


class _SubscriptionProperties(Struct, rename="camel"):
    destination: _Destination = field(default_factory=_Destination)
    delivery_with_resource_identity: _DeliveryWithIdentity = field(default_factory=_DeliveryWithIdentity)
    filter: EventFilter = field(default_factory=EventFilter)
    provisioning_state: str = "Succeeded"


class EventSubscription(Resource, kw_only=True):
    """
    Where events of a topic go, and which.
    """

    properties: _SubscriptionProperties

    @property
    def goes_to(self) -> set[str]:
        """
        The id and the address that events are delivered to, in lower case.
        """
        told = self.properties.destination, self.properties.delivery_with_resource_identity.destination
        ends = {end for one in told for end in (one.properties.resource_id, one.properties.endpoint_base_url)}
        return {end.lower() for end in ends if end}

    def wants(self, event_type: str) -> bool:
        """
        Return whether events of a type are delivered.
        """
        included = {one.lower() for one in self.properties.filter.included_event_types}
        return not included or bool(included & {"all", event_type.lower()})
