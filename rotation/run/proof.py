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
from rotation.ports.world import World
from rotation.run.claim import Claim
from rotation.run.reading import read_keys
from rotation.vocabulary.endings import Ending, KeyRefused
from rotation.vocabulary.errors import DependencyError, OutOfTime, Unfinished
from rotation.vocabulary.limits import FIRST_PAUSE, LONGEST_PAUSE, PROOF_WINDOW, PROVEN_WITHIN
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Trial
from rotation.vocabulary.target import Target


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
        Find out meanwhile what can be asked. Where that fails it is tried again when it is needed.
        """
        if prober := await self._world.providers.prober_for(self.target):
            with suppress(DependencyError, OutOfTime):
                await self._find_probe(prober)

    async def require(self, new: KeyMaterial, in_use: KeyMaterial) -> None:
        """
        Come back when the new key was seen to work, or could not be asked for although it was never refused.

        Raises `KeyRefused`, and `Unfinished` where it may work later.
        """
        prober = await self._world.providers.prober_for(self.target)
        if prober is None:
            return
        claim = self._claim
        trial = self._trial_of(new)
        if not claim.is_kept:
            # A key that another secret holds may be as new: while it is waited for, the target stays claimed.
            await claim.keep(trial)
        for pause in self._pauses():
            verdict = await self._ask(prober, new, in_use)
            if verdict is not None and not verdict.works:
                trial = await self._take_down(trial, verdict)
                if pause is not None and verdict.may_change:
                    await claim.deadline.wait(pause)
                    continue
                if trial.was_refused:
                    raise Unfinished(f"the new key does not work yet: {verdict.said}", in_flight=False)
            self._end(verdict)
            return

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
        self._end(verdict)

    async def note_found(self, value: KeyMaterial | None) -> None:
        """
        Find out whether the key in a value works, which an earlier attempt has stored: it cannot say any more.
        """
        if value is None or await self._world.providers.prober_for(self.target) is None:
            return
        try:
            keys = await read_keys(self._world.providers, self.target, self._claim.deadline)
        except (Ending, DependencyError, OutOfTime) as error:
            self._end(Verdict(None, str(error)))
            return
        stored = [given for given in keys.values() if holds(self.target, value, self.target.fingerprint(given))]
        if stored:
            await self.note(stored[0])
        else:
            self._end(Verdict(False, "the keys have changed since"))

    async def _take_down(self, trial: Trial, verdict: Verdict) -> Trial:
        """
        Write down that the new key did not work, and return what is known by now. Raises `KeyRefused` after an hour.
        """
        if verdict.works is False:
            trial = structs.replace(trial, was_refused=True)
        if self._claim.trial != trial:
            await self._claim.keep(trial)
        if trial.was_refused and self._world.clock.now() - trial.since >= PROOF_WINDOW:
            self._claim.proved(is_proven=False)
            raise KeyRefused(
                f"the new {self._claim.record.key_name} of {self.target.arm_id} does not work, and the key in use "
                f"does: {verdict.said}. It is not stored; the secret still holds its live key"
            )
        return trial

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
        deadline, pause = self._claim.deadline, FIRST_PAUSE
        begun = deadline.elapsed
        while True:
            left = PROVEN_WITHIN - (deadline.elapsed - begun)
            yield pause if pause <= left else None
            pause = min(pause * 2, LONGEST_PAUSE)

    def _end(self, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        self._claim.proved(is_proven=verdict.works is True)
        if verdict.works:
            self._claim.say("proven", key=self._claim.record.key_name)
        else:
            self._claim.say("not proven", key=self._claim.record.key_name, because=verdict.said)
