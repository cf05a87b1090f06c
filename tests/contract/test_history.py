import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from adapters.history import TableHistory
from adapters.ledger import TableLedger
from adapters.table import Table
from adapters.transport import SharedTransport
from rotation.overview.rotations import list_rotations
from rotation.ports.history import History, Wanted, place_of
from rotation.ports.ledger import Ledger
from rotation.run import outcome
from rotation.vocabulary.endings import Skip, SkipReason
from rotation.vocabulary.errors import UnreadableRow
from rotation.vocabulary.record import EndedRotation, Leak, OpenRotation, Rotation, State, WaitingRotation
from rotation.vocabulary.request import LeakedKey, Revocation, RotationRequest, Trigger, request_to_revoke
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName, Target
from tests.contract.conftest import MakeTable
from tests.contract.sides import sides
from tests.twins.history import MemoryHistory
from tests.twins.ledger import MemoryLedger
from tests.twins.targets import accepted_record, parse_target

pytestmark = pytest.mark.assumption(92)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"
ACCOUNT = parse_target(f"{GROUP}/providers/Microsoft.Batch/batchAccounts/Account1")
ORDERS = parse_target(f"{GROUP}/providers/Microsoft.Web/sites/site1/workflows/orders/triggers/manual")
ONE, TWO = (SecretId("https://kv.vault.azure.net", name, "a" * 32) for name in ("One", "one-2"))


@pytest.fixture
async def table(make_table: MakeTable) -> AsyncIterator[Table]:
    """
    Yield a table that does not exist yet.
    """
    transport = SharedTransport()
    yield Table(make_table(transport))
    await transport.shut()


class Side:
    """
    A history, and the ledger that it is of.
    """

    def __init__(self, history: History, ledger: Ledger) -> None:
        self.history = history
        self.ledger = ledger

    async def list(self, **wanted: Any) -> list[str]:
        """
        Return the ids of all rotations that are wanted, taken from pages of two.
        """
        found: list[str] = []
        continuation = None
        while True:
            page = await list_rotations(self.history, Wanted(**wanted), top=2, continuation=continuation)
            found += [record.id for record in page.rotations]
            continuation = page.continuation
            if continuation is None:
                return found

    async def end(self, record: Rotation) -> Rotation:
        """
        Let a rotation be on record for good.
        """
        request = RotationRequest(record.id, record.trigger, ONE, NOW)
        await self.ledger.end_unclaimed(EndedRotation(request, record))
        return record


@pytest.fixture(params=sides("table"))
def side(request: pytest.FixtureRequest) -> Side:
    """
    Return the twin, then the real one.
    """
    if request.param == "twin":
        ledger = MemoryLedger()
        return Side(MemoryHistory(ledger), ledger)
    table: Table = request.getfixturevalue("table")
    return Side(TableHistory(table), TableLedger(table))


def asked(secret: SecretId | None = ONE) -> RotationRequest:
    """
    Return a request with an id of its own.
    """
    rotation_id = str(uuid.uuid4())
    if secret is None:
        return RotationRequest(
            rotation_id, Trigger.HTTP, None, NOW, KeyName.PRIMARY, target=ACCOUNT.written, waits=True
        )
    return RotationRequest(rotation_id, Trigger.HTTP, secret, NOW, waits=True)


def ended(started_on: datetime, secret: SecretId | None = ONE, target: Target = ACCOUNT, reason: str = "") -> Rotation:
    """
    Return the record of a rotation that has completed, or was skipped for a reason.
    """
    record = accepted_record(asked(secret), started_on).about(target)
    later = started_on + SECOND
    return (
        outcome.ended_record(record, Skip(SkipReason(reason)), later)
        if reason
        else outcome.completed_record(record, later)
    )


@pytest.mark.assumption(88)
async def test_the_newest_comes_first(side: Side) -> None:
    """
    By when they began, to the microsecond, and whatever came into the ledger first.
    """
    moments = [
        NOW,
        NOW + timedelta(microseconds=1),
        NOW - SECOND,
        NOW + timedelta(days=400),
        NOW - timedelta(days=9000),
    ]
    records = [await side.end(ended(moment)) for moment in moments]

    expected = sorted(records, key=lambda record: record.started_on, reverse=True)
    assert await side.list() == [record.id for record in expected]


@pytest.mark.assumption(88)
async def test_rotations_of_one_moment_are_all_listed_once(side: Side) -> None:
    """
    Pages end between them, and nothing is repeated or left out.
    """
    records = [await side.end(ended(NOW)) for _ in range(7)]

    found = await side.list()

    assert sorted(found) == sorted(record.id for record in records)
    assert found == [record.id for record in sorted(records, key=place_of)]


@pytest.mark.assumption(88)
async def test_a_filter_leaves_out_what_is_not_wanted(side: Side) -> None:
    """
    Target, secret, state and time, alone and together; in the ledger's own spelling of a target and a secret.
    """
    one = await side.end(ended(NOW))
    two = await side.end(ended(NOW - SECOND, TWO, ORDERS))
    only = await side.end(ended(NOW - 2 * SECOND, None))
    skipped = await side.end(ended(NOW - 3 * SECOND, reason="paused"))

    assert await side.list(target=ACCOUNT.identity) == [one.id, only.id, skipped.id]
    assert await side.list(target=ORDERS.identity) == [two.id]
    assert await side.list(secret=ONE.identity) == [one.id, skipped.id]
    assert await side.list(secret=TWO.identity) == [two.id]
    assert await side.list(state=State.SKIPPED) == [skipped.id]
    assert await side.list(state=State.FAILED) == []
    assert await side.list(state=State.COMPLETED, target=ACCOUNT.identity, secret=ONE.identity) == [one.id]
    assert await side.list(since=NOW - SECOND) == [one.id, two.id]
    assert await side.list(since=NOW + timedelta(microseconds=1)) == []
    assert await side.list(since=NOW - 2 * SECOND, target=ACCOUNT.identity) == [one.id, only.id]


@pytest.mark.assumption(88)
@pytest.mark.parametrize(
    ("since", "is_listed"),
    [
        (datetime.min.replace(tzinfo=UTC), True),
        (datetime.max.replace(tzinfo=UTC), False),
        (datetime(9999, 12, 31, tzinfo=UTC), False),
    ],
)
async def test_any_time_can_be_asked_for(side: Side, since: datetime, is_listed: bool) -> None:
    """
    The beginning of time and its end are times too.
    """
    record = await side.end(ended(NOW))

    assert await side.list(since=since) == ([record.id] if is_listed else [])


@pytest.mark.assumption(88)
async def test_what_runs_and_what_waits_is_listed_among_what_has_ended(side: Side) -> None:
    """
    Each where its beginning places it, in the state that finding it by its id shows.
    """
    old = await side.end(ended(NOW - SECOND))
    waiting = asked()
    await side.ledger.wait(WaitingRotation(waiting, accepted_record(waiting, NOW), NOW))
    revocation = Revocation(str(uuid.uuid4()), SECOND, LeakedKey("f" * 64, ACCOUNT.written))
    scheduled = request_to_revoke(revocation, NOW, reason=None)
    record = structs.replace(accepted_record(scheduled, NOW + SECOND), state=State.SCHEDULED)
    leak = Leak(ACCOUNT.identity, revocation.leaked, scheduled.id, NOW)
    assert await side.ledger.report_leak(WaitingRotation(scheduled, record, NOW), leak)
    running = asked()
    row = OpenRotation(running, accepted_record(running, NOW + 2 * SECOND).about(ACCOUNT), "claim", NOW)
    await side.ledger.claim(ACCOUNT.identity, row)
    untold = ended(NOW + 3 * SECOND, TWO, ORDERS)
    await side.ledger.end_unclaimed(EndedRotation(asked(), untold))

    assert await side.list() == [untold.id, running.id, scheduled.id, waiting.id, old.id]
    assert await side.list(state=State.ACCEPTED) == [running.id, waiting.id]
    assert await side.list(state=State.SCHEDULED) == [scheduled.id]
    assert await side.list(state=State.COMPLETED) == [untold.id, old.id]
    assert await side.list(target=ACCOUNT.identity) == [running.id, scheduled.id, old.id]
    assert await side.list(secret=TWO.identity) == [untold.id]
    assert await side.list(since=NOW + 2 * SECOND) == [untold.id, running.id]


@pytest.mark.assumption(84)
async def test_one_rotation_is_one_line(side: Side) -> None:
    """
    Running while its row still waits, ended, published, forgotten: the last word counts, as in finding it by its id.
    """
    request = asked()
    await side.ledger.wait(WaitingRotation(request, accepted_record(request, NOW), NOW))
    row = OpenRotation(
        request, structs.replace(accepted_record(request, NOW + SECOND), state=State.REGENERATING), "claim", NOW
    )
    first = await side.ledger.claim(ACCOUNT.identity, row)

    async def states() -> list[State]:
        page = await list_rotations(side.history, Wanted(), top=10, continuation=None)
        found = await side.ledger.find(request.id)
        assert found is not None
        assert [record.state for record in page.rotations] == [found.state]
        for state in State:
            assert await side.list(state=state) == ([request.id] if state is found.state else [])
        return [record.state for record in page.rotations]

    assert await states() == [State.REGENERATING]
    record = outcome.completed_record(row.record, NOW + 2 * SECOND)
    await side.ledger.end(EndedRotation(request, record), target=ACCOUNT.identity, etag=first.etag)
    assert await states() == [State.COMPLETED]
    await side.ledger.forget_outcome(request.id)
    assert await states() == [State.COMPLETED]
    await side.ledger.forget_waiting(request.id)
    assert await states() == [State.COMPLETED]


@pytest.mark.assumption(86)
async def test_a_new_ledger_has_no_history(side: Side) -> None:
    """
    And that is no error.
    """
    assert await side.list() == []
    assert not await side.history.is_done("r1")


@pytest.mark.assumption(84)
async def test_a_rotation_that_ends_twice_is_listed_once(side: Side) -> None:
    """
    The first outcome counts.
    """
    record = await side.end(ended(NOW))
    await side.end(structs.replace(record, reason="another"))

    assert await side.list() == [record.id]
    assert await side.history.is_done(record.id)
    page = await list_rotations(side.history, Wanted(), top=10, continuation=None)
    assert page.rotations == [record]


@pytest.mark.assumption(88)
async def test_what_another_version_has_written_is_never_left_out(table: Table) -> None:
    """
    A list that lacks a rotation would say that there was none.
    """
    side = Side(TableHistory(table), TableLedger(table))
    records = [await side.end(ended(NOW - number * SECOND)) for number in range(3)]
    other = {"RowSchema": 9, "RowVersion": "9.8.7"}
    done = {"PartitionKey": "live", "RowKey": f"timeline:{place_of(records[1])}"}
    await table.client.update_entity(done | other)
    with pytest.raises(UnreadableRow, match=r"9\.8\.7"):
        await side.list()

    await table.client.delete_entity(partition_key="live", row_key=done["RowKey"])
    await table.client.create_entity({"PartitionKey": "live", "RowKey": "accepted:r9", "RotationId": "r9"} | other)
    with pytest.raises(UnreadableRow, match="accepted:r9"):
        await side.list()


@pytest.mark.assumption(88)
async def test_more_rows_than_a_page_of_the_table_holds_are_listed(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The table is asked for a few at a time; a page of ours needs more than one of them.
    """
    monkeypatch.setattr("adapters.history.ROTATIONS_PER_PAGE", 3)
    side = Side(TableHistory(table), TableLedger(table))
    records = [await side.end(ended(NOW - number * SECOND)) for number in range(10)]

    page = await list_rotations(side.history, Wanted(), top=200, continuation=None)

    assert page.rotations == records
    assert page.continuation is None
