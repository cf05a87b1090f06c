"""
The explorer sees: with any one of the rules taken out, it finds a promise broken within its budget.
"""

import logging
import random
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from rotation.overview.comparison import Comparison
from rotation.ports.ledger import Versioned
from rotation.run.claim import Claim
from rotation.run.grace import Grace
from rotation.run.planning import Planner
from rotation.run.secret_rotation import SecretRotation
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import EndedRotation, Journal, OpenRotation, TagChange
from rotation.vocabulary.secret import SecretVersion
from rotation.vocabulary.timing import Deadline
from tests.interleavings import wires
from tests.interleavings.calls import Kind, ask
from tests.interleavings.exploration import Found, vary, wander
from tests.interleavings.laboratory import Laboratory
from tests.interleavings.scenarios import SCENARIOS
from tests.interleavings.wires import WiredLedger
from tests.twins.ledger import MemoryLedger

TRIES = 4000


@pytest.fixture
def laboratory() -> Iterator[Laboratory]:
    """
    Yield what makes runs repeatable.
    """
    with Laboratory() as laboratory:
        yield laboratory


class Find(Protocol):
    """
    Looks for a run in which a promise breaks.
    """

    def __call__(self, promise: str, *names: str, near: int = 0) -> Found:
        """
        Return the first finding about the promise among the scenarios' runs, in turn.

        Most of a long search is in vain: it begins `near` a run that finds it. `make explore` begins with the first.
        """


@pytest.fixture(params=[True, pytest.param(False, marks=pytest.mark.long)], ids=["near", "from the first run"])
def find(laboratory: Laboratory, request: pytest.FixtureRequest) -> Find:
    """
    Return what looks for it.
    """

    def search(promise: str, *names: str, near: int = 0) -> Found:
        first = near if request.param else 0
        for seed in range(first, first + TRIES):
            name = names[seed % len(names)]
            chance = random.Random(f"{name} {seed}")  # noqa: S311 - to be repeated, not to be secret
            scenario, budget = vary(SCENARIOS[name], chance)
            try:
                wander(scenario, budget, chance, laboratory)
            except Found as found:
                if str(found).startswith(promise):
                    return found
        raise AssertionError(f"no run of {', '.join(names)} breaks a promise")

    return search


def test_without_the_claim_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Every rotation with a claim of its own: one version is rotated twice.
    """

    class Unclaimed(WiredLedger):
        def of_its_own(self, target: str) -> str:
            return f"{target.partition('#')[0]}#{self.rotation}"

        async def claim(self, target: str, row: OpenRotation) -> Versioned[OpenRotation] | Versioned[TagChange]:
            self.rotation = row.request.id
            return await super().claim(self.of_its_own(target), row)

        async def replace(self, target: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
            return await super().replace(self.of_its_own(target), row, etag)

        async def begin(
            self, target: str, row: OpenRotation, etag: str, **options: Any
        ) -> Versioned[OpenRotation] | None:
            return await super().begin(self.of_its_own(target), row, etag, **options)

        async def release(self, target: str, etag: str) -> bool:
            return await super().release(self.of_its_own(target), etag)

        async def end(self, outcome: EndedRotation, *, target: str, etag: str, **options: Any) -> bool:
            return await super().end(outcome, target=self.of_its_own(target), etag=etag, **options)

    monkeypatch.setattr(wires, "WiredLedger", Unclaimed)

    find("once", "near-expiry and expired")


def test_without_the_journal_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without a fingerprint from before, a worker that resumes regenerates again.
    """

    async def forget(self: Claim, plan: Any, target: Any, keys: Any, **_: Any) -> Journal:
        await self.begin()
        return Journal(
            plan.key, target.fingerprint(keys[plan.key]), plan.active, self._world.clock.now(), target.address
        )

    monkeypatch.setattr(Claim, "write_journal", forget)

    find("once", "alone", "duplicate")


def test_without_the_look_under_the_claim_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What was read before the claim is old by the time it is used.
    """

    async def look(self: SecretRotation) -> bool:
        self._secret = await self._world.vaults.read_current(self._id, self._claim.deadline)
        return False

    monkeypatch.setattr(SecretRotation, "look", look)
    monkeypatch.setattr(MemoryLedger, "_may_change", lambda *_, **__: True)

    find("once", "duplicate", "near-expiry and expired")


def test_where_beginning_does_not_see_an_end_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A rotation that has failed and was told so is carried out by its duplicate.
    """
    monkeypatch.setattr(MemoryLedger, "_may_change", lambda *_, **__: True)

    find("told", "duplicate", "near-expiry and expired")


def test_with_takeover_by_another_rotation_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An expired claim is there to be resumed: a rotation that pushes it aside loses the other one, or kills its key.
    """

    class Pushing(WiredLedger):
        async def claim(self, target: str, row: OpenRotation) -> Versioned[OpenRotation] | Versioned[TagChange]:
            async def push() -> Versioned[OpenRotation] | Versioned[TagChange]:
                there = await self.twin.read_open(target)
                if (
                    there
                    and there.row.request.id != row.request.id
                    and there.row.claimed_until <= row.record.started_on
                ):
                    await self.twin.release(target, there.etag)
                return await self.twin.claim(target, row)

            return await ask("claim", Kind.LEDGER, push, is_timely=False)

    monkeypatch.setattr(wires, "WiredLedger", Pushing)

    find("", "one after another", "near-expiry and expired", "two secrets, again and again")


def test_without_the_deadline_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A worker that wakes late and sends all the same acts beside the one that took over.
    """
    monkeypatch.setattr(Deadline, "check", lambda _: None)

    find("once", "redelivery", "resume against redelivery", "duplicate")


def test_without_the_grace_time_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The key that a client has just read dies with the next rotation.
    """

    async def pass_by(*_: object) -> None:
        return None

    monkeypatch.setattr(Grace, "require_over", pass_by)

    find("no outage", "too soon", "too soon for the next event", "too soon, a neighbour is moved")


def test_without_a_second_look_a_verification_raises_a_false_alarm(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What was read first does not fit what was read last.
    """
    monkeypatch.setattr(Comparison, "_is_news", lambda *_: False)

    find("no false alarm", "verified while a person is at work", "verified during two rotations", near=920)


def test_without_asking_for_a_running_rotation_a_verification_raises_a_false_alarm(
    find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    In place a secret holds a dead key until its rotation has stored another one.
    """

    async def look_again(self: Comparison, suspects: Any) -> Any:
        keys = await self._read_keys(suspects)
        return self._compare(await self._read(suspects), keys, self._world.clock.now())

    monkeypatch.setattr(Comparison, "_look_again", look_again)

    find("no false alarm", "verified during a rotation in place", near=370)


def test_with_a_key_in_the_log_a_promise_breaks(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A key's value in a log line does not go unseen.
    """

    def reveal(material: KeyMaterial) -> str:
        return material.reveal()

    monkeypatch.setattr(KeyMaterial, "__repr__", reveal)
    plan_in_silence = Planner.plan

    async def plan(self: Planner, policy: Any, secret: SecretVersion, keys: Any, neighbours: Any) -> Any:
        logging.getLogger("rotation").info("read %s", keys)
        return await plan_in_silence(self, policy, secret, keys, neighbours)

    monkeypatch.setattr(Planner, "plan", plan)

    find("secret", "alone")
