"""
Moving secrets away from a leaked key: which ones hold it, and a rotation for each that can be rotated.

It is looked for without a claim. What a move may do is found out under its own; that nobody holds the key any more is
found out once more under that of the revocation.
"""

import logging

from msgspec import structs

from rotation.policy.eligibility import TO_CLAIM, decide, out_of_scope, with_wrong_tags
from rotation.ports.inventory import Entry, Facts, Result, Verification
from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.run.leaks import leaked_key
from rotation.run.live_key import LiveKey, target_of
from rotation.run.neighbours import Neighbours
from rotation.run.planning import is_in_place
from rotation.vocabulary.endings import Exhausted, KeyRefused, VaultRefused
from rotation.vocabulary.errors import DependencyError
from rotation.vocabulary.limits import REFUSED_KEY_RESTS_FOR
from rotation.vocabulary.request import Revocation, RotationRequest, request_to_move
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import Target
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)

#: A rotation that fails so has most likely regenerated the other key, as the next one will.
_HAS_REGENERATED = frozenset({KeyRefused.code, VaultRefused.code, Exhausted.code})


class Moves:
    """
    The moves away from one leaked key.
    """

    def __init__(
        self, world: World, neighbours: Neighbours, revocation: Revocation, target: Target, deadline: Deadline
    ) -> None:
        self._world = world
        self._neighbours = neighbours
        self._revocation = revocation
        self._target = target
        self._deadline = deadline

    async def find(self, revoking: RotationRequest, *, look: str, but: SecretId | None = None) -> list[RotationRequest]:
        """
        Return a rotation for each secret that is to be moved now, `but` one that moves already; remember who holds it.

        Raises an `Ending`, `Unfinished` or a `DependencyError` where that cannot be found out.
        """
        now, holders = self._world.clock.now(), await self._find_holders()
        entries = [await self._remember(holder) for holder in holders]
        if await self._world.ledger.read_open(self._target.identity):
            return []  # None of them could claim the target.
        movable = [
            holder
            for holder, entry in zip(holders, entries, strict=True)
            if not (but and holder.id.identity == but.identity) and self._can_be_moved(holder, entry)
        ]
        # One that is rotated in place regenerates the leaked key itself: after all others have left it.
        if not all(map(self._is_in_place, holders)):
            movable = [holder for holder in movable if not self._is_in_place(holder)]
        return [request_to_move(revoking, self._revocation, holder.id, now, look=look) for holder in movable]

    async def _find_holders(self) -> list[SecretVersion]:
        keys = await read_keys(self._world.providers, self._target, self._deadline)
        key = leaked_key(self._target, keys, self._revocation.leaked)
        if key is None:
            return []
        neighbours = await self._neighbours.find(None, self._target, self._deadline)
        wanted = LiveKey(self._target, key, keys)
        holding = await self._neighbours.find_holders(neighbours, wanted, self._deadline)
        for holder in holding.holders:
            await self._neighbours.register(holder.id, self._target, neighbours)
        return holding.holders

    async def _remember(self, holder: SecretVersion) -> Entry | None:
        """
        Let the list of secrets show that one holds the key, and return what is known of it.

        Best effort, since the next look does so too.
        """
        now, secret = self._world.clock.now(), SecretId(holder.id.vault, holder.id.name)
        # No sweep may have seen it yet.
        seen = Facts(secret, now, target=self._target.arm_id, made_on=holder.created_on)
        entry = await self._world.inventory.read_entry(secret, seen=seen)
        known = entry.verified if entry else None
        if known is None:
            target = target_of(self._world, holder.tags)
            result = Result.LIVE if holder.enabled else Result.REFUSED
            known = Verification(now, result, self._target.identity, target.address if target else None)
        if known.leaked == self._revocation.leaked.fingerprint:
            return entry
        verified = structs.replace(known, leaked=self._revocation.leaked.fingerprint)
        try:
            await self._world.inventory.keep_verifications({secret: verified}, now)
        except DependencyError as error:
            _log.warning("revocation %s: that %s holds the key is not shown yet: %s", self._id, holder.id, error)
        return entry

    def _can_be_moved(self, holder: SecretVersion, entry: Entry | None) -> bool:
        """
        Return whether a rotation would move a secret now.
        """
        if reason := decide(self._world.case_of(holder), (*TO_CLAIM, out_of_scope, with_wrong_tags)):
            _log.warning("revocation %s: %s holds the key and cannot be moved: %s", self._id, holder.id, reason)
            return False
        last = entry.last if entry else None
        if last is None or last.completed_on is None or last.error is None or last.error.code not in _HAS_REGENERATED:
            return True
        return last.completed_on + REFUSED_KEY_RESTS_FOR <= self._world.clock.now()

    def _is_in_place(self, holder: SecretVersion) -> bool:
        return is_in_place(self._world, holder)

    @property
    def _id(self) -> str:
        return self._revocation.id
