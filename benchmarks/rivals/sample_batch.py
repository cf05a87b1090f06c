"""
The SDK's own sample for a Batch account: a credential, a client, one call, and nothing stored.
"""

import os

import azure.functions as func
from azure.identity import DefaultAzureCredential
from azure.mgmt.batch import BatchManagementClient

app = func.FunctionApp()


@app.route(route="keys", methods=["POST"], trigger_arg_name="request")
def regenerate_key(request: func.HttpRequest) -> func.HttpResponse:
    """
    Regenerate the key that is asked for.
    """
    asked = request.get_json()
    _, _, subscription, _, group, *_, account = asked["target"].split("/")
    client = BatchManagementClient(DefaultAzureCredential(), subscription, base_url=os.environ["ARM_ENDPOINT"])
    client.batch_account.regenerate_key(group, account, {"keyName": asked["key"]})
    return func.HttpResponse(status_code=204)
