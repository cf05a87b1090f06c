"""
One target: the values of its secrets against its keys.

A rotation, a revocation or a person may be at work at the same moment, so that what was read last may not fit what was
read first. A value is believed to hold neither key only after a second look: at the keys, then whether a rotation of
the target is running, then at the secret, which must have the version that it had. A rotation that has killed the key
of that version runs until it has stored another one.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import structs

from rotation.policy.tags import read_target
from rotation.policy.values import active_key, drift_of
from rotation.ports.inventory import Result, Verification
from rotation.ports.reading import read_keys, read_secret
from rotation.ports.world import World
from rotation.vocabulary.concurrency import capture
from rotation.vocabulary.endings import Failure, Misconfigured, OutOfScope, Skip, TargetNotFound
from rotation.vocabulary.errors import OutOfTime, RotationError
from rotation.vocabulary.limits import SECOND_LOOK_AFTER
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Leak
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

Verifications = dict[SecretId, Verification]

#: Secrets with what came of the last comparison.
Known = Mapping[SecretId, Verification | None]


class Comparison:
    """
    A comparison of secrets with their target, which is named by its identity; so many of them are read `at_once`.

    Where something was wrong with a secret, that stays so until something else is seen of it. `leaks` are the target's
    keys that were reported as leaked.
    """

    def __init__(  # noqa: PLR0913 - what is compared, and how
        self,
        world: World,
        target: str,
        secrets: Known,
        at_once: asyncio.Semaphore,
        deadline: Deadline,
        *,
        leaks: Sequence[Leak] = (),
    ) -> None:
        self._world = world
        self._target = target
        self._known = secrets
        self._at_once = at_once
        self._deadline = deadline
        self._leaks = leaks
        self._dead: list[Leak] = []

    async def make(self) -> Verifications:
        """
        Return what came of it, but for secrets that are gone, name another target, or are being rotated.

        Raises a `DependencyError` where the ledger does not say whether one is, and `OutOfTime`.
        """
        begun_on = self._world.clock.now()
        return await self.make_of(await self._read(self._known), begun_on)

    async def make_of(self, current: "_Read", begun_on: datetime) -> Verifications:
        """
        Return the same of versions that the caller has read since then.
        """
        found = self._compare(current, await self._read_keys(current), begun_on)
        suspects = {secret: current[secret] for secret, each in found.items() if self._is_news(secret, each)}
        if suspects:
            found = {secret: each for secret, each in found.items() if secret not in suspects}
            found |= await self._look_again(suspects)
        return found

    def _is_news(self, secret: SecretId, found: Verification) -> bool:
        """
        Return whether this look has found drift, and not an earlier one.
        """
        return found.result is Result.DRIFT and found is not self._known.get(secret) and not found.is_doubted

    async def forget_leaks(self) -> None:
        """
        Forget the leaked keys that were seen to be dead. Raises a `DependencyError`.
        """
        for leak in self._dead:
            await self._world.ledger.forget_leak(leak.target, leak.leaked)

    async def _look_again(self, suspects: "_Read") -> Verifications:
        await self._deadline.wait(SECOND_LOOK_AFTER)
        begun_on = self._world.clock.now()
        keys = await self._read_keys(suspects)
        if await self._world.ledger.read_open(self._target):
            return {}
        current = await self._read(suspects)
        same = {secret: now for secret, now in current.items() if _is_same(now, suspects[secret])}
        return self._compare(same, keys, begun_on)

    async def _read(self, secrets: Iterable[SecretId]) -> "_Read":
        """
        Return the current version of each secret that is there, or why it cannot be read.
        """
        wanted = list(secrets)

        async def read(secret: SecretId) -> SecretVersion | RotationError:
            async with self._at_once:
                return await capture(read_secret, self._world.vaults, secret, self._deadline)

        answers = await self._world.gather(*map(read, wanted))
        return {
            secret: answer
            for secret, answer in zip(wanted, answers, strict=True)
            if not isinstance(answer, Skip | OutOfScope)
        }

    async def _read_keys(self, current: "_Read") -> "_Shown":
        """
        Return what each key gives wherever one of these secrets says that it is shown, or why that cannot be read.
        """
        targets = {target.address: target for version in current.values() if (target := self._target_of(version))}
        targets |= {target.address: target for leak in self._leaks if (target := self._shown_by(leak))}
        answers = await self._world.gather(
            *(capture(read_keys, self._world.providers, target, self._deadline) for target in targets.values())
        )
        return dict(zip(targets, answers, strict=True))

    def _compare(self, current: "_Read", shown: "_Shown", on: datetime) -> Verifications:
        found, leaked = {}, self._leaked_keys(shown)
        for secret, version in current.items():
            if isinstance(version, RotationError):
                found[secret] = self._unseen(secret, None, version, on)
            elif (target := self._target_of(version)) and target.address in shown:
                keys = shown[target.address]
                if isinstance(keys, RotationError):
                    found[secret] = self._unseen(secret, target.address, keys, on)
                elif version.value is None:
                    found[secret] = self._unseen(secret, target.address, _Disabled(), on)
                else:
                    verified = self._judge(version.value, target, keys, on)
                    found[secret] = structs.replace(verified, leaked=_leaked_in(version.value, target, keys, leaked))
                    continue
            known = self._known.get(secret)
            if secret in found and known and known.leaked != found[secret].leaked:
                # What could not be read may hold the key that it held.
                found[secret] = structs.replace(found[secret], leaked=known.leaked)
        return found

    def _leaked_keys(self, shown: "_Shown") -> dict[KeyName, str]:
        """
        Return the keys that have leaked, each with the fingerprint by which it was reported.
        """
        leaked: dict[KeyName, str] = {}
        for leak in self._leaks:
            target = self._shown_by(leak)
            keys = shown.get(target.address) if target else None
            if target is None or keys is None or isinstance(keys, RotationError):
                continue
            fingerprint = leak.leaked.fingerprint
            live = [key for key in KeyName if target.fingerprint(keys[key]) == fingerprint]
            leaked |= dict.fromkeys(live, fingerprint)
            if not live and leak not in self._dead:
                self._dead.append(leak)
        return leaked

    def _shown_by(self, leak: Leak) -> Target | None:
        try:
            target = self._world.providers.parse_target(leak.leaked.shown_by)
            self._world.scopes.require(target)
        except (Misconfigured, OutOfScope):
            return None
        return target

    def _judge(self, value: KeyMaterial, target: Target, keys: Keys, on: datetime) -> Verification:
        try:
            held = active_key(target, keys, value, tagged=None)
        except Misconfigured as error:
            is_live = any(target.may_hold(value, keys[key]) for key in KeyName)
            result = Result.LIVE if is_live else Result.DRIFT
            return Verification(on, result, self._target, target.address, str(error), misconfigured=str(error))
        if held:
            # Where both give the same credential, it is the one as much as the other.
            is_clear = target.fingerprint(keys[held]) != target.fingerprint(keys[held.other])
            return Verification(on, Result.LIVE, self._target, target.address, key=held if is_clear else None)
        return Verification(on, Result.DRIFT, self._target, target.address, str(drift_of(target)))

    def _unseen(self, secret: SecretId, address: str | None, hindrance: RotationError, on: datetime) -> Verification:
        """
        Return what is known of a secret that could not be compared: whether it still is what it was.
        """
        if isinstance(hindrance, OutOfTime):
            raise hindrance
        known, why = self._known.get(secret), str(hindrance)
        if known and address not in {None, known.address}:
            known = None  # That was about another place.
        if isinstance(hindrance, TargetNotFound):
            if known and (known.is_doubted or known.result is Result.TARGET_MISSING):
                return Verification(on, Result.TARGET_MISSING, self._target, address, why)
            if known and known.is_wrong:
                return structs.replace(known, is_doubted=True)
            why = f"{why}; it counts as missing when it is not found the next time either"
            return Verification(on, Result.UNREACHABLE, self._target, address, why, is_doubted=True)
        if isinstance(hindrance, Misconfigured):
            return Verification(on, Result.REFUSED, self._target, address, why, misconfigured=why)
        if known and known.is_wrong:
            return known
        result = Result.REFUSED if isinstance(hindrance, Failure) else Result.UNREACHABLE
        return Verification(on, result, self._target, address, why)

    def _target_of(self, version: SecretVersion | RotationError) -> Target | None:
        """
        Return where a secret says that its keys are shown, None where that is not this target, or not allowed.
        """
        if isinstance(version, RotationError):
            return None
        try:
            target = read_target(version.tags, self._world.providers.parse_target)
            self._world.scopes.require(target)
        except (Misconfigured, OutOfScope):
            return None
        return target if target.identity == self._target else None


class _Disabled(Failure):
    """
    The value of a disabled version is for nobody to read.
    """

    def __init__(self) -> None:
        super().__init__("its current version is disabled")


_Read = Mapping[SecretId, SecretVersion | RotationError]
_Shown = Mapping[str, Keys | RotationError]


def _leaked_in(value: KeyMaterial, target: Target, keys: Keys, leaked: Mapping[KeyName, str]) -> str | None:
    return next((leaked[key] for key in leaked if target.may_hold(value, keys[key])), None)


def _is_same(now: SecretVersion | RotationError, before: SecretVersion | RotationError) -> bool:
    if isinstance(now, RotationError) or isinstance(before, RotationError):
        return False
    return now.id == before.id
