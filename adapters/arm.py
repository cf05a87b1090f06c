"""
How management clients talk to Azure Resource Manager.

It rests on assumptions 12 and 13 of docs/fidelity.md.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from azure.core.pipeline.policies import CustomHookPolicy
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from adapters.credential import Identity
from adapters.policies import service_policies
from adapters.throttling import Throttling, ThrottlingPolicy

C = TypeVar("C")


class ResourceManager:
    """
    Azure Resource Manager at an endpoint, reached with a credential; it makes one request for one call.

    The policies are spelled out because of two defaults. Retries: after a 5xx that followed the work, or any error with
    Retry-After, the SDK regenerates again, silently. Registration: a 409 MissingSubscriptionRegistration makes
    azure-mgmt-core register the provider and poll without bound. Logging policies are left out: they have nothing to
    add to ours, and answers hold keys. `throttling` is shared by all clients: they draw on the same limits.
    """

    def __init__(self, credential: Identity, endpoint: str, scope: str, transport: Any, throttling: Throttling) -> None:
        self._credential = credential
        self._endpoint = endpoint
        self._options = {
            "transport": transport,
            "policies": service_policies(
                AsyncARMChallengeAuthenticationPolicy(credential, scope),
                CustomHookPolicy(),
                ThrottlingPolicy(throttling),
            ),
        }
        self._throttling = throttling
        self._clients: dict[tuple[Any, str], Any] = {}

    async def has_room_for(self, path: str, requests: int) -> bool:
        """
        Return whether so many requests about a resource take nothing from others, after waiting for their turn.
        """
        return await self._throttling.has_room(path, requests)

    def client(self, kind: Callable[..., C], subscription: str) -> C:
        """
        Return the management client of a subscription: one of each kind.
        """
        place = kind, subscription.lower()
        if place not in self._clients:
            self._clients[place] = kind(self._credential, place[1], base_url=self._endpoint, **self._options)
        client: C = self._clients[place]
        return client
