"""
What the demo and `make start` show: one Batch account and one workflow, each with a secret that is near its expiry.
"""

from dataclasses import dataclass

from localcloud.azure.batch_accounts import BatchAccount
from localcloud.azure.workflows import Workflow
from localcloud.cloud import LocalCloud

BATCH_SECRET = "batch-key"
WORKFLOW_SECRET = "workflow-url"


@dataclass(frozen=True)
class Showcase:
    """
    What the secrets open.
    """

    account: BatchAccount
    workflow: Workflow


async def fill(cloud: LocalCloud) -> Showcase:
    """
    Put both, and their secrets, into an empty cloud.
    """
    account = cloud.add_batch_secret("renders", BATCH_SECRET)
    return Showcase(account, await cloud.add_workflow_secret("shop", "orders", WORKFLOW_SECRET))
