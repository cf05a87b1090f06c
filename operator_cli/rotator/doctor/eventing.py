"""
Events: those of the vaults on their way to the app, and those of the app on their way to its topic.
"""

from urllib.parse import urlsplit

from rotator.doctor.deployment import Deployment
from rotator.doctor.estate import Estate, subscription_of
from rotator.doctor.finding import Area, Finding
from rotator.doctor.needs import ON_TOPIC
from rotator.doctor.resource_manager import NotShown, ResourceManager
from rotator.doctor.resources import EventSubscription, SystemTopic, Topic, Vault
from rotator.doctor.rights import Rights

_VERSION = "2025-02-15"
_SYSTEM_TOPICS, _TOPICS = "Microsoft.EventGrid/systemTopics", "Microsoft.EventGrid/topics"
_BROKEN = frozenset({"Failed", "Canceled"})
_NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"
_VAULT = "/providers/microsoft.keyvault/vaults/"
_EVENTS, _TOPIC = Area("events"), Area("topic")
_SUBSCRIBE = "run the deployment's post-deploy step again (azd hooks run postdeploy), or deploy infra/eventing.bicep"


async def look_at_vault_events(manager: ResourceManager, deployment: Deployment, vault: Vault) -> list[Finding]:
    """
    Return whether the near-expiry events of a vault reach the app. Without them, the sweep finds what is due.
    """
    source = vault.id.lower()
    # A system topic is in the subscription of its source.
    path = f"/subscriptions/{subscription_of(vault.id)}/providers/{_SYSTEM_TOPICS}"
    topics = await manager.read_list(SystemTopic, path, _VERSION)
    topic = next((one for one in topics if one.properties.source.lower() == source), None)
    subscriptions = await _subscriptions_of(manager, topic.id) if topic else []
    ours = [one for one in subscriptions if _reaches(one, deployment)]
    if not ours:
        # Those that were made on the vault, and not on its topic.
        subscriptions = await _subscriptions_of(manager, f"{vault.id}/providers/Microsoft.EventGrid")
        ours = [one for one in subscriptions if _reaches(one, deployment)]
    if not ours:
        why = f"no event subscription of {topic.name} leads there" if topic else "the vault has no system topic"
        return [_EVENTS.fault("not_subscribed", f"no event of {vault.name} reaches the app: {why}", _SUBSCRIBE)]
    working = [one for one in ours if one.properties.provisioning_state not in _BROKEN]
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
    wanting = [one for one in working if one.wants(_NEAR_EXPIRY)]
    if all(one.properties.filter.is_narrow for one in wanting):
        return [
            _EVENTS.warning(
                "events_narrowed",
                f"the subscription {wanting[0].name} of {vault.name} filters by subject or content: only some events "
                "reach the app",
                "remove that filter, unless it lets the events of all managed secrets through",
            )
        ]
    return [_EVENTS.ok(f"near-expiry events of {vault.name} reach the app")]


async def look_for_foreign_vaults(estate: Estate, deployment: Deployment) -> list[Finding]:
    """
    Return which vaults send their events to the app, and are none of its own: it drops them.
    """
    uris = deployment.vaults
    seen = await estate.all_near(Vault, "Microsoft.KeyVault/vaults", "2024-11-01")
    known = {one.id.lower() for one in seen if one.properties.vault_uri.lower().rstrip("/") in uris}
    # One that is not seen: a vault's name is unique, and begins the host of its URI.
    names = {urlsplit(uri).netloc.partition(".")[0] for uri in uris}
    findings = []
    for topic in await estate.all_near(SystemTopic, _SYSTEM_TOPICS, _VERSION):
        source = topic.properties.source
        name = source.rpartition("/")[2]
        if _VAULT not in source.lower() or source.lower() in known or name.lower() in names:
            continue
        if any(_reaches(one, deployment) for one in await _subscriptions_of(estate.manager, topic.id)):
            findings.append(
                _EVENTS.fault(
                    "foreign_vault",
                    f"events of {name} reach the app, which drops them: ROTATION_VAULTS does not name that vault",
                    "add its URI to ROTATION_VAULTS, with the rights on it, or delete the event subscription",
                )
            )
    return findings


async def look_at_topic(estate: Estate, deployment: Deployment, rights: Rights | None) -> list[Finding]:
    """
    Return whether what the app publishes arrives, and whether somebody receives it.
    """
    host = deployment.topic_host
    topic = await estate.find(Topic, _TOPICS, _VERSION, lambda one: one.host == host)
    if topic is None:
        return [await _unknown_topic(estate, host, rights)]
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
    if not await _subscriptions_of(estate.manager, topic.id):
        findings.append(
            _TOPIC.warning(
                "nobody_listens",
                f"nobody subscribes to {topic.name}: no one learns that a rotation has failed",
                "docs/events.md shows how to subscribe",
            )
        )
    return findings


async def _unknown_topic(estate: Estate, host: str, rights: Rights | None) -> Finding:
    """
    Return what it means that no topic is seen at a host: it is a wrong one where the app may publish to another.
    """
    there = f"ROTATION_TOPIC_ENDPOINT is at {host or 'no host'}, and no topic that you see is there"
    for other in await estate.all_near(Topic, _TOPICS, _VERSION) if rights else []:
        if rights and not await rights.lacking(other.id, ON_TOPIC, is_data=True):
            said = f"{there}: the app has its role on {other.name}"
            return _TOPIC.fault("topic_unknown", said, f"set it to {other.properties.endpoint}")
    return _TOPIC.unknown(
        "topic_not_seen",
        there,
        "compare it with az eventgrid topic show --name my-topic --resource-group my-group --query endpoint",
    )


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
    is_closed = topic.properties.public_network_access.lower() == "disabled"
    if is_closed and not topic.properties.private_endpoint_connections:
        findings.append(
            _TOPIC.fault(
                "topic_closed",
                f"{topic.name} has neither public network access nor a private endpoint",
                "give it one of the two",
            )
        )
    return findings


async def _subscriptions_of(manager: ResourceManager, topic: str) -> list[EventSubscription]:
    try:
        return await manager.read_list(EventSubscription, f"{topic}/eventSubscriptions", _VERSION)
    except NotShown as error:
        if error.is_missing:
            return []
        raise


def _reaches(subscription: EventSubscription, deployment: Deployment) -> bool:
    """
    Return whether events go to the app: to its function, or to its webhook, whose query string Azure does not show.
    """
    webhooks = tuple(f"https://{host.lower()}/runtime/webhooks/eventgrid" for host in deployment.hosts)
    function = deployment.function_id("on_secret_event")
    return any(end == function or end.startswith(webhooks) for end in subscription.goes_to)
