from handlers.key_vault_events import TYPES
from tests.unit.infra.app import triggered_by
from tests.unit.infra.deployment import OTHER_SUBSCRIPTION, SUBSCRIPTION, deployment

SUBSCRIPTIONS = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
TOPICS = "Microsoft.EventGrid/systemTopics"
ALERTS = "Microsoft.Insights/metricAlerts"
APP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-prod/providers/Microsoft.Web/sites/func-app"
OTHER_APP = APP.replace("func-app", "func-other")


def test_events_go_to_the_function_that_takes_them() -> None:
    """
    Each vault's subscription names the app's one Event Grid function.
    """
    (function,) = triggered_by("eventGridTrigger")
    made = deployment("eventing").of(SUBSCRIPTIONS)

    assert len(made) == 4
    for one in made:
        destination = one["properties"]["destination"]
        assert destination["endpointType"] == "AzureFunction"
        assert destination["properties"]["resourceId"] == f"{APP}/functions/{function}"


def test_the_function_gets_the_events_that_it_handles() -> None:
    """
    The filter lets through what on_secret_event knows: no type that it ignores, and every type that it handles.
    """
    for one in deployment("eventing").of(SUBSCRIPTIONS):
        assert set(one["properties"]["filter"]["includedEventTypes"]) == set(TYPES)


def test_events_come_one_at_a_time_and_are_tried_for_a_day() -> None:
    """
    In Event Grid's own schema; a batch would be delivered again whole.
    """
    for one in deployment("eventing").of(SUBSCRIPTIONS):
        assert one["properties"]["eventDeliverySchema"] == "EventGridSchema"
        assert one["properties"]["destination"]["properties"]["maxEventsPerBatch"] == 1
        assert one["properties"]["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}


def test_a_vault_without_a_topic_gets_one_beside_it() -> None:
    """
    In the vault's group and subscription, and in its own region, which is read from the vault.
    """
    made = {one["name"]: one for one in deployment("eventing").of(TOPICS)}

    assert set(made) == {"evgst-kv-one", "evgst-kv-beside", "evgst-kv-other"}
    for name, subscription, group in (
        ("evgst-kv-one", SUBSCRIPTION, "rg-one"),
        ("evgst-kv-beside", SUBSCRIPTION, "rg-one"),
        ("evgst-kv-other", OTHER_SUBSCRIPTION, "rg-other"),
    ):
        place = f"/subscriptions/{subscription}/resourceGroups/{group}/providers"
        vault = f"{place}/Microsoft.KeyVault/vaults/{name.removeprefix('evgst-')}"
        assert made[name]["id"] == f"{place}/{TOPICS}/{name}"
        assert made[name]["properties"] == {"source": vault, "topicType": "Microsoft.KeyVault.vaults"}
        assert made[name]["location"].startswith(f"[reference('{vault}', ")
        assert made[name]["location"].endswith(", 'full').location]")


def test_a_topic_that_is_there_is_subscribed_to_and_never_written() -> None:
    """
    A vault can have no second one, and writing the first replaces its identity. It may lie in another group.
    """
    made = deployment("eventing")
    theirs = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-events/providers/{TOPICS}/topic-of-kv-two"

    assert not [one for one in made.of(TOPICS) if "kv-two" in one["name"].lower()]
    assert [one["id"].rpartition("/eventSubscriptions/")[0] for one in made.of(SUBSCRIPTIONS)].count(theirs) == 1


def test_two_environments_on_one_vault_do_not_take_each_others_events() -> None:
    """
    Names of subscriptions and alerts hold which app it is; the topic is the same.
    """
    mine, yours = deployment("eventing"), deployment("eventing", functionAppId=OTHER_APP)

    for kind in (SUBSCRIPTIONS, ALERTS):
        names = {one["id"] for one in mine.of(kind)}
        assert len(names) == len(mine.of(kind)) in {4, 8}
        assert not names & {one["id"] for one in yours.of(kind)}
    assert {one["id"] for one in mine.of(TOPICS)} == {one["id"] for one in yours.of(TOPICS)}


def test_what_cannot_be_delivered_is_kept() -> None:
    """
    With the topic's system-assigned identity, the only kind that gets through a storage firewall, where it has one.
    """
    made = deployment("eventing")

    for topic in made.of(TOPICS):
        assert topic["identity"] == {"type": "SystemAssigned"}
    for one in made.of(SUBSCRIPTIONS):
        letters = one["properties"]["deadLetterWithResourceIdentity"]
        topic = one["id"].rpartition("/eventSubscriptions/")[0]
        assert letters.startswith("[if(not(empty(")
        assert f"reference('{topic}'" in letters
        assert "createObject('type', 'SystemAssigned')" in letters
        assert letters.endswith(", null())]")


def test_an_event_that_is_given_up_raises_an_alert() -> None:
    """
    Of each vault, kept as a dead letter or lost, by our own subscription; no metric is there before the first.
    """
    made = deployment("eventing")
    own = {one["name"].rpartition("/")[2] for one in made.of(SUBSCRIPTIONS)}

    watched = set()
    for one in made.of(ALERTS):
        (topic,) = one["properties"]["scopes"]
        assert one["id"].startswith(topic.partition("/providers/")[0])
        (criterion,) = one["properties"]["criteria"]["allOf"]
        watched.add((topic, criterion["metricName"]))
        assert criterion["metricNamespace"] == TOPICS
        assert (criterion["operator"], criterion["threshold"]) == ("GreaterThan", 0)
        assert criterion["skipMetricValidation"] is True
        (dimension,) = criterion["dimensions"]
        assert (dimension["name"], dimension["operator"]) == ("EventSubscriptionName", "Include")
        assert set(dimension["values"]) == own | {name.upper() for name in own}
    topics = {one["id"].rpartition("/eventSubscriptions/")[0] for one in made.of(SUBSCRIPTIONS)}
    assert watched == {(topic, metric) for topic in topics for metric in ("DeadLetteredCount", "DroppedEventCount")}


def test_no_vault_needs_to_be_subscribed_to() -> None:
    """
    An empty list deploys nothing.
    """
    assert not deployment("eventing", vaultIds="").resources
