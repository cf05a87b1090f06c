"""
Step 1: what a caller asks for becomes a rotation's request.
"""

from datetime import timedelta

from rotation.policy.tags import is_managed, read_target, tagged_key
from rotation.policy.values import active_key
from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.vocabulary.caller import Caller
from rotation.vocabulary.endings import Drift, VaultRefused
from rotation.vocabulary.errors import Declined, NotFound, UnknownSecret
from rotation.vocabulary.request import LeakedKey, Revocation, RotationRequest, Trigger, new_id, revocation_id
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline


async def accept(  # noqa: PLR0913 - what a caller may ask for
    world: World,
    secret: SecretId,
    *,
    rotation_id: str | None = None,
    key: KeyName | None = None,
    force: bool = False,
    ignore_grace: bool = False,
    reason: str | None = None,
    revoke_previous_after: timedelta | None = None,
    requested_by: Caller | None = None,
) -> RotationRequest:
    """
    Return a request pinned to the version that is current now, unless the caller has named one. Nothing is written.

    One that asks for a revocation names the key that the current version holds: `report_leak` writes that down.
    Raises `Forbidden`, `UnknownSecret`, `VaultRefused`, a `DependencyError`, or a `Failure` where tags and value do not
    say what is to be revoked, or it may not be.
    """
    world.vaults.require(secret)
    now = world.clock.now()
    rotation_id, revocation = rotation_id or new_id(now), None
    if secret.version is None or revoke_previous_after is not None:
        current = await _read_current(world, secret)
        secret = secret if secret.version else current.id
        if revoke_previous_after is not None and (leaked := await _leaked(world, current)):
            revocation = Revocation(revocation_id(rotation_id), revoke_previous_after, leaked)
    return RotationRequest(
        rotation_id,
        Trigger.HTTP,
        secret,
        now,
        key,
        force,
        reason,
        revocation=revocation,
        ignore_grace=ignore_grace,
        requested_by=requested_by,
    )


def accept_target(  # noqa: PLR0913 - what a caller may ask for
    world: World,
    target: Target,
    key: KeyName,
    *,
    rotation_id: str | None = None,
    force: bool = False,
    ignore_grace: bool = False,
    reason: str | None = None,
    requested_by: Caller | None = None,
) -> RotationRequest:
    """
    Return a request to regenerate one key of a target, whose new value goes nowhere.

    Raises `OutOfScope`.
    """
    world.scopes.require(target)
    now = world.clock.now()
    return RotationRequest(
        rotation_id or new_id(now),
        Trigger.HTTP,
        None,
        now,
        key,
        force,
        reason,
        target=target.written,
        ignore_grace=ignore_grace,
        requested_by=requested_by,
    )


async def _read_current(world: World, secret: SecretId) -> SecretVersion:
    try:
        return await world.vaults.read_current(secret, Deadline(world.clock))
    except Declined as error:
        raise VaultRefused(str(error)) from error
    except NotFound:
        raise UnknownSecret(f"there is no secret {secret.unversioned}") from None


async def _leaked(world: World, current: SecretVersion) -> LeakedKey | None:
    """
    Return what is to be revoked: the key in the value that is current now. What is unmanaged or disabled has none.
    """
    if current.value is None or not is_managed(current.tags):
        return None
    target = read_target(current.tags, world.providers.parse_target)
    world.scopes.require(target)
    held = {candidate.fingerprint for candidate in target.held(current.value)}
    if len(held) > 1:
        keys = await read_keys(world.providers, target, Deadline(world.clock))
        key = active_key(target, keys, current.value, tagged=tagged_key(current.tags))
        held = {target.fingerprint(keys[key])} if key else set()
    if not held:
        raise Drift(
            f"which key of {target.arm_id} is to be revoked cannot be found out: several parts of the secret's value "
            "look like one, and none of them is"
        )
    return LeakedKey(held.pop(), target.written)
