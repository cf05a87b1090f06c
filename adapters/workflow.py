"""
The access keys of Logic App (Standard) workflows, through azure-mgmt-web.

The keys themselves are never shown: what each of them gives is a callback URL of a Request trigger, signed with it.
"""

import asyncio
from typing import Any

from azure.mgmt.web.aio import WebSiteManagementClient

from adapters.answers import changing, until_answered
from rotation.errors import Declined, Misconfigured, NotFound
from rotation.material import KeyMaterial
from rotation.ports import Keys
from rotation.target import KeyName, Target, Workflow
from rotation.timing import Deadline


class Workflows:
    """
    The `Provider` of `Microsoft.Web/sites/workflows`.
    """

    def __init__(self, credential: Any, endpoint: str, options: dict[str, Any]) -> None:
        self._credential = credential
        self._endpoint = endpoint
        self._options = options
        self._clients: dict[str, WebSiteManagementClient] = {}

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return the trigger's callback URL under each key.
        """
        workflow = _workflow(target)
        trigger = workflow.trigger or await self._only_request_trigger(workflow, deadline)
        primary, secondary = await asyncio.gather(
            *(self._callback_url(workflow, trigger, key, deadline) for key in KeyName)
        )
        return {KeyName.PRIMARY: primary, KeyName.SECONDARY: secondary}

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one access key; the answer is empty.
        """
        workflow = _workflow(target)
        operations = self._client(workflow).workflows
        await changing(
            f"regenerateAccessKey of workflow {workflow.site}/{workflow.workflow}",
            lambda: operations.regenerate_access_key(
                workflow.resource_group, workflow.site, workflow.workflow, {"keyType": str(key)}, deadline=deadline
            ),
        )
        return None

    async def _callback_url(self, workflow: Workflow, trigger: str, key: KeyName, deadline: Deadline) -> KeyMaterial:
        async def read() -> KeyMaterial:
            answer = await self._client(workflow).workflow_triggers.list_callback_url(
                workflow.resource_group,
                workflow.site,
                workflow.workflow,
                trigger,
                deadline=deadline,
                # The SDK's call has no body. For Consumption the documentation names this one; whether Standard heeds
                # it is not documented, so nobody may rely on the two URLs differing.
                raw_request_hook=lambda request: request.http_request.set_json_body({"keyType": str(key)}),
            )
            if not isinstance(answer.value, str) or "sig=" not in answer.value:
                raise ValueError("no signed URL")
            return KeyMaterial(answer.value)

        what = f"listCallbackUrl of trigger {trigger!r} of workflow {workflow.site}/{workflow.workflow}"
        return await until_answered(what, read, deadline)

    async def _only_request_trigger(self, workflow: Workflow, deadline: Deadline) -> str:
        """
        Return the name of the only trigger that has a callback URL: only Request triggers do.
        """

        async def read() -> list[str]:
            triggers = self._client(workflow).workflow_triggers.list(
                workflow.resource_group, workflow.site, workflow.workflow, deadline=deadline
            )
            return [trigger.name async for trigger in triggers if trigger.name]

        what = f"list of triggers of workflow {workflow.site}/{workflow.workflow}"
        names = await until_answered(what, read, deadline)
        if len(names) > 1:
            names = [name for name in names if await self._answers(workflow, name, deadline)]
        if len(names) != 1:
            found = ", ".join(map(repr, names)) or "none"
            raise Misconfigured(
                f"workflow {workflow.site}/{workflow.workflow} has not one Request trigger ({found}); "
                "name one in the tag ProviderAddress: .../triggers/{trigger}"
            )
        return names[0]

    async def _answers(self, workflow: Workflow, trigger: str, deadline: Deadline) -> bool:
        try:
            await self._callback_url(workflow, trigger, KeyName.PRIMARY, deadline)
        except (Declined, NotFound):
            return False
        return True

    def _client(self, workflow: Workflow) -> WebSiteManagementClient:
        subscription = workflow.subscription.lower()
        if subscription not in self._clients:
            self._clients[subscription] = WebSiteManagementClient(
                self._credential, subscription, base_url=self._endpoint, **self._options
            )
        return self._clients[subscription]


def _workflow(target: Target) -> Workflow:
    if not isinstance(target, Workflow):
        raise TypeError(f"{target.arm_id} is no workflow")
    return target
