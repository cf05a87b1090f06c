import json
import re

from adapters.settings import CLOUDS, NAMES, read_settings
from localcloud.cloud import QUEUES
from tests.unit.infra.app import bindings
from tests.unit.infra.templates import ROOT, module, only, resources, words

# What the Functions host and its OpenTelemetry read; the code does not.
OF_THE_HOST = {
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "OTEL_TRACES_SAMPLER",
}
# A connection string, and the short form of the addresses: the deployed app has the addresses.
OTHER_FORMS = {"AzureWebJobsStorage", "AzureWebJobsStorage__accountName"}


def settings() -> dict[str, object]:
    """
    Return the app's settings as the template writes them.
    """
    (found,) = (config for config in resources("Microsoft.Web/sites/config") if config.config["name"] == "appsettings")
    return found.properties


def test_the_app_gets_the_settings_that_it_reads() -> None:
    """
    Every setting of the code, of its bindings and of the host is set, and nothing that nobody reads.
    """
    of_bindings = {name for found in bindings().values() for name in re.findall(r"%(\w+)%", json.dumps(found))}

    assert of_bindings
    assert set(settings()) == set(NAMES) - OTHER_FORMS | of_bindings | OF_THE_HOST


def test_bindings_go_by_a_connection_that_is_set() -> None:
    """
    Each `connection` of a binding is a prefix of settings that name the queues' address and the identity.
    """
    connections = {
        binding["connection"] for found in bindings().values() for binding in found if "connection" in binding
    }

    assert connections
    for connection in connections:
        assert {f"{connection}__{part}" for part in ("queueServiceUri", "credential", "clientId")} <= set(settings())


def test_every_cloud_has_the_name_that_the_code_knows() -> None:
    """
    `environment().name` of Azure Resource Manager becomes a value of ROTATION_CLOUD.
    """
    clouds = module("function-app").variables["clouds"]

    assert set(clouds.values()) == set(CLOUDS)
    assert settings()["ROTATION_CLOUD"] != "AzureCloud"
    assert "clouds" in set(words(settings()["ROTATION_CLOUD"]))
    assert set(module("network").variables["topicZones"]) == set(clouds)


def test_the_code_takes_values_as_azure_gives_them() -> None:
    """
    Addresses of Azure end with a slash, lists are joined with commas, a number is text.
    """
    taken = read_settings(
        {
            "ROTATION_VAULTS": "https://kv-one.vault.azure.net,https://kv-two.vault.azure.net",
            "ROTATION_ALLOWED_SCOPES": "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-batch",
            "ROTATION_TOPIC_ENDPOINT": "https://evgt-x.westeurope-1.eventgrid.azure.net/api/events",
            "ROTATION_LEAD_DAYS": "30",
            "ROTATION_CLOUD": module("function-app").variables["clouds"]["AzureCloud"],
            "ROTATION_ARM_ENDPOINT": "https://management.azure.com/",
            "ROTATION_VERIFY_VAULT_DOMAIN": str(settings()["ROTATION_VERIFY_VAULT_DOMAIN"]),
            "AZURE_CLIENT_ID": "22222222-2222-4222-8222-222222222222",
            "AzureWebJobsStorage__tableServiceUri": "https://stx.table.core.windows.net/",
            "AzureWebJobsStorage__clientId": "22222222-2222-4222-8222-222222222222",
        }
    )

    assert taken.arm_endpoint == "https://management.azure.com"
    assert taken.verify_vault_domain
    assert taken.storage.table_service_uri == "https://stx.table.core.windows.net"
    assert taken.client_id == taken.storage.client_id


def test_telemetry_is_sent_with_the_identity() -> None:
    """
    The component takes no key, so the host has to be told to bring a token, and whose.
    """
    assert settings()["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] == "ClientId=${identityClientId};Authorization=AAD"
    assert settings()["OTEL_TRACES_SAMPLER"] == "always_on"


def test_it_runs_on_a_supported_python() -> None:
    """
    The runtime of the plan is a Python that the project is tested on.
    """
    runtime = only("Microsoft.Web/sites").properties["functionAppConfig"]["runtime"]

    assert runtime["name"] == "python"
    assert f"readonly NEWEST={runtime['version']}" in (ROOT / ".ci/run").read_text()


def test_the_worker_is_isolated_where_it_is_needed_only() -> None:
    """
    From Python 3.13 on the app's own libraries come first, and Flex Consumption refuses settings that it does not know.
    """
    runtime = only("Microsoft.Web/sites").properties["functionAppConfig"]["runtime"]
    is_needed = [int(part) for part in runtime["version"].split(".")] < [3, 13]

    assert ("PYTHON_ISOLATE_WORKER_DEPENDENCIES" in settings()) is is_needed


def test_instances_fit_the_limits_that_are_documented() -> None:
    """
    docs/configuration.md counts what that many instances, with host.json's batches, ask of Azure Resource Manager.
    """
    most = module("../main").parameters["maximumInstanceCount"]["default"]
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    at_once = queues["batchSize"] + queues["newBatchThreshold"]

    assert re.search(rf"\b{at_once} . {most} rotations\b", (ROOT / "docs/configuration.md").read_text())


def test_every_queue_of_the_app_is_declared() -> None:
    """
    A function does not create the queue that it listens to; the local cloud has the same queues.
    """
    used = {binding["queueName"] for found in bindings().values() for binding in found if "queueName" in binding}
    declared = {queue.config["name"] for queue in resources("Microsoft.Storage/storageAccounts/queueServices/queues")}

    assert used == declared == set(QUEUES)
