"""
Step 1: what a caller asks for becomes a rotation's request.
"""

from rotation.errors import Declined, NotFound, UnknownSecret, VaultRefused
from rotation.request import RotationRequest, Trigger, new_id
from rotation.secret import SecretId
from rotation.target import KeyName
from rotation.timing import Deadline
from rotation.world import World


async def accept(
    world: World, secret: SecretId, *, key: KeyName | None = None, force: bool = False, reason: str | None = None
) -> RotationRequest:
    """
    Return a request pinned to the version that is current now, unless the caller has named one. Nothing is written.

    Raises `Forbidden`, `UnknownSecret`, `VaultRefused` or a `DependencyError`.
    """
    world.vaults.require(secret)
    now = world.clock.now()
    if secret.version is None:
        try:
            secret = (await world.vaults.read_current(secret, Deadline(world.clock))).id
        except Declined as error:
            raise VaultRefused(str(error)) from error
        except NotFound:
            raise UnknownSecret(f"there is no secret {secret.unversioned}") from None
    return RotationRequest(new_id(now), Trigger.HTTP, secret, now, key, force, reason)
