"""
What goes on after a key was reported as leaked: its holders move away from it, and then it dies.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rotator.api import Api
from rotator.errors import StillHeld
from rotator.progress import Progress
from rotator.records import Rotation
from rotator.remedies import COMMAND
from rotator.secret_records import ManagedSecret
from rotator.wording import counted, secret_name

_PAUSE = 2.0  # seconds between two looks at who holds the key
_MOST_MOVES = 200
# As they stand, no rotation moves them: a person has to do something first.
_STUCK = frozenset({"Paused", "Misconfigured", "TargetMissing"})


def still_held(holders: Sequence[ManagedSecret]) -> StillHeld:
    """
    Return the error that names those who hold a leaked key, and what to do about it.
    """
    told = "; ".join(f"{secret_name(one.secret)} is {one.status}{f': {one.why}' if one.why else ''}" for one in holders)
    paused = [secret_name(one.secret) for one in holders if one.status == "Paused"]
    first = f"`{COMMAND} resume {paused[0]}`" if paused else "put that right"
    return StillHeld(
        f"the leaked key is still held by {counted(len(holders), 'secret')}: {told}",
        f"{first}: the app tries again every five minutes, until 24 hours after the key was due; "
        f"`{COMMAND} show SECRET` says what the last try came to",
    )


@dataclass(frozen=True)
class Moving:
    """
    Watches the secrets of a target move away from a leaked key.
    """

    api: Api
    progress: Progress
    target: str
    revocation: str

    async def until_moved(self, patience: float) -> list[ManagedSecret]:
        """
        Return the secrets that still hold the key when none is left that moves by itself, or patience has ended.

        Raises a `CommandError` if the app cannot be asked any more.
        """
        holders = await self._holders()
        try:
            async with asyncio.timeout(patience):
                while any(one.status not in _STUCK for one in holders):
                    names = ", ".join(secret_name(one.secret) for one in holders)
                    self.progress.show("waiting until they have moved", names)
                    await asyncio.sleep(_PAUSE)
                    holders = await self._holders()
        except TimeoutError:
            pass
        self.progress.forget("waiting until they have moved")
        return holders

    async def moves(self) -> list[Rotation]:
        """
        Return the rotations that move secrets away from the key, newest first.
        """
        found = await self.api.rotations({"target": self.target}, _MOST_MOVES)
        return [one for one in found.rotations if one.revocation and one.revocation.id == self.revocation]

    async def _holders(self) -> list[ManagedSecret]:
        listed = (await self.api.secrets(target=self.target)).secrets
        return [one for one in listed if one.leaked_key and one.leaked_key.revocation == self.revocation]
