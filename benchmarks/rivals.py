"""
What people would write instead, as functions: the SDKs' own sample, and Microsoft's tutorial.

The tutorial is "Automate the rotation of a secret for resources that have two sets of authentication credentials".
Its function is PowerShell and rotates storage keys (Azure-Samples/KeyVault-Rotation-StorageAccountKey-PowerShell); this
does the same steps in the same order with the synchronous SDKs, one at a time, with clients made in every invocation.
What only one of the apps, or one kind of target, needs is imported by its first call.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import azure.functions as func
from azure.identity import DefaultAzureCredential

_ALTERNATES = {"Primary": "Secondary", "Secondary": "Primary"}

sample = func.FunctionApp()
tutorial = func.FunctionApp()


@sample.event_grid_trigger(arg_name="event")
def regenerate_key(event: func.EventGridEvent) -> None:
    """
    Regenerate the key that is asked for: a credential, a client, one call, and nothing stored.
    """
    asked = event.get_json()
    _regenerate(DefaultAzureCredential(), asked["target"], asked["key"])


@tutorial.event_grid_trigger(arg_name="event")
def rotate_secret(event: func.EventGridEvent) -> None:
    """
    Read the secret, regenerate the key that its tag does not name, list the keys, store the new one with the tags.
    """
    from azure.keyvault.secrets import SecretClient

    name = event.subject
    credential = DefaultAzureCredential()
    # The tutorial makes the URL of the vault's name; a local vault has another domain.
    secrets = SecretClient(os.environ["VAULT_URL"], credential, verify_challenge_resource=False)

    tags = secrets.get_secret(name).properties.tags or {}
    validity, resource, current = tags["ValidityPeriodDays"], tags["ProviderAddress"], tags["CredentialId"]
    alternate = _ALTERNATES[current]
    value = _regenerate(credential, resource, alternate)()
    tags = {"ValidityPeriodDays": validity, "CredentialId": alternate, "ProviderAddress": resource}
    secrets.set_secret(name, value, expires_on=datetime.now(UTC) + timedelta(days=int(validity)), tags=tags)


def _regenerate(credential: DefaultAzureCredential, resource: str, key: str) -> Callable[[], str]:
    """
    Regenerate a key; return what reads its new value.
    """
    _, _, subscription, _, group, _, provider, _, name, *below = resource.split("/")
    arm = os.environ["ARM_ENDPOINT"]
    if provider == "Microsoft.Batch":
        from azure.mgmt.batch import BatchManagementClient

        accounts = BatchManagementClient(credential, subscription, base_url=arm).batch_account
        accounts.regenerate_key(group, name, {"keyName": key})
        return lambda: str(getattr(accounts.get_keys(group, name), key.lower()))
    from azure.mgmt.web import WebSiteManagementClient

    workflow, trigger = below[-3], below[-1]
    client = WebSiteManagementClient(credential, subscription, base_url=arm)
    client.workflows.regenerate_access_key(group, name, workflow, {"keyType": key})

    def read() -> str:
        # The call has no parameter for the key, and gives the primary one's URL without it.
        url = client.workflow_triggers.list_callback_url(
            *(group, name, workflow, trigger),
            raw_request_hook=lambda request: request.http_request.set_json_body({"keyType": key}),
        )
        return str(url.value)

    return read
