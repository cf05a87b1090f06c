"""
Step 7, its first part: a new key is asked for at its target's data plane before it is stored.

A clock, a proxy or a firewall refuses every key alike: a refusal counts only while the key in use is accepted. A key
that is refused for an hour is given up, and never stored: the secret goes on holding its live one. docs/reliability.md,
"What proven means", has the reasons.
"""

from collections.abc import Iterator
from contextlib import suppress

from msgspec import structs

from rotation.policy.values import holds
from rotation.ports.providers import KeyProbe, KeyProber, Verdict
from rotation.ports.reading import read_keys
from rotation.ports.world import World
from rotation.run.change import pauses
from rotation.run.claim import Claim
from rotation.vocabulary.endings import Ending, KeyRefused
from rotation.vocabulary.errors import DependencyError, OutOfTime, Unfinished
from rotation.vocabulary.limits import PROOF_WINDOW, PROVEN_WITHIN
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Trial
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName, Target


class Proof:
    """
    Whether the new key of a target works, as one attempt finds it out.
    """

    def __init__(self, world: World, claim: Claim, target: Target) -> None:
        self._world = world
        self._claim = claim
        self.target = target
        self._probe: KeyProbe | None = None
        self._is_probe_known = False

    async def prepare(self) -> None:
        """
        Look up what can be asked, while something else is waited for. Where that fails it is tried again when needed.
        """
        if prober := await self._world.providers.prober_for(self.target):
            with suppress(DependencyError, OutOfTime):
                await self._find_probe(prober)

    async def require(self, new: KeyMaterial, in_use: KeyMaterial) -> None:
        """
        Return when the new key was seen to work, or could not be asked for although it was never refused.

        Raises `KeyRefused`, and `Unfinished` where it may work later.
        """
        prober = await self._world.providers.prober_for(self.target)
        if prober is None:
            return
        claim = self._claim
        trial = self._trial_of(new)
        if claim.journal is None and claim.trial is None:
            # A key that another secret holds may be as new: while it is waited for, the target stays claimed.
            await claim.keep(trial)
        for pause in self._pauses():
            verdict = await self._ask(prober, new, in_use)
            if verdict is None and trial.was_refused:
                verdict = Verdict(None, "the target takes no keys any more", may_change=False)
            if verdict is None or verdict.works:
                break
            is_over = pause is None or not verdict.may_change
            trial = await self._take_down(trial, verdict, is_over=is_over)
            if is_over:
                await self._require_unchanged(new)
                break
            await claim.deadline.wait(pause or 0.0)
        self.end(verdict)

    async def note(self, stored: KeyMaterial) -> None:
        """
        Find out whether a key works that is stored already, since the secret held a dead one: nothing depends on it.
        """
        prober = await self._world.providers.prober_for(self.target)
        if prober is None:
            return
        verdict: Verdict | None = Verdict(None, "no time was left to ask")
        with suppress(OutOfTime):
            for pause in self._pauses():
                verdict = await self._ask(prober, stored, None)
                if verdict is None or verdict.works or pause is None or not verdict.may_change:
                    break
                await self._claim.deadline.wait(pause)
        self.end(verdict)

    async def _take_down(self, trial: Trial, verdict: Verdict, *, is_over: bool) -> Trial:
        """
        Write down that the new key did not work, and return what is known by now.

        Raises `KeyRefused` after an hour, and `Unfinished` where the time of this attempt is over: for a key that was
        refused once.
        """
        if verdict.works is False:
            trial = structs.replace(trial, was_refused=True)
        if self._claim.trial != trial:
            await self._claim.keep(trial)
        if not trial.was_refused:
            return trial
        if self._world.clock.now() - trial.since >= PROOF_WINDOW and (is_over or verdict.works is False):
            self._claim.proved(is_proven=False)
            raise KeyRefused(
                f"the new {self._claim.record.key_name} of {self.target.arm_id} did not work, while the key in use "
                f"did: {verdict.said}. It is not stored; the secret still holds its live key"
            )
        if is_over:
            raise Unfinished(f"the new key does not work yet: {verdict.said}", in_flight=False)
        return trial

    async def _require_unchanged(self, new: KeyMaterial) -> None:
        """
        Raise `Unfinished` unless a key that could not be asked for is live: it was read a minute ago.
        """
        provider = await self._world.providers.provider_for(self.target)
        keys = await provider.read_keys(self.target, self._claim.deadline)
        fingerprint = self.target.fingerprint(new)
        if all(self.target.fingerprint(keys[key]) != fingerprint for key in KeyName):
            raise Unfinished("the new key was regenerated by somebody else meanwhile", in_flight=False)

    def _trial_of(self, new: KeyMaterial) -> Trial:
        fingerprint = self.target.fingerprint(new)
        known = self._claim.trial
        # Regenerated by hand meanwhile, it is another one.
        return known if known and known.fingerprint == fingerprint else Trial(fingerprint, self._world.clock.now())

    async def _ask(self, prober: KeyProber, new: KeyMaterial, in_use: KeyMaterial | None) -> Verdict | None:
        """
        Return what the data plane says of the new key, None where it cannot be asked for keys at all.
        """
        deadline = self._claim.deadline
        try:
            probe = await self._find_probe(prober)
        except DependencyError as error:
            return Verdict(None, str(error))
        if probe is None:
            return None
        verdict = await probe.ask(new, deadline)
        if verdict.works is False and in_use is not None:
            control = await probe.ask(in_use, deadline)
            if not control.works:
                return Verdict(None, f"{verdict.said}; to the key in use it said {control.said}")
        return verdict

    async def _find_probe(self, prober: KeyProber) -> KeyProbe | None:
        if not self._is_probe_known:
            self._probe = await prober.probe(self.target, self._claim.deadline)
            self._is_probe_known = True
        return self._probe

    def _pauses(self) -> Iterator[float | None]:
        """
        Yield how long to wait before each next question, None where the time is over.
        """
        deadline = self._claim.deadline
        begun = deadline.elapsed
        for pause in pauses():
            left = PROVEN_WITHIN - (deadline.elapsed - begun)
            yield min(pause, left) if left > 0 else None

    def end(self, verdict: Verdict | None) -> None:
        """
        Say what was found out; nothing where the target takes no keys.
        """
        if verdict is None:
            return
        self._claim.proved(is_proven=verdict.works is True)
        if verdict.works:
            self._claim.say("proven", key=self._claim.record.key_name)
        else:
            self._claim.say("not proven", key=self._claim.record.key_name, because=verdict.said)


async def note_found(world: World, claim: Claim) -> None:
    """
    Find out whether the key works in a version that an earlier attempt has stored, and did not say so.
    """
    record = claim.record
    if record.proven is not None or record.secret is None or record.target is None:
        return
    target = world.providers.parse_target(record.target)
    if await world.providers.prober_for(target) is None:
        return
    proof = Proof(world, claim, target)
    try:
        world.scopes.require(target)
        secret = SecretId(record.secret.vault, record.secret.name, record.secret.version)
        value = await world.vaults.read_version(secret, claim.deadline)
        keys = await read_keys(world.providers, target, claim.deadline)
    except (Ending, DependencyError, OutOfTime) as error:
        proof.end(Verdict(None, str(error)))
        return
    stored = [given for given in keys.values() if holds(target, value, target.fingerprint(given))]
    if stored:
        await proof.note(stored[0])
    else:
        proof.end(Verdict(False, "the keys have changed since"))
