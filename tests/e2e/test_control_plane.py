"""
The app as its operator sees it in Azure Resource Manager, and what a missing role does to it.
"""

from typing import Any

import aiohttp

from localcloud.azure.cloud import SUBSCRIPTION
from localcloud.azure.identity import ARM
from localcloud.cloud import SITE, LocalCloud
from tests.e2e.client import Client


async def read(cloud: LocalCloud, path: str, version: str, method: str = "GET") -> Any:
    """
    Return what the operator reads.
    """
    url = f"{cloud.azure.arm_uri}{path}?api-version={version}"
    headers = {"Authorization": f"Bearer {cloud.azure.identity.issue(ARM, cloud.azure.operator)}"}
    connector = aiohttp.TCPConnector(ssl=cloud.azure.ca.client_context)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, url, headers=headers) as answer,
    ):
        assert answer.status == 200
        return await answer.json()


async def test_the_operator_finds_the_app_and_its_subscription(cloud: LocalCloud) -> None:
    """
    The settings and functions of the host, and the vault's events on their way to a function of the app.
    """
    await cloud.subscribe()

    site = await read(cloud, SITE, "2025-03-01")
    settings = await read(cloud, f"{SITE}/config/appsettings/list", "2025-03-01", "POST")
    functions = await read(cloud, f"{SITE}/functions", "2025-03-01")
    topics = await read(
        cloud, f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.EventGrid/systemTopics", "2025-02-15"
    )
    (topic,) = [each for each in topics["value"] if each["properties"]["source"] == cloud.vault.arm_id]
    (subscription,) = (await read(cloud, f"{topic['id']}/eventSubscriptions", "2025-02-15"))["value"]

    assert cloud.host.url.endswith(f"//{site['properties']['defaultHostName']}")
    assert settings["properties"]["ROTATION_VAULTS"] == cloud.vault.uri
    names = [each["properties"]["name"] for each in functions["value"]]
    assert {"on_secret_event", "sweep_vaults"} <= set(names)
    destination = subscription["properties"]["destination"]
    assert destination["properties"]["resourceId"] == f"{SITE}/functions/on_secret_event"


async def test_without_its_role_the_app_is_refused_and_the_secret_keeps_its_key(client: Client) -> None:
    """
    The record names the action that is missing; with the role, the same request succeeds.
    """
    azure = client.cloud.azure
    app, role = azure.identity.principal_id, azure.rotation_role
    subject = await client.subject("batch")
    azure.roles.remove(app, role)
    try:
        status, problem = await client.rotate(subject)
    finally:
        azure.roles.assign(app, role)

    assert (status, problem["code"]) == (424, "provider_refused")
    assert "'Microsoft.Batch/batchAccounts/listKeys/action'" in problem["detail"]
    assert subject.regenerations() == 0

    status, _ = await client.rotate(subject)
    assert status == 200
    assert subject.regenerations() == 1
