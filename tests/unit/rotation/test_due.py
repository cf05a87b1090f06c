from datetime import timedelta

import pytest

from rotation.policy.due import next_rotation
from rotation.vocabulary.errors import NoAnswer, Unavailable
from rotation.vocabulary.request import RotationRequest, Trigger, request_for_event
from rotation.vocabulary.secret import SecretId
from tests.twins.clock import HandClock
from tests.twins.world import VAULT, TwinWorld

DAY = timedelta(days=1)
SECRET = SecretId(VAULT, "one")


@pytest.fixture(params=["batch", "workflow"])
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world with each kind of target; its secret expires in 20 days.
    """
    return TwinWorld(request.param)


def event(world: TwinWorld, trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY, event_id: str = "e1") -> RotationRequest:
    """
    Return the request of an event that names no version.
    """
    return request_for_event(SECRET, trigger, world.clock.now(), event_id=event_id)


@pytest.mark.parametrize("trigger", [Trigger.SECRET_NEAR_EXPIRY, Trigger.SECRET_EXPIRED])
async def test_an_event_without_a_version_rotates_the_current_one_if_it_is_due(
    world: TwinWorld, trigger: Trigger
) -> None:
    """
    The record names the version that was current.
    """
    before = world.current().version

    rotation = await world.rotate(event(world, trigger))

    assert rotation.state == "Completed"
    assert rotation.secret
    assert rotation.secret.previous_version == before
    assert (world.regenerations(), world.outages) == (1, 0)


async def test_an_event_without_a_version_that_comes_after_the_rotation_is_superseded(world: TwinWorld) -> None:
    """
    Whatever rotated the secret: the new version is not due, and nothing is regenerated, nor are keys read.
    """
    await world.rotate()
    regenerated = world.regenerations()

    late = [
        await world.rotate(event(world, Trigger.SECRET_EXPIRED, "e2")),
        await world.rotate(event(world, event_id="e3")),
    ]

    assert [(rotation.state, rotation.skip_reason) for rotation in late] == [("Skipped", "superseded")] * 2
    assert world.regenerations() == regenerated == 1


async def test_an_event_without_a_version_rotates_once_however_often_it_comes(world: TwinWorld) -> None:
    """
    The id of the rotation is made of the event's own id.
    """
    first = await world.rotate(event(world))
    again = await world.rotate(event(world))
    pinned = await world.rotate(event(world, event_id="e2"))

    assert (again.id, again.state) == (first.id, "Completed")
    assert pinned.skip_reason == "superseded"
    assert world.regenerations() == 1


@pytest.mark.parametrize(
    ("lead", "left", "state"),
    [(30, 30, "Completed"), (30, 31, "Skipped"), (60, 59, "Completed"), (60, 61, "Skipped"), (7, 20, "Completed")],
)
async def test_due_means_what_the_sweep_means_and_no_less_than_key_vault(
    world: TwinWorld, lead: int, left: int, state: str
) -> None:
    """
    ROTATION_LEAD_DAYS before the expiry, and 30 days before it where that is sooner: then Key Vault raises its event.
    """
    world.lead = timedelta(days=lead)
    expire_in(world, left * DAY)

    rotation = await world.worker().rotate(event(world))

    assert rotation.state == state
    assert world.regenerations() == (state == "Completed")


async def test_a_version_without_expiry_is_not_what_the_event_is_about(world: TwinWorld) -> None:
    """
    Nothing that expires was replaced by something that does not: there is nothing to do.
    """
    expire_in(world, None)

    rotation = await world.rotate(event(world))

    assert (rotation.state, rotation.skip_reason) == ("Skipped", "superseded")


async def test_a_disabled_secret_is_skipped_as_disabled(world: TwinWorld) -> None:
    """
    Key Vault raises events for it too; the reason is not that a rotation came before.
    """
    world.put(enabled=False)

    assert (await world.rotate(event(world))).skip_reason == "disabled"


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_rotation_that_was_begun_is_resumed_although_the_event_named_no_version(
    world: TwinWorld, effect: str
) -> None:
    """
    The version is pinned with the journal, whether or not the lost request took effect.
    """
    getattr(world.faults, effect)("regenerate", NoAnswer("dropped"))
    first = await world.rotate(event(world))

    (second,) = await world.resume()

    assert (first.state, second.state) == ("Regenerating", "Completed")
    assert second.id == first.id
    assert (world.regenerations(), world.outages) == (1, 0)


async def test_a_version_that_is_made_by_hand_meanwhile_is_left_alone(world: TwinWorld) -> None:
    """
    Before anything was begun, the version that is current then decides: a new one is not due.
    """
    world.faults.before("read_keys", Unavailable("503"))
    with pytest.raises(Unavailable):
        await world.rotate(event(world))
    expire_in(world, 90 * DAY)

    assert (await world.rotate(event(world))).skip_reason == "superseded"


def expire_in(world: TwinWorld, left: timedelta | None) -> None:
    """
    Make a version with the same value that expires after that time, or never.
    """
    current = world.current()
    assert current.value
    world.vaults.put(
        SECRET,
        current.value.reveal(),
        tags=current.tags,
        content_type=current.content_type,
        expires_on=None if left is None else world.clock.now() + left,
    )


@pytest.mark.parametrize(
    ("lead", "validity", "left", "after"),
    [
        # The sweep, where its lead is long; else Key Vault's event.
        (60, 365, 90, 30),
        (30, 90, 90, 60),
        (7, 90, 90, 60),
        # The event has come, and the sweep has not found it due.
        (7, 90, 30, 23),
        (7, 90, 20, 13),
        # Every sweep finds it due.
        (7, 90, 7, 0),
        (7, 90, 3, 0),
        (60, 365, 45, 0),
        (30, 90, -5, 0),
        # A long lead does not make a young version due.
        (60, 60, 59, 29),
        (60, None, 90, 30),
    ],
)
def test_the_next_rotation_is_what_comes_first_and_never_in_the_past(
    lead: int, validity: int | None, left: int, after: int
) -> None:
    """
    Key Vault raises its event once; from when a secret is due each sweep asks for its rotation.
    """
    now = HandClock().now()
    valid_for = None if validity is None else validity * DAY

    assert next_rotation(now + left * DAY, valid_for, lead * DAY, now) == now + after * DAY


async def test_a_long_lead_does_not_make_a_young_version_due(world: TwinWorld) -> None:
    """
    An event without a version, about one that was born a moment ago: its clients have cached it.
    """
    world.lead = timedelta(days=60)
    world.rotator = world.worker()
    world.put(tags={"ValidityPeriodDays": "60"})
    world.clock.advance(-25 * DAY)

    rotation = await world.rotate(event(world))

    assert rotation.skip_reason == "superseded"
    assert rotation.secret is not None
    assert rotation.secret.version is None
    assert world.regenerations() == 0
