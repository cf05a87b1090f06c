"""
Workflows of a Logic App (Standard). A secret holds the callback URL of a Request trigger.
"""

from urllib.parse import parse_qs

from providers.kind import Kind, Name
from rotation.vocabulary.material import KeyMaterial


def signature(value: KeyMaterial) -> KeyMaterial:
    """
    Return a callback URL's signature, the only part of it that depends on the key.

    A text without a signature gives something that no callback URL gives.
    """
    url = value.reveal()
    # By hand: urlsplit raises over some texts, and quotes them.
    query = url.partition("#")[0].partition("?")[2]
    return KeyMaterial(parse_qs(query).get("sig", [""])[0] or f"unsigned {url}")


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
    credential=signature,
)
