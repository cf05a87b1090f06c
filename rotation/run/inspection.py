"""
What there is at a target: what each of its keys gives, and which secrets share it.
"""

from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.run.neighbours import Neighbours, TargetNeighbours
from rotation.vocabulary.concurrency import capture, unwrap
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
        self._found: TargetNeighbours | RotationError | None = None

    async def read_ahead(self) -> None:
        """
        Read all of it at the same time. What cannot be read is an error only where it is asked for.
        """
        self._keys, self._found = await self._world.gather(capture(self._read_keys), capture(self._find))

    async def keys(self) -> Keys:
        """
        Return what each key gives. Raises `TargetNotFound`, `Refused` or a `DependencyError`.
        """
        if self._keys is None:
            self._keys = await capture(self._read_keys)
        return unwrap(self._keys)

    async def neighbours(self) -> TargetNeighbours:
        """
        Return the neighbours. Raises a `Failure` or a `DependencyError`.
        """
        if self._found is None:
            self._found = await capture(self._find)
        return unwrap(self._found)

    async def _read_keys(self) -> Keys:
        return await read_keys(self._world.providers, self.target, self._deadline)

    async def _find(self) -> TargetNeighbours:
        return await self._neighbours.find(self._secret, self.target, self._deadline)
