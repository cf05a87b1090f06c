"""
One target: the values of its secrets against its keys.

A rotation, a revocation or a person may be at work at the same moment, so that what was read last may not fit what was
read first. A value is believed to hold neither key only after a second look: at the keys, then whether a rotation of
the target is running, then at the secret, which must have the version that it had. In this order, because a rotation
that has killed the key of that version runs until it has stored another one.
"""

import asyncio
from collections.abc import Iterable, Mapping

from msgspec import structs

from rotation.policy.tags import read_target
from rotation.policy.values import active_key, drift_of
from rotation.ports.inventory import Result, Verification
from rotation.ports.reading import read_keys, read_secret
from rotation.ports.world import World
from rotation.vocabulary.concurrency import capture
from rotation.vocabulary.endings import Failure, Misconfigured, OutOfScope, Skip, TargetNotFound
from rotation.vocabulary.errors import OutOfTime, RotationError
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline

Verifications = dict[SecretId, Verification]

#: What came of an earlier comparison, by the secret's identity.
Known = dict[str, Verification]

IS_WRONG = frozenset({Result.DRIFT, Result.TARGET_MISSING})


class Comparison:
    """
    A comparison of the secrets of a target, named by its identity; so many of them are read `at_once`.

    `wrong` is what came of the last one where something was wrong: that stays so until something else is seen.
    """

    def __init__(self, world: World, target: str, at_once: asyncio.Semaphore, wrong: Known, deadline: Deadline) -> None:
        self._world = world
        self._target = target
        self._at_once = at_once
        self._wrong = wrong
        # Not found the last time: it is missing if it is not found again.
        self._is_doubted = any(each.is_doubted or each.result is Result.TARGET_MISSING for each in wrong.values())
        self._deadline = deadline

    async def make(self) -> Verifications:
        """
        Return what came of it, but for secrets that are gone, name another target, or are being rotated.

        Raises a `DependencyError` where the ledger does not say which secrets share the target, and `OutOfTime`.
        """
        bound = await self._world.ledger.bound_secrets(self._target)
        uris = self._world.vaults.uris
        current = await self._read(
            [each.secret for each in bound if each.left_on is None and each.secret.vault in uris]
        )
        found = self._compare(current, await self._read_keys(current))
        suspects = {secret: current[secret] for secret, each in found.items() if self._is_news(secret, each)}
        if suspects:
            found = {secret: each for secret, each in found.items() if secret not in suspects}
            found |= await self._look_again(suspects)
        return found

    def _is_news(self, secret: SecretId, found: Verification) -> bool:
        """
        Return whether this look has found drift, and not an earlier one.
        """
        is_kept = found.is_doubted or found == self._wrong.get(secret.identity)
        return found.result is Result.DRIFT and not is_kept

    async def _look_again(self, suspects: "_Read") -> Verifications:
        keys = await self._read_keys(suspects)
        if await self._world.ledger.read_open(self._target):
            return {}
        current = await self._read(suspects)
        same = {secret: now for secret, now in current.items() if _is_same(now, suspects[secret])}
        return self._compare(same, keys)

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
        answers = await self._world.gather(
            *(capture(read_keys, self._world.providers, target, self._deadline) for target in targets.values())
        )
        return dict(zip(targets, answers, strict=True))

    def _compare(self, current: "_Read", shown: "_Shown") -> Verifications:
        found = {}
        for secret, version in current.items():
            if isinstance(version, RotationError):
                found[secret] = self._hindered(secret, version)
            elif version.value is None:
                found[secret] = self._verification(Result.REFUSED, "its current version is disabled")
            elif (target := self._target_of(version)) and target.address in shown:
                keys = shown[target.address]
                if isinstance(keys, RotationError):
                    found[secret] = self._hindered(secret, keys)
                else:
                    found[secret] = self._judge(version.value, target, keys)
        return found

    def _judge(self, value: KeyMaterial, target: Target, keys: Keys) -> Verification:
        try:
            if active_key(target, keys, value, tagged=None):
                return self._verification(Result.LIVE)
        except Misconfigured as error:
            is_live = any(target.may_hold(value, keys[key]) for key in KeyName)
            return self._verification(Result.LIVE if is_live else Result.DRIFT, str(error), misconfigured=str(error))
        return self._verification(Result.DRIFT, str(drift_of(target)))

    def _hindered(self, secret: SecretId, hindrance: RotationError) -> Verification:
        """
        Return what is known of a secret of which nothing could be seen.
        """
        if isinstance(hindrance, OutOfTime):
            raise hindrance
        is_missing = isinstance(hindrance, TargetNotFound)
        if is_missing and self._is_doubted:
            return self._verification(Result.TARGET_MISSING, str(hindrance))
        if (known := self._wrong.get(secret.identity)) and known.result in IS_WRONG:
            return structs.replace(known, is_doubted=is_missing)
        if is_missing:
            why = f"{hindrance}; it counts as missing when it is not found the next time either"
            return self._verification(Result.UNREACHABLE, why, is_doubted=True)
        return self._verification(
            Result.REFUSED if isinstance(hindrance, Failure) else Result.UNREACHABLE, str(hindrance)
        )

    def _verification(
        self, result: Result, why: str | None = None, *, misconfigured: str | None = None, is_doubted: bool = False
    ) -> Verification:
        return Verification(self._world.clock.now(), result, why, misconfigured, is_doubted)

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


_Read = Mapping[SecretId, SecretVersion | RotationError]
_Shown = Mapping[str, Keys | RotationError]


def _is_same(now: SecretVersion | RotationError, before: SecretVersion | RotationError) -> bool:
    if isinstance(now, RotationError) or isinstance(before, RotationError):
        return False
    return now.id == before.id
