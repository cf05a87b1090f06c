"""
The tutorial's function for the keys of Batch accounts.
"""

import os

import azure.functions as func
from azure.identity import DefaultAzureCredential
from azure.mgmt.batch import BatchManagementClient

from benchmarks.rivals.dual_credentials import rotate

app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
def rotate_secret(event: func.EventGridEvent) -> None:
    """
    Rotate the key of one Batch account.
    """
    rotate(event, _regenerate)


def _regenerate(credential: DefaultAzureCredential, resource: str, key: str) -> str:
    _, _, subscription, _, group, *_, account = resource.split("/")
    client = BatchManagementClient(credential, subscription, base_url=os.environ["ARM_ENDPOINT"])
    client.batch_account.regenerate_key(group, account, {"keyName": key})
    keys = client.batch_account.get_keys(group, account)
    return str(keys.primary if key == "Primary" else keys.secondary)
