"""
One try at a rotation, by a worker that holds the claim: the steps that are taken under it, whatever is rotated.
"""

from typing import Protocol

from rotation.run.claim import Claim
from rotation.vocabulary.endings import Exhausted
from rotation.vocabulary.limits import MAX_ATTEMPTS, MAX_ATTEMPTS_TO_FINISH


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
        Step 4: find out what is to be done. Raises `Skip` or `Failure`. It changes no key and no secret.
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

    async def prove(self) -> None:
        """
        Step 7, where a key is to be stored: see it work first. Raises `Failure`.
        """
        ...

    async def store(self) -> None:
        """
        Step 7, where there is a secret. Raises `Failure`.
        """
        ...

    async def follow_up(self) -> None:
        """
        Step 7, once the version is stored, by this attempt or an earlier one: what is left to be done about it.
        """
        ...


def require_an_end(claim: Claim) -> None:
    """
    Raise `Exhausted` where a rotation was tried so often that nothing is going to finish it.
    """
    _require_less(claim, MAX_ATTEMPTS_TO_FINISH)


def require_attempts_left(claim: Claim, *, is_last: bool) -> None:
    """
    Raise `Exhausted` where a rotation was tried often enough that has regenerated nothing, or its retries are used up.

    Where the key in use may be dead it goes on: nothing but the new one helps its clients. So it does while a key that
    it takes over is waited for, which has a time of its own.
    """
    if claim.must_finish or claim.trial:
        return
    if is_last:
        raise _exhausted(claim, "its retries are used up")
    _require_less(claim, MAX_ATTEMPTS)


def _require_less(claim: Claim, limit: int) -> None:
    if claim.record.attempts > limit:
        raise _exhausted(claim, f"{limit} attempts ended without a result")


def _exhausted(claim: Claim, why: str) -> Exhausted:
    """
    Return how a rotation ends that was tried often enough, with what its secret holds.
    """
    if claim.request.secret is None:
        return Exhausted(why)
    holds = "may hold a dead key: rotate it with force" if claim.must_finish else "still holds its live key"
    return Exhausted(f"{why}; the secret {holds}")
