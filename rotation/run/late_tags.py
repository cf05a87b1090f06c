"""
Step 7, its last part: no tag is lost that somebody sets while a new version is being made.

Key Vault knows no conditional write: between the look at a version and the end of its successor's making, people may
set tags on the one that is no longer current then.
"""

import logging
from collections.abc import Mapping

from rotation.policy.tags import late_tags
from rotation.ports.world import World
from rotation.run.claim import Claim
from rotation.vocabulary.errors import Declined, NotFound
from rotation.vocabulary.secret import SecretId, SecretVersion

_log = logging.getLogger(__name__)


async def carry_late_tags(world: World, claim: Claim, seen: Mapping[str, str] | SecretVersion) -> None:
    """
    Add to the new version what was set on the one before since its tags were `seen`.

    An attempt that finds the new version already there has seen none: for it, that version says what they were.

    Raises a `DependencyError` or `OutOfTime`: the rotation is not over then, and a later attempt finds them.
    """
    secret, deadline = claim.record.secret, claim.deadline
    if secret is None or secret.previous_version is None or secret.version is None:
        return
    made = SecretId(secret.vault, secret.name, secret.version)
    try:
        now = await world.vaults.read_tags(made.at(secret.previous_version), deadline)
        late = late_tags(seen, now) if isinstance(seen, Mapping) else _late_in(seen, now)
        if not late:
            return
        await world.vaults.write_tags(made, await world.vaults.read_tags(made, deadline) | late, deadline)
        claim.say("added tags that were set meanwhile", tags=", ".join(late))
    except (Declined, NotFound) as error:
        _log.warning("rotation %s: tags that were set meanwhile are not in the new version: %s", claim.record.id, error)


def _late_in(made: SecretVersion, now: dict[str, str]) -> dict[str, str]:
    late = late_tags(made.tags, now)
    # Changed since it was made, what differs in it may be newer than what stands on the version before.
    return late if made.is_untouched else {name: value for name, value in late.items() if name not in made.tags}
