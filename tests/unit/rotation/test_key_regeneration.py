from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest
from msgspec import structs

from rotation.run.acceptance import accept_target
from rotation.vocabulary.endings import OutOfScope
from rotation.vocabulary.errors import Busy, Declined, NoAnswer, Unavailable
from rotation.vocabulary.limits import CLAIM_TTL
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.target import KeyName
from tests.twins.calls import KEY_REGENERATION
from tests.twins.targets import accepted_record, batch_account, workflow
from tests.twins.world import SUBSCRIPTION, TARGETS, Killed, TwinWorld

PRIMARY, SECONDARY = KeyName


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, whose one secret holds the primary key.
    """
    return TwinWorld(request.param)


def ask(
    world: TwinWorld, key: KeyName = SECONDARY, *, force: bool = False, reason: str | None = None
) -> RotationRequest:
    """
    Accept what somebody asks for.
    """
    return accept_target(world.ports, world.target, key, force=force, reason=reason)


def versions(world: TwinWorld) -> list[str]:
    """
    Return the versions of the secret.
    """
    return [version.version for version in world.vaults.history(world.secret)]


def assert_regenerated_once(world: TwinWorld, rotation_id: str) -> None:
    """
    Hold the outcome against the promises.
    """
    assert world.provider.regenerations(world.target, SECONDARY) == 1
    assert world.provider.regenerations(world.target, PRIMARY) == 0
    assert world.outages == 0
    assert world.holds_live_key()
    assert {event.id for event in world.announcer.published} == {f"{rotation_id}:completed"}
    assert world.ledger.claims() == []


async def test_a_key_that_no_secret_holds_is_regenerated_and_goes_nowhere(world: TwinWorld) -> None:
    """
    No version is made, and the new value stands in no row, record or event.
    """
    before = versions(world)

    rotation = await world.rotate(ask(world, reason="handed to a supplier"))

    assert (rotation.state, rotation.key_name, rotation.previous_key_name) == (State.COMPLETED, SECONDARY, None)
    assert (rotation.trigger, rotation.reason, rotation.adopted) == (Trigger.HTTP, "handed to a supplier", False)
    assert versions(world) == before
    assert_regenerated_once(world, rotation.id)
    value = world.provider.value(world.target, SECONDARY)
    shown = world.ledger.everything() + msgspec.json.encode(world.announcer.published).decode()
    assert (value.partition("sig=")[2] or value) not in shown


async def test_its_event_is_about_the_target(world: TwinWorld) -> None:
    """
    Source and subject are the target's ARM id, and there is no secret in it.
    """
    rotation = await world.rotate(ask(world))

    (event,) = world.announcer.published
    assert (event.source, event.subject) == (world.target.arm_id, world.target.arm_id)
    assert event.data == rotation
    assert (rotation.secret, rotation.target, rotation.provider) == (
        None,
        world.target.arm_id,
        world.target.provider,
    )
    assert await world.ledger.find(rotation.id) == rotation


@pytest.mark.parametrize("is_registered", [False, True])
async def test_a_key_that_a_secret_holds_is_refused(world: TwinWorld, is_registered: bool) -> None:
    """
    Registered in the ledger or only listed in its vault: the answer names the secret and what to ask for instead.
    """
    if is_registered:
        await world.ledger.bind(world.target.identity, world.secret)

    rotation = await world.rotate(ask(world, PRIMARY))

    assert rotation.error is not None
    assert (rotation.error.code, rotation.error.retryable) == ("active_key", False)
    assert world.secret.unversioned in rotation.error.message
    assert "Secondary" in rotation.error.message
    assert world.regenerations() == 0
    assert [event.id for event in world.announcer.published] == [f"{rotation.id}:failed"]
    assert await world.ledger.read_open(world.target.identity) is None


async def test_the_value_says_who_holds_a_key(world: TwinWorld) -> None:
    """
    A wrong tag neither protects a key nor gives one away.
    """
    world.put(tags={"CredentialId": "Secondary"}, key=PRIMARY)

    assert (await world.rotate(ask(world, PRIMARY))).state is State.FAILED
    assert (await world.rotate(ask(world, SECONDARY))).state is State.COMPLETED
    assert world.outages == 0


async def test_a_secret_that_has_just_been_made_is_seen(world: TwinWorld) -> None:
    """
    Also where a listing of a minute ago does not have it yet: there is no secret whose absence would tell.
    """
    await world.rotate(world.event())  # keeps a listing; the secret holds the secondary key now
    world.clock.advance(timedelta(minutes=1))
    world.put("two", key=PRIMARY)

    rotation = await world.rotate(ask(world, PRIMARY))

    assert rotation.error is not None
    assert rotation.error.code == "active_key"
    assert world.outages == 0


async def test_a_secret_on_another_trigger_of_the_workflow_holds_its_key_too() -> None:
    """
    All triggers share the keys, each with a URL of its own.
    """
    world = TwinWorld("workflow")
    other = workflow(SUBSCRIPTION, "rg", "site1", "orders", "other")
    world.put(
        "two", {"ProviderAddress": f"{other.arm_id}/triggers/other"}, value=world.provider.value(other, SECONDARY)
    )
    world.unmanage("two")

    rotation = await world.rotate(ask(world, SECONDARY))

    assert rotation.error is not None
    assert "/secrets/two" in rotation.error.message
    assert world.regenerations() == 0


async def test_force_regenerates_a_key_in_use(world: TwinWorld) -> None:
    """
    An outage that somebody has asked for.
    """
    rotation = await world.rotate(ask(world, PRIMARY, force=True))

    assert (rotation.state, rotation.key_name) == (State.COMPLETED, PRIMARY)
    assert world.provider.regenerations(world.target, PRIMARY) == 1
    assert not world.holds_live_key()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", sorted(set(KEY_REGENERATION)))
async def test_killed_anywhere_it_regenerates_once(world: TwinWorld, call: str, when: str) -> None:
    """
    Redelivered or resumed, it ends Completed, and its record is found.
    """
    request = structs.replace(await world.promise(ask(world)))
    getattr(world.faults, when)(call, Killed())

    await world.die_in(request)
    with suppress(Busy):  # its claim stands, and nothing is journaled: the queue tries again
        await world.worker().rotate(request)
    for _ in range(3):
        await world.resume(after=timedelta(minutes=15))

    assert_regenerated_once(world, request.id)
    record = await world.ledger.find(request.id)
    assert record is not None
    assert (record.state, record.key_name) == (State.COMPLETED, SECONDARY)
    assert world.ledger.waiting() == []
    assert await world.rotate(request) == record


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_lost_answer_never_regenerates_twice(world: TwinWorld, effect: str) -> None:
    """
    It is resumed when nothing can be in flight any more, and looks first.
    """
    getattr(world.faults, effect)("regenerate", NoAnswer("dropped"))

    rotation = await world.rotate(ask(world))
    assert rotation.state is State.REGENERATING
    (resumed,) = await world.resume()

    assert (resumed.state, resumed.attempts) == (State.COMPLETED, 2)
    assert_regenerated_once(world, rotation.id)


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_an_answered_failure_is_looked_at_before_it_is_tried_again(world: TwinWorld, effect: str) -> None:
    """
    A 503 after the work was done is no reason to do it again.
    """
    getattr(world.faults, effect)("regenerate", Unavailable("503"))

    rotation = await world.rotate(ask(world))

    assert_regenerated_once(world, rotation.id)


async def test_a_secret_that_took_the_key_before_a_retry_keeps_it(world: TwinWorld) -> None:
    """
    The first request never arrived, and by now somebody put the key's value into a secret: it is refused.
    """
    world.faults.before("regenerate", NoAnswer("dropped"))
    await world.rotate(ask(world))
    world.put("two", key=SECONDARY)

    (rotation,) = await world.resume()

    assert rotation.error is not None
    assert rotation.error.code == "active_key"
    assert world.regenerations() == 0
    assert world.outages == 0


async def test_a_target_out_of_scope_is_refused_when_it_is_asked_for(world: TwinWorld) -> None:
    """
    Nothing is read or written.
    """
    foreign = batch_account(SUBSCRIPTION, "rg2", "account1")

    with pytest.raises(OutOfScope):
        accept_target(world.ports, foreign, PRIMARY)

    assert world.faults.calls == []


async def test_a_message_about_a_target_out_of_scope_regenerates_nothing(world: TwinWorld) -> None:
    """
    However it came into the queue: the scope is asked for again.
    """
    foreign = batch_account(SUBSCRIPTION, "rg2", "account1")
    world.provider.add(foreign)

    rotation = await world.rotate(structs.replace(ask(world), target=foreign.written))

    assert rotation.error is not None
    assert rotation.error.code == "forbidden"
    assert world.faults.count("read_keys") == world.faults.count("regenerate") == 0


async def test_an_unknown_target_fails_visibly(world: TwinWorld) -> None:
    """
    The provider's own words are passed on.
    """
    unknown = batch_account(SUBSCRIPTION, "rg", "account9")

    rotation = await world.rotate(structs.replace(ask(world), target=unknown.written))

    assert rotation.error is not None
    assert rotation.error.code == "target_not_found"
    assert "account9" in rotation.error.message


async def test_a_clear_refusal_fails_and_frees_the_target(world: TwinWorld) -> None:
    """
    Nothing is in flight.
    """
    world.faults.before("regenerate", Declined("403 AuthorizationFailed"))

    rotation = await world.rotate(ask(world))

    assert rotation.error is not None
    assert rotation.error.code == "provider_refused"
    assert world.ledger.claims() == []


async def test_it_and_a_secrets_rotation_take_turns(world: TwinWorld) -> None:
    """
    One target, one rotation at a time, whatever it is about; neither kills a key in use.
    """
    event, request = world.event(), ask(world)
    refused: list[str | None] = []

    async def ask_meanwhile() -> None:
        with pytest.raises(Busy) as busy:
            await world.worker().rotate(request)
        refused.append(busy.value.running)

    world.faults.before("regenerate", ask_meanwhile)
    await world.rotate(event)

    assert refused == [event.id]
    assert await world.ledger.find(request.id) is None
    # By now the secret holds the key that was to be regenerated.
    rotation = await world.rotate(request)
    assert rotation.error is not None
    assert rotation.error.code == "active_key"
    assert world.outages == 0


async def test_a_secrets_event_waits_for_it(world: TwinWorld) -> None:
    """
    And rotates afterwards, to the key that was regenerated once more.
    """
    event = world.event()

    async def deliver() -> None:
        with pytest.raises(Busy):
            await world.worker().rotate(event)

    world.faults.before("regenerate", deliver)
    await world.rotate(ask(world))

    assert (await world.rotate(event)).state is State.COMPLETED
    assert world.provider.regenerations(world.target, SECONDARY) == 2
    assert world.outages == 0


async def test_what_cannot_be_listed_is_not_risked(world: TwinWorld) -> None:
    """
    Without a list of secrets no key can be told unused.
    """
    world.faults.before("list_managed", Unavailable("503"), Declined("403 Forbidden"))
    request = ask(world)

    with pytest.raises(Unavailable):
        await world.rotate(request)
    assert await world.ledger.find(request.id) is None
    rotation = await world.rotate(request)

    assert rotation.error is not None
    assert rotation.error.code == "vault_refused"
    assert world.regenerations() == 0


@pytest.mark.parametrize("is_regenerated", [False, True])
async def test_its_retries_used_up_it_says_what_was_done(world: TwinWorld, is_regenerated: bool) -> None:
    """
    Regenerated by an attempt that could not say so: Completed. Otherwise Failed, without a word about a secret.
    """
    request = await world.promise(ask(world))
    getattr(world.faults, "after" if is_regenerated else "before")("regenerate", Killed())
    await world.die_in(request)
    world.clock.advance(CLAIM_TTL)

    rotation = await world.rotator.give_up(request)

    assert world.regenerations() == is_regenerated
    assert rotation.state is (State.COMPLETED if is_regenerated else State.FAILED)
    if rotation.error:
        assert rotation.error.code == "exhausted"
        assert "secret" not in rotation.error.message


async def test_delivered_again_it_changes_nothing(world: TwinWorld) -> None:
    """
    During and after: the same rotation, and one regeneration.
    """
    request = ask(world)
    seen: list[Rotation] = []

    async def deliver_again() -> None:
        seen.append(await world.worker().rotate(request))

    world.faults.before("regenerate", deliver_again)
    rotation = await world.rotate(request)

    assert [record.state for record in seen] == [State.REGENERATING]
    assert await world.rotate(request) == rotation
    assert_regenerated_once(world, request.id)


async def test_what_it_is_about_is_known_when_it_is_accepted(world: TwinWorld) -> None:
    """
    Its target and key are what was asked for; a secret's rotation finds them, whichever key it was asked for.
    """
    about_target, about_secret = (
        accepted_record(request, world.clock.now()) for request in (ask(world), world.manual(key=KeyName.SECONDARY))
    )

    known = (about_target.provider, about_target.target, about_target.key_name)
    assert known == (world.target.provider, world.target.arm_id, ask(world).key)
    assert (about_secret.provider, about_secret.target, about_secret.key_name) == (None, None, None)
    assert (about_target.adopted, about_secret.adopted) == (False, False)


async def test_a_request_names_a_secret_or_a_target_and_then_a_key(world: TwinWorld) -> None:
    """
    A message with both, neither, or a target without a key is no request.
    """
    message = msgspec.to_builtins(ask(world))
    odd = [
        message | {"secret": msgspec.to_builtins(world.current().id)},
        {name: value for name, value in message.items() if name != "target"},
        {name: value for name, value in message.items() if name != "key"},
    ]

    assert msgspec.json.decode(msgspec.json.encode(message), type=RotationRequest) == msgspec.convert(
        message, RotationRequest
    )
    for wrong in odd:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(msgspec.json.encode(wrong), type=RotationRequest)


async def test_every_step_of_it_is_logged_with_its_key(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    Metrics are made of these lines.
    """
    caplog.set_level("INFO")

    await world.rotate(ask(world))

    steps = [(line.step, getattr(line, "key", None)) for line in caplog.records if hasattr(line, "step")]
    assert steps == [
        ("claimed", None),
        ("inspected", "Secondary"),
        ("journaled", "Secondary"),
        ("regenerated", "Secondary"),
        ("ended", None),
        ("announced", None),
    ]


async def test_what_an_earlier_attempt_has_regenerated_is_logged(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A reader of the log sees why nothing was sent.
    """
    caplog.set_level("INFO")
    world.faults.after("regenerate", NoAnswer("lost"))
    await world.rotate(ask(world))
    caplog.clear()

    await world.resume()

    steps = [(line.step, getattr(line, "key", None)) for line in caplog.records if hasattr(line, "step")]
    assert ("found the key already regenerated", "Secondary") in steps
    assert "regenerated" not in {step for step, _ in steps}


async def test_one_that_was_tried_often_enough_says_so(world: TwinWorld) -> None:
    """
    There is no secret to speak of.
    """
    rotation = await world.rotator.give_up(ask(world))

    assert rotation.error is not None
    assert (rotation.error.code, rotation.error.message) == ("exhausted", "its retries are used up")
