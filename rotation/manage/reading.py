"""
What a change of tags begins with: whether this app may make one, and the secret that it is about.
"""

from rotation.policy.tags import TARGET, is_managed, read_target
from rotation.ports.world import World
from rotation.vocabulary.endings import Misconfigured, VaultRefused
from rotation.vocabulary.errors import Busy, Declined, NotFound, NotManaged, Observing, UnknownSecret
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import Target
from rotation.vocabulary.timing import Deadline


def require_changes(world: World, secret: SecretId) -> None:
    """
    Raise `Forbidden` for a secret of a foreign vault, and `Observing` where the app changes nothing.
    """
    world.vaults.require(secret)
    if world.observes:
        raise Observing(
            "the app only observes (ROTATION_MODE=observe) and changes no secret; set ROTATION_MODE=rotate first"
        )


async def find_secret(world: World, secret: SecretId, deadline: Deadline) -> SecretVersion | None:
    """
    Return the current version, None where there is no such secret. Raises `VaultRefused` or a `DependencyError`.
    """
    try:
        return await world.vaults.read_current(secret, deadline)
    except NotFound:
        return None
    except Declined as error:
        raise VaultRefused(str(error)) from error


async def read_managed(world: World, secret: SecretId, deadline: Deadline) -> SecretVersion:
    """
    Return the current version of a managed secret. Raises as `find_secret` does, and `UnknownSecret`.
    """
    current = await find_secret(world, secret, deadline)
    if current is None:
        raise UnknownSecret(f"there is no secret {secret.unversioned}; GET /api/secrets lists those that are managed")
    if not is_managed(current.tags):
        raise NotManaged(
            f"{secret.unversioned} is there, and is not managed: it has no tag {TARGET}; "
            "PUT /api/secrets/{vault}/{name} puts it under management"
        )
    return current


async def require_no_rotation(world: World, secret: SecretId) -> None:
    """
    Raise `Busy` where a rotation of the secret runs, on whichever target its tags named when that began.
    """
    async for _, row in world.ledger.list_open():
        if row.request.secret and row.request.secret.identity == secret.identity:
            raise Busy(row.request.id)


def target_if_readable(world: World, current: SecretVersion) -> Target | None:
    """
    Return what the key of a secret belongs to, None where its tag cannot be read: no rotation of it gets far then.
    """
    try:
        return read_target(current.tags, world.providers.parse_target)
    except Misconfigured:
        return None
