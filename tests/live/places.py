"""
All that differs between the places that the suite runs in: how each is made, what it costs, and how it is removed.
"""

import asyncio
import base64
import json
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from azure.storage.queue.aio import QueueClient as AsyncQueueClient

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azurite import Azurite
from localcloud.kinds import KINDS
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.storage import add_storage_account
from localcloud.kinds.workflow import add_workflow
from tests.live.description import Description
from tests.live.readiness import wait_until_ready
from tools.azd.clis import AzureCli, HookError

_HERE = Path(__file__).parent
_QUEUE = "rotations-told"
_WORKFLOWS = ("orders", "returns")
# seconds
_READY_WITHIN = 600
_ROLE_COUNTS_AFTER = 60
_REMOVAL_PAUSE = 30
_REMOVAL_TRIES = 10


class Place(Protocol):
    """
    Where the suite can run.
    """

    name: str
    """What results say of where they were seen."""

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

    name = "the local cloud"

    def __init__(self, directory: Path, ca: CertificateAuthority) -> None:
        self._directory = directory
        self._ca = ca

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
        async with Azurite(self._directory / "azurite") as azurite, LocalAzure(KINDS, ca=self._ca) as azure:
            vault = await azure.add_vault("kv-live", transition=1)
            account = await add_batch_account(azure, "account1")
            storage = await add_storage_account(azure, "storage1")
            workflows = [await add_workflow(azure, name, site="site1") for name in _WORKFLOWS]
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
                    storage=storage.arm_id,
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

    name = "a subscription"

    def __init__(self, location: str, *, has_logic_app: bool, azure: AzureCli | None = None) -> None:
        self._location = location
        self._has_logic_app = has_logic_app
        self._azure = azure or AzureCli()
        # Asked once: whatever az is told meanwhile, it all happens there.
        self._account = self._azure.ask("account", "show")
        if self._account["environmentName"] != "AzureCloud":
            raise HookError("The live suite knows the public cloud only: az cloud set --name AzureCloud.")
        token = secrets.token_hex(5)
        self.group = f"rg-key-rotator-live-{token}"
        self._token = f"kr{token}"
        self._has_vault = False

    def question(self) -> str | None:
        """
        Say what is made, where, what it costs, and what it needs.
        """
        plan = (
            "\nand, as you asked for it, a Logic App (Standard) with two workflows: its plan WS1 is billed by the hour,"
            " about a quarter of a US dollar in most regions (https://azure.microsoft.com/pricing/details/logic-apps/)"
            if self._has_logic_app
            else ""
        )
        return (
            f"In the subscription {self._account['name']} ({self._account['id']}) this makes the resource group"
            f" {self.group} in {self._location}, with a Batch account without nodes, a vault, two storage accounts and"
            f" a topic: together a few US cents{plan}. It takes half an hour, touches nothing else but the registration"
            " of their resource providers, and removes everything at its end. You need to be Owner (it assigns roles in"
            " the group), have a Batch account left in your quota, and leave az signed in as it is meanwhile."
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Description]:
        """
        Make the group and what is in it.
        """
        try:
            yield await asyncio.to_thread(self._make)
        finally:
            # Whatever ends this, it must not end the removal.
            await asyncio.shield(asyncio.to_thread(self._remove))

    def _make(self) -> Description:
        principal = self._principal()  # Before anything is made.
        sys.stderr.write(f"Making {self.group} ...\n")
        self._ask(
            "group", "create", "--name", self.group, "--location", self._location, "--tags", "made-by=key-rotator"
        )
        outputs = self._deploy(principal)
        if self._has_logic_app:
            with tempfile.TemporaryDirectory() as folder:
                package = shutil.make_archive(str(Path(folder) / "workflows"), "zip", _HERE / "workflows")
                self._ask(
                    *("logicapp", "deployment", "source", "config-zip", "--resource-group", self.group),
                    *("--name", outputs["siteName"], "--src", package),
                )
        names = _WORKFLOWS if self._has_logic_app else ()
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
            storage=outputs["rotatedStorageId"],
            workflows=[f"{outputs['siteId']}/workflows/{name}/triggers/manual" for name in names],
            queue_service=outputs["queues"].rstrip("/"),
            queue=outputs["queueName"],
            patience=_READY_WITHIN,
        )
        sys.stderr.write("Waiting until its roles count ...\n")
        wait_until_ready(made)
        return made

    def _deploy(self, principal: dict[str, str]) -> dict[str, str]:
        """
        Deploy the template, and return its outputs.
        """
        given = {**principal, "token": self._token, "logicApp": str(self._has_logic_app).lower()}
        where = (
            "group",
            "create",
            "--resource-group",
            self.group,
            "--name",
            "live",
            "--subscription",
            self._account["id"],
        )
        self._has_vault = True  # Perhaps; from now on.
        try:
            deployment = self._azure.deploy(*where, template=_HERE / "live.bicep", parameters=given)
        except HookError:
            # The topic's right to write to the queue may not count yet where the subscription is made.
            time.sleep(_ROLE_COUNTS_AFTER)
            deployment = self._azure.deploy(*where, template=_HERE / "live.bicep", parameters=given)
        return {name: output["value"] for name, output in deployment["properties"]["outputs"].items()}

    def _principal(self) -> dict[str, str]:
        """
        Return who is signed in, as the token says it: asking the directory takes rights that a pipeline lacks.
        """
        token = self._ask("account", "get-access-token")["accessToken"]
        claims = token.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        is_user = self._account["user"]["type"] == "user"
        return {"principalId": told["oid"], "principalType": "User" if is_user else "ServicePrincipal"}

    def _remove(self) -> None:
        """
        Delete the group, wait for it, and purge the vault, whose name would be taken for a week.
        """
        sys.stderr.write(f"Removing {self.group} ...\n")
        steps = [["group", "delete", "--name", self.group, "--yes"]]
        if self._has_vault:
            steps.append(["keyvault", "purge", "--name", f"kv-{self._token}", "--location", self._location])
        problems = []
        for step in steps:
            problem = self._until_done(*step)
            if problem:
                problems.append(f"NOT REMOVED: az {' '.join(step)} --subscription {self._account['id']}\n{problem}")
        if problems:
            raise HookError("\n".join(problems))

    def _until_done(self, *step: str) -> str:
        """
        Run a step of the removal until it is done, or there is nothing to do; return what kept it from that.

        A deployment that was interrupted goes on for a while, and is in the way.
        """
        problem = ""
        for _ in range(_REMOVAL_TRIES):
            problem = self._azure.problem_of(*step, "--subscription", self._account["id"])
            if not problem or re.search("not ?found|could not be found", problem, re.IGNORECASE):
                return ""
            time.sleep(_REMOVAL_PAUSE)
        return problem

    def _ask(self, *arguments: str) -> Any:
        return self._azure.ask(*arguments, "--subscription", self._account["id"])
