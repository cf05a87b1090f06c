"""
What a kind of target is in the local cloud. To look at one of them, open its folder.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

import msgspec

from localcloud.azure.access_keys import AccessKeys, KeyName
from localcloud.azure.arm import Managed
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.consumers import Consumer
from providers.kind import Kind


class Resource(ABC):
    """
    One target. A secret holds one of its keys as it is, unless a kind says otherwise.
    """

    arm_id: str
    """By which requests are logged."""
    keys: AccessKeys

    @property
    def address(self) -> str:
        """
        What a secret's tag ProviderAddress says: the owner, in the history of keys, of what such secrets hold.
        """
        return self.arm_id

    def value(self, key: KeyName) -> str:
        """
        Return what a secret holds for a key at present.
        """
        return self.keys[key]

    def regenerate(self, key: KeyName) -> None:
        """
        Replace a key: what it gave before is dead when this returns.
        """
        self.keys.regenerate(key)

    @abstractmethod
    def consumer(self) -> Consumer:
        """
        Return a client that needs the value of a key.
        """


class Make(Protocol):
    """
    What makes a resource. Names are letters and digits, at most 24, and new.
    """

    async def __call__(
        self, azure: LocalAzure, name: str, *, subscription: str = SUBSCRIPTION, resource_group: str = RESOURCE_GROUP
    ) -> Resource:
        """
        Make a resource that the app can rotate.
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalKind(Managed):
    """
    A kind of target.

    - `name`: what people call it here.
    - `deployed`: the kind that the app knows it as.
    - `secret`: the name of its secret in the demo.
    - `make`: what makes a resource.
    - `look_up`: the operations that a rotation needs first where a tag names the target and nothing below it.
    - `read`: the operation that shows keys; it takes `reads` requests to see both.
    - `regenerate`: the operation that replaces a key. With `answers_with_keys` its answer holds both.
    - `proof`: the operations by which a rotation learns where it can ask with a key, and asks; none where it cannot.
    - `behind_a_site`: whether all these requests go through the host of a site.
    """

    name: str
    deployed: Kind
    secret: str
    make: Make
    read: str
    reads: int = 1
    regenerate: str
    answers_with_keys: bool = True
    look_up: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    behind_a_site: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def actions(self) -> Sequence[str]:
        """
        What the app's custom role allows for it: the actions that its folder in providers/ names.
        """
        role = (files(self.deployed.package) / "role.json").read_bytes()
        return list(msgspec.json.decode(role, type=dict[str, str]))
