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

    It raises `NotFound` for an unknown target and `Misconfigured` for a workflow without one clear Request trigger.
    """

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return the credential that each key gives at present: account keys, or one trigger's callback URLs.
        """
        ...

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key with exactly one request; return both keys if the answer holds them.
        """
        ...


class Providers(Protocol):
    """
    The providers by kind of target.
    """

    def prepare(self, target: Target) -> None:
        """
        Get ready for a target whose provider is about to be asked for; return at once.
        """
        ...

    async def of(self, target: Target) -> Provider:
        """
        Return the provider of a target.
        """
        ...
