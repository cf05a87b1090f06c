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
from rotation.ports.providers import Verdict
from rotation.vocabulary.errors import DependencyError, NotFound
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


class MemoryProbe:
    """
    The `KeyProbe` of one target.
    """

    def __init__(self, provider: "MemoryProvider", target: Target) -> None:
        self._provider = provider
        self._target = target

    async def ask(self, key: KeyMaterial, deadline: Deadline) -> Verdict:
        """
        Ask with a key; a scripted `DependencyError` is an answer that says nothing of it.
        """
        deadline.check()
        try:
            await self._provider.faults.enter("ask")
        except DependencyError as error:
            return Verdict(None, str(error))
        works = self._provider.works(self._target, key)
        return Verdict(works, "200" if works else "403 AuthenticationFailed")


class MemoryProvider:
    """
    The `Provider` of all kinds of target, and their `Providers` in one.

    `history` holds every value that each key ever had, the present one last. Where it `proves`, a data plane can be
    asked with a key: one that is regenerated works there after `settling` seconds. `refuses_all` says that it takes no
    key at all, as behind a proxy.
    """

    def __init__(
        self,
        faults: Faults | None = None,
        kinds: Sequence[Kind] = KINDS,
        forms: Mapping[str, Form] | None = None,
    ) -> None:
        self.history: dict[tuple[str, KeyName], list[str]] = defaultdict(list)
        self.signs_with_one_key = False
        self.proves = True
        self.settling = 0.0
        self.refuses_all = False
        self.now: Callable[[], float] = lambda: 0.0
        self.answers: Keys | None = None
        self.watch: Callable[[], None] = lambda: None
        self.is_throttled: Callable[[str], bool] = lambda _: False
        self.faults = faults or Faults()
        self._kinds = kinds
        self._forms = _FORMS | dict(forms or {})
        self._unsettled: dict[tuple[str, KeyName], int] = {}
        self.works_from: dict[str, float] = {}

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

    def settle_at(self, target: Target, key: KeyName, moment: float) -> None:
        """
        Let the present value of a key work from a moment on.
        """
        self.works_from[self.history[target.identity, key][-1]] = moment

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

    def prepare(self) -> None:
        """
        Be ready anyway.
        """

    async def provider_for(self, _: Target) -> "MemoryProvider":
        """
        Return itself: it knows every kind of target.
        """
        return self

    async def has_room_for(self, target: str) -> bool:
        """
        Return whether nobody throttles.
        """
        await self.faults.enter("has_room_for")
        return not self.is_throttled(target)

    async def prober_for(self, target: Target) -> "MemoryProvider | None":
        """
        Return itself, if keys are to be proven.
        """
        return self if self.can_be_asked(target) else None

    def can_be_asked(self, target: Target) -> bool:
        """
        Return whether it proves the keys of a target.
        """
        kind = next(kind for kind in self._kinds if kind.provider == target.provider)
        return self.proves and bool(kind.data_plane)

    async def probe(self, target: Target, deadline: Deadline) -> "MemoryProbe":
        """
        Return what can be asked with the keys of a target.
        """
        deadline.check()
        await self.faults.enter("probe")
        return MemoryProbe(self, target)

    def works(self, target: Target, given: KeyMaterial) -> bool:
        """
        Return whether the data plane takes a key now.
        """
        value = given.reveal()
        live = {self.history[target.identity, key][-1] for key in KeyName}
        return not self.refuses_all and value in live and self.works_from.get(value, 0.0) <= self.now()

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

    async def read_new(self, target: Target, key: KeyName, before: Keys, deadline: Deadline) -> Keys:
        """
        Return what each key gives; of a workflow, the other one as it was before.
        """
        keys = await self.read_keys(target, deadline)
        return {**before, key: keys[key]} if target.provider == WORKFLOW.provider else keys

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key.
        """
        await self._enter("regenerate", target, deadline)
        form = self._form(target)
        self._unsettled[target.identity, key] = form.reads_until_new
        self.turn(target, key)
        self.settle_at(target, key, self.now() + self.settling)
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
