"""
All that differs between the places that the suite runs in: how each is made, what it costs, and how it is removed.
"""

import asyncio
import base64
import json
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.queue import QueueClient
from azure.storage.queue.aio import QueueClient as AsyncQueueClient

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azurite import Azurite
from tests.live.description import Description
from tools.azd.azure_cli import AzureCli

_HERE = Path(__file__).parent
_QUEUE = "rotations-told"
_ROLES_COUNT_WITHIN = 600  # seconds


class Place(Protocol):
    """
    Where the suite can run.
    """

    def question(self) -> str | None:
        """
        Return what a person has to agree to; None where nothing is made that costs.
        """

    def open(self) -> AbstractAsyncContextManager[Description]:
        """
        Make everything, and remove it when the context is left, however that happens.
        """


class LocalCloud:
    """
    The local cloud as the subscription: the proof of the suite itself.
    """

    def __init__(self, directory: Path, ca: CertificateAuthority, *, has_logic_app: bool = True) -> None:
        self._directory = directory
        self._ca = ca
        self._has_logic_app = has_logic_app

    def question(self) -> str | None:
        """
        Ask nothing.
        """
        return None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Description]:
        """
        Start it, with a topic whose events go to a queue of Azurite.
        """
        async with Azurite(self._directory / "azurite") as azurite, LocalAzure(ca=self._ca) as azure:
            vault = await azure.add_vault("kv-live", transition=1)
            account = azure.add_batch_account(subscription=SUBSCRIPTION, resource_group=RESOURCE_GROUP, name="account1")
            names = ("orders", "returns") if self._has_logic_app else ()
            workflows = [await azure.add_workflow(SUBSCRIPTION, RESOURCE_GROUP, "site1", name) for name in names]
            queue = AsyncQueueClient.from_connection_string(azurite.connection_string, _QUEUE)
            passing_on = asyncio.create_task(_pass_on(azure, queue))
            try:
                yield Description(
                    settings=azure.environment()
                    | {
                        "REQUESTS_CA_BUNDLE": str(self._ca.bundle),
                        "AzureWebJobsStorage": azurite.connection_string,
                        "ROTATION_VAULTS": vault.uri,
                        "ROTATION_ALLOWED_SCOPES": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}",
                    },
                    vault=vault.uri,
                    batch=account.arm_id,
                    workflows=[f"{workflow.arm_id}/triggers/manual" for workflow in workflows],
                    queue_service=azurite.connection_string,
                    queue=_QUEUE,
                    patience=60,
                )
            finally:
                passing_on.cancel()
                await asyncio.gather(passing_on, return_exceptions=True)
                await queue.close()


async def _pass_on(azure: LocalAzure, queue: AsyncQueueClient) -> None:
    """
    Deliver the topic's events to a queue, as Event Grid does to one that has subscribed.
    """
    await queue.create_queue()
    delivered = 0
    while True:
        for event in azure.events[delivered:]:
            delivered += 1
            await queue.send_message(base64.b64encode(json.dumps(event.content).encode()).decode())
        await asyncio.sleep(0.1)


class Subscription:
    """
    A subscription of Azure, of the account that the Azure CLI is signed in with: a resource group of its own.
    """

    def __init__(self, location: str, *, has_logic_app: bool, azure: AzureCli | None = None) -> None:
        self._location = location
        self._has_logic_app = has_logic_app
        self._azure = azure or AzureCli()
        token = secrets.token_hex(5)
        self.group = f"rg-key-rotator-live-{token}"
        self._token = f"kr{token}"

    def question(self) -> str | None:
        """
        Say what is made, where, and what it costs.
        """
        account = self._azure.ask("account", "show")
        plan = (
            "\nand, as you asked for it, a Logic App (Standard) with two workflows: its plan WS1 is billed by the hour,"
            " about a quarter of a US dollar in most regions (https://azure.microsoft.com/pricing/details/logic-apps/)"
            if self._has_logic_app
            else ""
        )
        return (
            f"In the subscription {account['name']} ({account['id']}) this makes the resource group {self.group} in"
            f" {self._location}, with a Batch account without nodes, a vault, a storage account and a topic: together a"
            f" few US cents{plan}. It takes half an hour, touches nothing else, and removes everything at its end."
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Description]:
        """
        Make the group and what is in it.
        """
        try:
            yield self._make()
        finally:
            self._remove()

    def _make(self) -> Description:
        self._azure.ask(
            "group", "create", "--name", self.group, "--location", self._location, "--tags", "made-by=key-rotator-live"
        )
        with tempfile.TemporaryDirectory() as folder:
            parameters = Path(folder) / "live.parameters.json"
            given = {
                "token": self._token,
                "principalId": self._principal()["id"],
                "principalType": self._principal()["type"],
                "logicApp": str(self._has_logic_app).lower(),
            }
            parameters.write_text(
                json.dumps(
                    {
                        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
                        "contentVersion": "1.0.0.0",
                        "parameters": {name: {"value": value} for name, value in given.items()},
                    }
                )
            )
            deployment = self._azure.ask(
                *("deployment", "group", "create", "--resource-group", self.group, "--name", "live"),
                *("--template-file", str(_HERE / "live.bicep"), "--parameters", f"@{parameters}"),
            )
        outputs = {name: output["value"] for name, output in deployment["properties"]["outputs"].items()}
        workflows = []
        if self._has_logic_app:
            self._azure.ask(
                *("logicapp", "deployment", "source", "config-zip", "--resource-group", self.group),
                *("--name", outputs["siteName"], "--src", str(_zip_of_workflows())),
            )
            workflows = [f"{outputs['siteId']}/workflows/{name}/triggers/manual" for name in ("orders", "returns")]
        made = Description(
            settings={
                "ROTATION_VAULTS": outputs["vaultUri"].rstrip("/"),
                "ROTATION_ALLOWED_SCOPES": outputs["groupId"],
                "ROTATION_TOPIC_ENDPOINT": outputs["topicEndpoint"],
                "AzureWebJobsStorage__tableServiceUri": outputs["tables"].rstrip("/"),
            },
            vault=outputs["vaultUri"].rstrip("/"),
            batch=outputs["batchId"],
            workflows=workflows,
            queue_service=outputs["queues"].rstrip("/"),
            queue=outputs["queueName"],
            patience=_ROLES_COUNT_WITHIN,
        )
        _wait_for_roles(made)
        return made

    def _principal(self) -> dict[str, str]:
        user = self._azure.ask("account", "show")["user"]
        if user["type"] == "user":
            return {"id": self._azure.ask("ad", "signed-in-user", "show")["id"], "type": "User"}
        return {"id": self._azure.ask("ad", "sp", "show", "--id", user["name"])["id"], "type": "ServicePrincipal"}

    def _remove(self) -> None:
        """
        Delete the group, wait for it, and purge the vault, whose name would be taken for a week.
        """
        if not self._azure.ask("group", "exists", "--name", self.group):
            return
        sys.stderr.write(f"Removing {self.group} ...\n")
        self._azure.ask("group", "delete", "--name", self.group, "--yes")
        self._azure.ask("keyvault", "purge", "--name", f"kv-{self._token}")


def _zip_of_workflows() -> Path:
    """
    Return the workflows as a zip.
    """
    import shutil  # noqa: PLC0415 - only where a Logic App was asked for

    folder = Path(tempfile.mkdtemp(prefix="live-workflows-"))
    return Path(shutil.make_archive(str(folder / "workflows"), "zip", _HERE / "workflows"))


def _wait_for_roles(made: Description) -> None:
    """
    Wait until the roles that were assigned just now count.
    """
    credential = DefaultAzureCredential()
    tables = TableServiceClient(made.settings["AzureWebJobsStorage__tableServiceUri"], credential=credential)
    questions: list[Callable[[], Any]] = [
        lambda: list(SecretClient(made.vault, credential).list_properties_of_secrets()),
        lambda: list(tables.list_tables()),
        lambda: QueueClient(made.queue_service, made.queue, credential=credential).peek_messages(),
    ]
    end = time.monotonic() + _ROLES_COUNT_WITHIN
    for ask in questions:
        while True:
            try:
                ask()
                break
            except HttpResponseError:
                if time.monotonic() > end:
                    raise
                time.sleep(10)
