from datetime import timedelta

import pytest

from rotation.vocabulary.errors import Busy, Forbidden
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.world import TARGETS, TwinWorld


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target.
    """
    return TwinWorld(request.param)


async def test_a_rotation_moves_the_secret_to_the_alternate_key(world: TwinWorld) -> None:
    """
    The new version holds the freshly regenerated key that was not in use, and the old version goes on working.
    """
    before = world.current()

    rotation = await world.rotate()

    after = world.current()
    assert rotation.state is State.COMPLETED
    assert (rotation.previous_key_name, rotation.key_name) == (KeyName.PRIMARY, KeyName.SECONDARY)
    assert after.value is not None
    assert after.value.reveal() == world.provider.value(world.target, KeyName.SECONDARY)
    assert world.provider.regenerations(world.target, KeyName.SECONDARY) == 1
    assert world.provider.regenerations(world.target, KeyName.PRIMARY) == 0
    assert world.is_live(before)
    assert world.outages == 0


async def test_the_new_version_is_dressed_like_the_old_one(world: TwinWorld) -> None:
    """
    Content type and unknown tags are kept, the key is written in the style found, the expiry follows the policy.
    """
    world.put(tags={"CredentialId": "key1", "Team": "billing"})

    rotation = await world.rotate()

    version = world.current()
    assert version.content_type == "text/plain"
    assert version.tags["Team"] == "billing"
    assert version.tags["CredentialId"] == "key2"
    assert version.tags["RotationId"] == rotation.id
    assert version.expires_on == world.clock.now() + timedelta(days=90)


async def test_a_wrong_credential_tag_is_put_right(world: TwinWorld) -> None:
    """
    The value decides which key is in use, whatever the tag claims.
    """
    world.put(tags={"CredentialId": "Secondary"}, key=KeyName.PRIMARY)

    rotation = await world.rotate()

    assert rotation.key_name is KeyName.SECONDARY
    assert world.current().tags["CredentialId"] == "Secondary"
    assert world.outages == 0


async def test_rotations_alternate_and_leave_no_dead_version_enabled(world: TwinWorld) -> None:
    """
    After many rotations every enabled version holds a live key: the current one and the one before it.
    """
    for _ in range(5):
        world.clock.advance(timedelta(days=60))
        assert (await world.rotate()).state is State.COMPLETED

    enabled = [version for version in world.vaults.history(world.secret) if version.enabled]
    assert len(enabled) == 2
    assert all(world.is_live(version) for version in enabled)
    assert world.outages == 0


async def test_the_record_tells_the_whole_rotation(world: TwinWorld) -> None:
    """
    What is returned, kept and published is one and the same record.
    """
    before = world.current()
    request = world.manual(reason="quarterly")

    rotation = await world.rotate(request)

    assert rotation.secret is not None
    assert (rotation.secret.version, rotation.secret.previous_version) == (world.current().version, before.version)
    assert rotation.secret.expires_on == world.current().expires_on
    assert (rotation.target, rotation.provider) == (world.target.arm_id, world.target.provider)
    assert (rotation.trigger, rotation.reason, rotation.attempts) == (Trigger.HTTP, "quarterly", 1)
    assert await world.ledger.find(rotation.id) == rotation
    assert [event.data for event in world.announcer.published] == [rotation]


async def test_the_completion_event_has_an_id_that_a_consumer_can_drop_by(world: TwinWorld) -> None:
    """
    Id, type, source and subject follow the contract.
    """
    rotation = await world.rotate()

    (event,) = world.announcer.published
    assert event.id == f"{rotation.id}:completed"
    assert event.type == "KeyRotator.RotationCompleted"
    assert event.source == world.target.arm_id
    assert event.subject == world.secret.unversioned


async def test_a_delivered_again_event_changes_nothing(world: TwinWorld) -> None:
    """
    However often its event comes, a version is rotated once and published once.
    """
    request = world.event()
    first = await world.rotate(request)

    again = [await world.rotate(request) for _ in range(3)]

    assert again == [first] * 3
    assert world.regenerations() == 1
    assert len(world.announcer.published) == 1


async def test_an_event_that_comes_while_its_rotation_runs_is_dropped(world: TwinWorld) -> None:
    """
    A duplicate that finds its own rotation alive leaves it alone.
    """
    request = world.event()
    seen: list[Rotation] = []

    async def deliver_again() -> None:
        seen.append(await world.worker().rotate(request))

    world.faults.before("regenerate", deliver_again)
    rotation = await world.rotate(request)

    assert [record.state for record in seen] == [State.REGENERATING]
    assert rotation.state is State.COMPLETED
    assert world.regenerations() == 1


@pytest.mark.parametrize("late", list(Trigger))
async def test_the_event_of_an_older_version_is_superseded(world: TwinWorld, late: Trigger) -> None:
    """
    Once a version has been replaced, no trigger rotates for it any more.
    """
    request = world.event(trigger=late)
    await world.rotate(world.manual())
    reads = world.faults.count("read_keys")

    rotation = await world.rotate(request)

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "superseded")
    assert world.faults.count("read_keys") == reads
    assert world.regenerations() == 1
    assert len(world.announcer.published) == 1


async def test_a_target_that_is_being_rotated_is_busy(world: TwinWorld) -> None:
    """
    Another rotation of the same target is refused with the running one's id, and leaves no record.
    """
    world.put("two")
    second = world.manual("two")
    running = world.event()
    refused: list[Busy] = []

    async def ask() -> None:
        with pytest.raises(Busy) as error:
            await world.worker().rotate(second)
        refused.append(error.value)

    world.faults.before("regenerate", ask)
    await world.rotate(running)

    assert [busy.running for busy in refused] == [running.id]
    assert await world.ledger.find(second.id) is None


@pytest.mark.parametrize(
    ("tags", "reason"),
    [({"RotationPaused": "true"}, "paused"), ({"rotationpaused": "TRUE", "ValidityPeriodDays": "x"}, "paused")],
)
async def test_a_paused_secret_is_left_alone(world: TwinWorld, tags: dict[str, str], reason: str) -> None:
    """
    Pausing works in any spelling, and before anything else about the tags is judged.
    """
    world.put(tags=tags)

    rotation = await world.rotate()

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, reason)
    assert world.regenerations() == 0


async def test_a_secret_without_tags_is_none_of_our_business(world: TwinWorld) -> None:
    """
    Without ProviderAddress a secret is unmanaged: Skipped, told to nobody, but on record.
    """
    world.put(bare=True)

    rotation = await world.rotate()

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "unmanaged")
    assert await world.ledger.find(rotation.id) == rotation
    assert world.announcer.published == []


async def test_a_disabled_secret_is_skipped(world: TwinWorld) -> None:
    """
    What an operator has disabled is not brought back by rotating it.
    """
    world.put(enabled=False)

    rotation = await world.rotate()

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "disabled")
    assert world.regenerations() == 0


async def test_a_deleted_secret_is_skipped(world: TwinWorld) -> None:
    """
    The late event of a secret that is gone ends quietly.
    """
    request = world.event()
    world.delete("one")

    rotation = await world.rotate(request)

    assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "deleted")


@pytest.mark.parametrize(
    ("tags", "code", "says"),
    [
        ({"ValidityPeriodDays": "7"}, "misconfigured", "ValidityPeriodDays is '7'; it must be 31 to 3650"),
        ({"ValidityPeriodDays": ""}, "misconfigured", "ValidityPeriodDays"),
        ({"CredentialId": "tertiary"}, "misconfigured", "CredentialId is 'tertiary'"),
        ({"RotationPaused": "maybe"}, "misconfigured", "RotationPaused is 'maybe'"),
        ({"RotationStrategy": "Guess"}, "misconfigured", "RotationStrategy is 'Guess'"),
        ({"ProviderAddress": "/subscriptions/x"}, "misconfigured", "ProviderAddress"),
        ({f"Tag{n}": "x" for n in range(12)}, "misconfigured", "make room for RotationId"),
        (
            {"ProviderAddress": f"{TARGETS['batch'].arm_id.replace('/rg/', '/rg2/')}"},
            "forbidden",
            "ROTATION_ALLOWED_SCOPES",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_wrong_tags_fail_with_the_tag_and_the_remedy(
    world: TwinWorld, tags: dict[str, str], code: str, says: str
) -> None:
    """
    Nothing is regenerated, the record names secret and tag, and the failure is published.
    """
    world.put(tags=tags)

    rotation = await world.rotate()

    assert rotation.state is State.FAILED
    assert rotation.error is not None
    assert rotation.error.code == code
    assert rotation.error.message.startswith("secret 'one': ")
    assert says in rotation.error.message
    assert world.regenerations() == 0
    assert world.faults.count("regenerate") == world.faults.count("read_keys") == 0
    assert [event.type for event in world.announcer.published] == ["KeyRotator.RotationFailed"]


async def test_a_foreign_vault_is_refused_before_anything_is_read(world: TwinWorld) -> None:
    """
    No request goes to a vault that is not configured, and nothing is written about it.
    """
    request = world.point(SecretId("https://kv.vault.azure.net.evil.example", "one", "0" * 32))

    with pytest.raises(Forbidden):
        await world.rotate(request)

    assert set(world.faults.calls) <= {"read_outcome"}


async def test_drift_is_told_and_nothing_is_regenerated(world: TwinWorld) -> None:
    """
    Where neither key is the one in the secret, somebody regenerated by hand: a person has to look.
    """
    world.provider.turn(world.target, KeyName.PRIMARY)

    rotation = await world.rotate()

    assert rotation.error is not None
    assert rotation.error.code == "drift"
    assert world.faults.count("regenerate") == 0


async def test_force_heals_drift_without_regenerating(world: TwinWorld) -> None:
    """
    Force stores a live value of the tagged key: clients work again, and no key was killed for it.
    """
    world.provider.turn(world.target, KeyName.PRIMARY)

    rotation = await world.rotate(world.manual(force=True))

    assert rotation.state is State.COMPLETED
    assert (rotation.key_name, rotation.previous_key_name) == (KeyName.PRIMARY, None)
    assert world.holds_live_key()
    assert world.faults.count("regenerate") == 0


async def test_the_key_in_use_is_not_regenerated_on_request(world: TwinWorld) -> None:
    """
    Asking for the active key fails and says which one to ask for.
    """
    rotation = await world.rotate(world.manual(key=KeyName.PRIMARY))

    assert rotation.error is not None
    assert rotation.error.code == "active_key"
    assert "Secondary" in rotation.error.message
    assert world.faults.count("regenerate") == 0


async def test_force_regenerates_the_key_in_use_and_states_the_gap(world: TwinWorld) -> None:
    """
    With force the active key is regenerated and stored at once; the record says how long the secret was dead.
    """
    world.faults.before("store", lambda: world.clock.sleep(2))

    rotation = await world.rotate(world.manual(key=KeyName.PRIMARY, force=True))

    assert rotation.state is State.COMPLETED
    assert (rotation.previous_key_name, rotation.key_name) == (KeyName.PRIMARY, KeyName.PRIMARY)
    assert rotation.gap_seconds == 2
    assert world.holds_live_key()


async def test_in_place_regenerates_the_only_key_there_is(world: TwinWorld) -> None:
    """
    The tag InPlace rotates where both keys give one credential, or where one key is enough.
    """
    world.put(tags={"RotationStrategy": "inplace"})

    rotation = await world.rotate()

    assert rotation.state is State.COMPLETED
    assert rotation.key_name is KeyName.PRIMARY
    assert rotation.gap_seconds == 0
    assert world.holds_live_key()


async def test_a_provider_that_signs_with_one_key_fails_as_single_key() -> None:
    """
    Without a real alternate, an Alternate rotation would lock clients out: it fails and names the way out.
    """
    world = TwinWorld("workflow")
    world.provider.signs_with_one_key = True

    rotation = await world.rotate()

    assert rotation.error is not None
    assert rotation.error.code == "single_key"
    assert "InPlace" in rotation.error.message
    assert world.faults.count("regenerate") == 0


async def test_an_unknown_target_fails_and_is_named(world: TwinWorld) -> None:
    """
    An account or workflow that does not exist ends Failed(target_not_found).
    """
    world.put(tags={"ProviderAddress": world.address.replace("account1", "account2").replace("site1", "site2")})

    rotation = await world.rotate()

    assert rotation.error is not None
    assert rotation.error.code == "target_not_found"
    assert str(rotation.target) in rotation.error.message


async def test_the_second_secret_of_a_target_adopts_the_key_in_use(world: TwinWorld) -> None:
    """
    Two secrets that held one key end up on the same other key, regenerated once.
    """
    world.put("two")
    first = await world.rotate(world.event("one"))
    world.clock.advance(timedelta(hours=1))

    second = await world.rotate(world.event("two"))

    assert (first.adopted, second.adopted) == (False, True)
    assert second.state is State.COMPLETED
    assert world.regenerations() == 1
    assert world.current("one").value == world.current("two").value
    assert world.current("two").expires_on == world.current("one").expires_on
    assert world.outages == 0


async def test_a_secret_on_another_trigger_adopts_its_own_callback_url() -> None:
    """
    The triggers of a workflow share its keys, not their URLs: what is adopted is the key.
    """
    world = TwinWorld("workflow")
    other = TARGETS["workflow"].arm_id + "/triggers/other"
    # The second secret's URL belongs to the other trigger, signed with the same key.
    value = world.provider.value(world.provider.parse_target(other), KeyName.PRIMARY)
    world.put("two", {"ProviderAddress": other}, value=value)
    await world.rotate(world.event("one"))

    rotation = await world.rotate(world.event("two"))

    assert rotation.adopted
    assert world.regenerations() == 1
    held = world.current("two").value
    assert held is not None
    assert "/other?" in held.reveal()


async def test_a_secret_that_moved_away_is_no_reason_to_adopt(world: TwinWorld) -> None:
    """
    A bound secret that is deleted or points elsewhere by now is forgotten.
    """
    world.put("two")
    await world.rotate(world.event("one"))
    await world.rotate(world.event("two"))
    world.delete("two")

    rotation = await world.rotate(world.event("one"))

    assert not rotation.adopted
    assert world.regenerations() == 2
    assert world.outages == 0


async def test_no_key_material_leaves_vault_and_provider(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    Neither the ledger nor an event nor a log line holds a value that a key ever had.
    """
    caplog.set_level("DEBUG")
    rotations = [await world.rotate(), await world.rotate(world.manual(key=KeyName.SECONDARY, force=True))]

    told = f"{rotations} {world.ledger.everything()} {world.announcer.published} "
    told += " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    for values in world.provider.history.values():
        assert not any(value in told for value in values)
    for version in world.vaults.history(world.secret):
        assert version.value is not None
        assert version.value.reveal() not in told


async def test_every_step_is_logged_with_its_key(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    Metrics are made of these lines.
    """
    caplog.set_level("INFO")

    await world.rotate()

    steps = [(vars(line)["step"], vars(line).get("key")) for line in caplog.records if hasattr(line, "step")]
    assert steps == [
        ("claimed", None),
        ("inspected", "Secondary"),
        ("journaled", "Secondary"),
        ("regenerated", "Secondary"),
        *([("proven", "Secondary")] if world.target is TARGETS["batch"] else []),
        ("stored", "Secondary"),
        ("ended", None),
        ("announced", None),
    ]
    timed = {vars(line)["step"] for line in caplog.records if vars(line).get("seconds") is not None}
    assert timed == {step for step, _ in steps} - {"announced"}


async def test_what_a_caller_gave_as_the_reason_is_kept_when_there_was_nothing_to_do(world: TwinWorld) -> None:
    """
    Why it was skipped stands in a field of its own.
    """
    world.put(tags={"RotationPaused": "true"})

    rotation = await world.rotate(world.manual(reason="quarterly"))

    assert (rotation.state, rotation.skip_reason, rotation.reason) == (State.SKIPPED, "paused", "quarterly")
