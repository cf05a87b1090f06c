"""
What reads and regenerates keys.

Every call may raise a `DependencyError`; calls that take a `deadline` check it right before they send and raise
`OutOfTime`. Nothing is sent again by an adapter unless it only reads.
"""

from typing import Protocol

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

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key with exactly one request; return both keys if the answer holds them.
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

    def prepare(self, target: Target) -> None:
        """
        Get ready for a target whose provider is about to be asked for; return at once.
        """
        ...

    async def provider_for(self, target: Target) -> Provider:
        """
        Return the provider of a target.
        """
        ...
