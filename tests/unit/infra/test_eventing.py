import os
import shutil
import subprocess
from pathlib import Path

import pytest

from handlers.key_vault_events import TYPES
from tests.unit.infra.app import triggered_by
from tests.unit.infra.templates import INFRA, only, template

SUBSCRIPTION = "Microsoft.EventGrid/systemTopics/eventSubscriptions"

# Stands in for the Azure CLI: writes down what it is asked, and knows the function from the call on that ABSENT names.
AZ = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
if [ "$2" = function ]; then [ "$(wc -l <"$CALLS")" -gt "$ABSENT" ]; fi
"""
AZD = {
    "AZURE_SUBSCRIPTION_ID": "11111111-1111-4111-8111-111111111111",
    "AZURE_ENV_NAME": "prod",
    "AZURE_LOCATION": "westeurope",
}


def test_events_go_to_the_function_that_takes_them() -> None:
    """
    The subscription names the app's one Event Grid function.
    """
    (function,) = triggered_by("eventGridTrigger")
    destination = only(SUBSCRIPTION).properties["destination"]

    assert destination["endpointType"] == "AzureFunction"
    assert destination["properties"]["resourceId"] == f"${{functionAppId}}/functions/{function}"


def test_the_function_gets_the_events_that_it_handles() -> None:
    """
    The filter lets through what on_secret_event knows: no type that it ignores, and every type that it handles.
    """
    assert set(only(SUBSCRIPTION).properties["filter"]["includedEventTypes"]) == set(TYPES)


def test_events_come_in_the_schema_that_is_documented() -> None:
    """
    Event Grid's own schema, one event a call: a batch would be redelivered whole.
    """
    subscription = only(SUBSCRIPTION).properties

    assert subscription["eventDeliverySchema"] == "EventGridSchema"
    assert subscription["destination"]["properties"]["maxEventsPerBatch"] == 1


def test_an_event_is_tried_for_a_day_and_then_kept() -> None:
    """
    What cannot be delivered lies in the container that storage.bicep makes, written with the identity that may.
    """
    subscription = only(SUBSCRIPTION).properties

    assert subscription["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
    letters = subscription["deadLetterWithResourceIdentity"]
    assert letters["identity"] == {"type": "UserAssigned", "userAssignedIdentity": "identityId"}
    assert letters["deadLetterDestination"] == {
        "endpointType": "StorageBlob",
        "properties": {"resourceId": "storageId", "blobContainerName": "deadLetterContainer"},
    }
    assert only("Microsoft.EventGrid/systemTopics").config["identity"]["type"] == "UserAssigned"


def test_a_dead_letter_raises_an_alert() -> None:
    """
    The metric is the system topic's own count.
    """
    alert = only("Microsoft.Insights/metricAlerts").properties
    (criterion,) = alert["criteria"]["allOf"]

    assert criterion["metricName"] == "DeadLetteredCount"
    assert criterion["metricNamespace"] == "Microsoft.EventGrid/systemTopics"
    assert (criterion["operator"], criterion["threshold"]) == ("GreaterThan", 0)


def test_the_topic_is_the_vaults() -> None:
    """
    Key Vault's topic type, the vault as source, in the vault's own region.
    """
    topic = only("Microsoft.EventGrid/systemTopics")

    assert topic.properties["topicType"] == "Microsoft.KeyVault.vaults"
    assert "source: vault.id" in template(INFRA / topic.template).text
    assert "location: vault.location" in template(INFRA / topic.template).text


class Hook:
    """
    infra/postdeploy.sh with a stand-in for the Azure CLI.
    """

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.calls.touch()
        az = folder / "az"
        az.write_text(AZ)
        az.chmod(0o755)
        outputs = template(INFRA / "main.bicep").outputs
        self.environment = {
            **AZD,
            **{name: f"<{name}>" for name in outputs if name not in {*AZD, "ROTATION_UNGRANTED_SCOPES"}},
            "PATH": f"{folder}:{os.defpath}",
            "CALLS": str(self.calls),
            "EVENTING_PAUSE": "0",
            "ABSENT": "0",
        }

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """
        Run it as azd does, in the project's folder.
        """
        return subprocess.run(  # noqa: S603 - the script is the project's own
            [INFRA / "postdeploy.sh"],
            cwd=INFRA.parent,
            env={**self.environment, **environment},
            check=False,
            capture_output=True,
            text=True,
        )

    def deployments(self) -> list[str]:
        """
        Return the calls that deploy something.
        """
        return [call for call in self.calls.read_text().splitlines() if call.startswith("deployment ")]


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    """
    Return the hook, with the outputs of main.bicep in its environment.
    """
    return Hook(tmp_path)


def test_the_hook_gives_the_template_what_it_asks_for(hook: Hook) -> None:
    """
    Outputs of main.bicep arrive as the parameters of eventing.bicep: all of them, and no other.
    """
    done = hook.run()

    assert done.returncode == 0, done.stderr
    (deployment,) = hook.deployments()
    before, _, given = deployment.partition(" --parameters ")
    parameters = dict(one.split("=", 1) for one in given.split())
    assert set(parameters) == set(template(INFRA / "eventing.bicep").parameters)
    assert parameters["functionAppId"] == "<EVENTING_FUNCTION_APP_ID>"
    assert parameters["vaultIds"] == "<AZURE_KEY_VAULT_IDS>"
    assert "deployment sub create" in before
    assert "--template-file eventing.bicep" in before


def test_the_hook_waits_for_the_function(hook: Hook) -> None:
    """
    A subscription is refused while its function does not exist, so nothing is deployed before it does.
    """
    done = hook.run(ABSENT="3")

    assert done.returncode == 0, done.stderr
    *asked, last = hook.calls.read_text().splitlines()
    (function,) = triggered_by("eventGridTrigger")
    assert len(asked) == 4
    assert all(f"--function-name {function}" in call for call in asked)
    assert last.startswith("deployment ")


def test_the_hook_gives_up_and_says_what_to_do(hook: Hook) -> None:
    """
    A function that never shows up fails the deployment with the way out, and nothing is deployed.
    """
    done = hook.run(ABSENT="99", EVENTING_TRIES="3")

    assert done.returncode == 1
    assert "azd hooks run postdeploy" in done.stderr
    assert not hook.deployments()


def test_vaults_whose_events_come_another_way_are_left_out(hook: Hook) -> None:
    """
    EVENTING_VAULT_IDS takes the place of all vaults, for those that have a system topic already.
    """
    done = hook.run(EVENTING_VAULT_IDS="<one-vault>")

    assert done.returncode == 0, done.stderr
    assert "vaultIds=<one-vault>" in hook.deployments()[0]


def test_no_vault_needs_to_be_subscribed_to(hook: Hook) -> None:
    """
    `none` leaves all events to whoever has set them up by hand.
    """
    done = hook.run(EVENTING_VAULT_IDS="none")

    assert done.returncode == 0, done.stderr
    assert not hook.calls.read_text()


def test_a_scope_without_a_right_fails_the_deployment(hook: Hook) -> None:
    """
    The app would be allowed to rotate there and could not: somebody has to know now, not in two months.
    """
    done = hook.run(ROTATION_UNGRANTED_SCOPES="/providers/Microsoft.Management/managementGroups/all")

    assert done.returncode == 1
    assert "managementGroups/all" in done.stderr
    assert not hook.deployments()


def test_a_missing_command_is_named(hook: Hook, tmp_path: Path) -> None:
    """
    Without the Azure CLI the hook says so, and how to go on.
    """
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "dirname").symlink_to(shutil.which("dirname") or "")

    done = hook.run(PATH=str(empty))

    assert done.returncode == 1
    assert "Azure CLI" in done.stderr
