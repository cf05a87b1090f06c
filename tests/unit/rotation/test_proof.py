"""
Promise 7: no key is stored before it was seen to work, unless its target could not be asked.
"""

import math
from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec import structs

from rotation.vocabulary.errors import Busy, Declined, Unavailable
from rotation.vocabulary.limits import CLAIM_TTL, MAX_ATTEMPTS, PROOF_WINDOW, PROVEN_WITHIN
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.target import KeyName
from tests.twins.calls import ROTATION
from tests.twins.world import Killed, TwinWorld

PRIMARY, SECONDARY = KeyName
SOON = timedelta(minutes=5)  # between two runs of the timer


@pytest.fixture
def world() -> TwinWorld:
    """
    Return a world with a target whose data plane can be asked.
    """
    return TwinWorld()


async def resume(world: TwinWorld) -> Rotation:
    """
    Let the timer resume the only rotation that is suspended.
    """
    (rotation,) = await world.resume(SOON)
    return rotation


async def resume_to_the_end(world: TwinWorld, rotation: Rotation) -> Rotation:
    """
    Let the timer resume a rotation until it has ended.
    """
    while rotation.completed_on is None:
        rotation = await resume(world)
    return rotation


def questions(world: TwinWorld) -> int:
    """
    Return how often the data plane was asked.
    """
    return world.faults.count("ask")


async def test_a_key_that_works_at_once_is_stored_and_said_to_be_proven(world: TwinWorld) -> None:
    """
    It costs one question.
    """
    rotation = await world.rotate()

    assert (rotation.state, rotation.proven) == (State.COMPLETED, True)
    assert questions(world) == 1


async def test_a_key_that_settles_is_stored_when_it_works(world: TwinWorld) -> None:
    """
    Within a minute that is the work of one attempt, and no client reads a key that does not work.
    """
    world.provider.settling = 58
    begun = world.clock.now()

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven, rotation.attempts) == (State.COMPLETED, True, 1)
    assert world.clock.now() - begun >= timedelta(seconds=58)
    assert world.regenerations() == 1


async def test_a_key_that_settles_slowly_is_waited_for_by_several_attempts(world: TwinWorld) -> None:
    """
    The secret holds its live key meanwhile, and the target stays claimed. Nothing is regenerated again.
    """
    world.provider.settling = 1000

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven) == (State.REGENERATING, None)
    assert len(world.vaults.history(world.secret)) == 1
    with pytest.raises(Busy):
        await world.rotate(world.manual())
    rotation = await resume_to_the_end(world, rotation)
    assert (rotation.state, rotation.proven) == (State.COMPLETED, True)
    assert (world.regenerations(), world.outages) == (1, 0)


async def test_a_key_that_never_works_is_given_up_after_an_hour_and_not_before(world: TwinWorld) -> None:
    """
    Nothing is stored, nothing regenerated again, and the secret holds its live key.
    """
    world.provider.settling = math.inf
    begun = world.clock.now()

    rotation = await resume_to_the_end(world, await world.rotate())

    assert rotation.error is not None
    assert (rotation.state, rotation.error.code, rotation.proven) == (State.FAILED, "key_refused", False)
    assert "403 AuthenticationFailed" in rotation.error.message
    assert PROOF_WINDOW <= world.clock.now() - begun <= PROOF_WINDOW + 2 * SOON
    assert len(world.vaults.history(world.secret)) == 1
    assert (world.regenerations(), world.holds_live_key(), world.outages) == (1, True, 0)


async def test_the_hour_is_counted_from_when_the_key_was_first_seen(world: TwinWorld) -> None:
    """
    Attempts that ended before the key was new say nothing of it, however many and however long ago.
    """
    world.provider.settling = math.inf
    world.faults.before("regenerate", *[Killed()] * (MAX_ATTEMPTS - 1))
    request = world.event()
    for _ in range(MAX_ATTEMPTS - 1):
        await world.die_in(request)
        world.clock.advance(PROOF_WINDOW)
    seen = world.clock.now()

    rotation = await world.rotate(request)
    assert rotation.state is State.REGENERATING
    rotation = await resume_to_the_end(world, rotation)

    assert rotation.error is not None
    assert rotation.error.code == "key_refused"
    assert world.clock.now() - seen >= PROOF_WINDOW


async def test_what_refuses_every_key_alike_says_nothing_of_the_new_one(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A clock that is wrong, a proxy, a firewall: after a minute the key is stored, with one warning.
    """
    world.provider.refuses_all = True
    begun = world.clock.now()

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven, rotation.attempts) == (State.COMPLETED, False, 1)
    assert world.clock.now() - begun == timedelta(seconds=PROVEN_WITHIN)
    (warning,) = [line for line in caplog.records if line.levelname == "WARNING"]
    assert "not proven" in warning.message
    assert "to the key in use" in warning.message


async def test_a_target_that_cannot_be_asked_gets_its_key_stored_unproven(world: TwinWorld) -> None:
    """
    Throttled, failing or out of reach, for a minute.
    """
    world.faults.before("ask", *[Unavailable("503")] * 20)

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven) == (State.COMPLETED, False)
    assert questions(world) == 7


@pytest.mark.parametrize("error", [Unavailable("503"), Declined("403")])
async def test_a_target_that_cannot_be_found_gets_its_key_stored_unproven(world: TwinWorld, error: Exception) -> None:
    """
    Where it is to be asked stands in Azure Resource Manager.
    """
    world.faults.before("probe", *[error] * 20)

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven) == (State.COMPLETED, False)
    assert questions(world) == 0


async def test_a_question_that_is_not_answered_is_asked_again(world: TwinWorld) -> None:
    """
    The next answer counts.
    """
    world.faults.before("probe", Unavailable("503"))
    world.faults.before("ask", Unavailable("503"))

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven) == (State.COMPLETED, True)
    assert questions(world) == 2


async def test_a_key_that_was_refused_is_not_stored_when_nothing_answers_any_more(world: TwinWorld) -> None:
    """
    That it was refused stands in the row: neither another attempt nor a data plane that is gone forgets it.
    """
    world.provider.settling = math.inf
    rotation = await world.rotate()
    world.faults.before("ask", *[Unavailable("503")] * 1000)

    rotation = await resume_to_the_end(world, rotation)

    assert rotation.error is not None
    assert rotation.error.code == "key_refused"
    assert len(world.vaults.history(world.secret)) == 1


async def test_a_key_that_was_refused_is_not_stored_when_its_target_takes_no_keys_any_more(
    world: TwinWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As an account of another kind, in its place.
    """

    async def nothing(*_: object) -> None:
        return None

    world.provider.settling = math.inf
    rotation = await world.rotate()
    monkeypatch.setattr(world.provider, "probe", nothing)

    rotation = await resume_to_the_end(world, rotation)

    assert rotation.error is not None
    assert rotation.error.code == "key_refused"
    assert len(world.vaults.history(world.secret)) == 1


async def test_a_key_that_is_regenerated_by_hand_meanwhile_is_another_one(world: TwinWorld) -> None:
    """
    It has an hour of its own, and was never refused.
    """
    world.provider.settling = math.inf
    rotation = await world.rotate()
    world.clock.advance(PROOF_WINDOW)
    world.provider.turn(world.target, SECONDARY)

    rotation = await resume_to_the_end(world, rotation)

    assert (rotation.state, rotation.proven) == (State.COMPLETED, True)
    assert world.holds_live_key()


async def test_a_key_that_died_while_it_could_not_be_asked_for_is_not_stored(world: TwinWorld) -> None:
    """
    It was read a minute ago, and somebody has regenerated it since: the secret keeps its live key until the next try.
    """

    async def turn() -> None:
        world.provider.turn(world.target, SECONDARY)

    world.faults.before("ask", Unavailable("503"), turn, *[Unavailable("503")] * 20)

    rotation = await world.rotate()

    assert rotation.state is State.REGENERATING
    assert (len(world.vaults.history(world.secret)), world.outages) == (1, 0)
    assert (await resume_to_the_end(world, rotation)).state is State.COMPLETED
    assert world.holds_live_key()


async def test_one_unanswered_question_after_an_hour_refutes_nothing(world: TwinWorld) -> None:
    """
    It is asked again for a minute, as in every attempt.
    """
    world.provider.settling = PROOF_WINDOW.total_seconds()
    await world.rotate()
    world.clock.advance(PROOF_WINDOW)
    world.faults.before("ask", Unavailable("503"))

    rotation = await resume(world)

    assert (rotation.state, rotation.proven) == (State.COMPLETED, True)


async def test_what_was_proven_stays_proven(world: TwinWorld) -> None:
    """
    An attempt that has stored its key, and is suspended afterwards, has written down that it works.
    """
    world.faults.before("read_properties", Unavailable("503"))
    rotation = await world.rotate()
    assert rotation.completed_on is None
    world.faults.before("ask", *[Unavailable("503")] * 20)

    rotation = await resume(world)

    assert (rotation.state, rotation.proven) == (State.COMPLETED, True)


class TestAdopted:
    """
    What another secret holds may be as new.
    """

    @pytest.fixture
    def world(self) -> TwinWorld:
        """
        Return a world in which somebody has regenerated a key and put it into another secret, before it works.
        """
        world = TwinWorld()
        world.provider.settling = math.inf
        world.provider.turn(world.target, SECONDARY)
        world.provider.settle_at(world.target, SECONDARY, world.clock.monotonic() + 3000)
        world.put("two", key=SECONDARY)
        return world

    async def test_it_is_waited_for(self, world: TwinWorld) -> None:
        """
        For longer than ten attempts, and its message may use up its retries: the claim is not given back.
        """
        request = world.event()
        rotation = await world.rotate(request)

        assert (rotation.state, rotation.adopted) == (State.ACCEPTED, True)
        assert (await world.worker().give_up(request)).completed_on is None
        with pytest.raises(Busy):
            await world.rotate(world.manual("two"))
        for _ in range(MAX_ATTEMPTS):
            with suppress(ValueError):
                rotation = await resume(world)
        rotation = (await world.ledger.find(request.id)) or rotation
        assert (rotation.state, rotation.adopted, rotation.proven) == (State.COMPLETED, True, True)
        assert world.regenerations() == 1  # by hand

    async def test_it_is_begun_before_the_first_question(self, world: TwinWorld) -> None:
        """
        So a process that dies while it asks leaves a row that is resumed.
        """
        world.faults.before("ask", Killed())
        request = world.event()

        await world.die_in(request)

        claimed = await world.ledger.read_open(world.target.identity)
        assert claimed is not None
        assert claimed.row.begun

    async def test_a_key_in_its_place_is_regenerated_within_the_usual_attempts(self, world: TwinWorld) -> None:
        """
        Where the other secret has left the target meanwhile. What was known of its key says nothing of the new one.
        """
        await world.rotate()
        world.put("two", value="a key of something else", bare=True)
        world.unmanage("two")
        world.provider.settling = 0

        rotation = await resume(world)

        assert (rotation.state, rotation.adopted, rotation.proven) == (State.COMPLETED, False, True)

    async def test_it_is_given_up_when_it_never_works(self, world: TwinWorld) -> None:
        """
        Nothing is regenerated in its place: the other secret holds it.
        """
        world.provider.settle_at(world.target, SECONDARY, math.inf)

        rotation = await resume_to_the_end(world, await world.rotate())

        assert rotation.error is not None
        assert rotation.error.code == "key_refused"
        assert (world.regenerations(), world.holds_live_key()) == (1, True)


class TestADeadKeyIsReplacedAtOnce:
    """
    In place, or where drift is put right, clients of the secret wait: it is stored first and asked for afterwards.
    """

    async def test_in_place(self, world: TwinWorld) -> None:
        """
        The gap is no longer than without a proof, however slowly the account is shown.
        """
        world.put(tags={"RotationStrategy": "InPlace"})
        world.provider.settling = 3

        async def take_time() -> None:
            world.clock.advance(timedelta(seconds=20))

        world.faults.before("probe", take_time)

        rotation = await world.rotate()

        assert (rotation.state, rotation.proven) == (State.COMPLETED, True)
        assert rotation.gap_seconds == 0
        calls = world.faults.calls
        assert calls.index("store") < calls.index("ask")

    async def test_in_place_never_ends_refused(self, world: TwinWorld) -> None:
        """
        There is no other key to go on with.
        """
        world.put(tags={"RotationStrategy": "InPlace"})
        world.provider.settling = math.inf

        rotation = await world.rotate()

        assert (rotation.state, rotation.proven, rotation.error) == (State.COMPLETED, False, None)
        assert world.holds_live_key()

    async def test_after_somebody_has_regenerated_the_key_in_use(self, world: TwinWorld) -> None:
        """
        The next attempt finds that nothing is left to wait for.
        """
        world.provider.settling = math.inf
        rotation = await world.rotate()
        world.unmanage("one")
        world.provider.turn(world.target, PRIMARY)

        rotation = await resume(world)

        assert (rotation.state, rotation.proven, rotation.error) == (State.COMPLETED, False, None)
        assert world.holds_live_key()

    async def test_healed(self, world: TwinWorld) -> None:
        """
        The present value of a key takes the place of a dead one.
        """
        world.provider.turn(world.target, PRIMARY)
        world.provider.settle_at(world.target, PRIMARY, world.clock.monotonic() + 3)

        rotation = await world.rotate(world.manual(force=True))

        assert (rotation.state, rotation.proven) == (State.COMPLETED, True)
        calls = world.faults.calls
        assert calls.index("store") < calls.index("ask")


async def test_a_kind_that_cannot_be_asked_says_so() -> None:
    """
    To call a workflow's URL would start a run.
    """
    world = TwinWorld("workflow")

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven, questions(world)) == (State.COMPLETED, None, 0)


async def test_nothing_is_asked_where_nobody_wants_it(world: TwinWorld) -> None:
    """
    ROTATION_PROVE_KEYS=false.
    """
    world.provider.proves = False

    rotation = await world.rotate()

    assert (rotation.state, rotation.proven, questions(world)) == (State.COMPLETED, None, 0)
    assert world.faults.count("probe") == 0


async def test_a_key_that_is_stored_nowhere_is_not_asked_for(world: TwinWorld) -> None:
    """
    The regeneration of a key for no secret stores nothing.
    """
    request = structs.replace(world.manual(key=SECONDARY), secret=None, target=world.target.written)

    rotation = await world.rotate(request)

    assert (rotation.state, rotation.proven, questions(world)) == (State.COMPLETED, None, 0)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("strategy", ["Alternate", "InPlace"])
@pytest.mark.parametrize("call", sorted({*ROTATION, "read_keys"}))
async def test_a_process_killed_anywhere_while_a_key_settles_loses_nothing(
    world: TwinWorld, call: str, strategy: str, when: str
) -> None:
    """
    One regeneration and one version, proven, whichever request was the last one.
    """
    world.put(tags={"RotationStrategy": strategy})
    world.provider.settling = 2
    request = world.event()
    getattr(world.faults, when)(call, Killed())

    await world.die_in(request)
    with suppress(Busy):  # its claim stands, and nothing is journaled: the queue tries again
        await world.worker().rotate(request)
    for _ in range(3):
        await world.resume()

    record = await world.ledger.find(request.id)
    assert record is not None
    assert (record.state, record.proven) == (State.COMPLETED, True)
    assert (world.regenerations(), world.holds_live_key()) == (1, True)
    assert world.current().tags["RotationId"] == request.id


async def test_a_version_that_an_earlier_attempt_has_stored_is_asked_for_again(world: TwinWorld) -> None:
    """
    What that one has seen it cannot tell any more. Where nothing answers, the record says so.
    """
    world.faults.after("store", Killed())
    await world.die_in(world.event())
    world.faults.before("ask", *[Unavailable("503")] * 20)

    (rotation,) = await world.resume(CLAIM_TTL)

    assert (rotation.state, rotation.proven) == (State.COMPLETED, False)


async def test_the_keys_that_are_asked_with_are_in_no_row(world: TwinWorld) -> None:
    """
    What is kept of a key while it is waited for is its fingerprint.
    """
    world.provider.settling = math.inf
    await world.rotate()

    rows = world.ledger.everything()

    assert '"was_refused":true' in rows
    assert not [value for values in world.provider.history.values() for value in values if value in rows]
