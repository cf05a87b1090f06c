"""
What reads and regenerates keys.

Every call may raise a `DependencyError`; calls that take a `deadline` check it right before they send and raise
`OutOfTime`. Nothing is sent again by an adapter unless it only reads.
"""

from typing import Protocol

from msgspec import Struct

from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


class Provider(Protocol):
    """
    What regenerates keys.

    It raises `NotFound` for an unknown target and `Misconfigured` for one whose keys cannot be shown.
    """

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return the credential that each key gives at present.
        """
        ...

    async def read_new(self, target: Target, key: KeyName, before: Keys, deadline: Deadline) -> Keys:
        """
        Return what each key gives once this one was regenerated; the other may be given as it was `before`.

        That spares a request where each shows one key.
        """
        ...

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key with exactly one request; return both keys if the answer holds them.
        """
        ...


class Verdict(Struct, frozen=True):
    """
    What a data plane said to a key: whether that works, None where the answer says nothing of it, and the answer.

    `may_change` says whether it is worth asking again.
    """

    works: bool | None
    said: str
    may_change: bool = True


class KeyProbe(Protocol):
    """
    A question to the data plane of one target, which changes nothing.
    """

    async def ask(self, key: KeyMaterial, deadline: Deadline) -> Verdict:
        """
        Ask it once with a key. Raises `OutOfTime` alone.
        """
        ...


class KeyProber(Protocol):
    """
    What finds out whether the keys of a kind work.
    """

    async def probe(self, target: Target, deadline: Deadline) -> KeyProbe | None:
        """
        Return what can be asked with the keys of a target, None where there is nothing.

        Raises a `DependencyError`.
        """
        ...


class Providers(Protocol):
    """
    The kinds of target that the app knows, and the provider of each.
    """

    def parse_target(self, arm_id: str) -> Target:
        """
        Return the target that an ARM id names, read as people copy it. Raises `Misconfigured` for any other text.
        """
        ...

    def prepare(self) -> None:
        """
        Get ready for the first request to a provider; return at once.
        """
        ...

    async def provider_for(self, target: Target) -> Provider:
        """
        Return the provider of a target.
        """
        ...

    async def has_room_for(self, target: str) -> bool:
        """
        Return whether requests about a target, named by its identity, take nothing from rotations; wait for their turn.
        """
        ...

    async def prober_for(self, target: Target) -> KeyProber | None:
        """
        Return what finds out whether a target's keys work, None where nothing does or they are not to be proven.
        """
        ...
