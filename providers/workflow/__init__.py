"""
Workflows of a Logic App (Standard). The callback URL of a Request trigger stands in a secret's value.
"""

from providers.kind import Kind, Name
from providers.workflow.callback_url import CallbackUrl

WORKFLOW = Kind(
    provider="Microsoft.Web/sites/workflows",
    title="a workflow of a Logic App (Standard), or one of its triggers",
    form="/providers/Microsoft.Web/sites/{site}[/hostruntime/runtime/webhooks/workflow/api/management]"
    "/workflows/{workflow}[/triggers/{trigger}]",
    names={
        "site": Name("[a-z0-9](?:[-a-z0-9]{0,58}[a-z0-9])?"),
        "workflow": Name("[^/]{1,80}", others="-_"),
        # As the designer lets people name them.
        "trigger": Name("[^/]{0,79}[^/.]", others=" -_.(),'&@!"),
    },
    package=__name__,
    example={"site": "shop", "workflow": "orders", "trigger": "manual"},
    credential=CallbackUrl(),
    requests=2,  # A callback URL for each key.
)
