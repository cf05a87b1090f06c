"""
No key dies while clients may go on with it: what a managed secret held until a while ago is not regenerated yet.

The rule, and why nothing simpler is enough, stand in docs/architecture.md, "Too soon". It rests on assumption 125 of
docs/fidelity.md.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rotation.ports.vaults import SecretProperties
from rotation.ports.world import World
from rotation.run.choice import Regenerate, StoreLive
from rotation.run.live_key import LiveKey
from rotation.run.neighbours import FoundSecret
from rotation.vocabulary.endings import Failure, TooSoon
from rotation.vocabulary.errors import Declined, NotFound
from rotation.vocabulary.limits import VERSIONS_READ_AT_ONCE
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.timing import Deadline


class Grace:
    """
    How long the clients of a target may go on with what they have cached, for one attempt at one rotation.

    For a revocation that is the time that the report of the leak gives them.
    """

    def __init__(self, world: World, request: RotationRequest, deadline: Deadline) -> None:
        self._world = world
        self._request = request
        self._deadline = deadline
        self._time = request.revokes.after if request.revokes else world.grace

    @property
    def counts(self) -> bool:
        """
        Whether there is a grace time: a secret moves away from a leaked key at once, and a caller may do without.
        """
        request = self._request
        return not (request.force or request.ignore_grace or request.revocation)

    async def require_over(self, plan: Regenerate | StoreLive, key: LiveKey, secrets: list[FoundSecret]) -> None:
        """
        Raise `TooSoon` where one of the target's secrets held the key that is to be regenerated until a while ago.

        None of them holds it now. It writes nothing, and raises a `Failure` or a `DependencyError` as reading does.
        """
        if self.counts and (early := await self.find(plan, key, secrets)):
            raise early

    async def find(self, plan: Regenerate | StoreLive, key: LiveKey, secrets: list[FoundSecret]) -> TooSoon | None:
        """
        Return who held the key until a while ago, also where the grace time does not count; in place there is a gap.
        """
        if not (self._time and isinstance(plan, Regenerate)) or plan.in_place:
            return None
        since = self._world.clock.now() - self._time
        changed = [secret for secret in secrets if secret.changed_on > since]
        ends = await self._world.gather(*(self._held_until(secret, key, since) for secret in changed))
        held = [(until, secret.id) for until, secret in zip(ends, changed, strict=True) if until]
        if not held:
            return None
        until, holder = max(held, key=lambda end: end[0])
        return TooSoon(_whole_second_after(until + self._time), holder)

    async def _held_until(self, secret: FoundSecret, key: LiveKey, since: datetime) -> datetime | None:
        """
        Return when the last version ended that held the key, None if that was before `since`.

        What cannot be read counts as holding it.
        """
        if secret.current is None or (secret.has_left and secret.is_disabled):
            return secret.changed_on
        try:
            versions = await self._world.vaults.list_versions(secret.id, self._deadline)
        except Declined:
            return secret.changed_on
        if all(version.version != secret.current.version for version in versions):
            return secret.changed_on  # Deleted since it was read.
        ended = [(ended_on, version) for ended_on, version in _ended(secret, versions) if ended_on > since]
        # Somebody may have made hundreds: a few at a time, and mostly the last one is enough.
        for start in range(0, len(ended), VERSIONS_READ_AT_ONCE):
            some = ended[start : start + VERSIONS_READ_AT_ONCE]
            held = await self._world.gather(*(self._held(secret.id, version, key) for _, version in some))
            for (ended_on, _), was_held in zip(some, held, strict=True):
                if was_held:
                    return ended_on
        return None

    async def _held(self, secret: SecretId, version: SecretProperties, key: LiveKey) -> bool:
        try:
            value = await self._world.vaults.read_version(secret.at(version.version), self._deadline)
            return await key.may_be_in(value, version.tags, self._world, self._deadline)
        except (Declined, NotFound, Failure):
            return True


def _ended(secret: FoundSecret, versions: list[SecretProperties]) -> Iterator[tuple[datetime, SecretProperties]]:
    """
    Yield every version but the current one, and when it ended: when the next one was made. The last to end comes first.

    Of versions that were made in one second nobody knows the order: each counts as ended by one that was made later.
    What a secret held last that has left counts until that was seen.
    """
    moments = sorted({version.created_on for version in versions})
    next_after = dict(zip(moments, [*moments[1:], moments[-1]], strict=True))
    older = [version for version in versions if secret.current is None or version.version != secret.current.version]
    older.sort(key=lambda version: version.created_on, reverse=True)
    for number, version in enumerate(older):
        is_last_of_left = secret.has_left and number == 0
        yield secret.changed_on if is_last_of_left else next_after[version.created_on], version


def _whole_second_after(moment: datetime) -> datetime:
    """
    Return the moment as people see it: not a part of a second too early.
    """
    return (moment + timedelta(seconds=1, microseconds=-1)).replace(microsecond=0)
