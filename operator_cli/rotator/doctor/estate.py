"""
What the person who is signed in here sees of Azure, subscription by subscription.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from rotator.doctor.resource_manager import NotShown, ResourceManager
from rotator.doctor.resources import Subscription

T = TypeVar("T", bound=Struct)

_AT_ONCE = 8


class Estate:
    """
    The subscriptions. `near` are those that the app's own settings name: they are looked through first.
    """

    def __init__(self, manager: ResourceManager, near: Iterable[str]) -> None:
        self.manager = manager
        self.near = list(dict.fromkeys(one.lower() for one in near))
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def all_near(self, kind: type[T], what: str, version: str) -> list[T]:
        """
        Return all resources of a type, such as `Microsoft.KeyVault/vaults`, in the near subscriptions.

        Raises `NotShown` where the person may not list them in one.
        """
        found, refused = await self._all(self.near, kind, what, version)
        if refused:
            raise refused[0]
        return found

    async def find(self, kind: type[T], what: str, version: str, is_meant: Callable[[T], bool]) -> T | None:
        """
        Return the resource of a type that is meant, wherever it is; None where there is none in any subscription.

        Raises `NotShown` where it may be in one in which the person may not list such resources.
        """
        others = [one for one in await subscriptions_of(self.manager) if one not in self.near]
        refusals: list[NotShown] = []
        for subscriptions in (self.near, others):
            found, refused = await self._all(subscriptions, kind, what, version)
            if meant := next((one for one in found if is_meant(one)), None):
                return meant
            refusals += refused
        if refusals:
            raise refusals[0]
        return None

    async def _all(
        self, subscriptions: Sequence[str], kind: type[T], what: str, version: str
    ) -> tuple[list[T], list[NotShown]]:
        refused: list[NotShown] = []

        async def of(subscription: str) -> list[T]:
            async with self._at_once:
                try:
                    path = f"/subscriptions/{subscription}/providers/{what}"
                    return await self.manager.read_list(kind, path, version)
                except NotShown as error:
                    if not error.is_missing:
                        refused.append(error)
                    return []

        return [one for found in await asyncio.gather(*map(of, subscriptions)) for one in found], refused


async def subscriptions_of(manager: ResourceManager) -> list[str]:
    """
    Return the ids of all subscriptions that the person sees, in lower case.
    """
    found = await manager.read_list(Subscription, "/subscriptions", "2022-12-01")
    return [one.subscription_id.lower() for one in found]


def subscription_of(resource_id: str) -> str:
    """
    Return the subscription's id in an ARM id, empty where there is none.
    """
    parts = resource_id.strip("/").split("/")
    return parts[1].lower() if len(parts) > 1 and parts[0].lower() == "subscriptions" else ""


def is_within(resource_id: str, scope: str) -> bool:
    """
    Return whether an ARM id is a scope or lies below it, in whole segments and in any case.
    """
    return f"{resource_id.lower().rstrip('/')}/".startswith(f"{scope.lower().rstrip('/')}/")
