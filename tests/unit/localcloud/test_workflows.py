from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.web.aio import WebSiteManagementClient

from localcloud.azure.cloud import SUBSCRIPTION, LocalAzure
from localcloud.azure.identity import ARM
from localcloud.kinds.workflow import add_workflow
from localcloud.kinds.workflow.workflow import Workflow

NAMES = ("rg-flows", "orders", "intake")


@pytest.fixture
async def workflow(azure: LocalAzure) -> Workflow:
    """
    Return a workflow that a request or the clock starts.
    """
    group, site, name = NAMES
    return await add_workflow(
        azure, name, resource_group=group, site=site, triggers=("manual", "nightly"), request_triggers=("manual",)
    )


@pytest.fixture
async def management(
    azure: LocalAzure, credential: ManagedIdentityCredential
) -> AsyncIterator[WebSiteManagementClient]:
    """
    Yield the client that the app uses.
    """
    async with WebSiteManagementClient(credential, SUBSCRIPTION, base_url=azure.arm_uri) as client:
        yield client


async def callback_url(management: WebSiteManagementClient, key: str, trigger: str = "manual") -> str:
    """
    Ask for the URL under one of the keys.
    """

    def name_key(request: Any) -> None:
        request.http_request.set_json_body({"keyType": key})

    answer = await management.workflow_triggers.list_callback_url(*NAMES, trigger, raw_request_hook=name_key)
    assert answer.value is not None
    return answer.value


async def status_of(http: aiohttp.ClientSession, url: str) -> int:
    """
    Start the workflow by a URL.
    """
    async with http.post(url, json={}) as answer:
        return answer.status


async def test_each_key_signs_a_url_of_its_own(
    http: aiohttp.ClientSession, management: WebSiteManagementClient, workflow: Workflow
) -> None:
    """
    Both URLs start the workflow, and without a key type it is the primary's.
    """
    primary, secondary = await callback_url(management, "Primary"), await callback_url(management, "Secondary")
    unnamed = await management.workflow_triggers.list_callback_url(*NAMES, "manual")

    assert primary != secondary
    assert unnamed.value == primary == workflow.callback_url("manual", "Primary")
    assert unnamed.queries is not None
    assert unnamed.queries.sig is not None
    assert primary.endswith(unnamed.queries.sig)
    assert [await status_of(http, url) for url in (primary, secondary)] == [202, 202]
    assert workflow.runs == 2


async def test_regenerating_kills_the_urls_of_that_key_alone(
    azure: LocalAzure, http: aiohttp.ClientSession, management: WebSiteManagementClient, workflow: Workflow
) -> None:
    """
    The old URL is 401, the other key's URL still works, and the history holds every signature.
    """
    old, other = workflow.callback_url(key="Primary"), workflow.callback_url(key="Secondary")

    await management.workflows.regenerate_access_key(*NAMES, {"keyType": "Primary"})

    assert await status_of(http, old) == 401
    assert await status_of(http, other) == 202
    assert await status_of(http, await callback_url(management, "Primary")) == 202
    signatures = {life.value for life in azure.key_history.of(f"{workflow.arm_id}/triggers/manual")}
    assert len(signatures) == 3
    assert old.rpartition("sig=")[2] in signatures <= azure.key_history.values()
    assert azure.requests.count("Workflow.RegenerateAccessKey", target=workflow.arm_id) == 1
    assert azure.requests.count("Workflow.ListCallbackUrl", target=workflow.arm_id) == 1


async def test_one_key_may_sign_everything(
    azure: LocalAzure, http: aiohttp.ClientSession, management: WebSiteManagementClient
) -> None:
    """
    Such a workflow shows the same URL under both keys, and one regeneration kills it.
    """
    workflow = await add_workflow(azure, "intake", resource_group="rg-flows", site="orders", signs_with_one_key=True)
    before = await callback_url(management, "Primary")
    assert before == await callback_url(management, "Secondary")

    await management.workflows.regenerate_access_key(*NAMES, {"keyType": "Primary"})

    assert await status_of(http, before) == 401
    assert await status_of(http, workflow.callback_url(key="Secondary")) == 202


async def test_the_request_trigger_is_found_in_the_definition(
    management: WebSiteManagementClient, workflow: Workflow
) -> None:
    """
    The list tells names; the type stands in workflow.json; a trigger of another type has no URL.
    """
    names = [trigger.name async for trigger in management.workflow_triggers.list(*NAMES)]
    envelope = await management.web_apps.get_workflow(*NAMES)

    assert names == ["manual", "nightly"]
    assert envelope.id == workflow.arm_id
    assert envelope.properties is not None
    assert envelope.properties.files is not None
    triggers = envelope.properties.files["workflow.json"]["definition"]["triggers"]
    assert {name: trigger["type"] for name, trigger in triggers.items()} == {
        "manual": "Request",
        "nightly": "Recurrence",
    }
    with pytest.raises(HttpResponseError, match="not supported by triggers of type 'Recurrence'"):
        await callback_url(management, "Primary", "nightly")


@pytest.mark.parametrize(
    ("site", "name", "trigger", "code"),
    [
        ("none", "intake", "manual", "ResourceNotFound"),
        ("orders", "none", "manual", "WorkflowNotFound"),
        ("orders", "intake", "none", "WorkflowTriggerNotFound"),
    ],
)
async def test_what_is_missing_is_named(
    management: WebSiteManagementClient, workflow: Workflow, *, site: str, name: str, trigger: str, code: str
) -> None:
    """
    A 404 says which part does not exist.
    """
    with pytest.raises(ResourceNotFoundError) as missing:
        await management.workflow_triggers.list_callback_url("rg-flows", site, name, trigger)
    assert code in str(missing.value)


@pytest.mark.parametrize(
    "body", ['{"keyType": "NotSpecified"}', '{"keyType": "primary"}', "{}", '{"keyName": "Primary"}']
)
async def test_regenerating_names_one_of_two_keys(
    azure: LocalAzure, http: aiohttp.ClientSession, workflow: Workflow, body: str
) -> None:
    """
    Anything else is 400, and both keys stay.
    """
    before = dict.fromkeys([workflow.keys["Primary"], workflow.keys["Secondary"]])
    head, _, tail = workflow.arm_id.partition("/workflows/")
    path = f"{head}/hostruntime/runtime/webhooks/workflow/api/management/workflows/{tail}/regenerateAccessKey"
    headers = {"Authorization": f"Bearer {azure.identity.issue(ARM)}", "Content-Type": "application/json"}

    url = f"{azure.arm_uri}{path}?api-version=2025-05-01"
    async with http.post(url, headers=headers, data=body.encode()) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "InvalidRequestContent"
    assert dict.fromkeys([workflow.keys["Primary"], workflow.keys["Secondary"]]) == before


async def test_a_callback_url_is_good_for_nothing_else(http: aiohttp.ClientSession, workflow: Workflow) -> None:
    """
    Neither another trigger, nor another permission, nor no signature opens anything.
    """
    url = workflow.callback_url()
    base, _, query = url.partition("?")

    assert await status_of(http, base) == 401
    assert await status_of(http, url.replace("sv=1.0", "sv=2.0")) == 401
    assert await status_of(http, url.replace("api-version=2022-05-01", "api-version=1")) == 400
    assert await status_of(http, f"{base.replace('manual', 'nightly')}?{query}") == 404
    async with http.get(url) as answer:
        assert answer.status == 405
    assert workflow.runs == 0
