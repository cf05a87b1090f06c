import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from localcloud.azure.site_authentication import as_deployed
from providers import KINDS
from providers.kind import Kind
from tests.unit.infra.compiler import RefusedError
from tests.unit.infra.deployment import INFRA, OTHER_SUBSCRIPTION, ROOT, SUBSCRIPTION, deployment, parameter_files

# Azure's built-in roles, by the GUIDs that its documentation publishes.
BUILT_IN = {
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "EventGrid Data Sender": "d5a91429-5739-47e2-a06b-3470a27159e7",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
# The actions of the custom role: what the kinds of target need.
ROTATION = list(
    dict.fromkeys(
        action
        for kind in KINDS
        for action in json.loads((ROOT / kind.package.replace(".", "/") / "role.json").read_text())
    )
)
MASTER_KEY = "Microsoft.Web/sites/hostruntime/host/_master/read"
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
ROLES = "Microsoft.Authorization/roleDefinitions"
STORAGE = "Microsoft.Storage/storageAccounts"

# What the app is granted, whatever else is chosen: (role, type of what it is granted on).
ALWAYS = {
    ("Monitoring Metrics Publisher", "Microsoft.Insights/components"),
    ("Storage Blob Data Owner", STORAGE),
    ("Storage Queue Data Contributor", STORAGE),
    ("Storage Table Data Contributor", STORAGE),
    ("EventGrid Data Sender", "Microsoft.EventGrid/topics"),
}
OFFICER = "Key Vault Secrets Officer"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-targets"

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.provider)


def target_of(kind: Kind) -> str:
    """
    Return the ARM id of a target.
    """
    return kind.target({"subscription": SUBSCRIPTION, "resource_group": "rg-targets", **kind.example}).arm_id


def resource_of(kind: Kind) -> str:
    """
    Return the ARM id of the resource that a target is, or lies below.
    """
    return "/".join(target_of(kind).split("/")[:9])


@dataclass(frozen=True, order=True)
class Assignment:
    """
    A role that a deployment assigns; `principal` is the app, an object id, or a system topic by its identity.
    """

    role: str
    scope: str
    principal: str
    principal_type: str

    @property
    def place(self) -> str:
        """
        Return the type of what the role is assigned on.
        """
        parts = self.scope.split("/")
        if len(parts) < 7:
            return "group" if len(parts) == 5 else "subscription"
        return "/".join([parts[6], *parts[7::2]])


def assignments(name: str, **parameters: str) -> set[Assignment]:
    """
    Return all roles that a deployment assigns, with some of its parameters exchanged.
    """
    made = deployment(name, **parameters)
    names = {guid: role for role, guid in BUILT_IN.items()}
    custom = {one["name"]: "rotation" for one in made.of(ROLES)}
    found = set()
    for one in made.of("Microsoft.Authorization/roleAssignments"):
        properties = one["properties"]
        role = properties["roleDefinitionId"].rpartition("/")[2]
        identity = re.search(r"reference\('([^']+)'", properties["principalId"])
        principal = identity.group(1) if identity else properties["principalId"]
        found.add(
            Assignment(
                (names | custom)[role],
                scope_of(one["id"]),
                "app" if "/userAssignedIdentities/id-rotator-" in principal else principal,
                properties["principalType"],
            )
        )
    return found


def scope_of(expression: str) -> str:
    """
    Return the scope of an assignment by its id, which is an expression where the principal is not known yet.
    """
    extension = re.match(r"\[extensionResourceId\('([^']+)'", expression)
    if extension:
        return extension.group(1)
    group = re.match(r"\[resourceId\('([^']+)', '([^']+)'", expression)
    if group:
        return f"/subscriptions/{group.group(1)}/resourceGroups/{group.group(2)}"
    subscription = re.match(r"\[subscriptionResourceId\('([^']+)'", expression)
    if subscription:
        return f"/subscriptions/{subscription.group(1)}"
    return expression.partition("/providers/Microsoft.Authorization/")[0]


@pytest.mark.parametrize("name", [name for name in parameter_files() if name != "eventing"])
def test_these_roles_are_assigned_and_no_other(name: str) -> None:
    """
    The app gets what the table of docs/deploy.md says, on its own resources, the vaults and the allowed scopes.
    """
    granted = assignments(name)
    of_the_app = {(one.role, one.place) for one in granted if one.principal == "app"}

    assert of_the_app - {("rotation", place) for _, place in of_the_app} == {
        *ALWAYS,
        (OFFICER, "Microsoft.KeyVault/vaults"),
    }
    others = {(one.role, one.place, one.principal, one.principal_type) for one in granted if one.principal != "app"}
    operator = ("44444444-4444-4444-8444-444444444444", "Group")
    assert others == ({(OFFICER, "Microsoft.KeyVault/vaults", *operator)} if name == "private" else set())


@pytest.mark.parametrize("name", parameter_files())
def test_every_assignment_says_what_its_principal_is(name: str) -> None:
    """
    Without it, Azure refuses a principal that is seconds old, because not everything has heard of it yet.
    """
    assert assignments(name)
    assert {one.principal_type for one in assignments(name)} <= {"ServicePrincipal", "User", "Group"}


def test_a_right_to_rotate_is_granted_on_each_scope_once() -> None:
    """
    On a subscription, a group, an account, in however many spellings, and on a site for however many of its workflows.
    """
    granted = sorted(one.scope for one in assignments("scopes") if one.role == "rotation")

    root = f"/subscriptions/{SUBSCRIPTION}"
    assert granted == [
        root,
        f"{root}/resourceGroups/rg-apps/providers/Microsoft.Web/sites/orders",
        f"{root}/resourceGroups/rg-batch/providers/Microsoft.Batch/batchAccounts/prodbatch",
        f"{root}/resourceGroups/rg-more",
    ]


@every_kind
def test_a_target_of_every_kind_can_be_an_allowed_scope(kind: Kind) -> None:
    """
    The role is then assigned on the target, or on the resource that it lies below, and nowhere else.
    """
    granted = assignments("public", allowedScopes=target_of(kind))

    assert [one.scope for one in granted if one.role == "rotation"] == [resource_of(kind)]


@pytest.mark.parametrize(
    "scope",
    [
        f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-one",
        f"{GROUP}/providers/Microsoft.Batch/batchAccounts/prodbatch/pools/one",
        f"{GROUP}/providers/Microsoft.Web/sites",
        f"{GROUP}/others/Microsoft.Web/sites/orders",
    ],
)
def test_a_scope_of_another_type_is_refused(scope: str) -> None:
    """
    The message names the id that is refused and the types of resources that are allowed.
    """
    with pytest.raises(RefusedError, match=f"no role can be assigned on: {re.escape(scope)}[.]") as refused:
        deployment("public", allowedScopes=scope)

    for kind in KINDS:
        assert "/".join(kind.provider.lower().split("/")[:2]) in str(refused.value)


@pytest.mark.parametrize("scope", [f"/subscriptions/{SUBSCRIPTION}", GROUP, *map(resource_of, KINDS)])
def test_an_assignment_is_the_same_in_every_spelling(scope: str) -> None:
    """
    Another name for what is there already is refused, so that respelling an id must not make one.
    """
    vault = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-one/providers/Microsoft.KeyVault/vaults/kv-one"

    names = [
        {one["name"] for one in made.of("Microsoft.Authorization/roleAssignments")}
        for made in (
            deployment("public", allowedScopes=scope, vaultIds=vault),
            deployment("public", allowedScopes=scope.upper(), vaultIds=vault.upper()),
        )
    ]

    assert names[0] == names[1]


def test_rights_reach_other_subscriptions() -> None:
    """
    A vault and a scope of another subscription are granted there.
    """
    granted = assignments("subscriptions")

    other = f"/subscriptions/{OTHER_SUBSCRIPTION}"
    vaults = {one.scope for one in granted if one.role == OFFICER}
    assert f"{other}/resourceGroups/rg-other/providers/Microsoft.KeyVault/vaults/kv-other" in vaults
    assert {one.scope for one in granted if one.role == "rotation"} == {
        other,
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-batch",
    }


def test_a_system_topic_may_store_what_it_cannot_deliver() -> None:
    """
    Each topic by its own identity, where it has one, in the container of dead letters only.
    """
    granted = assignments("eventing")

    assert {(one.role, one.place) for one in granted} == {
        ("Storage Blob Data Contributor", f"{STORAGE}/blobServices/containers")
    }
    assert {one.scope.rpartition("/")[2] for one in granted} == {"dead-letters"}
    assert {one.principal.rpartition("/")[2] for one in granted} == {
        "evgst-kv-one",
        "evgst-kv-beside",
        "topic-of-kv-two",
        "evgst-kv-other",
    }
    made = deployment("eventing").of("Microsoft.Authorization/roleAssignments")
    assert all(one["condition"].startswith("[not(empty(") for one in made)


def test_every_guid_is_a_role_that_is_known() -> None:
    """
    A slip in a GUID would assign another role, or none.
    """
    found = {guid for path in INFRA.rglob("*.bicep") for guid in GUID.findall(path.read_text())}

    assert found == set(BUILT_IN.values())


@pytest.mark.parametrize("name", ["public", "subscriptions"])
def test_the_custom_role_can_rotate_and_no_more(name: str) -> None:
    """
    It holds the actions that the app's calls need, and none that reads data or reaches the host's master key.
    """
    (permissions,) = deployment(name).one(ROLES)["properties"]["permissions"]

    # objectKeys has an order of its own.
    in_order = {**permissions, "actions": sorted(permissions["actions"])}
    assert in_order == {"actions": sorted(ROTATION), "notActions": [], "dataActions": [], "notDataActions": []}
    assert not [action for action in ROTATION if fnmatchcase(MASTER_KEY.lower(), action.lower())]


def test_the_custom_role_is_assignable_where_it_is_assigned() -> None:
    """
    On the groups and subscriptions of the scopes, each once.
    """
    root = f"/subscriptions/{SUBSCRIPTION}"

    assert deployment("scopes").one(ROLES)["properties"]["assignableScopes"] == [
        f"{root}/resourceGroups/rg-batch",
        f"{root}/resourceGroups/rg-apps",
        f"{root}/resourceGroups/rg-more",
        root,
    ]


@pytest.mark.parametrize("name", parameter_files())
def test_no_deployment_reads_a_key(name: str) -> None:
    """
    What is never read at deployment is in no setting and in no deployment's history.
    """
    made = deployment(name)

    assert not re.search(r"\blist\w*\(", f"{made.resources}{made.outputs}")


def test_no_output_and_no_parameter_is_a_secret() -> None:
    """
    Deployments are told no secret and tell none.
    """
    for path in INFRA.rglob("*.bicep"):
        names = re.findall(r"^(?:param|output) (\w+)", path.read_text(), re.MULTILINE)
        assert not [name for name in names if re.search("secret|password|connectionstring|sas", name, re.IGNORECASE)]


def test_storage_has_no_shared_key_and_no_public_blob() -> None:
    """
    The ledger, the queues and the package are reached with Entra tokens over TLS alone.
    """
    made = deployment("public")
    account = made.one(STORAGE)["properties"]

    assert account["allowSharedKeyAccess"] is False
    assert account["allowBlobPublicAccess"] is False
    assert account["allowCrossTenantReplication"] is False
    assert account["supportsHttpsTrafficOnly"] is True
    assert account["minimumTlsVersion"] == "TLS1_2"
    containers = made.of(f"{STORAGE}/blobServices/containers")
    assert [container["properties"]["publicAccess"] for container in containers] == ["None", "None"]


def test_the_topic_takes_no_key() -> None:
    """
    Outcomes are published with an Entra token, as CloudEvents, over TLS that is not the default's 1.0.
    """
    topic = deployment("public").one("Microsoft.EventGrid/topics")["properties"]

    assert topic["disableLocalAuth"] is True
    assert topic["inputSchema"] == "CloudEventSchemaV1_0"
    assert topic["minimumTlsVersionAllowed"] == "1.2"


def test_telemetry_takes_no_key() -> None:
    """
    The connection string that everybody sees in the settings lets nobody write.
    """
    made = deployment("public")

    assert made.one("Microsoft.Insights/components")["properties"]["DisableLocalAuth"] is True
    assert made.one("Microsoft.OperationalInsights/workspaces")["properties"]["features"]["disableLocalAuth"] is True


def test_the_app_is_reached_by_https_and_deployed_without_passwords() -> None:
    """
    TLS 1.2, no debugging, and no user name and password on either publishing endpoint.
    """
    made = deployment("public")
    app = made.one("Microsoft.Web/sites")["properties"]

    assert app["httpsOnly"] is True
    assert app["siteConfig"]["minTlsVersion"] == app["siteConfig"]["scmMinTlsVersion"] == "1.2"
    assert app["siteConfig"]["remoteDebuggingEnabled"] is False
    policies = made.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {policy["name"].rpartition("/")[2]: policy["properties"]["allow"] for policy in policies} == {
        "ftp": False,
        "scm": False,
    }


def test_the_app_is_one_user_assigned_identity_everywhere() -> None:
    """
    Its own calls, the host's storage and the deployment go by the same identity.
    """
    made = deployment("public")
    app = made.one("Microsoft.Web/sites")
    (identity,) = made.of("Microsoft.ManagedIdentity/userAssignedIdentities")

    assert app["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    assert app["properties"]["functionAppConfig"]["deployment"]["storage"]["authentication"] == {
        "type": "UserAssignedIdentity",
        "userAssignedIdentityResourceId": identity["id"],
    }


def test_a_new_vault_forgets_nothing() -> None:
    """
    What is deleted cannot be purged; roles and not access policies decide; every access is logged.
    """
    made = deployment("private")
    vault = made.one("Microsoft.KeyVault/vaults")["properties"]

    assert vault["enableRbacAuthorization"] is True
    assert vault["enableSoftDelete"] is True
    assert vault["enablePurgeProtection"] is True
    (logs,) = made.one("Microsoft.Insights/diagnosticSettings")["properties"]["logs"]
    assert logs == {"categoryGroup": "audit", "enabled": True}


def test_tokens_are_asked_for_where_nobody_comes_with_a_hosts_key() -> None:
    """
    With Entra authentication the webhook of Event Grid, in both spellings, what deployments ask, health, and the page.
    """
    authentication = deployment("entra").one("Microsoft.Web/sites/config", "/authsettingsV2")["properties"]

    assert authentication["platform"] == {"enabled": True}
    validation = dict(authentication["globalValidation"])
    files = [f"/api/dashboard/{name}" for name in sorted(path.name for path in (ROOT / "dashboard").iterdir())]
    assert validation.pop("excludedPaths") == [
        "/runtime/webhooks/eventgrid",
        "/runtime/webhooks/EventGrid",
        "/admin/host/status",
        "/admin/host/synctriggers",
        "/api/health",
        "/api/dashboard",
        "/api/dashboard/",
        # The page itself has no name of its own in an address.
        *(file for file in files if not file.endswith("/index.html")),
    ]
    assert validation == {"requireAuthentication": True, "unauthenticatedClientAction": "Return401"}


@pytest.mark.parametrize(
    ("name", "cloud", "issuer"),
    [
        ("entra", "AzureCloud", "https://login.microsoftonline.com/33333333-3333-4333-8333-333333333333/v2.0"),
        (
            "sovereign",
            "AzureUSGovernment",
            "https://login.microsoftonline.us/33333333-3333-4333-8333-333333333333/v2.0",
        ),
    ],
)
def test_tokens_count_only_from_the_callers_that_are_named(name: str, cloud: str, issuer: str) -> None:
    """
    For this registration, of this tenant, from these applications.
    """
    authentication = deployment(name, cloud=cloud).one("Microsoft.Web/sites/config", "/authsettingsV2")["properties"]
    provider = authentication["identityProviders"]["azureActiveDirectory"]
    client = "55555555-5555-4555-8555-555555555555"

    assert provider["registration"] == {"clientId": client, "openIdIssuer": issuer}
    assert provider["validation"] == {
        "allowedAudiences": [client, f"api://{client}"],
        "defaultAuthorizationPolicy": {"allowedApplications": [client, "66666666-6666-4666-8666-666666666666"]},
    }


def test_the_local_host_leaves_out_the_same_paths() -> None:
    """
    What the tests of the sign-in see is what a deployment has.
    """
    made = deployment("entra").one("Microsoft.Web/sites/config", "/authsettingsV2")["properties"]

    assert made["globalValidation"] == as_deployed().properties["globalValidation"]


def test_without_a_list_of_callers_people_can_sign_in_and_no_application_can() -> None:
    """
    The registration itself is always allowed: an empty list would let every application of the tenant in.
    """
    made = deployment("entra", entraCallerIds=" ").one("Microsoft.Web/sites/config", "/authsettingsV2")["properties"]
    policy = made["identityProviders"]["azureActiveDirectory"]["validation"]["defaultAuthorizationPolicy"]

    assert policy == {"allowedApplications": ["55555555-5555-4555-8555-555555555555"]}


def test_no_secret_and_no_token_is_kept_for_the_sign_in() -> None:
    """
    People sign in with an ID token, and nobody needs theirs afterwards.
    """
    made = deployment("entra").one("Microsoft.Web/sites/config", "/authsettingsV2")["properties"]

    assert "secret" not in json.dumps(made["identityProviders"]).lower()
    assert made["login"] == {"tokenStore": {"enabled": False}}


@pytest.mark.parametrize(("name", "mode", "is_on"), [("entra", "entra", True), ("public", "key", False)])
def test_the_app_believes_the_principal_exactly_where_app_service_says_who_calls(
    name: str, mode: str, is_on: bool
) -> None:
    """
    Setting and sign-in are switched together.
    """
    made = deployment(name)
    sign_in = made.one("Microsoft.Web/sites/config", "/authsettingsV2")["properties"]

    assert made.settings()["ROTATION_AUTHENTICATION"] == mode
    assert sign_in["platform"]["enabled"] is sign_in["globalValidation"]["requireAuthentication"] is is_on


def test_tokens_are_no_longer_asked_for_when_the_client_id_is_taken_out() -> None:
    """
    It is written in any case: what a deployment leaves out stays as it was.
    """
    authentication = deployment("public").one("Microsoft.Web/sites/config", "/authsettingsV2")["properties"]

    assert authentication["platform"] == {"enabled": False}
    assert authentication["globalValidation"]["requireAuthentication"] is False
    assert authentication["identityProviders"] == {}
