"""
Events: those of the vaults on their way to the app, and those of the app on their way to its topic.
"""

from collections.abc import Sequence

from rotator.doctor.deployment import Deployment
from rotator.doctor.estate import Estate
from rotator.doctor.finding import Area, Finding
from rotator.doctor.needs import ON_TOPIC
from rotator.doctor.resources import EventSubscription, SystemTopic, Topic, Vault
from rotator.doctor.rights import Rights

_VERSION = "2025-02-15"
_SYSTEM_TOPICS, _TOPICS = "Microsoft.EventGrid/systemTopics", "Microsoft.EventGrid/topics"
_NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"
_VAULT = "/providers/microsoft.keyvault/vaults/"
_EVENTS, _TOPIC = Area("events"), Area("topic")
_SUBSCRIBE = "run the deployment's post-deploy step again (azd hooks run postdeploy), or deploy infra/eventing.bicep"


async def look_at_vault_events(estate: Estate, deployment: Deployment, vault: Vault) -> list[Finding]:
    """
    Return whether the near-expiry events of a vault reach the app. Without them, the sweep finds what is due.
    """
    source = vault.id.lower()
    topic = await estate.find(
        SystemTopic, _SYSTEM_TOPICS, _VERSION, lambda one: one.properties.source.lower() == source
    )
    subscriptions = await _subscriptions_of(estate, topic) if topic else []
    ours = [one for one in subscriptions if _reaches(one, deployment)]
    if not ours:
        return [
            _EVENTS.fault(
                "not_subscribed",
                f"no event of {vault.name} reaches the app: "
                + (f"none of the subscriptions of {topic.name} is to it" if topic else "the vault has no system topic"),
                _SUBSCRIBE,
            )
        ]
    working = [one for one in ours if one.properties.provisioning_state == "Succeeded"]
    if not working:
        return [
            _EVENTS.fault(
                "subscription_broken",
                f"the subscription {ours[0].name} of {vault.name} is {ours[0].properties.provisioning_state}",
                f"delete it; then {_SUBSCRIBE}",
            )
        ]
    if not any(one.wants(_NEAR_EXPIRY) for one in working):
        return [
            _EVENTS.fault(
                "events_filtered",
                f"the subscription {working[0].name} of {vault.name} leaves out {_NEAR_EXPIRY}",
                f"add {_NEAR_EXPIRY} and Microsoft.KeyVault.SecretExpired to its event types",
            )
        ]
    return [_EVENTS.ok(f"near-expiry events of {vault.name} reach the app")]


async def look_for_foreign_vaults(estate: Estate, deployment: Deployment, vaults: Sequence[Vault]) -> list[Finding]:
    """
    Return which vaults send their events to the app, and are none of its own: it drops them.
    """
    known = {one.id.lower() for one in vaults}
    findings = []
    for topic in await estate.all_near(SystemTopic, _SYSTEM_TOPICS, _VERSION):
        source = topic.properties.source
        if _VAULT not in source.lower() or source.lower() in known:
            continue
        if any(_reaches(one, deployment) for one in await _subscriptions_of(estate, topic)):
            findings.append(
                _EVENTS.fault(
                    "foreign_vault",
                    f"events of {source.rpartition('/')[2]} reach the app, which drops them: "
                    "ROTATION_VAULTS does not name that vault",
                    "add its URI to ROTATION_VAULTS, with the rights on it, or delete the event subscription",
                )
            )
    return findings


async def look_at_topic(estate: Estate, deployment: Deployment, rights: Rights | None) -> list[Finding]:
    """
    Return whether what the app publishes arrives, and whether somebody receives it.
    """
    host = deployment.topic_host
    topic = await estate.find(
        Topic, _TOPICS, _VERSION, lambda one: f"//{host}/" in f"{one.properties.endpoint}/".lower()
    )
    if topic is None:
        return [
            _TOPIC.fault(
                "topic_unknown",
                f"ROTATION_TOPIC_ENDPOINT is at {host or 'no host'}, and no custom topic that you see is there",
                "set it to the topic's: az eventgrid topic show --name my-topic --resource-group my-group "
                "--query endpoint",
            )
        ]
    findings = _faults_of(topic)
    if rights and await rights.lacking(topic.id, ON_TOPIC, is_data=True):
        findings.append(
            _TOPIC.fault(
                "topic_right_missing",
                f"the app may not publish to {topic.name}",
                f"assign EventGrid Data Sender on it to {rights.principal_id}",
            )
        )
    if not findings:
        findings = [_TOPIC.ok(f"the app may publish to {topic.name}")]
    if not await _subscriptions_of(estate, topic):
        findings.append(
            _TOPIC.warning(
                "nobody_listens",
                f"nobody subscribes to {topic.name}: no one learns that a rotation has failed",
                "docs/events.md shows how to subscribe",
            )
        )
    return findings


def _faults_of(topic: Topic) -> list[Finding]:
    findings = []
    if topic.properties.input_schema != "CloudEventSchemaV1_0":
        findings.append(
            _TOPIC.fault(
                "topic_schema",
                f"{topic.name} takes {topic.properties.input_schema}, and the app sends CloudEvents 1.0",
                "make a topic with the input schema CloudEventSchemaV1_0: that of a topic cannot be changed",
            )
        )
    is_open = topic.properties.public_network_access.lower() == "enabled"
    if not is_open and not topic.properties.private_endpoint_connections:
        findings.append(
            _TOPIC.fault(
                "topic_closed",
                f"{topic.name} has neither public network access nor a private endpoint",
                "give it one of the two",
            )
        )
    return findings


async def _subscriptions_of(estate: Estate, topic: SystemTopic | Topic) -> list[EventSubscription]:
    return await estate.manager.read_list(EventSubscription, f"{topic.id}/eventSubscriptions", _VERSION)


def _reaches(subscription: EventSubscription, deployment: Deployment) -> bool:
    """
    Return whether events go to the app: to its function, or to its webhook, whose query string Azure does not show.
    """
    there = subscription.goes_to
    if there == deployment.function_id("on_secret_event"):
        return True
    return any(there.startswith(f"https://{host.lower()}/runtime/webhooks/eventgrid") for host in deployment.hosts)
