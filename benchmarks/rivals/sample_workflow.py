"""
The SDK's own sample for a workflow: a credential, a client, one call, and nothing stored.
"""

import os

import azure.functions as func
from azure.identity import DefaultAzureCredential
from azure.mgmt.web import WebSiteManagementClient

app = func.FunctionApp()


@app.route(route="keys", methods=["POST"], trigger_arg_name="request")
def regenerate_key(request: func.HttpRequest) -> func.HttpResponse:
    """
    Regenerate the key that is asked for.
    """
    asked = request.get_json()
    _, _, subscription, _, group, _, _, _, site, _, workflow, *_ = asked["target"].split("/")
    client = WebSiteManagementClient(DefaultAzureCredential(), subscription, base_url=os.environ["ARM_ENDPOINT"])
    client.workflows.regenerate_access_key(group, site, workflow, {"keyType": asked["key"]})
    return func.HttpResponse(status_code=204)
