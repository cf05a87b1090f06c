"""
The claim of a change of tags: as long as it lasts, no rotation of the target runs, and nobody else changes the secret.

Key Vault has no conditional write: a write of tags replaces all of them. A rotation makes its new version from the
tags that it has read, so that one of the two would undo the other (docs/architecture.md, "Changes of tags").
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rotation.ports.world import World
from rotation.vocabulary.errors import Busy, DependencyError, NoAnswer, RotationError
from rotation.vocabulary.limits import LAST_SEND_FOR_HTTP
from rotation.vocabulary.record import TagChange
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


class Hold:
    """
    Holds a secret, and a target that is named by its identity, for `async with`. Raises `Busy` where it cannot.

    It is given back when the change is done or was refused. Where what was sent got no answer, it stays until nothing
    of that can take effect any more: nothing of it is resumed, and once expired anybody frees it.
    """

    def __init__(self, world: World, secret: SecretId, target: str | None) -> None:
        self.deadline = Deadline(world.clock, LAST_SEND_FOR_HTTP)
        self._world = world
        self._row = TagChange(uuid.uuid4().hex, SecretId(secret.vault, secret.name), self.deadline.claimed_until)
        self._wanted = [secret.identity, *([target] if target else [])]
        self._held: list[tuple[str, str]] = []
        self._is_answered = True

    @contextmanager
    def sending(self) -> Iterator[None]:
        """
        Send something to the vault that takes effect: as long as no answer came, it may do so yet.
        """
        self._is_answered = False
        try:
            yield
        except RotationError as error:
            self._is_answered = not isinstance(error, NoAnswer)
            raise
        self._is_answered = True

    async def __aenter__(self) -> Self:
        try:
            for what in self._wanted:
                await self._take(what)
        except RotationError:
            await self._give_back()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_answered and (error is None or isinstance(error, RotationError)):
            await self._give_back()

    async def _take(self, what: str) -> None:
        while True:
            found = await self._world.ledger.hold(what, self._row)
            row = found.row
            if not isinstance(row, TagChange):
                raise Busy(row.request.id)
            if row.id == self._row.id:
                self._held.append((what, found.etag))
                return
            if row.claimed_until > self._world.clock.now():
                raise Busy(None)
            # Whatever its worker sent has taken effect by now, or never will.
            await self._world.ledger.release(what, found.etag)

    async def _give_back(self) -> None:
        for what, etag in reversed(self._held):
            try:
                await self._world.ledger.release(what, etag)
            except DependencyError as error:
                _log.warning("the claim of a change of tags of %s stays until it expires: %s", self._row.secret, error)
        self._held = []
