"""
Single schedules that matter, spelled out: the tightest one, and those on which the explorer has found something.
"""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest

from rotation.run import claim
from rotation.vocabulary import limits, timing
from rotation.vocabulary.errors import Busy
from rotation.vocabulary.record import EndedRotation
from tests.interleavings.gathering import Order
from tests.interleavings.judge import Broken
from tests.interleavings.laboratory import Laboratory
from tests.interleavings.scenarios import SCENARIOS, Scenario
from tests.interleavings.simulation import Move, Simulation
from tests.interleavings.tasks import HANDED_OVER
from tests.twins.ledger import MemoryLedger

RESUMED_EVERY = 300.0  # seconds between two looks of resume_rotations
BEHIND_AND_AHEAD = (0.0, 30.0)
AHEAD_AND_BEHIND = (30.0, 0.0)


@pytest.fixture
def laboratory() -> Iterator[Laboratory]:
    """
    Yield what makes runs repeatable.
    """
    with Laboratory() as laboratory:
        yield laboratory


def scenario(name: str, clocks: tuple[float, ...] = (0.0,)) -> Scenario:
    """
    Return a scenario with these clocks.
    """
    return dataclasses.replace(SCENARIOS[name], clocks=clocks)


def send_at_the_last_moment(laboratory: Laboratory, claim_ttl: timedelta = limits.CLAIM_TTL) -> None:
    """
    Let a worker regenerate as late as it may, to arrive as late as it can, against one whose clock is ahead.
    """
    simulation = Simulation(scenario("duplicate", BEHIND_AND_AHEAD), laboratory)
    simulation.go_until(0, "begin")
    simulation.take(Move("arrive", 0))
    simulation.take(Move("pass", time=limits.LAST_SEND.total_seconds() - 1))
    simulation.go_until(0, "regenerate")
    simulation.take(Move("pass", time=claim_ttl.total_seconds() - 30))
    simulation.go_until(1, None)
    simulation.go_until(0, None)
    simulation.take(Move("close"))


def test_a_request_sent_at_the_last_moment_is_over_before_its_claim(laboratory: Laboratory) -> None:
    """
    Deadline, pause, flight and skew all at their worst: the claim still outlasts the request.
    """
    send_at_the_last_moment(laboratory)


def test_with_a_claim_two_seconds_shorter_a_promise_breaks(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The inequality of rotation/vocabulary/limits.py is tight: none of its terms can be left out.
    """
    shorter = limits.CLAIM_TTL - timedelta(seconds=2)
    monkeypatch.setattr(timing, "CLAIM_TTL", shorter)

    with pytest.raises(Broken, match="once"):
        send_at_the_last_moment(laboratory, shorter)


def regenerate_late(laboratory: Laboratory) -> None:
    """
    Let a request get no answer, and take effect after another worker has come to take over.
    """
    simulation = Simulation(scenario("duplicate"), laboratory)
    simulation.go_until(0, "regenerate")
    simulation.take(Move("lose", 0))
    simulation.go_until(0, None)
    simulation.go_until(1, None)
    simulation.take(Move("late", 0))
    simulation.take(Move("close"))


def test_a_request_without_an_answer_keeps_its_claim_until_it_is_over(laboratory: Laboratory) -> None:
    """
    It may take effect yet: nobody regenerates beside it.
    """
    regenerate_late(laboratory)


def test_with_the_claim_released_after_no_answer_a_promise_breaks(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A request that got no answer takes effect beside that of a worker that resumed too early.
    """
    monkeypatch.setattr(claim, "IN_FLIGHT", timedelta())
    monkeypatch.setattr(claim, "SKEW", timedelta())

    with pytest.raises(Broken, match="once"):
        regenerate_late(laboratory)


def test_a_claim_given_back_while_it_is_taken_over_loses_no_rotation(laboratory: Laboratory) -> None:
    """
    A worker that wakes late gives its claim back just before the redelivery takes it over: the redelivery claims again.
    """
    simulation = Simulation(scenario("redelivery"), laboratory)
    simulation.go_until(0, "read_keys")
    simulation.take(Move("pass", time=600))
    simulation.go_until(1, "replace")
    simulation.go_until(0, None)
    simulation.go_until(1, None)

    simulation.take(Move("close"))

    assert simulation.is_over


def test_a_redelivery_left_to_a_worker_that_wakes_late_is_not_lost(laboratory: Laboratory) -> None:
    """
    The message is gone once its redelivery leaves the rotation to its claim: then the claim's holder must not drop it.
    """
    simulation = Simulation(scenario("redelivery", AHEAD_AND_BEHIND), laboratory)
    simulation.go_until(0, "read_keys")
    simulation.take(Move("pass", time=600))
    simulation.go_until(1, None)
    simulation.go_until(0, None)

    simulation.take(Move("close"))

    assert simulation.is_over


def test_a_version_is_not_stored_again_while_it_is_unknown_whether_it_was(laboratory: Laboratory) -> None:
    """
    A 503 after the effect, and a look that fails: the rotation is suspended, and makes one version.
    """
    simulation = Simulation(scenario("alone"), laboratory)
    simulation.go_until(0, "store")
    simulation.take(Move("fail after", 0))
    simulation.take(Move("fail", 0))

    simulation.take(Move("close"))

    assert simulation.is_over


def test_a_version_made_by_hand_over_an_unheard_of_one_is_not_replaced(laboratory: Laboratory) -> None:
    """
    A 503 after the effect, and somebody's new version before the look: the rotation does not store over it.
    """
    simulation = Simulation(scenario("a version made by hand"), laboratory)
    simulation.go_until(0, "store")
    simulation.take(Move("fail after", 0))
    simulation.take(Move("hand", 0))
    simulation.go_until(0, None)

    simulation.take(Move("close"))

    assert simulation.is_over


def fail_while_a_duplicate_looks(laboratory: Laboratory) -> None:
    """
    Let a rotation fail and be published, while its duplicate has looked and is about to begin.
    """
    backward = dataclasses.replace(scenario("duplicate"), order=Order.BACKWARD)
    simulation = Simulation(backward, laboratory)
    simulation.go_until(0, "regenerate")
    simulation.take(Move("decline", 0))
    simulation.go_until(0, "publish")
    simulation.go_until(1, "begin")
    simulation.go_until(0, None)
    simulation.go_until(1, None)
    simulation.take(Move("close"))


def test_an_outcome_is_seen_by_a_duplicate_that_begins(laboratory: Laboratory) -> None:
    """
    No rotation begins that has ended, whatever its worker has seen before.
    """
    fail_while_a_duplicate_looks(laboratory)


def test_where_a_rotation_begins_that_has_ended_a_promise_breaks(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Beginning and ending write one row: without that, a duplicate carries out what was published as failed.
    """
    begins_anyway(monkeypatch)

    with pytest.raises(Broken, match="told"):
        fail_while_a_duplicate_looks(laboratory)


def begins_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let every rotation begin, and end, whatever the row says in which it stands.
    """
    monkeypatch.setattr(MemoryLedger, "_may_change", lambda *_, **__: True)


def give_up_while_another_worker_begins(laboratory: Laboratory) -> None:
    """
    Let a poisoned duplicate give a rotation up without a claim, which another worker claims and begins meanwhile.
    """
    simulation = Simulation(scenario("poison"), laboratory)
    simulation.go_until(1, "read_current")
    simulation.take(Move("fail", 1))
    simulation.go_until(1, "end_unclaimed")
    simulation.go_until(0, "regenerate")
    simulation.go_until(1, None)
    simulation.go_until(0, None)
    simulation.take(Move("close"))


def test_a_rotation_that_is_given_up_without_a_claim_is_never_told_to_have_failed_though_it_completes(
    laboratory: Laboratory,
) -> None:
    """
    A poisoned duplicate cannot read the vault, another worker can, and claims between the two looks of the first.
    """
    give_up_while_another_worker_begins(laboratory)


def test_where_a_rotation_is_given_up_that_has_begun_a_promise_breaks(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Giving up writes the row that beginning writes: without that, a failure is published of what completes.
    """
    begins_anyway(monkeypatch)
    monkeypatch.setattr(MemoryLedger, "end_unclaimed", end_anyway)

    with pytest.raises(Broken, match="told"):
        give_up_while_another_worker_begins(laboratory)


async def end_anyway(self: MemoryLedger, outcome: EndedRotation) -> bool:
    """
    Keep an outcome, whatever is there.
    """
    self._keep(outcome)
    return True


def test_an_accepted_rotation_that_is_delivered_twice_is_never_told_to_be_skipped_though_it_completes(
    laboratory: Laboratory,
) -> None:
    """
    One delivery finds the target taken; it is given back before that is written down, and the other delivery has it.
    """
    simulation = Simulation(scenario("accepted twice against event"), laboratory)
    simulation.go_until(2, "read_keys")
    simulation.go_until(1, "end_waiting")
    simulation.take(Move("fail", 2))
    simulation.go_until(2, None)
    simulation.go_until(0, "read_keys")
    simulation.go_until(1, None)
    simulation.go_until(0, None)

    simulation.take(Move("close"))

    assert simulation.is_over


@pytest.mark.parametrize("clocks", [(0.0,), BEHIND_AND_AHEAD, AHEAD_AND_BEHIND])
@pytest.mark.parametrize("later", [0.0, HANDED_OVER, 31.0])
@pytest.mark.parametrize("call", ["claim", "read_keys", "begin", "regenerate", "store", "end", "publish"])
def test_a_message_that_comes_back_as_its_claim_expires_is_neither_lost_nor_stuck(
    laboratory: Laboratory, call: str, later: float, clocks: tuple[float, ...]
) -> None:
    """
    Queue and claim both keep a dead worker's rotation for 600 s: whichever ends first, the timer's next look ends it.
    """
    simulation = Simulation(scenario("redelivery", clocks), laboratory)
    simulation.go_until(0, call)
    simulation.take(Move("die", 0))
    simulation.take(Move("pass", time=simulation.tasks[0].shown_again + later))
    simulation.go_until(1, None)
    if simulation.world.ledger.claims() or simulation.world.ledger.outcomes():
        simulation.take(Move("pass", time=simulation.now + RESUMED_EVERY))
        simulation.take(Move("timer"))
        for number in range(2, 4):
            if number < len(simulation.tasks):
                simulation.go_until(number, None)

    ended = set(simulation.world.ledger.records())
    redelivery = simulation.tasks[1]
    assert ended or isinstance(redelivery.result, Busy), "it is on record, or its message stays in the queue"
    simulation.take(Move("close"))
    assert simulation.is_over
