"""
What an operator reads in Azure Resource Manager about a deployment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from azure.identity.aio import DefaultAzureCredential

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.control_plane import operations
from localcloud.azure.control_plane.site import FunctionSite
from localcloud.azure.dialect import TENANT_ID
from localcloud.azure.identity import ARM
from localcloud.azure.known_roles import KEY_VAULT_SECRETS_OFFICER, READER
from localcloud.azure.principal import Principal
from localcloud.azure.site_authentication import Authentication
from localcloud.kinds import KINDS
from tests.unit.localcloud.webhook import Webhook

HERE = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{HERE}/resourceGroups/{RESOURCE_GROUP}"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/rotator"
ROLES = f"{HERE}/providers/Microsoft.Authorization"
EVENT_GRID = "providers/Microsoft.EventGrid"
ELSEWHERE = "99999999-9999-4999-8999-999999999999"


@dataclass
class Host:
    """
    A host that runs an app.
    """

    url: str = "http://localhost:7071"
    functions: list[str] = field(default_factory=lambda: ["on_secret_event", "sweep_vaults"])
    settings: Mapping[str, str] = field(
        default_factory=lambda: {"ROTATION_VAULTS": "https://kv", "IDENTITY_HEADER": "h", "LOCAL_MASTER_KEY": "k"}
    )


class Reader:
    """
    A person who reads Azure Resource Manager.
    """

    def __init__(self, azure: LocalAzure, http: aiohttp.ClientSession) -> None:
        self.azure = azure
        self._http = http

    async def ask(
        self,
        path: str,
        version: str,
        *,
        method: str = "GET",
        principal: Principal | None = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """
        Send a request as a principal, the operator if none is named; return the status and the body.
        """
        url = path if path.startswith("https:") else f"{self.azure.arm_uri}{path}"
        token = self.azure.identity.issue(ARM, principal or self.azure.operator)
        params = {} if "?" in path else {"api-version": version, **(query or {})}
        async with self._http.request(
            method, url, params=params, headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            return answer.status, await answer.json()

    async def listed(self, path: str, version: str, query: Mapping[str, str] | None = None) -> list[Any]:
        """
        Return the members of a list that fits into one page.
        """
        status, body = await self.ask(path, version, query=query)
        assert status == 200, body
        assert "nextLink" not in body
        members: list[Any] = body["value"]
        return members


@pytest.fixture
def reader(azure: LocalAzure, http: aiohttp.ClientSession) -> Reader:
    """
    Return a person who may read everything.
    """
    return Reader(azure, http)


def add_site(azure: LocalAzure) -> FunctionSite:
    """
    Show a Function App.
    """
    site = FunctionSite(SITE, azure.identity, Host)
    azure.inventory.add(SITE, site)
    return site


async def test_a_command_line_is_signed_in_as_the_operator(
    reader: Reader, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With these variables the usual credential gets a token that may read what the app may not.
    """
    azure, path = reader.azure, f"{HERE}/providers/Microsoft.KeyVault/vaults"
    person = azure.operator_environment()
    assert set(person) == {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "SSL_CERT_FILE", "KEY_ROTATOR_ARM_ENDPOINT"}
    for name, value in person.items():
        monkeypatch.setenv(name, value)
    async with DefaultAzureCredential() as credential:
        token = (await credential.get_token(f"{ARM}/.default")).token
    url = f"{person['KEY_ROTATOR_ARM_ENDPOINT']}{path}?api-version=2024-11-01"

    async with http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status == 200
    status, body = await reader.ask(path, "2024-11-01", principal=azure.identity.principal)
    assert status == 403
    assert f"'Microsoft.KeyVault/vaults/read' over scope '{HERE}'" in body["error"]["message"]


async def test_a_caller_sees_the_subscriptions_where_it_has_a_role(reader: Reader) -> None:
    """
    Be it on a single resource; nobody else sees any.
    """
    azure, stranger = reader.azure, Principal("stranger", "")
    assert await reader.listed("/subscriptions", "2022-12-01") == [
        {
            "id": HERE,
            "subscriptionId": SUBSCRIPTION,
            "tenantId": TENANT_ID,
            "displayName": "Local Azure",
            "state": "Enabled",
        }
    ]
    assert await reader.ask("/subscriptions", "2022-12-01", principal=stranger) == (200, {"value": []})

    azure.roles.assign("stranger", READER, azure.topic.arm_id)
    _, seen = await reader.ask("/subscriptions", "2022-12-01", principal=stranger)
    assert [each["subscriptionId"] for each in seen["value"]] == [SUBSCRIPTION]


async def test_an_unknown_api_version_is_refused(reader: Reader) -> None:
    """
    Also where there is no provider to name.
    """
    status, body = await reader.ask("/subscriptions", "1999-01-01")
    assert (status, body["error"]["code"]) == (400, "InvalidApiVersionParameter")
    status, body = await reader.ask(f"{HERE}/providers/Microsoft.KeyVault/vaults", "1999-01-01")
    assert (status, body["error"]["code"]) == (400, "NoRegisteredProviderFound")
    assert "for type 'vaults'" in body["error"]["message"]


async def test_assignments_are_those_at_above_and_below_the_subscription(reader: Reader) -> None:
    """
    Of the principal that the filter names, each with its scope.
    """
    roles, app = reader.azure.roles, reader.azure.identity.principal_id
    roles.remove(app, KEY_VAULT_SECRETS_OFFICER)
    at_group = roles.assign(app, KEY_VAULT_SECRETS_OFFICER, GROUP)
    roles.assign(app, KEY_VAULT_SECRETS_OFFICER, f"/subscriptions/{ELSEWHERE}")

    path = f"{ROLES}/roleAssignments"
    found = await reader.listed(path, "2022-04-01", {"$filter": f"assignedTo('{app}')"})

    assert [each["properties"]["scope"] for each in found] == ["/", "/", GROUP]
    assert await reader.listed(path, "2022-04-01", {"$filter": f"principalId eq '{app}'"}) == found
    all_at_scope = await reader.listed(path, "2022-04-01", {"$filter": "atScope()"})
    assert {each["properties"]["scope"] for each in all_at_scope} == {"/"}
    assert {each["properties"]["principalType"] for each in all_at_scope} == {"ServicePrincipal", "User"}
    assert len(await reader.listed(path, "2022-04-01")) == len(all_at_scope) + 1
    assert found[0]["id"] == f"/providers/Microsoft.Authorization/roleAssignments/{found[0]['name']}"
    assert found[2]["id"] == f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{at_group.id}"
    assert found[2]["type"] == "Microsoft.Authorization/roleAssignments"
    properties = found[2]["properties"]
    assert (properties["principalId"], properties["principalType"]) == (app, "ServicePrincipal")
    assert properties["roleDefinitionId"] == f"{ROLES}/roleDefinitions/{KEY_VAULT_SECRETS_OFFICER.id}"


async def test_a_long_list_comes_in_pages(reader: Reader) -> None:
    """
    Each links to the next, with the filter; the last one links to nothing.
    """
    roles, app = reader.azure.roles, reader.azure.identity.principal_id
    for number in range(3):
        roles.assign(app, READER, f"{HERE}/resourceGroups/rg{number}")
    reader.azure.control_plane.page_size = 2

    sizes, names = [], []
    _, body = await reader.ask(f"{ROLES}/roleAssignments", "2022-04-01", query={"$filter": f"assignedTo('{app}')"})
    while True:
        sizes.append(len(body["value"]))
        names += [each["name"] for each in body["value"]]
        if "nextLink" not in body:
            break
        assert body["nextLink"].startswith(reader.azure.arm_uri)
        _, body = await reader.ask(body["nextLink"], "")

    assert sizes == [2, 2, 2]
    assert names == [each.id for each in roles.assignments(app)]


@pytest.mark.parametrize(
    ("query", "code"),
    [({"$filter": "scope eq 'x'"}, "UnsupportedQuery"), ({"$skipToken": "x"}, "InvalidSkipToken")],
)
async def test_what_a_list_does_not_understand_is_refused(reader: Reader, query: dict[str, str], code: str) -> None:
    """
    400, and no list that holds something else.
    """
    status, body = await reader.ask(f"{ROLES}/roleAssignments", "2022-04-01", query=query)
    assert (status, body["error"]["code"]) == (400, code)


async def test_a_role_says_what_it_allows(reader: Reader) -> None:
    """
    A built-in one and the custom one; one that is not there is missed.
    """
    status, body = await reader.ask(f"{ROLES}/roleDefinitions/{KEY_VAULT_SECRETS_OFFICER.id}", "2022-04-01")
    assert (status, body["name"], body["type"]) == (
        200,
        KEY_VAULT_SECRETS_OFFICER.id,
        "Microsoft.Authorization/roleDefinitions",
    )
    assert body["id"] == f"{ROLES}/roleDefinitions/{KEY_VAULT_SECRETS_OFFICER.id}"
    assert body["properties"]["roleName"] == "Key Vault Secrets Officer"
    assert (body["properties"]["type"], body["properties"]["assignableScopes"]) == ("BuiltInRole", ["/"])
    (permission,) = body["properties"]["permissions"]
    assert set(permission) == {"actions", "notActions", "dataActions", "notDataActions"}
    assert permission["dataActions"] == ["Microsoft.KeyVault/vaults/secrets/*"]

    _, body = await reader.ask(f"{ROLES}/roleDefinitions/{reader.azure.rotation_role.id.upper()}", "2022-04-01")
    assert (body["properties"]["type"], body["properties"]["assignableScopes"]) == ("CustomRole", [HERE])
    assert body["properties"]["permissions"][0]["actions"] == list(reader.azure.rotation_role.permissions[0].actions)

    status, body = await reader.ask(f"{ROLES}/roleDefinitions/{ELSEWHERE}", "2022-04-01")
    assert (status, body["error"]["code"]) == (404, "RoleDefinitionDoesNotExist")


async def test_vaults_say_where_they_are_and_how_they_admit(reader: Reader) -> None:
    """
    Those of the subscription, with what a test has set.
    """
    one, two = await reader.azure.add_vault("kv-1"), await reader.azure.add_vault("kv-2", resource_group="rg-2")
    await reader.azure.add_vault("kv-3", subscription=ELSEWHERE)
    two.uses_rbac, two.public_network_access = False, "Disabled"

    found = await reader.listed(f"{HERE}/providers/Microsoft.KeyVault/vaults", "2024-11-01")

    assert [(each["name"], each["id"]) for each in found] == [("kv-1", one.arm_id), ("kv-2", two.arm_id)]
    assert found[0]["properties"]["vaultUri"] == f"{one.uri}/"
    assert [
        (each["properties"]["enableRbacAuthorization"], each["properties"]["publicNetworkAccess"]) for each in found
    ] == [(True, "Enabled"), (None, "Disabled")]


async def test_a_topic_says_what_it_takes(reader: Reader) -> None:
    """
    Its endpoint is that of the publisher.
    """
    topic = reader.azure.topic
    (found,) = await reader.listed(f"{HERE}/{EVENT_GRID}/topics", "2025-02-15")
    assert (found["id"], found["name"]) == (topic.arm_id, "rotations")
    assert found["properties"] == {
        "provisioningState": "Succeeded",
        "endpoint": reader.azure.topic_uri,
        "inputSchema": "CloudEventSchemaV1_0",
        "publicNetworkAccess": "Enabled",
        "disableLocalAuth": True,
        "minimumTlsVersionAllowed": "1.2",
    }

    topic.input_schema, topic.public_network_access, topic.provisioning_state = "EventGridSchema", "Disabled", "Failed"
    (found,) = await reader.listed(f"{HERE}/{EVENT_GRID}/topics", "2025-02-15")
    assert (found["properties"]["inputSchema"], found["properties"]["provisioningState"]) == (
        "EventGridSchema",
        "Failed",
    )


async def test_a_vault_has_a_system_topic_from_its_first_subscription_on(reader: Reader) -> None:
    """
    It stays when the last subscription is gone.
    """
    path = f"{HERE}/{EVENT_GRID}/systemTopics"
    vault = await reader.azure.add_vault("kv-1")
    await reader.azure.add_vault("kv-2")
    assert await reader.listed(path, "2025-02-15") == []

    async with Webhook() as webhook:
        await vault.subscribe(webhook.url)
    vault.subscriptions.clear()

    (found,) = await reader.listed(path, "2025-02-15")
    assert found["id"] == f"{GROUP}/{EVENT_GRID}/systemTopics/{found['name']}"
    assert (found["properties"]["source"], found["properties"]["topicType"]) == (
        vault.arm_id,
        "Microsoft.KeyVault.vaults",
    )
    assert await reader.listed(f"{found['id']}/eventSubscriptions", "2025-02-15") == []
    status, body = await reader.ask(f"{GROUP}/{EVENT_GRID}/systemTopics/evgst-kv-2/eventSubscriptions", "2025-02-15")
    assert (status, body["error"]["code"]) == (404, "ResourceNotFound")


async def test_a_subscription_of_a_vault_says_where_its_events_go(reader: Reader) -> None:
    """
    To a function of the app, or to a webhook, whose query, and key, is shown to nobody.
    """
    add_site(reader.azure)
    vault = await reader.azure.add_vault("kv-1")
    async with Webhook() as webhook:
        await vault.subscribe(
            f"{webhook.url}?functionName=on_secret_event&code=secret",
            name="rotate",
            is_function=True,
            event_types=["SecretNearExpiry"],
        )
        await vault.subscribe(f"{webhook.url}?code=secret", schema="CloudEventSchemaV1_0")
    (topic,) = await reader.listed(f"{HERE}/{EVENT_GRID}/systemTopics", "2025-02-15")

    function, other = await reader.listed(f"{topic['id'].upper()}/eventSubscriptions", "2025-02-15")

    assert (function["id"], function["name"]) == (f"{topic['id']}/eventSubscriptions/rotate", "rotate")
    assert function["properties"]["destination"]["endpointType"] == "AzureFunction"
    assert function["properties"]["destination"]["properties"]["resourceId"] == f"{SITE}/functions/on_secret_event"
    assert function["properties"]["filter"] == {"includedEventTypes": ["Microsoft.KeyVault.SecretNearExpiry"]}
    assert function["properties"]["eventDeliverySchema"] == "EventGridSchema"
    assert function["properties"]["provisioningState"] == "Succeeded"
    assert other["properties"]["destination"] == {
        "endpointType": "WebHook",
        "properties": {"endpointUrl": None, "endpointBaseUrl": webhook.url},
    }
    assert other["properties"]["filter"] == {}
    assert other["properties"]["eventDeliverySchema"] == "CloudEventSchemaV1_0"


async def test_a_topic_says_who_has_subscribed(reader: Reader) -> None:
    """
    In the same shape.
    """
    topic = reader.azure.topic
    async with Webhook() as webhook:
        await topic.subscribe(webhook.url)

    (found,) = await reader.listed(f"{topic.arm_id}/eventSubscriptions", "2025-02-15")

    assert found["type"] == "Microsoft.EventGrid/topics/eventSubscriptions"
    assert found["properties"]["destination"]["properties"]["endpointBaseUrl"] == webhook.url
    status, body = await reader.ask(f"{topic.arm_id}2/eventSubscriptions", "2025-02-15")
    assert (status, body["error"]["code"]) == (404, "ResourceNotFound")


async def test_the_function_app_is_shown_with_its_identity(reader: Reader) -> None:
    """
    In the list and alone; without one there is nothing.
    """
    status, body = await reader.ask(SITE, "2025-03-01")
    assert (status, body["error"]["code"]) == (404, "ResourceNotFound")
    site = add_site(reader.azure)

    status, body = await reader.ask(SITE, "2025-03-01")

    assert status == 200
    assert await reader.listed(f"{HERE}/providers/Microsoft.Web/sites", "2025-03-01") == [body]
    assert (body["id"], body["kind"]) == (SITE, "functionapp,linux")
    assert body["identity"] == {
        "type": "SystemAssigned",
        "tenantId": TENANT_ID,
        "principalId": reader.azure.identity.principal_id,
    }
    assert body["properties"] == {
        "name": "rotator",
        "state": "Running",
        "enabled": True,
        "hostNames": ["localhost:7071"],
        "defaultHostName": "localhost:7071",
        "publicNetworkAccess": "Enabled",
    }

    site.state = "Stopped"
    _, body = await reader.ask(SITE, "2025-03-01")
    assert (body["properties"]["state"], body["properties"]["enabled"]) == ("Stopped", False)


async def test_an_identity_of_its_own_is_shown_by_its_ids(
    ca: CertificateAuthority, http: aiohttp.ClientSession
) -> None:
    """
    As infra/ assigns one.
    """
    async with LocalAzure(KINDS, ca=ca, client_id=ELSEWHERE) as azure:
        add_site(azure)
        _, body = await Reader(azure, http).ask(SITE, "2025-03-01")

    assert body["identity"]["type"] == "UserAssigned"
    assert list(body["identity"]["userAssignedIdentities"].values()) == [
        {"principalId": azure.identity.principal_id, "clientId": ELSEWHERE}
    ]


async def test_settings_are_those_of_the_moment(reader: Reader) -> None:
    """
    What the host was started with, less what the platform adds, and what was changed since.
    """
    site, path = add_site(reader.azure), f"{SITE}/config/appsettings/list"
    _, body = await reader.ask(path, "2025-03-01", method="POST")
    assert body["properties"] == {"ROTATION_VAULTS": "https://kv"}

    site.changed_settings = {"ROTATION_VAULTS": None, "ROTATION_MODE": "observe"}
    _, body = await reader.ask(path, "2025-03-01", method="POST")
    assert body["properties"] == {"ROTATION_MODE": "observe"}


async def test_functions_say_whether_they_are_disabled(reader: Reader) -> None:
    """
    By the setting that disables a function.
    """
    add_site(reader.azure).changed_settings = {"AzureWebJobs.sweep_vaults.Disabled": "true"}

    found = await reader.listed(f"{SITE}/functions", "2025-03-01")

    assert [(each["id"], each["name"]) for each in found] == [
        (f"{SITE}/functions/{name}", f"rotator/{name}") for name in ("on_secret_event", "sweep_vaults")
    ]
    assert [each["properties"]["isDisabled"] for each in found] == [False, True]


async def test_authentication_is_off_until_it_is_set(reader: Reader) -> None:
    """
    And then shown with what it excludes.
    """
    site, path = add_site(reader.azure), f"{SITE}/config/authsettingsV2"
    _, body = await reader.ask(path, "2025-03-01")
    assert body["properties"]["platform"]["enabled"] is False

    site.authentication = Authentication(
        is_enabled=True, is_required=True, unauthenticated_action="Return401", excluded_paths=("/api/health",)
    )
    _, body = await reader.ask(path, "2025-03-01")
    assert body["properties"] == {
        "platform": {"enabled": True, "runtimeVersion": "~1"},
        "globalValidation": {
            "requireAuthentication": True,
            "unauthenticatedClientAction": "Return401",
            "excludedPaths": ["/api/health"],
        },
        "identityProviders": {},
    }


async def test_a_subscription_that_is_not_there_has_nothing_to_read(reader: Reader) -> None:
    """
    404 in ARM's words.
    """
    for each in operations(reader.azure.control_plane):
        if "{" in each.path:
            path = each.path.format(subscription=ELSEWHERE, group="g", site="s", topic="t", role="r", vault="v")
            status, body = await reader.ask(path, max(each.api_versions), method=each.method)
            assert (status, body["error"]["code"]) == (404, "SubscriptionNotFound"), path


async def test_who_has_no_role_reads_nothing(reader: Reader) -> None:
    """
    But the list of subscriptions, which is empty then.
    """
    add_site(reader.azure)
    stranger = Principal("stranger", "")
    for each in operations(reader.azure.control_plane):
        path = each.path.format(
            subscription=SUBSCRIPTION, group=RESOURCE_GROUP, site="rotator", topic="t", role="r", vault="v"
        )
        status, body = await reader.ask(path, max(each.api_versions), method=each.method, principal=stranger)
        assert status == (200 if path == "/subscriptions" else 403), path
        assert path == "/subscriptions" or body["error"]["code"] == "AuthorizationFailed"
