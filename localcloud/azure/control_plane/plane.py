"""
The control plane as a whole, and how its lists are answered.

It rests on assumption 131 of docs/fidelity.md.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from localcloud.azure.arm import Inventory
from localcloud.azure.identity import Identity
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call
from localcloud.azure.refusal import Refusal
from localcloud.azure.roles import Roles

SUBSCRIPTION = "/subscriptions/{subscription}"
_SKIP = "$skipToken"


@dataclass(eq=False)
class ControlPlane:
    """
    What operations that read the control plane look at. `page_size` is how many members a list has at most.
    """

    inventory: Inventory
    identity: Identity
    roles: Roles
    page_size: int = 1000


def listing(
    plane: ControlPlane, members: Callable[[Call], Sequence[object]]
) -> Callable[[Call], Awaitable[web.Response]]:
    """
    Return what answers a list: a page, and the link to the next one if there is more.
    """

    async def answer(call: Call) -> web.Response:
        found = members(call)
        token = call.query(_SKIP) or "0"
        if not token.isdecimal():
            raise Refusal(400, "InvalidSkipToken", f"The skip token '{token}' is invalid.")
        end = int(token) + plane.page_size
        page: dict[str, object] = {"value": found[int(token) : end]}
        if end < len(found):
            page["nextLink"] = str(call.request.url.update_query({_SKIP: str(end)}))
        return json_answer(page)

    return answer
