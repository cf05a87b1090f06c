"""
Witnesses of the first promise.

That is: a client that reads a secret at any moment, and caches what it read until the next rotation, or for the grace
time, never gets an authentication error.

It rests on assumptions 24, 27 and 37 of docs/fidelity.md.
"""

from datetime import UTC, datetime, timedelta

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.vault import Vault
from localcloud.consumers import Consumer
from localcloud.regenerations import Regenerations
from localcloud.secret_user import Held, SecretUser


class Witness(SecretUser):
    """
    Uses the value that is current, and the one before it until the next rotation begins.

    So a call with the version before counts unless a request to regenerate a key of the target came in after the
    version's successor was stored, and before the call ended: such a call is discarded, and the version with it. A call
    with the current version always counts. What an InPlace rotation replaces is dead at once: this is no witness for
    such a secret.
    """

    def __init__(self, azure: LocalAzure, vault: Vault, secret: str, consumer: Consumer) -> None:
        super().__init__(azure, vault, secret, consumer)
        self._regenerations = Regenerations(azure.requests, consumer.target)

    async def see_more(self, calls: int) -> None:
        """
        Wait until so many more calls have counted with the current version, and with the one before if it is in use.
        """
        current, previous = self.calls_with_current + calls, self.calls_with_previous + calls
        await self._wait_until(
            lambda: (
                self.calls_with_current >= current and (len(self._held) == 1 or self.calls_with_previous >= previous)
            )
        )

    def _is_outdated(self, held: Held) -> bool:
        """
        Whether a rotation has begun since the version got a successor.
        """
        if held not in self._held[-2:]:
            return True
        versions = self._vault.versions(self.secret)
        later = versions[[known.version for known in versions].index(held.version) + 1 :]
        return bool(later) and self._regenerations.any_since(later[0].created_on)


class CachingWitness(SecretUser):
    """
    Uses each value for some time after it was read, whatever is current by then.

    Each read is that of another client, which goes on with what it got. Of those that got the same version, the last
    one uses it for longest: a call with a version counts if it is over before that one reads again. This is no witness
    for a secret that is rotated in place.
    """

    def __init__(
        self, azure: LocalAzure, vault: Vault, secret: str, consumer: Consumer, *, caches_for: timedelta
    ) -> None:
        super().__init__(azure, vault, secret, consumer)
        self._caches_for = caches_for

    def _is_outdated(self, held: Held) -> bool:
        return datetime.now(UTC) >= held.read_on + self._caches_for
