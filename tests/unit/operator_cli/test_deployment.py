"""
What `rotator doctor` makes of what Azure shows of a Function App, its vaults and its event subscriptions.
"""

from typing import Any

import msgspec
import pytest

from rotator.doctor.deployment import Deployment, look_at_references, look_at_site, principal_for_storage, principal_of
from rotator.doctor.finding import Finding
from rotator.doctor.resources import EventSubscription, Site, Vault
from rotator.doctor.vaults import by_access_policies

ID = "/subscriptions/0f9c2b1a-5a0b-4c57-9a5e-5d4a3f1b7c20/resourceGroups/rg/providers/Microsoft.Web/sites/my-rotator"
OWN, STORING, CLIENT = "11111111-own", "22222222-storing", "33333333-client"


def deployment(identity: dict[str, Any] | None = None, **settings: str) -> Deployment:
    """
    Return an app with an identity of its own and one for its storage, unless another is given.
    """
    assigned = {"a": {"principalId": OWN, "clientId": CLIENT}, "b": {"principalId": STORING, "clientId": "other"}}
    shown = {"id": ID, "name": "my-rotator", "identity": identity or {"userAssignedIdentities": assigned}}
    return Deployment(msgspec.convert(shown, Site), settings)


def code(found: str | Finding) -> str:
    """
    Return the code of a finding.
    """
    assert isinstance(found, Finding)
    assert found.remedy
    return found.code


def test_the_identity_is_the_one_that_the_settings_name() -> None:
    """
    By its client id in any case; the storage may have one of its own.
    """
    app = deployment(AZURE_CLIENT_ID=f' "{CLIENT.upper()}" ')
    assert (principal_of(app), principal_for_storage(app)) == (OWN, OWN)

    app = deployment(AZURE_CLIENT_ID=CLIENT, AzureWebJobsStorage__clientId="other")
    assert (principal_of(app), principal_for_storage(app)) == (OWN, STORING)

    assert principal_of(deployment({"principalId": "system"})) == "system"


def test_an_identity_that_is_not_there_is_a_fault() -> None:
    """
    With the client ids that would do.
    """
    assert code(principal_of(deployment())) == "identity_missing"
    unknown = principal_of(deployment(AZURE_CLIENT_ID="x"))
    assert code(unknown) == "identity_unknown"
    assert CLIENT in str(unknown)


def test_storage_accounts_are_read_from_each_of_their_settings() -> None:
    """
    Tables, queues and blobs may be in different ones; with a connection string no identity signs in.
    """
    app = deployment(
        AzureWebJobsStorage__accountName="Common",
        AzureWebJobsStorage__queueServiceUri="https://queues.queue.core.windows.net",
    )
    assert [app.storage_account(part) for part in ("table", "queue", "blob")] == ["common", "queues", "common"]
    assert deployment(AzureWebJobsStorage="UseDevelopmentStorage=true").storage_account("table") is None


def test_settings_are_read_as_the_app_reads_them() -> None:
    """
    Lists with any separator, quotes, slashes at the end, and the port that is the usual one.
    """
    app = deployment(
        ROTATION_VAULTS='"https://KV-a.vault.azure.net/"; https://kv-b.vault.azure.net:443',
        ROTATION_ALLOWED_SCOPES="/subscriptions/x/resourceGroups/RG/,\n/subscriptions/y",
        ROTATION_TOPIC_ENDPOINT="https://Topic.eventgrid.azure.net:443/api/events",
    )
    assert app.vaults == ["https://kv-a.vault.azure.net", "https://kv-b.vault.azure.net"]
    assert app.topic_host == "topic.eventgrid.azure.net"
    assert app.allows("/subscriptions/X/resourcegroups/rg/providers/Microsoft.Batch/batchAccounts/a")
    assert not app.allows("/subscriptions/x/resourceGroups/rgb/providers/Microsoft.Batch/batchAccounts/a")


def test_a_reference_in_a_setting_is_said_and_not_taken_for_the_value() -> None:
    """
    A Key Vault's or an App Configuration's.
    """
    app = deployment(AZURE_CLIENT_ID="@Microsoft.KeyVault(SecretUri=https://x)", ROTATION_VAULTS="https://kv")
    (found,) = look_at_references(app)
    assert (found.code, found.verdict) == ("setting_referenced", "unknown")
    assert "AZURE_CLIENT_ID" in found.detail


def test_another_app_than_the_one_that_was_asked_is_a_warning() -> None:
    """
    Whatever the case of its host names.
    """
    site = msgspec.convert(
        {"id": ID, "name": "x", "properties": {"state": "Running", "hostNames": ["My.azurewebsites.net"]}}, Site
    )
    assert [one.code for one in look_at_site(site, "my.azurewebsites.net")] == ["ok"]
    assert [one.code for one in look_at_site(site, "your.azurewebsites.net")] == ["other_app"]
    assert [one.code for one in look_at_site(site, None)] == ["ok"]


@pytest.mark.parametrize(
    ("policies", "is_listed", "expected"),
    [
        ([(OWN.upper(), ["Get", "List", "Set"])], True, "ok"),
        ([(OWN, ["all"])], True, "ok"),
        ([(OWN, ["get"]), (OWN, ["list", "set"])], False, "ok"),
        ([(OWN, ["get", "list"])], False, "vault_right_missing"),
        ([("a group", ["get", "list", "set"])], True, "vault_right_unclear"),
        ([("a group", ["get", "list", "set"])], False, "vault_right_missing"),
        ([], True, "vault_right_missing"),
    ],
)
def test_access_policies_count_where_a_vault_knows_no_roles(
    policies: list[tuple[str, list[str]]], is_listed: bool, expected: str
) -> None:
    """
    One of a group may let the app in: then the app's own word decides.
    """
    told = [{"objectId": who, "permissions": {"secrets": secrets}} for who, secrets in policies]
    vault = msgspec.convert({"id": "/x", "name": "kv", "properties": {"accessPolicies": told}}, Vault)

    assert by_access_policies(vault, OWN, is_listed=is_listed).code == expected


@pytest.mark.parametrize(
    ("properties", "wants", "is_narrow"),
    [
        ({}, True, False),
        ({"filter": {"includedEventTypes": ["All"]}}, True, False),
        ({"filter": {"includedEventTypes": ["microsoft.keyvault.secretnearexpiry"]}}, True, False),
        ({"filter": {"includedEventTypes": ["Microsoft.KeyVault.SecretExpired"]}}, False, False),
        ({"filter": {"subjectBeginsWith": "prod-"}}, True, True),
        ({"filter": {"advancedFilters": [{"key": "data.Version"}]}}, True, True),
    ],
)
def test_a_filter_says_which_events_come(properties: dict[str, Any], wants: bool, is_narrow: bool) -> None:
    """
    By type, and more narrowly by subject or content.
    """
    subscription = msgspec.convert({"id": "/x", "properties": properties}, EventSubscription)

    assert subscription.wants("Microsoft.KeyVault.SecretNearExpiry") is wants
    assert subscription.properties.filter.is_narrow is is_narrow


def test_where_events_go_is_read_with_and_without_an_identity_of_delivery() -> None:
    """
    The id of a function, or the address of a webhook.
    """
    to_function = {"endpointType": "AzureFunction", "properties": {"resourceId": f"{ID}/functions/On"}}
    to_webhook = {"endpointType": "WebHook", "properties": {"endpointBaseUrl": "https://X/y"}}
    plain = {"id": "/x", "properties": {"destination": to_function}}
    with_identity = {"id": "/x", "properties": {"deliveryWithResourceIdentity": {"destination": to_webhook}}}

    assert msgspec.convert(plain, EventSubscription).goes_to == {f"{ID}/functions/on".lower()}
    assert msgspec.convert(with_identity, EventSubscription).goes_to == {"https://x/y"}
