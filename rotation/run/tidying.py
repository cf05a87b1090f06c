"""
Step 10: versions that hold a dead key are disabled, so that nobody reads one by mistake.
"""

import logging

from rotation.policy.values import holds
from rotation.ports.vaults import SecretProperties
from rotation.ports.world import World
from rotation.run.claim import Claim
from rotation.vocabulary.concurrency import capture, unwrap
from rotation.vocabulary.errors import Declined, DependencyError, NotFound, OutOfTime, RotationError
from rotation.vocabulary.limits import VERSIONS_READ_AT_ONCE
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.record import Rotation, State, WaitingRotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


async def disable_dead_versions(world: World, claim: Claim, record: Rotation | WaitingRotation) -> None:
    """
    Disable the enabled versions older than the current one whose value holds the key that was regenerated.

    They are those of the secret that was rotated, but for the version right before: that holds the other key, unless it
    was replaced in place. After a revocation they are those of all secrets of the target. It goes on while the rotation
    ends. Best effort: what is not disabled now is harmless.
    """
    journal, deadline = claim.journal, claim.deadline
    if isinstance(record, WaitingRotation) or record.state is not State.COMPLETED:
        return
    if journal is None or record.target is None:
        return
    target = world.providers.parse_target(record.target)
    live = record.secret.previous_version if record.secret and not journal.in_place else None
    try:
        if record.secret:
            secrets = [SecretId(record.secret.vault, record.secret.name, record.secret.version)]
        elif claim.request.revokes:
            bound = [each.secret for each in await world.ledger.bound_secrets(target.identity) if each.left_on is None]
            found = await world.gather(*(capture(world.vaults.read_current, each, deadline) for each in bound))
            secrets = [current.id for current in found if not isinstance(current, RotationError)]
        else:
            return
        for secret in secrets:
            older = _older(await world.vaults.list_versions(secret, deadline), secret, but=live)
            await _disable(world, record, target, older, journal.fingerprint, deadline)
    except (DependencyError, OutOfTime) as error:
        _log.warning("rotation %s: versions that hold the dead key stay enabled: %s", record.id, error)
    except Exception:  # noqa: BLE001 - see below
        # What the rotation was to do is done; nothing that goes wrong here may say otherwise.
        _log.exception("rotation %s: versions that hold the dead key stay enabled", record.id)


async def _disable(  # noqa: PLR0913, PLR0917 - which versions of what
    world: World, record: Rotation, target: Target, older: list[SecretId], fingerprint: str, deadline: Deadline
) -> None:
    # A secret that was never tidied may have hundreds: a few at a time.
    for start in range(0, len(older), VERSIONS_READ_AT_ONCE):
        some = older[start : start + VERSIONS_READ_AT_ONCE]
        values = await world.gather(*(capture(world.vaults.read_version, old, deadline) for old in some))
        for old, value in zip(some, values, strict=True):
            if isinstance(value, NotFound | Declined) or not holds(target, unwrap(value), fingerprint):
                continue
            await world.vaults.disable(old, deadline)
            report(record, "disabled a dead version", version=old.version)


def _older(versions: list[SecretProperties], secret: SecretId, *, but: str | None) -> list[SecretId]:
    ours = next((version for version in versions if version.version == secret.version), None)
    if ours is None:
        return []
    return [
        secret.at(version.version)
        for version in versions
        if version.enabled and version.version not in {ours.version, but} and version.created_on <= ours.created_on
    ]
