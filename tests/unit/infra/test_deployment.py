"""
What is made, where, and in which order of trust: the evaluated deployments of `parameters/`.
"""

import json
import re
from typing import Any

import pytest

from tests.unit.infra.app import bindings
from tests.unit.infra.compiler import RefusedError
from tests.unit.infra.deployment import (
    INFRA,
    OTHER_SUBSCRIPTION,
    ROOT,
    SUBSCRIPTION,
    deployment,
    parameter_files,
)

MAIN = [name for name in parameter_files() if not name.startswith("eventing")]

every_deployment = pytest.mark.parametrize("name", MAIN)


def group_of(resource: dict[str, Any]) -> str:
    """
    Return the id of the resource group that a resource is made in.
    """
    return "/".join(resource["id"].split("/")[:5])


@every_deployment
def test_everything_but_roles_lies_in_a_group_of_its_own(name: str) -> None:
    """
    `azd down` deletes that group: nothing else may be in it, and nothing but rights may be elsewhere.
    """
    made = deployment(name)
    (group,) = made.of("Microsoft.Resources/resourceGroups")

    elsewhere = {one["type"] for one in made.resources if not one["id"].startswith(("[", group["id"]))}
    assert elsewhere == {"Microsoft.Authorization/roleDefinitions"}
    by_expression = {one["type"] for one in made.resources if one["id"].startswith("[")}
    assert by_expression <= {"Microsoft.Authorization/roleAssignments", "Microsoft.Insights/diagnosticSettings"}


@every_deployment
def test_everything_lies_in_the_region_that_was_chosen(name: str) -> None:
    """
    But for what is global.
    """
    chosen = "usgovvirginia" if name == "sovereign" else "westeurope"

    assert {one["location"] for one in deployment(name).resources if "location" in one} <= {chosen, "global"}


def test_a_group_that_exists_is_not_taken_by_the_way() -> None:
    """
    `azd` writes AZURE_RESOURCE_GROUP by itself, and people set it: the name comes from a variable of its own.
    """
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]

    assert given["resourceGroupName"] == {"value": "${ROTATION_RESOURCE_GROUP}"}
    assert deployment("entra").one("Microsoft.Resources/resourceGroups")["name"] == "rg-of-its-own"
    assert deployment("public").one("Microsoft.Resources/resourceGroups")["name"] == "rg-rotator-prod"


@every_deployment
def test_flex_consumption_is_told_nothing_that_it_refuses(name: str) -> None:
    """
    Newer stamps answer 400 to `ftpsState` and its like, and to settings of the platform.
    """
    app = deployment(name).one("Microsoft.Web/sites")

    assert set(app["properties"]["siteConfig"]) == {
        "http20Enabled",
        "minTlsVersion",
        "scmMinTlsVersion",
        "remoteDebuggingEnabled",
        "ipSecurityRestrictionsDefaultAction",
        "ipSecurityRestrictions",
        "scmIpSecurityRestrictionsUseMain",
    }
    refused = r"FUNCTIONS_(WORKER_RUNTIME|EXTENSION_VERSION)|WEBSITE_.*|SCM_.*|ENABLE_ORYX_BUILD|AzureWebJobsStorage"
    assert not [setting for setting in deployment(name).settings() if re.fullmatch(refused, setting)]


def test_it_runs_on_the_python_that_the_package_is_made_for() -> None:
    """
    Bytecode of another version is of no use, and the wheels may not load at all.
    """
    runtime = deployment("public").one("Microsoft.Web/sites")["properties"]["functionAppConfig"]["runtime"]

    assert runtime["name"] == "python"
    assert f"readonly NEWEST={runtime['version']}" in (ROOT / ".ci/run").read_text()
    assert (
        f"AZURES_PYTHON = ({runtime['version'].replace('.', ', ')})" in (ROOT / "tools/package/bytecode.py").read_text()
    )
    # From Python 3.13 on the app's own libraries come first, so that this is not needed.
    assert "PYTHON_ISOLATE_WORKER_DEPENDENCIES" not in deployment("public").settings()


def test_numbers_are_what_was_given() -> None:
    """
    Azd fills in text; the template takes numbers, and the app's settings are text again.
    """
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]

    assert given["leadDays"] == {"value": "${ROTATION_LEAD_DAYS=30}"}
    assert given["graceHours"] == {"value": "${ROTATION_GRACE_HOURS=24}"}
    assert given["verifyDays"] == {"value": "${ROTATION_VERIFY_DAYS=1}"}
    assert given["maximumInstanceCount"] == {"value": "${ROTATION_MAXIMUM_INSTANCES=40}"}
    assert given["logRetentionDays"] == {"value": "${ROTATION_LOG_RETENTION_DAYS=90}"}
    assert deployment("public").settings()["ROTATION_LEAD_DAYS"] == "45"
    assert deployment("private").settings()["ROTATION_LEAD_DAYS"] == "30"
    assert deployment("private").settings()["ROTATION_GRACE_HOURS"] == "24"
    assert deployment("public").settings()["ROTATION_GRACE_HOURS"] == "0"
    assert deployment("private").settings()["ROTATION_VERIFY_DAYS"] == "1"


def test_the_app_rotates_unless_somebody_says_that_it_observes() -> None:
    """
    As a variable of azd, which fills in the parameter.
    """
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]

    assert given["rotationMode"] == {"value": "${ROTATION_MODE=rotate}"}
    assert deployment("private").settings()["ROTATION_MODE"] == "rotate"
    assert deployment("public", rotationMode="observe").settings()["ROTATION_MODE"] == "observe"


def test_keys_are_proven_unless_somebody_says_otherwise() -> None:
    """
    At the data planes of the cloud, and at those hosts that are named.
    """
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    named = deployment("public", proveKeys="false", dataPlaneSuffixes="batch.example.com, proxy").settings()
    settings = deployment("private").settings()

    assert given["proveKeys"] == {"value": "${ROTATION_PROVE_KEYS=true}"}
    assert given["dataPlaneSuffixes"] == {"value": "${ROTATION_DATA_PLANE_SUFFIXES}"}
    assert (settings["ROTATION_PROVE_KEYS"], settings["ROTATION_DATA_PLANE_SUFFIXES"]) == ("true", "")
    assert named["ROTATION_PROVE_KEYS"] == "false"
    assert named["ROTATION_DATA_PLANE_SUFFIXES"] == "batch.example.com, proxy"


def test_the_template_knows_the_settings_that_are_the_apps_own() -> None:
    """
    What people add must not be one of them, which is said before anything is made.
    """
    listed = (INFRA / "main.bicep").read_text().partition("var ownSettings = [")[2].partition("]")[0]

    assert set(re.findall(r"'(\w+)'", listed)) == set(deployment("private").settings())


def test_the_group_says_whose_it_is() -> None:
    """
    By what only its environment knows: other templates of azd tag with the environment's name as well.
    """
    tags = deployment("public").one("Microsoft.Resources/resourceGroups")["tags"]

    assert tags == {"azd-env-name": "prod", "azure-key-rotator": "an-id-of-its-own"}


def test_settings_that_people_add_stay() -> None:
    """
    The deployment replaces all settings, so that theirs come with it.
    """
    assert deployment("public").settings()["HTTPS_PROXY"] == "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("entra", {"entraClientId": " "}, "entraCallerIds has no effect without entraClientId"),
        ("public", {"privateNetworking": "yes"}, "'false' | 'true'"),
        ("public", {"proveKeys": "yes"}, "'false' | 'true'"),
        ("public", {"rotationMode": "observing"}, "'observe' | 'rotate'"),
        ("public", {"callerRanges": "203.0.113.0/24"}, "callerRanges has no effect without privateNetworking"),
        ("public", {"allowedScopes": ", "}, "allowedScopes names nothing"),
        (
            "public",
            {"allowedScopes": "/providers/Microsoft.Management/managementGroups/all"},
            "no role can be assigned on: /providers/Microsoft.Management/managementGroups/all",
        ),
        ("public", {"vaultIds": "kv-one"}, "no id of a vault: kv-one"),
        ("public", {"sweepSchedule": "0 3 * * *"}, "neither six fields"),
        (
            "public",
            {"extraSettings": {"ROTATION_VAULTS": "x"}},
            "a parameter of its own, or has to be as it is: ROTATION",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_mistake_is_said_before_anything_is_made(name: str, parameters: dict[str, Any], said: str) -> None:
    """
    In the words of the template: what is wrong, and what to do.
    """
    with pytest.raises(RefusedError, match=re.escape(said)):
        deployment(name, **parameters)


def test_vaults_are_written_as_the_cloud_names_them() -> None:
    """
    Names of vaults become their URIs, in small letters, whatever cloud it is.
    """
    assert deployment("public").settings()["ROTATION_VAULTS"] == (
        "https://kv-one.vault.azure.net,https://kv-two.vault.azure.net"
    )
    vault = deployment("sovereign", cloud="AzureUSGovernment").one("Microsoft.KeyVault/vaults")
    assert deployment("sovereign", cloud="AzureUSGovernment").settings()["ROTATION_VAULTS"] == (
        f"https://{vault['name']}.vault.usgovcloudapi.net"
    )


def test_a_deleted_vault_comes_back() -> None:
    """
    A new one of its name is refused while the deleted one can be recovered, which is 90 days.
    """
    assert deployment("entra").one("Microsoft.KeyVault/vaults")["properties"]["createMode"] == "recover"
    assert deployment("private").one("Microsoft.KeyVault/vaults")["properties"]["createMode"] == "default"


def test_private_networking_closes_what_is_made_here() -> None:
    """
    Storage, vault and topic answer at private endpoints only; the app lets in Event Grid and the ranges named.
    """
    made = deployment("private")

    closed = {"bypass": "AzureServices", "defaultAction": "Deny"}
    vault = made.one("Microsoft.KeyVault/vaults")["properties"]
    assert (vault["publicNetworkAccess"], vault["networkAcls"]) == ("Disabled", closed)
    # Dead letters come from outside, by a trusted service.
    storage = made.one("Microsoft.Storage/storageAccounts")["properties"]
    assert (storage["publicNetworkAccess"], storage["networkAcls"]) == ("Enabled", closed)
    assert made.one("Microsoft.EventGrid/topics")["properties"]["publicNetworkAccess"] == "Disabled"
    app = made.one("Microsoft.Web/sites")["properties"]
    assert app["siteConfig"]["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert [rule["ipAddress"] for rule in app["siteConfig"]["ipSecurityRestrictions"]] == [
        "AzureEventGrid",
        "203.0.113.0/24",
        "198.51.100.7/32",
    ]
    network = made.one("Microsoft.Network/virtualNetworks")
    assert network["properties"]["addressSpace"]["addressPrefixes"] == ["10.7.0.0/23"]
    assert [subnet["properties"]["addressPrefix"] for subnet in network["properties"]["subnets"]] == [
        "10.7.0.0/24",
        "10.7.1.0/24",
    ]
    assert app["virtualNetworkSubnetId"] == f"{network['id']}/subnets/app"


def test_everything_private_has_a_name_that_leads_to_it() -> None:
    """
    Each private endpoint is written into the zone of its own service.
    """
    made = deployment("private")
    zones = {}
    for group in made.of("Microsoft.Network/privateEndpoints/privateDnsZoneGroups"):
        (zone,) = group["properties"]["privateDnsZoneConfigs"]
        zones[zone["name"]] = zone["properties"]["privateDnsZoneId"].rpartition("/")[2]

    assert zones == {
        "blob": "privatelink.blob.core.windows.net",
        "queue": "privatelink.queue.core.windows.net",
        "table": "privatelink.table.core.windows.net",
        "topic": "privatelink.eventgrid.azure.net",
        "vault": "privatelink.vaultcore.azure.net",
    }
    assert len(made.of("Microsoft.Network/privateDnsZones")) == 5
    assert len(made.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks")) == 5


def test_without_private_networking_there_is_no_network() -> None:
    """
    Everything answers publicly, to tokens and roles.
    """
    made = deployment("public")

    assert not [one for one in made.resources if one["type"].startswith("Microsoft.Network/")]
    storage = made.one("Microsoft.Storage/storageAccounts")["properties"]
    assert (storage["publicNetworkAccess"], storage["networkAcls"]["defaultAction"]) == ("Enabled", "Allow")
    assert made.one("Microsoft.Web/sites")["properties"]["siteConfig"]["ipSecurityRestrictions"] == []


def test_every_queue_of_the_app_is_made() -> None:
    """
    A function does not create the queue that it listens to.
    """
    used = {binding["queueName"] for found in bindings().values() for binding in found if "queueName" in binding}
    made = deployment("public").of("Microsoft.Storage/storageAccounts/queueServices/queues")

    assert {queue["name"].rpartition("/")[2] for queue in made} == used


def test_azd_finds_the_app_by_the_name_of_its_service() -> None:
    """
    Azd deploys to what has the service's name as a tag.
    """
    (service,) = re.findall(r"^services:\n  (\w+):", (ROOT / "azure.yaml").read_text(), re.MULTILINE)

    assert deployment("public").one("Microsoft.Web/sites")["tags"]["azd-service-name"] == service


def test_the_custom_role_is_defined_where_fewest_rights_are_needed() -> None:
    """
    In the resource group of the first scope; in its subscription where that is a scope itself. Azure takes both.
    """
    kind = "Microsoft.Authorization/roleDefinitions"
    in_group = deployment("scopes").one(kind)
    in_subscription = deployment("subscriptions").one(kind)

    assert in_group["id"].startswith(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-batch/providers/{kind}/")
    assert in_subscription["id"].startswith(f"/subscriptions/{OTHER_SUBSCRIPTION}/providers/{kind}/")


def test_instances_fit_the_limits_that_are_documented() -> None:
    """
    docs/configuration.md counts what that many instances, with host.json's batches, ask of Azure Resource Manager.
    """
    app = deployment("public").one("Microsoft.Web/sites")["properties"]["functionAppConfig"]
    most = app["scaleAndConcurrency"]["maximumInstanceCount"]
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    at_once = queues["batchSize"] + queues["newBatchThreshold"]

    assert re.search(rf"\b{at_once} . {most} rotations\b", (ROOT / "docs/configuration.md").read_text())
