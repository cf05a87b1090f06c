import logging
from datetime import timedelta

import msgspec
import pytest
from msgspec import UNSET, structs

from rotation.run.acceptance import accept
from rotation.run.resumption import list_unfinished
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.errors import Busy, Declined, NoAnswer, Unavailable
from rotation.vocabulary.limits import QUEUED_FOR
from rotation.vocabulary.record import Rotation, State, WaitingRotation
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.calls import ROTATION
from tests.twins.targets import batch_account
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, Killed, TwinWorld

HOUR = timedelta(hours=1)


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, in which the secret's value, its primary key, has leaked.
    """
    return TwinWorld(request.param)


async def ask(world: TwinWorld, after: timedelta = HOUR, *, reason: str | None = "leaked") -> RotationRequest:
    """
    Accept what somebody asks for after a leak.
    """
    return await accept(world.ports, world.secret, reason=reason, revoke_previous_after=after)


async def move(world: TwinWorld) -> RotationRequest:
    """
    Rotate after a leak, let the time pass, and return the second rotation's message.
    """
    assert (await world.rotate(await ask(world))).state is State.COMPLETED
    world.clock.advance(HOUR)
    (due,) = await list_unfinished(world.ports)
    return due


def scheduled(world: TwinWorld) -> WaitingRotation:
    """
    Return the one second rotation that waits.
    """
    (waiting,) = world.ledger.waiting()
    return waiting


def is_leaked_value_alive(world: TwinWorld) -> bool:
    """
    Return whether whoever has the leaked value can still use it.
    """
    return world.is_live(world.vaults.history(world.secret)[0])


async def finish(world: TwinWorld) -> None:
    """
    Let the timer and the queue do their work until nothing is left.
    """
    for _ in range(3):
        await world.resume(after=QUEUED_FOR)


def assert_revoked_once(world: TwinWorld, rotation_id: str) -> None:
    """
    Hold the second rotation's outcome against the promises.
    """
    assert not is_leaked_value_alive(world)
    assert world.provider.regenerations(world.target, KeyName.PRIMARY) == 1
    assert world.regenerations() == 2  # one for each rotation
    assert world.outages == 0
    assert world.holds_live_key()
    assert world.current().tags["RotationId"] == rotation_id
    assert f"{rotation_id}:completed" in {event.id for event in world.announcer.published}
    assert world.ledger.waiting() == []


async def test_the_second_rotation_is_scheduled_in_the_step_that_ends_the_first(world: TwinWorld) -> None:
    """
    Its id and due time stand in the first one's record and event; it is found from that moment.
    """
    first = await world.rotate(await ask(world))

    waiting = scheduled(world)
    assert first.revocation is not UNSET
    assert (first.revocation.id, first.revocation.due_on) == (waiting.record.id, world.clock.now() + HOUR)
    assert waiting.due_on == first.revocation.due_on
    assert world.faults.count("wait") == 0
    (event,) = world.announcer.published
    assert event.data == first
    found = await world.ledger.find(waiting.record.id)
    assert found is not None
    assert (found.state, found.target, found.reason) == (State.SCHEDULED, world.target.arm_id, "leaked")
    assert found.provider == world.target.provider
    assert (found.trigger, found.completed_on) == (Trigger.HTTP, None)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_process_killed_at_the_first_ones_end_schedules_one_revocation(world: TwinWorld, when: str) -> None:
    """
    The end and the schedule are one step: never the one without the other.
    """
    request = await ask(world)
    getattr(world.faults, when)("end", Killed())
    await world.die_in(request)
    assert len(world.ledger.waiting()) == len(world.ledger.outcomes()) == (when == "after")

    await world.resume()

    first = await world.ledger.find(request.id)
    assert first is not None
    assert first.revocation is not UNSET
    assert first.revocation.id == scheduled(world).record.id
    await world.resume(after=HOUR)
    assert_revoked_once(world, first.revocation.id)


async def test_a_leaked_key_dies_when_it_is_due_and_not_before(world: TwinWorld) -> None:
    """
    An hour after the end of the first rotation the secret moves back to the leaked key's name, with a new value.
    """
    world.clock.advance(timedelta(minutes=5))
    first = await world.rotate(await ask(world))

    assert await world.resume(after=HOUR - timedelta(seconds=1)) == []
    assert is_leaked_value_alive(world)
    (second,) = await world.resume(after=timedelta(seconds=1))

    assert second.state is State.COMPLETED
    assert (second.key_name, second.previous_key_name) == (KeyName.PRIMARY, KeyName.SECONDARY)
    assert first.secret is not None
    assert second.secret is not None
    assert second.secret.previous_version == first.secret.version
    assert second.reason == "leaked"
    assert_revoked_once(world, second.id)


async def test_clients_of_the_first_rotations_version_outlive_the_revocation(world: TwinWorld) -> None:
    """
    A client that moved on in time is not locked out; only the leaked versions are disabled.
    """
    due = await move(world)
    moved = world.current()

    await world.rotate(due)

    old, between, new = world.vaults.history(world.secret)
    assert [old.enabled, between.enabled, new.enabled] == [False, True, True]
    assert world.is_live(moved)


async def test_a_superseded_rotation_schedules_its_revocation_too(world: TwinWorld) -> None:
    """
    Somebody else has moved the secret in the meantime, and the leaked value lives on all the same.
    """
    request = await ask(world)
    await world.rotate(world.event())

    first = await world.rotate(request)
    assert (first.state, first.skip_reason) == (State.SKIPPED, "superseded")
    assert first.revocation is not UNSET
    (second,) = await world.resume(after=HOUR)

    assert second.id == first.revocation.id
    assert_revoked_once(world, second.id)


@pytest.mark.parametrize("tag", [{"RotationPaused": "true"}, {"ValidityPeriodDays": "7"}])
async def test_nothing_is_scheduled_where_the_secret_was_not_moved(world: TwinWorld, tag: dict[str, str]) -> None:
    """
    The leaked key is still the one in use: nothing may kill it later, unasked.
    """
    world.put(tags=tag)

    first = await world.rotate(await ask(world))

    assert first.state in {State.SKIPPED, State.FAILED}
    assert first.revocation is UNSET
    assert world.ledger.waiting() == []


async def test_a_leaked_key_that_is_dead_already_is_skipped(world: TwinWorld) -> None:
    """
    Another rotation came in between and regenerated it: there is nothing to revoke.
    """
    due = await move(world)
    await world.rotate(world.event())
    before = world.regenerations()

    second = await world.rotate(due)

    assert (second.state, second.skip_reason) == (State.SKIPPED, "revoked")
    assert world.regenerations() == before
    assert not is_leaked_value_alive(world)
    assert world.ledger.waiting() == []


async def test_a_leaked_key_that_is_in_use_again_is_not_killed(world: TwinWorld) -> None:
    """
    Somebody put the leaked value back: killing it would be an outage, so it fails and says what to do.
    """
    leaked = world.current().value
    assert leaked is not None
    due = await move(world)
    world.put(value=leaked.reveal())

    second = await world.rotate(due)

    assert second.error is not None
    assert (second.error.code, second.error.retryable) == ("active_key", False)
    assert "Primary" in second.error.message
    assert f"{second.id}:failed" in {event.id for event in world.announcer.published}
    assert world.provider.regenerations(world.target, KeyName.PRIMARY) == 0
    assert world.outages == 0
    assert world.ledger.waiting() == []


async def test_a_leaked_key_that_a_neighbour_holds_is_not_killed(world: TwinWorld) -> None:
    """
    It fails, names the neighbour, and neither regenerates nor adopts anything.
    """
    due = await move(world)
    world.put("two", key=KeyName.PRIMARY)
    versions = len(world.vaults.history(world.secret))

    second = await world.rotate(due)

    assert second.error is not None
    assert second.error.code == "active_key"
    assert "/secrets/two" in second.error.message
    assert world.provider.regenerations(world.target, KeyName.PRIMARY) == 0
    assert len(world.vaults.history(world.secret)) == versions
    assert world.outages == 0


async def test_a_revocation_after_which_the_secret_drifted_fails_visibly(world: TwinWorld) -> None:
    """
    The key in use was regenerated by hand: the secret's value is dead, and regenerating the other would not help it.
    """
    due = await move(world)
    world.provider.turn(world.target, KeyName.SECONDARY)

    second = await world.rotate(due)

    assert second.error is not None
    assert second.error.code == "drift"


@pytest.mark.parametrize(
    ("tags", "reason"), [({"RotationPaused": "true"}, "paused"), ({"ProviderAddress": ""}, "unmanaged")]
)
async def test_a_secret_that_is_left_alone_is_left_alone_by_revocations(
    world: TwinWorld, tags: dict[str, str], reason: str
) -> None:
    """
    The second rotation ends Skipped, with the reason, and is not tried again.
    """
    due = await move(world)
    world.current().tags.update(tags)
    if not tags.get("ProviderAddress", "x"):
        del world.current().tags["ProviderAddress"]

    second = await world.rotate(due)

    assert (second.state, second.skip_reason) == (State.SKIPPED, reason)
    assert world.regenerations() == 1
    assert await world.resume(after=QUEUED_FOR) == []


async def test_a_secret_that_names_another_account_by_now_does_not_hide_a_leaked_key() -> None:
    """
    That the new account has no such key says nothing about the old one: never Skipped(revoked).
    """
    world = TwinWorld("batch")
    due = await move(world)
    other = batch_account(SUBSCRIPTION, "rg", "account2")
    world.provider.add(other)
    world.put(tags={"ProviderAddress": other.arm_id}, value=world.provider.value(other, KeyName.PRIMARY))
    world.unmanage("one")

    second = await world.rotate(due)

    assert is_leaked_value_alive(world)
    assert second.error is not None
    assert second.error.code == "misconfigured"
    assert world.target.identity in second.error.message.lower()
    assert all(world.provider.regenerations(other, key) == 0 for key in KeyName)


async def test_a_secret_that_names_another_trigger_by_now_does_not_hide_a_leaked_key() -> None:
    """
    Each trigger's URL has a signature of its own, so that the leaked one cannot be looked for in another's.
    """
    world = TwinWorld("workflow")
    due = await move(world)
    world.current().tags["ProviderAddress"] = f"{world.target.arm_id}/triggers/other"

    second = await world.rotate(due)

    assert second.state is State.FAILED
    assert world.regenerations() == 1


async def test_in_place_the_leaked_key_is_dead_at_once(world: TwinWorld) -> None:
    """
    A rotation in place kills the old value itself: nothing is left to be revoked.
    """
    world.put(tags={"RotationStrategy": "InPlace"})
    first = await world.rotate(await ask(world))
    assert first.gap_seconds is not UNSET

    (second,) = await world.resume(after=HOUR)

    assert (second.state, second.skip_reason) == (State.SKIPPED, "revoked")
    assert world.regenerations() == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", [*sorted(set(ROTATION)), "forget_waiting"])
async def test_a_process_killed_anywhere_in_a_revocation_loses_nothing(world: TwinWorld, call: str, when: str) -> None:
    """
    Its message dies with it: the ledger alone brings it to its end, with one regeneration and one version.
    """
    due = await move(world)
    getattr(world.faults, when)(call, Killed())

    await world.die_in(due)
    assert world.holds_live_key()
    await finish(world)

    assert_revoked_once(world, due.id)
    record = await world.ledger.find(due.id)
    assert record is not None
    assert record.state is State.COMPLETED
    assert (record.key_name, record.previous_key_name, record.adopted) == (KeyName.PRIMARY, KeyName.SECONDARY, False)
    assert await world.resume(after=QUEUED_FOR) == []


@pytest.mark.parametrize("call", ["regenerate", "store"])
@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_lost_answer_never_revokes_twice(world: TwinWorld, call: str, effect: str) -> None:
    """
    Whether a request took effect is looked up, also where two messages of the revocation are about.
    """
    due = await move(world)
    getattr(world.faults, effect)(call, NoAnswer("dropped"))

    await world.rotate(due)
    await finish(world)

    assert_revoked_once(world, due.id)


async def test_a_version_that_came_in_between_is_found_stored_when_it_is_resumed(world: TwinWorld) -> None:
    """
    What a revocation is pinned to is remembered with its journal: it does not store over somebody's newer version.
    """
    due = await move(world)
    world.faults.after("regenerate", Killed())
    await world.die_in(due)
    made = world.put(key=KeyName.SECONDARY)

    await finish(world)

    record = await world.ledger.find(due.id)
    assert record is not None
    assert (record.state, record.skip_reason) == (State.SKIPPED, "superseded")
    assert world.current().id == made
    assert not is_leaked_value_alive(world)
    assert world.outages == 0


async def test_a_duplicate_of_a_running_revocation_changes_nothing(world: TwinWorld) -> None:
    """
    Queue and timer may both bring it: one of them does the work.
    """
    due = await move(world)
    found: list[Rotation] = []

    async def deliver_again() -> None:
        found.append(await world.worker().rotate(due))

    world.faults.before("regenerate", deliver_again)
    second = await world.rotate(due)
    again = await world.rotate(due)

    assert [record.state for record in found] == [State.REGENERATING]
    assert again == second
    assert_revoked_once(world, due.id)


async def test_a_revocation_is_handed_out_once_in_a_quarter_of_an_hour(world: TwinWorld) -> None:
    """
    The timer comes every five minutes, and a message that is on its way is given time.
    """
    due = await move(world)

    for _ in range(2):
        world.clock.advance(timedelta(minutes=5))
        assert await list_unfinished(world.ports) == []
    world.clock.advance(timedelta(minutes=5))

    assert await list_unfinished(world.ports) == [due]


async def test_a_revocation_waits_for_its_turn(world: TwinWorld) -> None:
    """
    A busy target is no end of it: nothing is recorded, and it is tried again.
    """
    world.put("two", key=KeyName.SECONDARY)
    due = await move(world)
    refused: list[str] = []

    async def interfere() -> None:
        with pytest.raises(Busy) as busy:
            await world.worker().rotate(due)
        refused.append(busy.value.running)
        assert scheduled(world).record.state is State.SCHEDULED

    world.faults.before("read_keys", interfere)
    other = world.manual("two")
    await world.rotate(other)
    assert refused == [other.id]

    assert (await world.rotate(due)).completed_on is not None
    assert world.outages == 0


async def test_a_revocation_whose_retries_are_used_up_fails_visibly(world: TwinWorld) -> None:
    """
    It is told, its row is forgotten, and the secret still holds its live key.
    """
    due = await move(world)

    second = await world.rotator.give_up(due)

    assert second.error is not None
    assert second.error.code == "exhausted"
    assert f"{due.id}:failed" in {event.id for event in world.announcer.published}
    assert world.ledger.waiting() == []
    assert world.holds_live_key()


async def test_a_revocation_of_a_vault_that_was_taken_away_fails_visibly(world: TwinWorld) -> None:
    """
    It was promised: it does not wait for ever.
    """
    due = await move(world)
    world.vaults.forget_vaults()
    reads = world.faults.count("read_current")

    second = await world.rotate(due)

    assert second.error is not None
    assert second.error.code == "forbidden"
    assert world.faults.count("read_current") == reads
    assert world.ledger.waiting() == []


async def test_a_row_that_cannot_be_forgotten_is_forgotten_later(world: TwinWorld) -> None:
    """
    Found to have ended when it comes back, the revocation is not done again.
    """
    due = await move(world)
    world.faults.before("forget_waiting", Unavailable("503"))
    second = await world.rotate(due)
    assert len(world.ledger.waiting()) == 1

    (again,) = await world.resume(after=QUEUED_FOR)

    assert again == second
    assert_revoked_once(world, due.id)


async def test_a_refused_revocation_fails_with_the_providers_words(world: TwinWorld) -> None:
    """
    Nothing is in flight: the secret holds its live key and the row is forgotten.
    """
    due = await move(world)
    world.faults.before("regenerate", Declined("403 AuthorizationFailed: no permission"))

    second = await world.rotate(due)

    assert second.error is not None
    assert second.error.code == "provider_refused"
    assert world.holds_live_key()
    assert world.ledger.waiting() == []


async def test_the_leaked_keys_fingerprint_is_told_to_nobody(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It stands in requests and rows alone; no log line, event or record has it, nor any key.
    """
    caplog.set_level(logging.DEBUG)
    leaked = world.current().value
    assert leaked is not None
    fingerprint = world.target.fingerprint(leaked)
    due = await move(world)
    world.faults.before("regenerate", Unavailable("503"))
    second = await world.rotate(due)

    assert fingerprint in msgspec.json.encode(due).decode()
    records = [await world.ledger.find(due.id), second, *world.ledger.records().values()]
    lines = [f"{line.getMessage()} {vars(line)}" for line in caplog.records]
    shown = msgspec.json.encode([records, world.announcer.published]).decode() + "".join(lines)
    assert "regenerated" in shown
    assert fingerprint not in shown
    for version in world.vaults.history(world.secret):
        assert version.value is not None
        value = version.value.reveal()
        assert (value.partition("sig=")[2] or value) not in shown + world.ledger.everything()


async def test_what_a_secret_holds_when_it_is_asked_for_is_what_is_revoked(world: TwinWorld) -> None:
    """
    A caller may name an older version; the leak is about the value of now.
    """
    old = world.current().id
    await world.rotate(world.event())
    held = world.current().value
    assert held is not None

    request = await accept(world.ports, old, revoke_previous_after=HOUR)

    assert request.secret == old
    assert request.revocation is not None
    assert request.revocation.leaked.fingerprint == world.target.fingerprint(held)


async def test_nothing_is_revoked_of_a_secret_that_is_not_ours(world: TwinWorld) -> None:
    """
    An unmanaged secret, or one that is disabled, has no key that could be told apart.
    """
    world.put(bare=True)
    assert (await ask(world)).revocation is None
    world.put(enabled=False)
    assert (await ask(world)).revocation is None


async def test_a_leak_of_a_secret_whose_tags_name_no_target_is_refused_at_once(world: TwinWorld) -> None:
    """
    Nothing is written: whoever asked is told which tag is wrong.
    """
    world.put(tags={"ProviderAddress": "/subscriptions/typo"})

    with pytest.raises(Misconfigured, match="ProviderAddress"):
        await ask(world)

    assert world.ledger.snapshot() == TwinWorld().ledger.snapshot()


async def test_the_second_rotations_id_follows_from_the_first_ones(world: TwinWorld) -> None:
    """
    However often the first one ends, there is one second rotation; another request's is another one.
    """
    request = await ask(world)
    first = await world.rotate(request)
    assert first.revocation is not UNSET
    other = await world.rotate(structs.replace(await ask(world), id="019ca945-0a00-7b5d-8000-000000000000"))
    assert other.revocation is not UNSET

    assert (await world.rotate(request)).revocation == first.revocation
    assert len({waiting.record.id for waiting in world.ledger.waiting()}) == 2
    assert first.revocation.id != other.revocation.id


async def test_two_leaks_of_one_secret_are_both_revoked(world: TwinWorld) -> None:
    """
    The value between the two leaks too: each revocation looks for its own, and no client is locked out.
    """
    await world.rotate(await ask(world))
    await world.rotate(await ask(world, timedelta(hours=2)))

    (first,) = await world.resume(after=HOUR)
    (second,) = await world.resume(after=HOUR)

    # The second leak's rotation has regenerated the first leaked key.
    assert (first.state, first.skip_reason) == (State.SKIPPED, "revoked")
    assert second.state is State.COMPLETED
    one, two, *_ = world.vaults.history(SecretId(VAULT, "one"))
    assert not world.is_live(one)
    assert not world.is_live(two)
    assert world.outages == 0
