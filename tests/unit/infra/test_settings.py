import json
import re

import pytest

from rotation.overview.schedule import Schedule
from tests.unit.infra.app import bindings
from tests.unit.infra.deployment import CLOUDS as AZURES_CLOUDS
from tests.unit.infra.deployment import deployment
from wiring.clouds import CLOUDS
from wiring.settings import NAMES, read_settings

# What the Functions host and its OpenTelemetry read; the code does not.
OF_THE_HOST = {
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
}
# A connection string, and the short form of the addresses: the deployed app has the addresses.
OTHER_FORMS = {"AzureWebJobsStorage", "AzureWebJobsStorage__accountName"}


def test_the_app_gets_the_settings_that_it_reads() -> None:
    """
    Every setting of the code, of its bindings and of the host is set, and nothing that nobody reads.
    """
    of_bindings = {name for found in bindings().values() for name in re.findall(r"%(\w+)%", json.dumps(found))}

    assert of_bindings
    assert set(deployment("private").settings()) == set(NAMES) - OTHER_FORMS | of_bindings | OF_THE_HOST


def test_bindings_go_by_a_connection_that_is_set() -> None:
    """
    Each `connection` of a binding is a prefix of settings that name the queues' address and the identity.
    """
    settings = set(deployment("public").settings())
    connections = {
        binding["connection"] for found in bindings().values() for binding in found if "connection" in binding
    }

    assert connections
    for connection in connections:
        assert {f"{connection}__{part}" for part in ("queueServiceUri", "credential", "clientId")} <= settings


@pytest.mark.parametrize("cloud", AZURES_CLOUDS)
def test_the_code_takes_the_settings_of_every_cloud(cloud: str) -> None:
    """
    Azure Resource Manager's name of a cloud becomes the SDKs'; addresses end with a slash, numbers are text.
    """
    made = deployment("sovereign", cloud=cloud).settings()
    for name, value in made.items():
        if value.startswith("["):  # What only the deployed resource knows.
            host = "stx.table.core.windows.net/" if "Storage" in name else "evgt-x.westeurope-1.eventgrid.azure.net/api"
            made[name] = "22222222-2222-4222-8222-222222222222" if "client" in value.lower() else f"https://{host}"

    taken = read_settings(made)

    assert taken.cloud in CLOUDS.values()
    assert taken.arm_endpoint == f"https://{AZURES_CLOUDS[cloud][0]}"
    assert [vault.rpartition(AZURES_CLOUDS[cloud][3])[1] for vault in taken.vaults] == [AZURES_CLOUDS[cloud][3]]
    assert taken.storage.table_service_uri == "https://stx.table.core.windows.net"
    assert taken.client_id == taken.storage.client_id


def test_nothing_that_is_told_of_a_rotation_is_sampled_away() -> None:
    """
    The host knows two samplers; its default keeps five traces a second, and drops the lines of the others with them.
    """
    settings = deployment("public").settings()

    assert (settings["OTEL_TRACES_SAMPLER"], settings["OTEL_TRACES_SAMPLER_ARG"]) == ("microsoft.fixed_percentage", "1")


def test_telemetry_is_sent_with_the_identity() -> None:
    """
    The component takes no key, so the host has to be told to bring a token, and whose.
    """
    settings = deployment("public").settings()
    client = settings["AZURE_CLIENT_ID"].removeprefix("[").removesuffix("]")

    assert settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] == (
        f"[format('ClientId={{0}};Authorization=AAD', {client})]"
    )


def test_the_default_schedule_of_the_sweep_is_one_that_the_host_runs_by() -> None:
    """
    The sweep runs daily unless somebody chooses otherwise.
    """
    assert Schedule.parse(deployment("public").settings()["ROTATION_SWEEP_SCHEDULE"]).fields
