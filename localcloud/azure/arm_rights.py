"""
What a caller of Azure Resource Manager must be allowed to do: the action, and the scope, that a path stands for.

It rests on assumption 128 of docs/fidelity.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from localcloud.azure.identity import Identity
from localcloud.azure.operation import Call
from localcloud.azure.refusal import Refusal
from localcloud.azure.roles import Roles
from localcloud.azure.wordings import AUTHORIZATION_FAILED

_PROVIDERS = "/providers/"
_VERBS = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


@dataclass(frozen=True)
class Right:
    """
    An action, and the scope that it needs, with `{names}` for its variable segments.
    """

    action: str
    scope: str


@cache
def right_for(method: str, path: str) -> Right | None:
    """
    Return what a request with a path needs; None for one that is about no resource of a provider.

    Types and names alternate behind the provider. A list of a type is read at the scope above, and the last segment of
    a POST is what is done.
    """
    above, marker, below = path.rpartition(_PROVIDERS)
    if not marker:
        return None
    provider, *segments = below.split("/")
    verb = f"{segments.pop()}/action" if method == "POST" else _VERBS[method]
    types = "/".join(segments[::2])
    of_one = segments[: len(segments) // 2 * 2]
    scope = f"{above}{_PROVIDERS}{'/'.join([provider, *of_one])}" if of_one else above
    return Right(f"{provider}/{types}/{verb}", scope)


def authorize(identity: Identity, roles: Roles) -> Callable[[Call], None]:
    """
    Return the check that the principal of a call's token may do what it asks for; it raises ARM's refusal.
    """

    def check(call: Call) -> None:
        right = right_for(call.operation.method, call.operation.path)
        if right is None:
            return
        caller = identity.caller(call)
        scope = right.scope.format(**call.names)
        if not roles.allows(caller.principal_id, right.action, scope):
            message = AUTHORIZATION_FAILED.format(
                client=caller.client_id, object=caller.principal_id, action=right.action, target=scope
            )
            raise Refusal(403, "AuthorizationFailed", message)

    return check
