"""
Azure Resource Manager: who may come in, and what there is.

It rests on assumptions 11, 15 and 16 of docs/fidelity.md.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from localcloud.azure.dialect import Dialect, Wording
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.azure.throttling import Throttle
from localcloud.azure.wordings import GATEWAY, RESOURCE_NOT_FOUND, of_arm

Resource = TypeVar("Resource")

LOCATION = "westeurope"


def arm_dialect(throttle: Throttle, kinds: Iterable["Managed"]) -> Dialect:
    """
    Return how ARM speaks; each answer says how many requests the throttle has left.
    """
    return Dialect(
        headers=lambda request, _: throttle.headers(request.method, urlsplit(request.raw_path).path),
        wordings=of_arm({kind.namespace: kind.wordings for kind in kinds}),
    )


def admit_to_arm(
    authenticate: Callable[[Call], None], authorize: Callable[[Call], None], throttle: Throttle
) -> Callable[[Call], None]:
    """
    Return the check of every ARM call: the token, then the rights, the limit, and the api-version.
    """

    def admit(call: Call) -> None:
        authenticate(call)
        authorize(call)
        throttle.admit(call.operation.method, call.entry.path)
        version = call.query("api-version")
        if version is None:
            message = "The api-version query parameter (?api-version=) is required for all requests."
            raise Refusal(400, "MissingApiVersionParameter", message)
        known = call.operation.api_versions
        if version not in known:
            kind, supported = _type_in(call.entry.target), ", ".join(sorted(known, reverse=True))
            if not kind:
                message = f"The api-version '{version}' is invalid. The supported versions are '{supported}'."
                raise Refusal(400, "InvalidApiVersionParameter", message)
            message = (
                f"No registered resource provider found for location '{LOCATION}' and API version '{version}' for type "
                f"'{kind}'. The supported api-versions are '{supported}'. "
                f"The supported locations are '{LOCATION}'."
            )
            raise Refusal(400, "NoRegisteredProviderFound", message)

    return admit


def _type_in(arm_id: str) -> str:
    """
    Return the last type in an id, or in the path of a list; nothing where there is no provider.
    """
    _, _, below = arm_id.rpartition("/providers/")
    return (below.split("/")[1::2] or [""])[-1] if "/providers/" in arm_id else ""


def group_id(subscription: str, resource_group: str) -> str:
    """
    Return the ARM id of a resource group.
    """
    return f"/subscriptions/{subscription}/resourceGroups/{resource_group}"


class Inventory:
    """
    All resources by ARM id. Ids ignore case.
    """

    def __init__(self) -> None:
        self._resources: dict[str, object] = {}

    def add(self, arm_id: str, resource: object) -> None:
        """
        Create a resource. Raises `ValueError` if it exists.
        """
        if arm_id.casefold() in self._resources:
            raise ValueError(f"{arm_id} exists already")
        self._resources[arm_id.casefold()] = resource

    def get(self, arm_id: str, kind: type[Resource]) -> Resource | None:
        """
        Return a resource of a kind, or None.
        """
        resource = self._resources.get(arm_id.casefold())
        return resource if isinstance(resource, kind) else None

    def find(self, arm_id: str, kind: type[Resource]) -> Resource:
        """
        Return a resource of a kind. Raises ARM's `Refusal` for the first part of the id that does not exist.
        """
        resource = self.get(arm_id, kind)
        if resource is None:
            raise self.missing(arm_id)
        return resource

    def missing(self, arm_id: str) -> Refusal:
        """
        Return ARM's refusal for the first part of an id that does not exist.
        """
        _, _, subscription, _, group, _, provider, *names = arm_id.split("/")
        self.require_subscription(subscription)
        if not self._has_below(group_id(subscription, group)):
            message = f"Resource group '{group}' could not be found."
            return Refusal(404, "ResourceGroupNotFound", message, headers=GATEWAY)
        message = RESOURCE_NOT_FOUND.format(resource=f"{provider}/{'/'.join(names)}", group=group)
        return Refusal(404, "ResourceNotFound", message, headers=GATEWAY)

    def require_subscription(self, subscription: str) -> None:
        """
        Raise ARM's `Refusal` for a subscription that does not exist.
        """
        if not self._has_below(f"/subscriptions/{subscription}"):
            message = f"The subscription '{subscription}' could not be found."
            raise Refusal(404, "SubscriptionNotFound", message, headers=GATEWAY)

    def all_in(self, subscription: str, kind: type[Resource]) -> list[Resource]:
        """
        Return the resources of a kind in a subscription. Raises ARM's `Refusal` if there is no such subscription.
        """
        self.require_subscription(subscription)
        return self.all(kind, f"/subscriptions/{subscription}")

    def all(self, kind: type[Resource], above: str = "") -> list[Resource]:
        """
        Return the resources of a kind, or those of them whose ids are below one.
        """
        prefix = f"{above}/".casefold()
        return [
            each for arm_id, each in self._resources.items() if arm_id.startswith(prefix) and isinstance(each, kind)
        ]

    def subscriptions(self) -> list[str]:
        """
        Return the subscriptions that resources are in.
        """
        segments = (arm_id.split("/") for arm_id in self._resources)
        return list(dict.fromkeys(each[2] for each in segments if each[1] == "subscriptions"))

    def _has_below(self, arm_id: str) -> bool:
        return any(known.startswith(arm_id.casefold() + "/") for known in self._resources)


@dataclass(frozen=True, kw_only=True)
class Managed:
    """
    A kind of resource that ARM manages.

    - `namespace`: that of its resource provider.
    - `operations`: what ARM can be asked about it.
    - `wordings`: what its provider is known to say itself.
    """

    namespace: str
    operations: Callable[[Inventory], Sequence[Operation]]
    wordings: Sequence[Wording] = ()

    @property
    def actions(self) -> Sequence[str]:
        """
        What the app's custom role allows for it.
        """
        return ()
