"""
All that differs between the places that the suite runs in: how each is made, what it costs, and how it is removed.
"""

import asyncio
import base64
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient
from azure.identity import AzureCliCredential
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
    The subscription of Azure that the Azure CLI is signed in to: a resource group of its own, and nothing else.
    """

    def __init__(self, location: str, *, has_logic_app: bool, azure: AzureCli | None = None) -> None:
        self._location = location
        self._has_logic_app = has_logic_app
        self._azure = azure or AzureCli()
        # Asked once: whatever az is told meanwhile, it all happens there.
        self._account = self._azure.ask("account", "show")
        token = secrets.token_hex(5)
        self.group = f"rg-key-rotator-live-{token}"
        self._token = f"kr{token}"

    def question(self) -> str | None:
        """
        Say what is made, where, and what it costs.
        """
        plan = (
            "\nand, as you asked for it, a Logic App (Standard) with two workflows: its plan WS1 is billed by the hour,"
            " about a quarter of a US dollar in most regions (https://azure.microsoft.com/pricing/details/logic-apps/)"
            if self._has_logic_app
            else ""
        )
        return (
            f"In the subscription {self._account['name']} ({self._account['id']}) this makes the resource group"
            f" {self.group} in {self._location}, with a Batch account without nodes, a vault, a storage account and a"
            f" topic: together a few US cents{plan}. It takes half an hour, touches nothing else, and removes"
            " everything at its end."
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
        self._ask(
            "group", "create", "--name", self.group, "--location", self._location, "--tags", "made-by=key-rotator"
        )
        with tempfile.TemporaryDirectory() as folder:
            outputs = self._deploy(Path(folder))
            if self._has_logic_app:
                package = shutil.make_archive(str(Path(folder) / "workflows"), "zip", _HERE / "workflows")
                self._ask(
                    *("logicapp", "deployment", "source", "config-zip", "--resource-group", self.group),
                    *("--name", outputs["siteName"], "--src", package),
                )
        names = ("orders", "returns") if self._has_logic_app else ()
        made = Description(
            settings={
                "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
                "ROTATION_VAULTS": outputs["vaultUri"].rstrip("/"),
                "ROTATION_ALLOWED_SCOPES": outputs["groupId"],
                "ROTATION_TOPIC_ENDPOINT": outputs["topicEndpoint"],
                "AzureWebJobsStorage__tableServiceUri": outputs["tables"].rstrip("/"),
            },
            vault=outputs["vaultUri"].rstrip("/"),
            batch=outputs["batchId"],
            workflows=[f"{outputs['siteId']}/workflows/{name}/triggers/manual" for name in names],
            queue_service=outputs["queues"].rstrip("/"),
            queue=outputs["queueName"],
            patience=_ROLES_COUNT_WITHIN,
        )
        _wait_for_roles(made)
        return made

    def _deploy(self, folder: Path) -> dict[str, str]:
        """
        Deploy the template, and return its outputs.
        """
        given = {
            "token": self._token,
            "principalId": self._principal(),
            "principalType": "User" if self._account["user"]["type"] == "user" else "ServicePrincipal",
            "logicApp": str(self._has_logic_app).lower(),
        }
        file = folder / "live.parameters.json"
        file.write_text(
            json.dumps(
                {
                    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
                    "contentVersion": "1.0.0.0",
                    "parameters": {name: {"value": value} for name, value in given.items()},
                }
            )
        )
        deployment = self._ask(
            *("deployment", "group", "create", "--resource-group", self.group, "--name", "live"),
            *("--template-file", str(_HERE / "live.bicep"), "--parameters", f"@{file}"),
        )
        return {name: output["value"] for name, output in deployment["properties"]["outputs"].items()}

    def _principal(self) -> str:
        """
        Return the object id of the account that is signed in.
        """
        user = self._account["user"]
        if user["type"] == "user":
            return str(self._azure.ask("ad", "signed-in-user", "show")["id"])
        return str(self._azure.ask("ad", "sp", "show", "--id", user["name"])["id"])

    def _remove(self) -> None:
        """
        Delete the group, wait for it, and purge the vault, whose name would be taken for a week.
        """
        if not self._ask("group", "exists", "--name", self.group):
            return
        sys.stderr.write(f"Removing {self.group} ...\n")
        self._ask("group", "delete", "--name", self.group, "--yes")
        vault = f"kv-{self._token}"
        if vault in [deleted["name"] for deleted in self._ask("keyvault", "list-deleted") or []]:
            self._ask("keyvault", "purge", "--name", vault)

    def _ask(self, *arguments: str) -> Any:
        return self._azure.ask(*arguments, "--subscription", self._account["id"])


def _wait_for_roles(made: Description) -> None:
    """
    Wait until the roles that were assigned just now count.
    """
    credential = AzureCliCredential()
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
