"""
Targets of any kind in memory.
"""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from providers import KINDS, ids
from providers.batch import BATCH_ACCOUNT
from providers.kind import Kind
from providers.storage import STORAGE_ACCOUNT
from providers.workflow import WORKFLOW
from rotation.vocabulary.errors import NotFound
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline
from tests.twins.faults import Faults


def callback_url(target: Target, secret: str) -> str:
    """
    Return the URL that a key signs.
    """
    names = target.names
    trigger = names.get("trigger", "manual")
    signature = hashlib.sha256(f"{trigger} {secret}".encode()).hexdigest()
    return f"https://{names['site']}.example/{names['workflow']}/{trigger}?sp=run&sv=1.0&sig={signature}"


class Form(Struct, frozen=True):
    """
    How a kind shows its keys in memory: as they are, and with none of them in the answer to a regeneration.

    A new key is shown, and opens anything, after so many reads. `used` is what a client takes from a value.
    """

    show: Callable[[Target, str], str] = lambda _, secret: secret
    used: Callable[[str], str] = lambda value: value
    answers_with_keys: bool = False
    reads_until_new: int = 0


_BASE64 = str.maketrans("-_", "+/")


def _of_connection_string(value: str) -> str:
    # As azure-storage reads it.
    parts = dict(part.split("=", 1) for part in value.split(";") if "=" in part)
    return {name.upper().strip(): text.strip() for name, text in parts.items()}.get("ACCOUNTKEY", value)


_FORMS = {
    BATCH_ACCOUNT.provider: Form(answers_with_keys=True),
    STORAGE_ACCOUNT.provider: Form(answers_with_keys=True, used=_of_connection_string),
    WORKFLOW.provider: Form(callback_url),
}


class MemoryProvider:
    """
    The `Provider` of all kinds of target, and their `Providers` in one.

    `history` holds every value that each key ever had, the present one last.
    """

    def __init__(
        self,
        faults: Faults | None = None,
        kinds: Sequence[Kind] = KINDS,
        forms: Mapping[str, Form] | None = None,
    ) -> None:
        self.history: dict[tuple[str, KeyName], list[str]] = defaultdict(list)
        self.signs_with_one_key = False
        self.answers: Keys | None = None
        self.watch: Callable[[], None] = lambda: None
        self.faults = faults or Faults()
        self._kinds = kinds
        self._forms = _FORMS | dict(forms or {})
        self._unsettled: dict[tuple[str, KeyName], int] = {}

    def add(self, target: Target) -> None:
        """
        Make a target with two fresh keys.
        """
        for key in KeyName:
            self.turn(target, key)

    def turn(self, target: Target, key: KeyName) -> None:
        """
        Regenerate a key by hand.
        """
        # 64 bytes in base64, as the kinds of the table have them.
        self.history[target.identity, key].append(f"{secrets.token_urlsafe(64).translate(_BASE64)}==")
        self.watch()

    def value(self, target: Target, key: KeyName) -> str:
        """
        Return the credential that a key gives now.
        """
        signing = KeyName.PRIMARY if self.signs_with_one_key and target.provider == WORKFLOW.provider else key
        is_new = not self._unsettled.get((target.identity, signing))
        return self._form(target).show(target, self.history[target.identity, signing][-1 if is_new else -2])

    def regenerations(self, target: Target, key: KeyName) -> int:
        """
        Return how often a key was regenerated since it was made.
        """
        return len(self.history[target.identity, key]) - 1

    def is_live(self, target: Target, value: str) -> bool:
        """
        Return whether a client can work with this value now.
        """
        return self._form(target).used(value) in {self.value(target, key) for key in KeyName}

    def parse_target(self, arm_id: str) -> Target:
        """
        Return the target that an ARM id names.
        """
        return ids.parse_target(self._kinds, arm_id)

    def prepare(self, target: Target) -> None:
        """
        Be ready anyway.
        """

    async def provider_for(self, _: Target) -> "MemoryProvider":
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
        for key in KeyName:
            if left := self._unsettled.get((target.identity, key)):
                self._unsettled[target.identity, key] = left - 1
                self.watch()
        await self.faults.leave("read_keys")
        return keys

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key.
        """
        await self._enter("regenerate", target, deadline)
        form = self._form(target)
        self._unsettled[target.identity, key] = form.reads_until_new
        self.turn(target, key)
        await self.faults.leave("regenerate")
        return (self.answers or self.keys(target)) if form.answers_with_keys else None

    async def _enter(self, operation: str, target: Target, deadline: Deadline) -> None:
        deadline.check()
        await self.faults.enter(operation)
        if (target.identity, KeyName.PRIMARY) not in self.history:
            raise NotFound(f"404 ResourceNotFound: {target.arm_id}")

    def keys(self, target: Target) -> Keys:
        """
        Return the credential that each key gives, asked by nobody.
        """
        return {key: KeyMaterial(self.value(target, key)) for key in KeyName}

    def _form(self, target: Target) -> Form:
        return self._forms.get(target.provider, Form())
