"""
The tutorial's function for the callback URLs of workflows.
"""

import os

import azure.functions as func
from azure.identity import DefaultAzureCredential
from azure.mgmt.web import WebSiteManagementClient

from benchmarks.rivals.dual_credentials import rotate

app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
def rotate_secret(event: func.EventGridEvent) -> None:
    """
    Rotate the access key of one workflow.
    """
    rotate(event, _regenerate)


def _regenerate(credential: DefaultAzureCredential, resource: str, key: str) -> str:
    _, _, subscription, _, group, _, _, _, site, _, workflow, _, trigger = resource.split("/")
    client = WebSiteManagementClient(credential, subscription, base_url=os.environ["ARM_ENDPOINT"])
    client.workflows.regenerate_access_key(group, site, workflow, {"keyType": key})
    url = client.workflow_triggers.list_callback_url(
        group,
        site,
        workflow,
        trigger,
        # The call has no parameter for the key, and gives the primary one's URL without it.
        raw_request_hook=lambda request: request.http_request.set_json_body({"keyType": key}),
    )
    return str(url.value)
