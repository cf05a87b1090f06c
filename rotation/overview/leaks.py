"""
Leaked keys, as the list of managed secrets shows them.
"""

from datetime import datetime

from msgspec import UNSET, Struct

from rotation.ports.inventory import Entry
from rotation.ports.world import World


class LeakedKeyStatus(Struct, frozen=True, rename="camel"):
    """
    A secret holds a leaked key: the rotation that revokes it, and when that is due, None where it waits no more.
    """

    revocation: str
    due_on: datetime | None


class Leaks:
    """
    The keys that were reported as leaked and are not known to be dead.
    """

    def __init__(self, known: dict[tuple[str, str], LeakedKeyStatus]) -> None:
        self._known = known

    @classmethod
    async def read(cls, world: World) -> "Leaks":
        """
        Return those of now. Raises a `DependencyError`.
        """
        leaks = await world.ledger.list_leaks()
        waiting = await world.ledger.list_revocations() if leaks else []
        due = {row.record.id: row.record.allowed_on for row in waiting if row.record.allowed_on is not UNSET}
        return cls(
            {
                (leak.target, leak.leaked.fingerprint): LeakedKeyStatus(leak.revocation, due.get(leak.revocation))
                for leak in leaks
            }
        )

    def held_by(self, entry: Entry) -> LeakedKeyStatus | None:
        """
        Return the leaked key that a secret holds, as far as it is known, None if it holds none.
        """
        target, verified = entry.facts.target_identity, entry.verified
        return self._known.get((target, verified.leaked)) if target and verified and verified.leaked else None
