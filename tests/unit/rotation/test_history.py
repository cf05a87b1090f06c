import asyncio
import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from rotation.overview.paging import continuation_of
from rotation.overview.rotations import list_rotations
from rotation.ports.history import Wanted, place_of, place_of_moment
from rotation.run import outcome
from rotation.vocabulary.endings import Drift, Skip, SkipReason
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.record import EndedRotation, OpenRotation, Rotation, State, WaitingRotation
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from tests.twins.history import MemoryHistory
from tests.twins.ledger import MemoryLedger
from tests.twins.targets import accepted_record, batch_account
from tests.twins.world import SUBSCRIPTION, TwinWorld

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = [SecretId("https://kv.vault.azure.net", name, "a" * 32) for name in ("one", "Two")]
TARGETS = [batch_account(SUBSCRIPTION, "rg", name) for name in ("Account1", "account2")]

# Where a rotation stands in the ledger.
PLACES = ("accepted", "scheduled", "open", "outbox", "done")


class Seed(Struct, frozen=True):
    """
    One rotation to be: when it began, of what, where it stands and how it ended.
    """

    number: int
    seconds: int
    secret: int
    target: int
    place: str
    state: State


seeds = st.lists(
    st.builds(
        Seed,
        number=st.integers(0, 2**64),
        seconds=st.integers(-3, 3),
        secret=st.integers(0, 1),
        target=st.integers(0, 1),
        place=st.sampled_from(PLACES),
        state=st.sampled_from([State.COMPLETED, State.FAILED, State.SKIPPED]),
    ),
    unique_by=lambda seed: seed.number,
    max_size=14,
)
wishes = st.builds(
    Wanted,
    target=st.none() | st.sampled_from([target.identity for target in TARGETS]),
    secret=st.none() | st.sampled_from([secret.identity for secret in SECRETS]),
    state=st.none() | st.sampled_from(State),
    since=st.none() | st.sampled_from([NOW, NOW - timedelta(days=1), NOW + timedelta(seconds=2)]),
)


async def plant(ledger: MemoryLedger, seed: Seed) -> Rotation:
    """
    Put a rotation into the ledger; return the record that finding it shows.
    """
    is_scheduled = seed.place == "scheduled"
    request = RotationRequest(
        str(uuid.UUID(int=seed.number)), Trigger.HTTP, SECRETS[seed.secret], NOW, waits=True, deferred=is_scheduled
    )
    record = accepted_record(request, NOW + timedelta(seconds=seed.seconds)).about(TARGETS[seed.target])
    match seed.place:
        case "accepted" | "scheduled":
            state = State.SCHEDULED if is_scheduled else State.ACCEPTED
            record = structs.replace(record, state=state)
            await ledger.wait(WaitingRotation(request, record, NOW))
            return record
        case "open":
            record = structs.replace(record, state=State.REGENERATING)
            await ledger.claim(str(seed.number), OpenRotation(request, record, "claim", NOW))
            return record
    ending = {State.FAILED: Drift("drift"), State.SKIPPED: Skip(SkipReason.PAUSED)}.get(seed.state)
    record = outcome.ended_record(record, ending, NOW) if ending else outcome.completed_record(record, NOW)
    await ledger.end_unclaimed(EndedRotation(request, record))
    if seed.place == "done":
        await ledger.forget_outcome(record.id)
    return record


@settings(deadline=None, max_examples=150)
@given(seeds=seeds, wanted=wishes, top=st.integers(1, 6))
@example(
    seeds=[Seed(number, 0, 0, 0, place, State.COMPLETED) for number, place in enumerate(PLACES)],
    wanted=Wanted(),
    top=1,
)
def test_pages_hold_every_wanted_rotation_once_and_newest_first(seeds: list[Seed], wanted: Wanted, top: int) -> None:
    """
    Over what runs, waits, is told just now and has ended long ago, with any filter and any size of page.
    """

    async def walk() -> tuple[list[Rotation], list[Rotation]]:
        ledger = MemoryLedger()
        planted = [await plant(ledger, seed) for seed in seeds]
        found: list[Rotation] = []
        continuation = None
        for _ in range(len(seeds) + 2):
            page = await list_rotations(MemoryHistory(ledger), wanted, top=top, continuation=continuation)
            assert len(page.rotations) <= top
            found += page.rotations
            continuation = page.continuation
            if continuation is None:
                return planted, found
        raise AssertionError("the list has no end")

    planted, found = asyncio.run(walk())

    expected = [
        record
        for record in planted
        if (wanted.target is None or (record.target or "").lower() == wanted.target)
        and (
            wanted.secret is None or (record.secret and record.secret.name.lower()) == wanted.secret.rpartition("/")[2]
        )
        and (wanted.state is None or record.state is wanted.state)
        and (wanted.since is None or record.started_on >= wanted.since)
    ]
    assert found == sorted(expected, key=lambda record: (-record.started_on.timestamp(), record.id))


@settings(deadline=None)
@given(
    one=st.datetimes(timezones=st.just(UTC), max_value=datetime(9999, 12, 31)),  # noqa: DTZ001 - a bound
    other=st.datetimes(timezones=st.just(UTC), max_value=datetime(9999, 12, 31)),  # noqa: DTZ001 - a bound
)
def test_a_later_beginning_has_an_earlier_place(one: datetime, other: datetime) -> None:
    """
    To the microsecond, and for all times.
    """
    assert (place_of_moment(one) < place_of_moment(other)) == (one > other)
    assert (place_of_moment(one) == place_of_moment(other)) == (one == other)
    # Versions of the app must agree on it: a place is the microseconds that are left until the end of the year 9999.
    assert int(place_of_moment(one)) - int(place_of_moment(other)) == (other - one) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "place",
    [("",), ("x",), ("0" * 18,), ("0" * 18 + ":" + "g" * 36,), ("0" * 18 + ":" + "a" * 36 + "' or 1",), ("a", "b")],
)
async def test_a_continuation_that_is_none_is_refused(place: tuple[str, ...]) -> None:
    """
    Nothing of it reaches the ledger.
    """
    history = MemoryHistory(MemoryLedger())
    with pytest.raises(Malformed, match="continuation"):
        await list_rotations(history, Wanted(), top=1, continuation=continuation_of(*place))


async def test_a_rotation_is_listed_once_all_its_life() -> None:
    """
    Accepted, running, told, and with a row that was left: in the state that finding it by its id shows.
    """
    world = TwinWorld()
    request = await world.promise()
    states: list[State] = []

    async def see() -> None:
        found = await world.ledger.find(request.id)
        page = await list_rotations(world.history, Wanted(), top=10, continuation=None)
        assert found is not None
        assert [(record.id, record.state) for record in page.rotations] == [(request.id, found.state)]
        states.append(found.state)

    await see()
    for call in ("claim", "read_keys", "begin", "regenerate", "store", "end", "publish", "note"):
        world.clock.advance(timedelta(seconds=1))
        world.faults.before(call, see)
        world.faults.after(call, see)
    rotation = await world.rotate(request)
    await see()

    assert rotation.state is State.COMPLETED
    assert set(states) == {State.ACCEPTED, State.REGENERATING, State.COMPLETED}
    assert states == sorted(states, key=[State.ACCEPTED, State.REGENERATING, State.COMPLETED].index)


async def test_what_ends_between_two_pages_is_neither_lost_nor_repeated() -> None:
    """
    A running rotation keeps its place when it has ended.
    """
    world = TwinWorld()
    first = await world.rotate()
    world.clock.advance(timedelta(minutes=1))
    found: list[str] = []

    async def turn_the_page() -> None:
        page = await list_rotations(world.history, Wanted(), top=1, continuation=None)
        found.extend(record.id for record in page.rotations)
        tokens.append(page.continuation)

    tokens: list[str | None] = []
    world.faults.before("regenerate", turn_the_page)
    second = await world.rotate(world.manual())
    rest = await list_rotations(world.history, Wanted(), top=1, continuation=tokens[0])

    assert found + [record.id for record in rest.rotations] == [second.id, first.id]
    assert place_of(second) < place_of(first)


class CountedHistory(MemoryHistory):
    """
    A history that knows how many records were asked of it.
    """

    taken = 0

    async def list_done(self, wanted: Wanted, after: str) -> AsyncGenerator[Rotation, None]:
        """
        Count what is yielded.
        """
        async for record in super().list_done(wanted, after):
            self.taken += 1
            yield record


@pytest.mark.parametrize(("ended", "top", "taken", "more"), [(9, 3, 4, True), (4, 3, 4, True), (3, 3, 3, False)])
async def test_a_page_takes_no_more_than_it_shows_and_one_to_see_whether_there_are_more(
    ended: int, top: int, taken: int, *, more: bool
) -> None:
    """
    However long the history is; and a page that is just full is the last where nothing follows.
    """
    ledger = MemoryLedger()
    for number in range(ended):
        await plant(ledger, Seed(number, 0, 0, 0, "done", State.COMPLETED))
    history = CountedHistory(ledger)

    page = await list_rotations(history, Wanted(), top=top, continuation=None)

    assert len(page.rotations) == top
    assert history.taken == taken
    assert (page.continuation is not None) is more
