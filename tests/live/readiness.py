"""
When a subscription is ready to be asked.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.messaging import CloudEvent
from azure.data.tables import TableServiceClient
from azure.eventgrid import EventGridPublisherClient
from azure.identity import AzureCliCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.queue import QueueClient

from tests.live.description import Description
from tests.live.http import ARM, ask

_ASKS_AGAIN_AFTER = 10  # seconds
_IN_A_ROW = 3


def wait_until_ready(made: Description) -> None:
    """
    Wait until each service has answered three times in a row: roles count, names resolve, workflows are loaded.
    """
    credential = AzureCliCredential()
    tables = TableServiceClient(made.settings["AzureWebJobsStorage__tableServiceUri"], credential=credential)
    topic = EventGridPublisherClient(made.settings["ROTATION_TOPIC_ENDPOINT"], credential)
    questions: list[Callable[[], Any]] = [
        lambda: list(SecretClient(made.vault, credential).list_properties_of_secrets()),
        lambda: list(tables.list_tables()),
        lambda: QueueClient(made.queue_service, made.queue, credential=credential).peek_messages(),
        lambda: topic.send(CloudEvent("/probe", "Probe", data={})),
        *(lambda workflow=workflow: _start(credential, workflow) for workflow in made.workflows),
    ]
    end = time.monotonic() + made.patience
    for question in questions:
        answered = 0
        while answered < _IN_A_ROW:
            try:
                question()
                answered += 1
            except AzureError:
                if time.monotonic() > end:
                    raise
                answered = 0
                time.sleep(_ASKS_AGAIN_AFTER)


def _start(credential: AzureCliCredential, workflow: str) -> None:
    """
    Start a workflow by its callback URL; raise AzureError where it is not loaded yet.
    """
    site, _, rest = workflow.partition("/workflows/")
    path = f"{site}/hostruntime/runtime/webhooks/workflow/api/management/workflows/{rest}/listCallbackUrl"
    token = credential.get_token(ARM).token
    answer = ask("POST", f"https://management.azure.com{path}?api-version=2025-05-01", None, {}, token=token)
    if answer.status != HTTPStatus.OK or ask("POST", answer.body["value"], None, {}).status >= HTTPStatus.BAD_REQUEST:
        raise AzureError(f"the workflow is not loaded yet: {answer.status}")
