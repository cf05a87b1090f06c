"""
Step 7, its last part: no tag is lost that is set while a new version is being made.

Key Vault knows no conditional write. People may set tags on a version after the look at it, and before its successor is
there.
"""

import logging
from collections.abc import Mapping

from rotation.policy.tags import late_tags, with_late
from rotation.ports.vaults import SecretProperties
from rotation.ports.world import World
from rotation.run.claim import Claim
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, Unfinished
from rotation.vocabulary.limits import MAX_ATTEMPTS_TO_FINISH, SKEW
from rotation.vocabulary.record import RotatedSecret
from rotation.vocabulary.secret import SecretId

_log = logging.getLogger(__name__)


async def carry_late_tags(world: World, claim: Claim, seen: Mapping[str, str] | None) -> None:
    """
    Add to the new version what was set on the one before since its tags were `seen`.

    It is None for an attempt that finds the new version there: then the two versions are compared.

    Raises a `DependencyError` or `Unfinished`: the rotation is not over then, and a later attempt tries again.
    """
    secret = claim.record.secret
    if secret is None or secret.previous_version is None or secret.version is None:
        return
    try:
        await _carry(world, claim, secret, seen)
    except (Declined, NotFound) as error:
        _warn(claim, error)
    except (DependencyError, Unfinished) as error:
        if claim.record.attempts <= MAX_ATTEMPTS_TO_FINISH:
            raise
        _warn(claim, error)


async def _carry(world: World, claim: Claim, secret: RotatedSecret, seen: Mapping[str, str] | None) -> None:
    made = SecretId(secret.vault, secret.name, secret.version)
    before = await world.vaults.read_properties(made.at(secret.previous_version or ""), claim.deadline)
    if not (_was_changed(before, claim) if seen is None else late_tags(seen, before.tags)):
        return
    after = await world.vaults.read_properties(made, claim.deadline)
    late = late_tags(seen, before.tags) if seen is not None else _late_between(before, after)
    tags, lost = with_late(after.tags, late)
    if lost:
        _log.warning("rotation %s: no room in the new version for the tags %s", claim.record.id, ", ".join(lost))
    if tags == after.tags:
        return
    try:
        await world.vaults.write_tags(made, tags, claim.deadline)
    except NoAnswer as error:
        # It replaces all tags, and may yet arrive after somebody has changed them.
        raise Unfinished(str(error), in_flight=True) from error
    claim.say("added tags that were set meanwhile", tags=", ".join(late))


def _was_changed(before: SecretProperties, claim: Claim) -> bool:
    """
    Return whether somebody may have changed a version since the rotation began.
    """
    return before.updated_on is None or before.updated_on >= claim.record.started_on - SKEW


def _late_between(before: SecretProperties, after: SecretProperties) -> dict[str, str]:
    """
    Return the tags of a version that its successor lacks, or has otherwise where nobody has changed it since.
    """
    late = late_tags(after.tags, before.tags)
    is_untouched = after.created_on == after.updated_on
    return late if is_untouched else {name: value for name, value in late.items() if name not in after.tags}


def _warn(claim: Claim, error: Exception) -> None:
    _log.warning("rotation %s: tags that were set meanwhile may lack in the new version: %s", claim.record.id, error)
