"""
Microsoft.EventGrid: custom topics, the system topics of vaults, and who has subscribed to them.

It rests on assumption 134 of docs/fidelity.md.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from localcloud.azure.arm import LOCATION
from localcloud.azure.control_plane.plane import SUBSCRIPTION, ControlPlane, listing
from localcloud.azure.control_plane.site import FunctionSite
from localcloud.azure.custom_topic import CustomTopic
from localcloud.azure.event_subscription import EventSubscription
from localcloud.azure.operation import Call, Operation
from localcloud.azure.vault import Vault

API_VERSIONS = frozenset({"2022-06-15", "2025-02-15"})
IN_SUBSCRIPTION = f"{SUBSCRIPTION}/providers/Microsoft.EventGrid"
IN_GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}/providers/Microsoft.EventGrid"
TOPIC = f"{IN_GROUP}/topics/{{topic}}"
VAULT = f"{SUBSCRIPTION}/resourceGroups/{{group}}/providers/Microsoft.KeyVault/vaults/{{vault}}"
ON_VAULT = f"{VAULT}/providers/Microsoft.EventGrid"
SYSTEM_TOPIC = f"{IN_GROUP}/systemTopics/{{topic}}"


def operations(plane: ControlPlane) -> list[Operation]:
    """
    Return what can be read of topics.
    """
    grid = _EventGrid(plane)
    listed = (
        ("EventGrid.ListTopics", f"{IN_SUBSCRIPTION}/topics", grid.topics),
        ("EventGrid.ListSystemTopics", f"{IN_SUBSCRIPTION}/systemTopics", grid.system_topics),
        ("EventGrid.ListSubscriptionsOfTopic", f"{TOPIC}/eventSubscriptions", grid.of_topic),
        ("EventGrid.ListSubscriptionsOfVault", f"{ON_VAULT}/eventSubscriptions", grid.of_vault),
        ("EventGrid.ListSubscriptionsOfSystemTopic", f"{SYSTEM_TOPIC}/eventSubscriptions", grid.of_system_topic),
    )
    return [Operation(name, "GET", path, listing(plane, members), path, API_VERSIONS) for name, path, members in listed]


class _EventGrid:
    def __init__(self, plane: ControlPlane) -> None:
        self._inventory = plane.inventory

    def topics(self, call: Call) -> list[object]:
        return [_topic(each) for each in self._inventory.all_in(call.names["subscription"], CustomTopic)]

    def system_topics(self, call: Call) -> list[object]:
        return [_system_topic(each) for each in self._observed_vaults(call.names["subscription"])]

    def of_topic(self, call: Call) -> list[object]:
        topic = self._inventory.find(TOPIC.format(**call.names), CustomTopic)
        return self._shown(topic.arm_id, "topics", topic.subscriptions)

    def of_system_topic(self, call: Call) -> list[object]:
        wanted = SYSTEM_TOPIC.format(**call.names)
        for vault in self._observed_vaults(call.names["subscription"]):
            if system_topic_id(vault).casefold() == wanted.casefold():
                return self._shown(system_topic_id(vault), "systemTopics", vault.subscriptions)
        raise self._inventory.missing(wanted)

    def of_vault(self, call: Call) -> list[object]:
        # Here all subscriptions lie on the vault's topic.
        self._inventory.find(VAULT.format(**call.names), Vault)
        return []

    def _observed_vaults(self, subscription: str) -> list[Vault]:
        return [each for each in self._inventory.all_in(subscription, Vault) if each.has_system_topic]

    def _shown(self, topic: str, kind: str, subscriptions: Sequence[EventSubscription]) -> list[object]:
        return [
            {
                "properties": {
                    "topic": topic.casefold(),
                    "provisioningState": each.provisioning_state,
                    "destination": self._destination(each),
                    "filter": {} if each.event_types is None else {"includedEventTypes": list(each.event_types)},
                    "labels": None,
                    "eventDeliverySchema": each.schema,
                    "retryPolicy": {
                        "maxDeliveryAttempts": each.retry_policy.max_delivery_attempts,
                        "eventTimeToLiveInMinutes": int(each.retry_policy.time_to_live // 60),
                    },
                },
                "id": f"{topic}/eventSubscriptions/{each.name}",
                "name": each.name,
                "type": f"Microsoft.EventGrid/{kind}/eventSubscriptions",
            }
            for each in subscriptions
        ]

    def _destination(self, subscription: EventSubscription) -> dict[str, Any]:
        url = urlsplit(subscription.url)
        named = parse_qs(url.query).get("functionName")
        site = next(iter(self._inventory.all(FunctionSite)), None)
        if subscription.is_function and named and site:
            function = {"resourceId": f"{site.arm_id}/functions/{named[0]}"}
            limits = {"maxEventsPerBatch": 1, "preferredBatchSizeInKilobytes": 64}
            return {"endpointType": "AzureFunction", "properties": function | limits}
        base = url._replace(query="", fragment="").geturl()
        return {"endpointType": "WebHook", "properties": {"endpointUrl": None, "endpointBaseUrl": base}}


def system_topic_id(vault: Vault) -> str:
    """
    Return the ARM id of a vault's system topic, as infra/ names it.
    """
    group = vault.arm_id.partition("/providers/")[0]
    return f"{group}/providers/Microsoft.EventGrid/systemTopics/evgst-{vault.name}"


def _topic(topic: CustomTopic) -> dict[str, Any]:
    return {
        "id": topic.arm_id,
        "name": topic.arm_id.rpartition("/")[2],
        "type": "Microsoft.EventGrid/topics",
        "location": LOCATION,
        "tags": {},
        "kind": "Azure",
        "sku": {"name": "Basic"},
        "properties": {
            "provisioningState": topic.provisioning_state,
            "endpoint": topic.endpoint,
            "inputSchema": topic.input_schema,
            "publicNetworkAccess": topic.public_network_access,
            "disableLocalAuth": topic.disables_local_auth,
            "minimumTlsVersionAllowed": "1.2",
        },
    }


def _system_topic(vault: Vault) -> dict[str, Any]:
    topic = system_topic_id(vault)
    return {
        "id": topic,
        "name": topic.rpartition("/")[2],
        "type": "Microsoft.EventGrid/systemTopics",
        "location": LOCATION,
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "source": vault.arm_id,
            "topicType": "Microsoft.KeyVault.vaults",
        },
    }
