"""
What there is at a target: what each of its keys gives, and which other secrets it has.
"""

from rotation.ports.world import World
from rotation.run.neighbours import Neighbours, OtherSecrets
from rotation.run.reading import read_keys
from rotation.vocabulary.concurrency import given, tried
from rotation.vocabulary.errors import RotationError
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import Keys, Target
from rotation.vocabulary.timing import Deadline


class Inspection:
    """
    What one attempt finds at a target, for the rotation of a secret or for none. Each part is read once.
    """

    def __init__(
        self, world: World, neighbours: Neighbours, target: Target, secret: SecretId | None, deadline: Deadline
    ) -> None:
        self.target = target
        self._world = world
        self._neighbours = neighbours
        self._secret = secret
        self._deadline = deadline
        self._keys: Keys | RotationError | None = None
        self._others: OtherSecrets | RotationError | None = None

    async def read_ahead(self) -> None:
        """
        Read all of it at the same time. What cannot be read is an error only for whoever asks for it.
        """
        self._keys, self._others = await self._world.gather(tried(self._read_keys), tried(self._learn))

    async def keys(self) -> Keys:
        """
        Return what each key gives. Raises `TargetNotFound`, `Refused` or a `DependencyError`.
        """
        if self._keys is None:
            self._keys = await tried(self._read_keys)
        return given(self._keys)

    async def others(self) -> OtherSecrets:
        """
        Return the other secrets. Raises a `Failure` or a `DependencyError`.
        """
        if self._others is None:
            self._others = await tried(self._learn)
        return given(self._others)

    async def _read_keys(self) -> Keys:
        return await read_keys(self._world.providers, self.target, self._deadline)

    async def _learn(self) -> OtherSecrets:
        return await self._neighbours.learn(self._secret, self.target, self._deadline)
