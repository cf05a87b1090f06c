"""
Batch accounts and workflows in memory.
"""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable

from rotation.vocabulary.errors import NotFound
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import BatchAccount, KeyName, Keys, Target, Workflow
from rotation.vocabulary.timing import Deadline
from tests.twins.faults import Faults


class MemoryProvider:
    """
    The `Provider` of both kinds of target, and their `Providers` in one.

    `history` holds every value that each key ever had, the present one last. An account answers a regeneration with
    both keys, a workflow with nothing.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self.history: dict[tuple[str, KeyName], list[str]] = defaultdict(list)
        self.signs_with_one_key = False
        self.answers: Keys | None = None
        self.watch: Callable[[], None] = lambda: None
        self.faults = faults or Faults()

    def add(self, target: Target) -> None:
        """
        Make an account or a workflow with two fresh keys.
        """
        for key in KeyName:
            self.turn(target, key)

    def turn(self, target: Target, key: KeyName) -> None:
        """
        Regenerate a key by hand.
        """
        self.history[target.claim_id, key].append(secrets.token_urlsafe(48))
        self.watch()

    def value(self, target: Target, key: KeyName) -> str:
        """
        Return the credential that a key gives now.
        """
        if isinstance(target, BatchAccount):
            return self.history[target.claim_id, key][-1]
        return self._callback_url(target, key)

    def regenerations(self, target: Target, key: KeyName) -> int:
        """
        Return how often a key was regenerated since it was made.
        """
        return len(self.history[target.claim_id, key]) - 1

    def is_live(self, target: Target, value: str) -> bool:
        """
        Return whether a client can work with this credential now.
        """
        return value in {self.value(target, key) for key in KeyName}

    def prepare(self, target: Target) -> None:
        """
        Be ready anyway.
        """

    async def of(self, _: Target) -> "MemoryProvider":
        """
        Return itself: it knows every kind of target.
        """
        return self

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return the credential that each key gives.
        """
        await self._enter("read_keys", target, deadline)
        keys = self.keys(target)
        await self.faults.leave("read_keys")
        return keys

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key.
        """
        await self._enter("regenerate", target, deadline)
        self.turn(target, key)
        await self.faults.leave("regenerate")
        return (self.answers or self.keys(target)) if isinstance(target, BatchAccount) else None

    async def _enter(self, operation: str, target: Target, deadline: Deadline) -> None:
        deadline.check()
        await self.faults.enter(operation)
        if (target.claim_id, KeyName.PRIMARY) not in self.history:
            raise NotFound(f"404 ResourceNotFound: {target.arm_id}")

    def keys(self, target: Target) -> Keys:
        """
        Return the credential that each key gives, asked by nobody.
        """
        return {key: KeyMaterial(self.value(target, key)) for key in KeyName}

    def _callback_url(self, workflow: Workflow, key: KeyName) -> str:
        signing = KeyName.PRIMARY if self.signs_with_one_key else key
        secret = self.history[workflow.claim_id, signing][-1]
        trigger = workflow.trigger or "manual"
        signature = hashlib.sha256(f"{trigger} {secret}".encode()).hexdigest()
        return f"https://{workflow.site}.example/{workflow.workflow}/{trigger}?sp=run&sv=1.0&sig={signature}"
