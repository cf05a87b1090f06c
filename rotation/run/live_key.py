"""
A key of a target as it is live now, and whether a value holds it.
"""

from collections.abc import Mapping

from msgspec import Struct

from rotation.policy.tags import read_target
from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.vocabulary.endings import Misconfigured, TargetNotFound
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


class LiveKey(Struct, frozen=True):
    """
    A key, and what each key gives where the target shows them. `elsewhere` keeps what they give where others say.
    """

    target: Target
    name: KeyName
    keys: Keys
    elsewhere: dict[str, Keys | None] = {}

    async def may_be_in(self, value: KeyMaterial, tags: Mapping[str, str], world: World, deadline: Deadline) -> bool:
        """
        Return whether a secret's value holds the key, whatever its tags say of that.

        They do say where it is shown: each trigger of a workflow has another URL. Raises as `read_keys` does.
        """
        theirs = target_of(world, tags)
        if theirs is None or theirs.identity != self.target.identity:
            theirs = self.target
        keys = await self._shown_at(theirs, world, deadline)
        return keys is not None and theirs.may_hold(value, keys[self.name])

    async def _shown_at(self, theirs: Target, world: World, deadline: Deadline) -> Keys | None:
        """
        Return what each key gives there, None for a trigger that is gone: no URL of it is of use to anybody.
        """
        if theirs.address == self.target.address:
            return self.keys
        if theirs.address not in self.elsewhere:
            try:
                self.elsewhere[theirs.address] = await read_keys(world.providers, theirs, deadline)
            except TargetNotFound:
                self.elsewhere[theirs.address] = None
        return self.elsewhere[theirs.address]


def target_of(world: World, tags: Mapping[str, str]) -> Target | None:
    """
    Return the target that a secret names, None where that cannot be read.
    """
    try:
        return read_target(tags, world.providers.parse_target)
    except Misconfigured:
        return None
