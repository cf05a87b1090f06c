import re

import pytest

from tests.unit.infra.templates import module, only, resources, template, templates, words

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
ROTATION = [
    "Microsoft.Batch/batchAccounts/read",
    "Microsoft.Batch/batchAccounts/listkeys/action",
    "Microsoft.Batch/batchAccounts/regeneratekeys/action",
    "Microsoft.Web/sites/workflows/read",
    "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/*",
]
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

# Which role is assigned in which template: on what, to whom. `roleName` is the custom role, None what is deployed to.
ASSIGNMENTS = {
    ("modules/monitoring.bicep", "applicationInsights", "publisherPrincipalId"): {"Monitoring Metrics Publisher"},
    ("modules/storage.bicep", "account", "appPrincipalId"): {
        "Storage Blob Data Owner",
        "Storage Queue Data Contributor",
        "Storage Table Data Contributor",
    },
    ("modules/storage.bicep", "deadLetters", "eventsPrincipalId"): {"Storage Blob Data Contributor"},
    ("modules/topic.bicep", "topic", "senderPrincipalId"): {"EventGrid Data Sender"},
    ("modules/vault-access.bicep", "vault", "principalId"): {"Key Vault Secrets Officer"},
    ("modules/vault.bicep", "vault", "operatorPrincipalId"): {"Key Vault Secrets Officer"},
    ("modules/rotation-on-subscription.bicep", None, "principalId"): {"roleName"},
    ("modules/rotation-on-resource-group.bicep", None, "principalId"): {"roleName"},
    ("modules/rotation-on-batch-account.bicep", "account", "principalId"): {"roleName"},
    ("modules/rotation-on-site.bicep", "site", "principalId"): {"roleName"},
}


def test_these_roles_are_assigned_and_no_other() -> None:
    """
    The app and Event Grid get what the table of docs/deploy.md says, where it says.
    """
    names = {guid: name for name, guid in BUILT_IN.items()}
    found: dict[tuple[str, str | None, str], set[str]] = {}
    for assignment in resources("Microsoft.Authorization/roleAssignments"):
        place = (assignment.template, assignment.config.get("scope"), assignment.properties["principalId"])
        variables = module(assignment.template.removeprefix("modules/").removesuffix(".bicep")).variables
        named = set(words(assignment.properties["roleDefinitionId"]))
        of_a_loop = variables.get("appRoles", {}) if "value" in named else {}
        role = {*of_a_loop.values(), *(variables[name] for name in named & set(variables))}
        found[place] = {names[guid] for guid in role} or named & {"roleName"}

    assert found == ASSIGNMENTS


def test_every_guid_is_a_role_that_is_known() -> None:
    """
    A slip in a GUID would assign another role, or none.
    """
    found = {guid for template in templates() for guid in GUID.findall(template.text)}

    assert found == set(BUILT_IN.values())


def test_the_custom_role_can_rotate_and_no_more() -> None:
    """
    It holds the actions that the app's calls need, and none that reads data or reaches the host's master key.
    """
    (permissions,) = only("Microsoft.Authorization/roleDefinitions").properties["permissions"]

    assert permissions == {"actions": ROTATION, "notActions": [], "dataActions": [], "notDataActions": []}


def test_the_custom_role_is_assignable_where_it_is_assigned() -> None:
    """
    It can be assigned on the scopes that were given, not on the whole subscription.
    """
    assert only("Microsoft.Authorization/roleDefinitions").properties["assignableScopes"] == "assignableScopes"
    _, given = template(module("rotation-role").path.parents[1] / "main.bicep").modules["rotationRole"]
    assert given["assignableScopes"] == "assignableScopes"


@pytest.mark.parametrize("function", ["listKeys", "listAccountSas", "listServiceSas", "listSecrets", "list"])
def test_no_template_reads_a_key(function: str) -> None:
    """
    What is never read at deployment is in no setting and in no deployment's history.
    """
    for made in templates():
        assert not re.search(rf"\b{function}\(", made.text), made.name


def test_no_output_and_no_parameter_is_a_secret() -> None:
    """
    Deployments are told no secret and tell none.
    """
    for made in templates():
        names = {*made.parameters, *made.outputs}
        assert not {name for name in names if re.search("secret|password|connectionstring|sas", name, re.IGNORECASE)}


def test_storage_has_no_shared_key_and_no_public_blob() -> None:
    """
    The ledger, the queues and the package are reached with Entra tokens over TLS alone.
    """
    account = only("Microsoft.Storage/storageAccounts").properties

    assert account["allowSharedKeyAccess"] is False
    assert account["allowBlobPublicAccess"] is False
    assert account["allowCrossTenantReplication"] is False
    assert account["supportsHttpsTrafficOnly"] is True
    assert account["minimumTlsVersion"] == "TLS1_2"
    containers = resources("Microsoft.Storage/storageAccounts/blobServices/containers")
    assert [container.properties["publicAccess"] for container in containers] == ["None", "None"]


def test_the_topic_takes_no_key() -> None:
    """
    Outcomes are published with an Entra token, as CloudEvents.
    """
    topic = only("Microsoft.EventGrid/topics").properties

    assert topic["disableLocalAuth"] is True
    assert topic["inputSchema"] == "CloudEventSchemaV1_0"
    assert topic["minimumTlsVersionAllowed"] == "1.2"


def test_telemetry_takes_no_key() -> None:
    """
    The connection string that everybody sees in the settings lets nobody write.
    """
    assert only("Microsoft.Insights/components").properties["DisableLocalAuth"] is True
    assert only("Microsoft.OperationalInsights/workspaces").properties["features"]["disableLocalAuth"] is True


def test_the_app_is_reached_by_https_and_deployed_without_passwords() -> None:
    """
    TLS 1.2, no FTP, no debugging, and no user name and password on either publishing endpoint.
    """
    app = only("Microsoft.Web/sites").properties

    assert app["httpsOnly"] is True
    assert app["siteConfig"]["minTlsVersion"] == app["siteConfig"]["scmMinTlsVersion"] == "1.2"
    assert app["siteConfig"]["ftpsState"] == "Disabled"
    assert app["siteConfig"]["remoteDebuggingEnabled"] is False
    policies = resources("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {policy.config["name"]: policy.properties["allow"] for policy in policies} == {"ftp": False, "scm": False}


def test_the_app_is_one_user_assigned_identity_everywhere() -> None:
    """
    Its own calls, the host's storage and the deployment go by the same identity.
    """
    app = only("Microsoft.Web/sites")

    assert app.config["identity"]["type"] == "UserAssigned"
    assert app.properties["functionAppConfig"]["deployment"]["storage"]["authentication"] == {
        "type": "UserAssignedIdentity",
        "userAssignedIdentityResourceId": "identityId",
    }


def test_a_new_vault_forgets_nothing() -> None:
    """
    Whoever can delete a secret cannot purge it; roles and not access policies decide; every access is logged.
    """
    vault = only("Microsoft.KeyVault/vaults").properties

    assert vault["enableRbacAuthorization"] is True
    assert vault["enableSoftDelete"] is True
    assert vault["enablePurgeProtection"] is True
    (logs,) = only("Microsoft.Insights/diagnosticSettings").properties["logs"]
    assert logs == {"categoryGroup": "audit", "enabled": True}


def test_tokens_are_asked_for_where_event_grid_does_not_call() -> None:
    """
    With Entra authentication, only the webhook that Event Grid calls with its key, and health, go without a token.
    """
    (authentication,) = (
        config for config in resources("Microsoft.Web/sites/config") if config.config["name"] == "authsettingsV2"
    )

    assert authentication.properties["globalValidation"] == {
        "requireAuthentication": True,
        "unauthenticatedClientAction": "Return401",
        "excludedPaths": ["/runtime/webhooks/EventGrid", "/api/health"],
    }
