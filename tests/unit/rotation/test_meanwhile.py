"""
What people do to a secret while its rotation is under way is not buried by the version that it makes.
"""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from rotation.vocabulary.errors import Declined, NoAnswer, NotFound, Unavailable
from rotation.vocabulary.limits import IN_FLIGHT, MAX_ATTEMPTS_TO_FINISH, SKEW
from rotation.vocabulary.record import State
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.faults import Hook
from tests.twins.targets import batch_account
from tests.twins.world import SUBSCRIPTION, Killed, TwinWorld

PRIMARY, SECONDARY = KeyName


@pytest.fixture
def world() -> TwinWorld:
    """
    Return a world in which a new key is waited for, so that there is time.
    """
    world = TwinWorld()
    world.provider.settling = 12
    return world


def tag(world: TwinWorld, tags: Mapping[str, str]) -> None:
    """
    Set tags on the version that is current now.
    """
    version = world.current()
    world.vaults.tag(version.id, dict(version.tags) | dict(tags))


def tagging(world: TwinWorld, version: SecretId, tags: Mapping[str, str]) -> Hook:
    """
    Return what sets tags on a version, current or not.
    """

    async def act() -> None:
        before = next(each for each in world.vaults.history(version) if each.id == version)
        world.vaults.tag(version, dict(before.tags) | dict(tags))

    return act


class TestWhileTheKeyIsWaitedFor:
    """
    The secret is read again right before a version is stored.
    """

    async def test_a_version_made_by_hand_stays(self, world: TwinWorld) -> None:
        """
        The rotation was not about that one.
        """

        async def put() -> None:
            world.put(value=f"made by hand, {world.provider.value(world.target, PRIMARY)}")

        world.faults.before("ask", put)

        rotation = await world.rotate()

        assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "superseded")
        value = world.current().value
        assert value is not None
        assert value.reveal().startswith("made by hand")

    async def test_tags_set_by_hand_are_those_of_the_new_version(self, world: TwinWorld) -> None:
        """
        So is what they say: a validity of 60 days.
        """
        world.faults.before("ask", tagging(world, world.current().id, {"owner": "team", "ValidityPeriodDays": "60"}))

        rotation = await world.rotate()

        assert rotation.state is State.COMPLETED
        assert world.current().tags["owner"] == "team"
        assert world.current().expires_on == (world.clock.now() + timedelta(days=60)).replace(microsecond=0)

    async def test_a_secret_paused_by_hand_gets_no_version(self, world: TwinWorld) -> None:
        """
        It holds its live key.
        """
        world.faults.before("ask", tagging(world, world.current().id, {"RotationPaused": "true"}))

        rotation = await world.rotate()

        assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "paused")
        assert (len(world.vaults.history(world.secret)), world.outages) == (1, 0)

    @pytest.mark.parametrize(
        "tags",
        [
            {"ProviderAddress": batch_account(SUBSCRIPTION, "rg", "other").arm_id},
            {"ProviderAddress": "elsewhere"},
            {"ValidityPeriodDays": "7"},
        ],
        ids=str,
    )
    async def test_tags_that_do_not_fit_any_more_end_it(self, world: TwinWorld, tags: dict[str, str]) -> None:
        """
        A key of one target is not stored for another.
        """
        world.faults.before("ask", tagging(world, world.current().id, tags))

        rotation = await world.rotate()

        assert rotation.error is not None
        assert rotation.error.code == "misconfigured"
        assert len(world.vaults.history(world.secret)) == 1

    async def test_a_target_moved_while_an_adopted_key_is_waited_for_ends_it(self, world: TwinWorld) -> None:
        """
        The row is kept, and nothing of it is begun again for the other target.
        """
        world.put("two", key=SECONDARY)
        world.provider.settle_at(world.target, SECONDARY, world.clock.monotonic() + 12)
        other = {"ProviderAddress": batch_account(SUBSCRIPTION, "rg", "other").arm_id}
        world.faults.before("ask", tagging(world, world.current().id, other))

        rotation = await world.rotate()

        assert rotation.error is not None
        assert rotation.error.code == "misconfigured"
        assert await world.ledger.read_open(world.target.identity) is None

    async def test_a_deleted_secret_is_not_made_again(self, world: TwinWorld) -> None:
        """
        To store a version would bring it back.
        """

        async def delete() -> None:
            world.delete("one")

        world.faults.before("ask", delete)

        rotation = await world.rotate()

        assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "deleted")

    async def test_a_rotation_at_once_does_not_look_twice(self, world: TwinWorld) -> None:
        """
        Within five seconds a look holds.
        """
        world.provider.settling = 0

        await world.rotate()

        assert world.faults.count("read_current") == 2  # before the claim, and under it

    async def test_no_step_of_the_clock_hides_it(self, world: TwinWorld) -> None:
        """
        How old a look is says the clock that never goes back.
        """

        async def put() -> None:
            world.put(value=f"made by hand, {world.provider.value(world.target, PRIMARY)}")
            world.clock.step(timedelta(seconds=-60))

        world.faults.before("ask", put)

        rotation = await world.rotate()

        assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "superseded")


class TestWhileKeyVaultIsBusy:
    """
    A version that Key Vault did not take is sent again after a pause, in which people go on.
    """

    @pytest.fixture
    def world(self) -> TwinWorld:
        """
        Return a world in which keys work at once, and Key Vault asks for some patience.
        """
        world = TwinWorld()
        world.faults.before("store", Unavailable("429", retry_after=timedelta(seconds=8)))
        return world

    @pytest.mark.parametrize("what", ["a version", "a pause"])
    async def test_it_is_not_sent_over_what_somebody_did(
        self, world: TwinWorld, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A version made by hand stays, and a secret that was paused gets none.
        """
        sleep, old = world.clock.sleep, world.current().id

        async def act(seconds: float) -> None:
            if what == "a version":
                world.put(tags={"owner": "team"})
            else:
                await tagging(world, old, {"RotationPaused": "true"})()
            await sleep(seconds)

        monkeypatch.setattr(world.clock, "sleep", act)
        rotation = await world.rotate()
        assert rotation.completed_on is None

        (rotation,) = await world.resume()

        assert rotation.state is State.SKIPPED
        assert world.current().tags.get("RotationId") is None
        assert world.holds_live_key()


class TestInPlace:
    """
    The key in use is dead: whatever its text is by now gets the new one.
    """

    @pytest.fixture
    def world(self) -> TwinWorld:
        """
        Return a world in which the secret's own key is regenerated, and takes its time.
        """
        world = TwinWorld()
        world.put(tags={"RotationStrategy": "InPlace"})
        return world

    @pytest.mark.parametrize("is_resumed", [False, True])
    async def test_a_version_made_by_hand_gets_the_new_key(self, world: TwinWorld, is_resumed: bool) -> None:
        """
        In its own text, which holds the dead one.
        """
        key = world.provider.value(world.target, PRIMARY)

        async def put() -> None:
            world.put(value=json.dumps({"key": key}), tags={"RotationStrategy": "InPlace", "owner": "team"})
            world.unmanage("one")  # Its text is no key alone: not what the twins count.
            world.clock.advance(timedelta(seconds=6))
            if is_resumed:
                raise Killed

        world.faults.after("regenerate", put)
        request = world.event()
        await world.die_in(request)
        await world.resume()

        record = await world.ledger.find(request.id)
        made = world.current()
        by_hand = world.vaults.history(world.secret)[-2]
        assert record is not None
        assert record.secret is not None
        assert record.state is State.COMPLETED
        assert record.secret.previous_version == by_hand.version
        assert made.value is not None
        assert json.loads(made.value.reveal()) == {"key": world.provider.value(world.target, PRIMARY)}
        assert made.tags["owner"] == "team"

    async def test_a_version_with_the_new_key_stays(self, world: TwinWorld) -> None:
        """
        Somebody was faster.
        """

        async def put() -> None:
            world.put(tags={"RotationStrategy": "InPlace"})
            world.clock.advance(timedelta(seconds=6))

        world.faults.after("regenerate", put)

        rotation = await world.rotate()

        assert (rotation.state, rotation.skip_reason) == (State.SKIPPED, "superseded")
        assert world.holds_live_key()

    async def test_tags_that_cannot_be_read_are_waited_for(self, world: TwinWorld) -> None:
        """
        Nothing but the new key helps its clients.
        """
        good = dict(world.current().tags)

        async def spoil() -> None:
            tag(world, {"ValidityPeriodDays": "7"})
            world.clock.advance(timedelta(seconds=6))

        world.faults.after("regenerate", spoil)
        rotation = await world.rotate()
        assert rotation.state is State.REGENERATING
        world.vaults.tag(world.current().id, good)

        (rotation,) = await world.resume()

        assert rotation.state is State.COMPLETED
        assert world.holds_live_key()


class TestLateTags:
    """
    Key Vault knows no conditional write: what is set on the old version after the last look is added to the new one.
    """

    @pytest.fixture
    def world(self) -> TwinWorld:
        """
        Return a world in which keys work at once.
        """
        return TwinWorld()

    async def test_they_are_added_to_the_new_version(self, world: TwinWorld) -> None:
        """
        Also where they change a value. What the app writes itself stays.
        """
        world.put(tags={"owner": "a"})
        old = world.current().id
        late = {"owner": "b", "RotationPaused": "true", "CredentialId": "Primary", "RotationId": "x"}
        world.faults.before("store", tagging(world, old, late))
        request = world.event()

        rotation = await world.rotate(request)

        tags = world.current().tags
        assert rotation.state is State.COMPLETED
        assert (tags["owner"], tags["RotationPaused"]) == ("b", "true")
        assert (tags["CredentialId"], tags["RotationId"]) == ("Secondary", request.id)

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("call", ["read_properties", "write_tags"])
    @pytest.mark.parametrize("end", [Killed(), Unavailable("503")], ids=["killed", "failing"])
    async def test_they_are_added_by_an_attempt_that_finds_it_stored(
        self, world: TwinWorld, call: str, when: str, end: BaseException
    ) -> None:
        """
        The rotation does not end before.
        """
        world.put(tags={"owner": "a"})
        world.faults.before("store", tagging(world, world.current().id, {"owner": "b", "cost": "7"}))
        getattr(world.faults, when)(call, end)
        request = world.event()

        await world.die_in(request)
        await world.resume()

        record = await world.ledger.find(request.id)
        assert record is not None
        assert record.state is State.COMPLETED
        assert (world.current().tags["owner"], world.current().tags["cost"]) == ("b", "7")

    @pytest.mark.parametrize("is_copied", [False, True])
    async def test_a_version_that_nobody_has_changed_since_has_none(self, world: TwinWorld, is_copied: bool) -> None:
        """
        What differs in its successor was set or removed there, or came with a copy of the rotation's tags.
        """
        world.put(tags={"owner": "a", "cost": "7"})
        world.clock.advance(timedelta(hours=1))
        request = world.event()
        world.faults.after("store", Killed())
        await world.die_in(request)
        tags = {name: value for name, value in world.current().tags.items() if name != "cost"} | {"owner": "b"}
        if is_copied:
            world.put(key=SECONDARY, tags=tags)
        else:
            world.vaults.tag(world.current().id, tags)

        await world.resume()

        assert world.current().tags["owner"] == "b"
        assert "cost" not in world.current().tags

    async def test_one_in_another_spelling_takes_the_place_of_ours(self, world: TwinWorld) -> None:
        """
        Two of them say nothing that can be read.
        """
        old = world.current().id
        tags = dict(world.current().tags)
        world.vaults.tag(old, tags | {"rotationpaused": "false"})
        late = tags | {"RotationPaused": "true"}

        async def rename() -> None:
            world.vaults.tag(old, late)

        world.faults.before("store", rename)

        await world.rotate()

        paused = {name: value for name, value in world.current().tags.items() if name.lower() == "rotationpaused"}
        assert paused == {"RotationPaused": "true"}

    async def test_ours_come_first_where_there_is_not_room_for_all(
        self, world: TwinWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Key Vault takes fifteen.
        """
        old = world.put(tags={f"t{number}": "x" for number in range(10)})
        world.faults.before("store", tagging(world, old, {"note": "x", "RotationPaused": "true"}))

        await world.rotate()

        assert len(world.current().tags) == 15
        assert world.current().tags["RotationPaused"] == "true"
        assert "no room in the new version for the tags note" in caplog.text

    async def test_a_write_without_answer_keeps_the_target(self, world: TwinWorld) -> None:
        """
        It replaces all tags: until it can arrive no more, nobody else may begin.
        """
        world.faults.before("store", tagging(world, world.current().id, {"owner": "b"}))
        world.faults.before("write_tags", NoAnswer("dropped"))
        request = world.event()
        await world.rotate(request)

        world.clock.advance(IN_FLIGHT)
        assert (await world.rotate(request)).completed_on is None
        world.clock.advance(SKEW)
        rotation = await world.rotate(request)

        assert rotation.state is State.COMPLETED
        assert world.current().tags["owner"] == "b"

    async def test_a_rotation_that_cannot_add_them_ends_all_the_same(
        self, world: TwinWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        After as many attempts as any other that only has to finish.
        """
        world.faults.before("read_properties", *[Unavailable("503")] * 1000)
        rotation = await world.rotate()

        while rotation.completed_on is None:
            (rotation,) = await world.resume(timedelta(minutes=5))

        assert (rotation.state, rotation.attempts) == (State.COMPLETED, MAX_ATTEMPTS_TO_FINISH + 1)
        assert "may lack in the new version" in caplog.text

    async def test_a_rotation_that_has_stored_its_version_is_completed_whatever_came_after(
        self, world: TwinWorld
    ) -> None:
        """
        Somebody makes another version while it is suspended.
        """
        world.faults.before("read_properties", Unavailable("503"))
        rotation = await world.rotate()
        assert rotation.completed_on is None
        stored = world.current().version
        world.put(key=SECONDARY)

        (rotation,) = await world.resume()

        assert rotation.state is State.COMPLETED
        assert rotation.secret is not None
        assert rotation.secret.version == stored
        assert [event.type for event in world.announcer.published] == ["KeyRotator.RotationCompleted"]

    async def test_what_was_changed_on_the_new_version_since_is_newer(self, world: TwinWorld) -> None:
        """
        An attempt that finds it stored adds what it lacks, and changes nothing.
        """
        world.put(tags={"owner": "a"})
        world.faults.before("store", tagging(world, world.current().id, {"owner": "b", "cost": "7"}))
        world.faults.after("store", Killed())
        await world.die_in(world.event())
        world.clock.advance(timedelta(minutes=1))
        tag(world, {"owner": "c"})

        await world.resume()

        assert (world.current().tags["owner"], world.current().tags["cost"]) == ("c", "7")

    @pytest.mark.parametrize("error", [Declined("403"), NotFound("404")])
    async def test_a_version_that_cannot_be_tagged_is_told_of(
        self, world: TwinWorld, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        The rotation itself is done.
        """
        world.faults.before("store", tagging(world, world.current().id, {"owner": "b"}))
        world.faults.before("write_tags", error)

        rotation = await world.rotate()

        assert rotation.state is State.COMPLETED
        assert "tags that were set meanwhile" in caplog.text

    async def test_nothing_is_written_where_nothing_was_set(self, world: TwinWorld) -> None:
        """
        What was there at the look was not set since.
        """
        world.put(tags={"owner": "a"})

        await world.rotate()

        assert world.faults.count("write_tags") == 0
        assert world.current().tags["owner"] == "a"
