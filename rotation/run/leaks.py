"""
Keys that were reported as leaked: what a report writes before anything else happens, and which key must not spread.

A leaked key is revoked at its target, whichever secrets hold it (docs/architecture.md, "A leaked key").
"""

from msgspec import structs

from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.run.live_key import LiveKey
from rotation.vocabulary.endings import RevocationPending, SkipReason, TargetNotFound
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.record import Leak, State, WaitingRotation
from rotation.vocabulary.request import LeakedKey, Revocation, RotationRequest, request_to_revoke
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


async def report_leak(world: World, request: RotationRequest) -> RotationRequest:
    """
    Write down that the key is to be revoked that the request names; return the request with the revocation that counts.

    A key that was reported before has one already, and an app that observes revokes none. Raises `RevocationPending`
    where another key of the target waits to be revoked, and a `DependencyError`.
    """
    wanted = request.revocation
    if wanted is None or world.observes:
        return request
    target, now = world.providers.parse_target(wanted.leaked.shown_by), world.clock.now()
    if await world.ledger.find(wanted.id):
        # The same report again: what became of its revocation stays as it is, and it is about the key of then.
        known = [leak for leak in await world.ledger.list_leaks(target.identity) if leak.revocation == wanted.id]
        return structs.replace(
            request, revocation=structs.replace(wanted, leaked=known[0].leaked if known else wanted.leaked)
        )
    revoking = request_to_revoke(wanted, now, reason=request.reason, requested_by=request.requested_by)
    record = structs.replace(world.accepted(revoking, now), state=State.SCHEDULED, allowed_on=now + wanted.after)
    leak = Leak(target.identity, wanted.leaked, wanted.id, now)
    while not await world.ledger.report_leak(WaitingRotation(revoking, record, now), leak):
        if pending := await world.ledger.read_revocation(target.identity):
            return await _joined(world, request, wanted, target, pending)
    report(record, "reported as leaked", after=wanted.after)
    return request


async def require_none_pending(world: World, request: RotationRequest) -> None:
    """
    Raise `RevocationPending` where `report_leak` would. It writes nothing.
    """
    if wanted := request.revocation:
        target = world.providers.parse_target(wanted.leaked.shown_by)
        if pending := await world.ledger.read_revocation(target.identity):
            await _joined(world, request, wanted, target, pending)


async def is_leaked(world: World, target: Target, keys: Keys, key: KeyName, deadline: Deadline) -> bool:
    """
    Return whether a key was reported as leaked, and nobody has taken that back. Raises as `read_keys` does.
    """
    for leak in await world.ledger.list_leaks(target.identity):
        if await _gives(world, leak.leaked, LiveKey(target, key, keys), deadline):
            known = await world.ledger.find(leak.revocation)
            if known is None or known.skip_reason is not SkipReason.CANCELLED:
                return True
    return False


def leaked_key(target: Target, keys: Keys, leaked: LeakedKey) -> KeyName | None:
    """
    Return the key that still has the value that leaked, None where it is dead.
    """
    return next((key for key in KeyName if target.fingerprint(keys[key]) == leaked.fingerprint), None)


async def _joined(
    world: World, request: RotationRequest, wanted: Revocation, target: Target, pending: WaitingRotation
) -> RotationRequest:
    """
    Return a report of the key that waits to be revoked: another trigger of a workflow shows that in another URL.

    Raises `RevocationPending` for the other key, which is what a secret holds that was moved away already.
    """
    known = pending.request.revokes
    if known is None:
        raise ValueError(f"rotation {pending.record.id} revokes nothing")
    if await _is_same(world, target, wanted, known):
        return structs.replace(request, revocation=known)
    raise RevocationPending(
        f"the other key of {target.arm_id} was reported as leaked before, and is revoked by rotation "
        f"{pending.record.id}: until that has ended, clients need this one, also those of a secret that was moved to "
        "it. If this one has leaked as well, report it then",
        pending.record.id,
    )


async def _is_same(world: World, target: Target, wanted: Revocation, known: Revocation) -> bool:
    if known.leaked.fingerprint == wanted.leaked.fingerprint:
        return True
    if known.leaked.shown_by == wanted.leaked.shown_by:
        return False
    deadline = Deadline(world.clock)
    keys = await read_keys(world.providers, target, deadline)
    key = leaked_key(target, keys, wanted.leaked)
    return key is not None and await _gives(world, known.leaked, LiveKey(target, key, keys), deadline)


async def _gives(world: World, leaked: LeakedKey, key: LiveKey, deadline: Deadline) -> bool:
    """
    Return whether a key gives what leaked, where that is shown. A trigger that is gone shows nothing.
    """
    target, keys = world.providers.parse_target(leaked.shown_by), key.keys
    if target.address != key.target.address:
        try:
            keys = await read_keys(world.providers, target, deadline)
        except TargetNotFound:
            return False
    return target.fingerprint(keys[key.name]) == leaked.fingerprint
