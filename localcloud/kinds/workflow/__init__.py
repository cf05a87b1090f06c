"""
Workflows of a Logic App (Standard). Each Logic App has an address of its own.
"""

from collections.abc import Sequence
from functools import partial

from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.kinds.kind import LocalKind
from localcloud.kinds.workflow.management import SITE, operations
from localcloud.kinds.workflow.site import WorkflowSite
from localcloud.kinds.workflow.wordings import MANAGEMENT
from localcloud.kinds.workflow.workflow import TRIGGER, Trigger, Workflow
from providers.workflow import WORKFLOW as DEPLOYED


async def add_workflow(  # noqa: PLR0913 - What a workflow is made of.
    azure: LocalAzure,
    name: str,
    *,
    subscription: str = SUBSCRIPTION,
    resource_group: str = RESOURCE_GROUP,
    site: str = "site",
    triggers: Sequence[str] = (TRIGGER,),
    request_triggers: Sequence[str] | None = None,
    signs_with_one_key: bool = False,
) -> Workflow:
    """
    Create a workflow, and its Logic App on a port of its own if that is new.

    All `triggers` are Request triggers, or only `request_triggers` where given and the others recur.
    """
    site_id = SITE.format(subscription=subscription, group=resource_group, site=site)
    logic_app = await azure.data_plane("workflow", site_id, partial(WorkflowSite, site))
    started_by_request = triggers if request_triggers is None else request_triggers
    made = [Trigger(each, "Request" if each in started_by_request else "Recurrence") for each in triggers]
    by_name = {trigger.name.casefold(): trigger for trigger in made}
    arm_id = f"{site_id}/workflows/{name}"
    workflow = Workflow(arm_id, site, name, logic_app.origin, by_name, azure.key_history, signs_with_one_key)
    logic_app.add(workflow)
    return workflow


WORKFLOW = LocalKind(
    name="workflow",
    deployed=DEPLOYED,
    secret="workflow-url",
    make=add_workflow,
    namespace="Microsoft.Web",
    operations=operations,
    wordings=MANAGEMENT,
    look_up=("Workflow.Get",),
    read="Workflow.ListCallbackUrl",
    reads=2,
    regenerate="Workflow.RegenerateAccessKey",
    answers_with_keys=False,
    behind_a_site=True,
)
