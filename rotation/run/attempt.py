"""
One try at a rotation, by a worker that holds the claim: the steps that are taken under it, whatever is rotated.
"""

from typing import Protocol

from rotation.run.claim import Claim


class Attempt(Protocol):
    """
    One try. Each step may raise a `DependencyError` or `Unfinished`: the secret goes on holding the key that it held.
    """

    async def look(self) -> bool:
        """
        Step 3: return whether what this rotation makes is there already.

        Raises `Skip`, `Failure` or `TargetMoved`. It changes nothing.
        """
        ...

    async def inspect(self) -> None:
        """
        Step 4: find out what is to be done. Raises `Skip` or `Failure`. It changes nothing.
        """
        ...

    async def journal(self) -> None:
        """
        Step 5: write down what is to be done. Raises `EndedAlready`.
        """
        ...

    async def regenerate(self) -> None:
        """
        Step 6, where a key is to be regenerated. Raises `Failure`.
        """
        ...

    async def store(self) -> None:
        """
        Step 7, where there is a secret. Raises `Failure`.
        """
        ...


class GivingUp:
    """
    The last try of a rotation whose retries are used up: it looks, and goes on only where the key in use may be dead.
    """

    def __init__(self, claim: Claim, attempt: Attempt) -> None:
        self._claim = claim
        self._attempt = attempt
        self.look = attempt.look
        self.journal = attempt.journal
        self.regenerate = attempt.regenerate
        self.store = attempt.store

    async def inspect(self) -> None:
        """
        Step 4. Raises `Exhausted` where nothing has to be finished.
        """
        if not self._claim.must_finish:
            raise self._claim.exhausted("its retries are used up")
        await self._attempt.inspect()
