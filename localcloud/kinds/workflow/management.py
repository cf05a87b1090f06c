"""
Logic App (Standard) workflows, as ARM shows and manages them.

How a caller finds the Request trigger: the documented list of triggers (`WorkflowTriggers_List`) tells names and
states, not types, and so does this one. The type stands in the workflow's definition, which `web_apps.get_workflow`
returns under `properties.files["workflow.json"]` (example `GetWorkflow.json` of the Microsoft.Web specification). And
`listCallbackUrl` refuses every other trigger: "The 'ListCallbackUrl' API is not supported by triggers of type
'Recurrence'." (as in Azure/logicapps issue 895; the error's code is not documented, ours is a guess).

It rests on assumptions 11, 14, 15, 28, 29, 33 and 35 of docs/fidelity.md.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from localcloud.azure.access_keys import KeyName
from localcloud.azure.arm import Inventory
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.kinds.workflow.site import WorkflowSite
from localcloud.kinds.workflow.workflow import Trigger, Workflow

API_VERSIONS = frozenset({"2022-03-01", "2022-09-01", "2023-12-01", "2024-04-01", "2024-11-01", "2025-05-01"})
SITE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web/sites/{site}"
WORKFLOW = f"{SITE}/workflows/{{workflow}}"
MANAGEMENT = f"{SITE}/hostruntime/runtime/webhooks/workflow/api/management/workflows/{{workflow}}"
TRIGGER = "/triggers/{trigger}"
CREATED = datetime(2025, 1, 1, tzinfo=UTC)


class _RegenerateKey(msgspec.Struct, forbid_unknown_fields=True):
    key_type: KeyName = msgspec.field(name="keyType")


class _CallbackKey(msgspec.Struct, forbid_unknown_fields=True):
    key_type: KeyName = msgspec.field(name="keyType", default="Primary")


def operations(inventory: Inventory) -> list[Operation]:
    """
    Return what ARM can be asked about workflows.
    """
    workflows = _Workflows(inventory)
    known = API_VERSIONS
    trigger = WORKFLOW + TRIGGER
    return [
        Operation("Workflow.Get", "GET", WORKFLOW, workflows.get, WORKFLOW, known),
        Operation("Workflow.ListTriggers", "GET", f"{MANAGEMENT}/triggers", workflows.list_triggers, WORKFLOW, known),
        Operation("Workflow.GetTrigger", "GET", MANAGEMENT + TRIGGER, workflows.get_trigger, trigger, known),
        Operation(
            "Workflow.ListCallbackUrl",
            "POST",
            f"{MANAGEMENT}{TRIGGER}/listCallbackUrl",
            workflows.list_callback_url,
            trigger,
            known,
        ),
        Operation(
            "Workflow.RegenerateAccessKey",
            "POST",
            f"{MANAGEMENT}/regenerateAccessKey",
            workflows.regenerate,
            WORKFLOW,
            known,
        ),
    ]


class _Workflows:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def _find(self, call: Call) -> Workflow:
        site = self._inventory.find(SITE.format(**call.names), WorkflowSite)
        workflow = site.workflow(call.names["workflow"])
        if workflow is None:
            raise Refusal(404, "WorkflowNotFound", f"The workflow '{call.names['workflow']}' could not be found.")
        return workflow

    def _find_trigger(self, call: Call) -> tuple[Workflow, Trigger]:
        workflow = self._find(call)
        trigger = workflow.triggers.get(call.names["trigger"].casefold())
        if trigger is None:
            message = f"The workflow '{workflow.name}' trigger '{call.names['trigger']}' could not be found."
            raise Refusal(404, "WorkflowTriggerNotFound", message)
        return workflow, trigger

    async def get(self, call: Call) -> web.Response:
        return json_answer(_envelope(self._find(call)))

    async def list_triggers(self, call: Call) -> web.Response:
        workflow = self._find(call)
        return json_answer({"value": [_trigger_item(workflow, trigger) for trigger in workflow.triggers.values()]})

    async def get_trigger(self, call: Call) -> web.Response:
        return json_answer(_trigger_item(*self._find_trigger(call)))

    async def list_callback_url(self, call: Call) -> web.Response:
        workflow, trigger = self._find_trigger(call)
        wanted = call.decode(_CallbackKey, "InvalidRequestContent") if call.body else _CallbackKey()
        if not trigger.has_callback_url:
            message = f"The 'ListCallbackUrl' API is not supported by triggers of type '{trigger.type}'."
            raise Refusal(400, "UnsupportedTriggerType", message)
        return json_answer(
            {
                "value": workflow.callback_url(trigger.name, wanted.key_type),
                "method": "POST",
                "basePath": workflow.base_path(trigger.name),
                "queries": workflow.queries(trigger.name, wanted.key_type),
            }
        )

    async def regenerate(self, call: Call) -> web.Response:
        workflow = self._find(call)
        workflow.regenerate(call.decode(_RegenerateKey, "InvalidRequestContent").key_type)
        return web.Response()


def _envelope(workflow: Workflow) -> dict[str, Any]:
    triggers = {trigger.name: {"type": trigger.type} for trigger in workflow.triggers.values()}
    definition = {"contentVersion": "1.0.0.0", "actions": {}, "outputs": {}, "triggers": triggers}
    return {
        "id": workflow.arm_id,
        "name": f"{workflow.site}/{workflow.name}",
        "type": "Microsoft.Web/sites/workflows",
        "kind": "Stateful",
        "location": "West Europe",
        "properties": {
            "files": {"workflow.json": {"definition": definition, "kind": "Stateful"}},
            "flowState": "Enabled",
            "health": {"state": "Healthy"},
        },
    }


def _trigger_item(workflow: Workflow, trigger: Trigger) -> dict[str, Any]:
    return {
        "id": f"/workflows/{workflow.name}/triggers/{trigger.name}",
        "name": trigger.name,
        "type": "/workflows/triggers",
        "properties": {
            "provisioningState": "Succeeded",
            "createdTime": CREATED,
            "changedTime": CREATED,
            "state": "Enabled",
            "workflow": {"id": f"/workflows/{workflow.name}", "name": workflow.name, "type": "/workflows"},
        },
    }
