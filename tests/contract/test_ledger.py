import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient
from msgspec import structs

from adapters.history import TableHistory
from adapters.ledger import TableLedger
from adapters.ledger_keys import bound_key, open_key
from adapters.table import Table
from adapters.transport import SharedTransport
from rotation.ports.ledger import Ledger, Versioned
from rotation.run import outcome
from rotation.vocabulary.endings import Skip, SkipReason
from rotation.vocabulary.errors import UnreadableRow
from rotation.vocabulary.record import (
    EndedRotation,
    Journal,
    OpenRotation,
    Reservation,
    State,
    TagChange,
    WaitingRotation,
)
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.contract.conftest import MakeTable
from tests.contract.sides import sides
from tests.twins.ledger import MemoryLedger
from tests.twins.targets import accepted_record
from wiring.parts import Wiring

pytestmark = pytest.mark.assumption(92)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111"
TARGET = f"{SUBSCRIPTION}/resourcegroups/rg(1)/providers/microsoft.batch/batchaccounts/a1"
SECRET = SecretId("https://kv.vault.azure.net", "one", "a" * 32)


class LosingTransport(SharedTransport):
    """
    A transport that loses the answer to the next write, after it took effect.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loses = False

    async def send(self, request: Any, **options: Any) -> Any:
        """
        Send, and maybe lose what comes back.
        """
        answer = await super().send(request, **options)
        if self.loses and request.method != "GET":
            self.loses = False
            raise ServiceRequestError("the connection dropped")
        return answer


@pytest.fixture
async def transport() -> AsyncIterator[LosingTransport]:
    """
    Yield the transport of the real ledger.
    """
    transport = LosingTransport()
    yield transport
    await transport.shut()


@pytest.fixture
def tables(make_table: MakeTable, transport: LosingTransport) -> TableLedger:
    """
    Return the real ledger, on a table that does not exist yet.
    """
    return TableLedger(Table(make_table(transport)))


@pytest.fixture(params=sides("tables"))
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """
    Return the twin, then the real one.
    """
    found: Ledger = MemoryLedger() if request.param == "twin" else request.getfixturevalue("tables")
    return found


def running(rotation_id: str = "r1", claim: str = "c1") -> OpenRotation:
    """
    Return the row of a running rotation.
    """
    request = RotationRequest(rotation_id, Trigger.SWEEP, SECRET, NOW)
    return OpenRotation(request, accepted_record(request, NOW), claim, NOW + timedelta(minutes=10))


def ending(rotation_id: str = "r1", reason: str = "superseded") -> EndedRotation:
    """
    Return an outcome.
    """
    row = running(rotation_id)
    return EndedRotation(row.request, outcome.ended_record(row.record, Skip(SkipReason(reason)), NOW))


async def claimed(ledger: Ledger, rotation_id: str = "r1") -> Versioned[OpenRotation]:
    """
    Claim the target.
    """
    found = await ledger.claim(TARGET, running(rotation_id))
    assert isinstance(found.row, OpenRotation)
    return Versioned(found.row, found.etag)


@pytest.mark.assumption(83, 85, 86)
async def test_the_first_claim_of_a_target_wins(ledger: Ledger) -> None:
    """
    A second claim gets the row of the first, and changes nothing.
    """
    first = await claimed(ledger)

    second = await ledger.claim(TARGET, running("r2", claim="c2"))

    assert (first.row, second.row) == (running(), running())
    assert first.etag == second.etag


async def test_targets_are_claimed_independently(ledger: Ledger) -> None:
    """
    A claim on one target says nothing about another.
    """
    await claimed(ledger)
    assert (await ledger.claim(TARGET + "2", running("r2"))).row == running("r2")


@pytest.mark.assumption(85)
async def test_a_row_comes_back_as_it_was_written(ledger: Ledger) -> None:
    """
    Request, record, journal and times survive the ledger.
    """
    first = await claimed(ledger)
    journal = Journal(KeyName.SECONDARY, "f" * 64, KeyName.PRIMARY, NOW, TARGET, in_place=True)
    row = structs.replace(
        running(), journal=journal, record=structs.replace(running().record, state=State.REGENERATING, reason='"ü\n')
    )

    written = await ledger.replace(TARGET, row, first.etag)

    assert written is not None
    assert written.row == row
    assert await ledger.read_open(TARGET) == written


@pytest.mark.assumption(83, 85)
async def test_a_row_is_replaced_only_under_the_tag_it_was_read_with(ledger: Ledger) -> None:
    """
    A stale worker's write is refused and leaves the newer row.
    """
    first = await claimed(ledger)
    second = await ledger.replace(TARGET, running(claim="c2"), first.etag)
    assert second is not None

    assert await ledger.replace(TARGET, running(claim="stale"), first.etag) is None
    assert await ledger.read_open(TARGET) == second


@pytest.mark.assumption(85)
async def test_a_row_that_is_gone_cannot_be_replaced(ledger: Ledger) -> None:
    """
    A worker whose rotation was ended by another does not bring it back.
    """
    first = await claimed(ledger)
    assert await ledger.release(TARGET, first.etag)

    assert await ledger.replace(TARGET, running(), first.etag) is None
    assert await ledger.read_open(TARGET) is None


@pytest.mark.assumption(83, 85, 89)
async def test_a_release_needs_the_tag_too(ledger: Ledger) -> None:
    """
    Only the row that was read is deleted; one that is gone already is fine.
    """
    first = await claimed(ledger)
    second = await ledger.replace(TARGET, running(claim="c2"), first.etag)
    assert second is not None

    assert not await ledger.release(TARGET, first.etag)
    assert await ledger.release(TARGET, second.etag)
    assert await ledger.release(TARGET, second.etag)
    assert await ledger.read_open(TARGET) is None


@pytest.mark.assumption(84, 85)
async def test_ending_frees_the_target_and_keeps_the_outcome(ledger: Ledger) -> None:
    """
    One step: the running rotation is gone and its outcome waits.
    """
    first = await claimed(ledger)

    assert await ledger.end(ending(), target=TARGET, etag=first.etag)

    assert await ledger.read_open(TARGET) is None
    assert await ledger.read_outcome("r1") == ending()
    assert await ledger.find("r1") == ending().record


@pytest.mark.assumption(83, 84, 85)
async def test_ending_does_both_or_nothing(ledger: Ledger) -> None:
    """
    With a stale tag, or another outcome in the way, neither row changes.
    """
    first = await claimed(ledger)
    second = await ledger.replace(TARGET, running(claim="c2"), first.etag)
    assert second is not None

    assert not await ledger.end(ending(), target=TARGET, etag=first.etag)
    assert await ledger.read_outcome("r1") is None
    assert await ledger.end_unclaimed(ending(reason="paused"))
    assert not await ledger.end(ending(), target=TARGET, etag=second.etag)
    assert await ledger.read_open(TARGET) == second
    assert await ledger.read_outcome("r1") == ending(reason="paused")


@pytest.mark.assumption(83)
async def test_the_first_unclaimed_outcome_counts(ledger: Ledger) -> None:
    """
    A second outcome of the same rotation is refused.
    """
    assert await ledger.end_unclaimed(ending())
    assert not await ledger.end_unclaimed(ending(reason="paused"))
    assert await ledger.read_outcome("r1") == ending()


@pytest.mark.assumption(89)
async def test_an_outcome_waits_until_it_is_forgotten(ledger: Ledger) -> None:
    """
    Settled is not told: it goes on waiting to be published, and is forgotten as often as anybody says so.
    """
    await ledger.end_unclaimed(ending())
    assert await ledger.read_outcome("r1") == ending()

    for _ in range(2):
        await ledger.forget_outcome("r1")

    assert await ledger.read_outcome("r1") is None
    assert [waiting async for waiting in ledger.list_outcomes()] == []
    assert await ledger.find("r1") == ending().record


async def test_a_running_rotation_is_found_by_its_id(ledger: Ledger) -> None:
    """
    What runs, what waits and what has ended are all found; what never was is not.
    """
    await claimed(ledger)

    assert await ledger.find("r1") == running().record
    assert await ledger.find("r2") is None
    assert await ledger.read_standing("r1") is None


async def test_the_target_of_a_running_rotation_is_found_by_its_id(ledger: Ledger) -> None:
    """
    Only while it runs.
    """
    first = await claimed(ledger)
    assert await ledger.find_claimed("r1") == TARGET
    assert await ledger.find_claimed("r2") is None

    await ledger.end(ending(), target=TARGET, etag=first.etag)
    assert await ledger.find_claimed("r1") is None


@pytest.mark.assumption(83, 88)
async def test_a_row_of_another_version_is_loud_and_stops_nobody_else(
    tables: TableLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """
    What is resumed does not stop at it, and everything that needs it fails with the version that wrote it.
    """
    await claimed(tables)
    await tables.claim(TARGET + "2", running("r2"))
    await tables.end_unclaimed(ending("r3"))
    await tables.end_unclaimed(ending("r4"))
    for key in (open_key(TARGET), "outbox:r3"):
        await tables._client.update_entity(
            {"PartitionKey": "live", "RowKey": key, "RowSchema": 9, "RowVersion": "9.8.7"}
        )

    assert [target async for target, _ in tables.list_open()] == [TARGET + "2"]
    assert [waiting.record.id async for waiting in tables.list_outcomes()] == ["r4"]
    assert caplog.text.count("written by version 9.8.7") == 2
    for needs_it in (
        tables.claim(TARGET, running("r5")),
        tables.read_open(TARGET),
        tables.find("r1"),
        tables.read_outcome("r3"),
        tables.probe(),
    ):
        with pytest.raises(UnreadableRow, match=r"has schema 9 and was written by version 9\.8\.7; .* deploy"):
            await needs_it


async def test_a_row_of_a_kind_that_only_a_later_version_writes_is_loud(tables: TableLedger) -> None:
    """
    Nobody knows here what it keeps others from doing.
    """
    await claimed(tables)
    await tables._client.create_entity(
        {"PartitionKey": "live", "RowKey": "proven:r1", "RotationId": "r1", "RowSchema": 1, "RowVersion": "9.8.7"}
    )

    async def list_live() -> None:
        assert [record async for record in TableHistory(tables._table).list_live()] == []

    for needs_it in (tables.find("r1"), list_live(), tables.probe()):
        with pytest.raises(UnreadableRow, match=r"proven:r1 .* version 9\.8\.7 .* deploy the version that wrote it"):
            await needs_it


async def test_health_reports_a_row_of_another_version(wiring: Wiring) -> None:
    """
    After a step back to an older version, somebody has to know.
    """
    target = f"{TARGET}-of-another-version"
    await wiring.ledger.claim(target, running(str(uuid.uuid4())))
    await wiring.table.client.update_entity({"PartitionKey": "live", "RowKey": open_key(target), "RowSchema": 9})

    health = await wiring.health.report()

    await wiring.table.client.delete_entity("live", open_key(target))
    assert (health.status, health.checks["ledger"]) == ("Unhealthy", "unreadable_row")


async def test_a_ledger_of_this_version_is_healthy(tables: TableLedger) -> None:
    """
    Whatever is in it.
    """
    await tables.probe()
    await claimed(tables)
    await tables.end_unclaimed(ending("r3"))

    await tables.probe()


@pytest.mark.parametrize("row", ['{"request": {"v": 9}}', "not JSON"])
async def test_a_row_that_cannot_be_read_is_loud(tables: TableLedger, row: str) -> None:
    """
    Whatever has happened to it.
    """
    await claimed(tables)
    await tables._client.update_entity({"PartitionKey": "live", "RowKey": open_key(TARGET), "Row": row})

    with pytest.raises(UnreadableRow, match="cannot be read"):
        await tables.claim(TARGET, running("r5"))


async def test_a_row_without_a_schema_is_loud(tables: TableLedger) -> None:
    """
    It was written before rows had one.
    """
    await claimed(tables)
    row = {"PartitionKey": "live", "RowKey": open_key(TARGET), "RotationId": "r1", "Write": "w", "Row": "{}"}
    await tables._client.update_entity(row, mode=UpdateMode.REPLACE)

    with pytest.raises(
        UnreadableRow, match=r"was written before version .*: let all rotations end .* then delete the table"
    ):
        await tables.probe()


async def test_a_request_that_another_version_has_reserved_is_never_taken_for_another(tables: TableLedger) -> None:
    """
    The same Idempotency-Key must not begin a second rotation.
    """
    await tables.reserve("r1", Reservation("digest"))
    await tables._client.update_entity(
        {"PartitionKey": "asked", "RowKey": "r1", "AskedSchema": 9, "AskedVersion": "9.8.7"}
    )

    with pytest.raises(UnreadableRow, match=r"9\.8\.7"):
        await tables.reserve("r1", Reservation("another"))


async def test_a_neighbour_of_another_version_is_never_passed_over(tables: TableLedger) -> None:
    """
    Its key could be regenerated.
    """
    await tables.bind(TARGET, SECRET)
    await tables._client.update_entity(
        {"PartitionKey": "live", "RowKey": bound_key(TARGET, SECRET), "SecretSchema": 9, "SecretVersion": "9.8.7"}
    )

    with pytest.raises(UnreadableRow, match=r"9\.8\.7"):
        await tables.bound_secrets(TARGET)


class BusyTable:
    """
    A table whose first transactions are answered with a failure inside, which Azurite never does.
    """

    def __init__(self, table: TableClient, *statuses: int) -> None:
        self._table = table
        self._statuses = list(statuses)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    async def submit_transaction(self, operations: Any) -> Any:
        """
        Fail as scripted, then do it.
        """
        if self._statuses:
            error = TableTransactionError(message="0:The server is busy.")
            error.status_code = self._statuses.pop(0)
            raise error
        return await self._table.submit_transaction(operations)


@pytest.mark.usefixtures("impatience")
async def test_a_transaction_that_failed_is_tried_again(tables: TableLedger) -> None:
    """
    A busy storage account inside a transaction is no sign that another worker has taken over.
    """
    first = await claimed(tables)
    busy: Any = BusyTable(tables._client, 503, 500)

    assert await TableLedger(Table(busy)).end(ending(), target=TARGET, etag=first.etag)
    assert await tables.read_outcome("r1") == ending()


@pytest.mark.assumption(88)
async def test_everything_unfinished_is_listed(ledger: Ledger) -> None:
    """
    Running rotations come with the claim id that finds them again, outcomes as they wait.
    """
    await claimed(ledger)
    await ledger.claim(TARGET + "2", running("r2"))
    await ledger.end_unclaimed(ending("r3"))
    await ledger.end_unclaimed(ending("r4"))
    await ledger.forget_outcome("r4")

    found = {target: row.request.id async for target, row in ledger.list_open()}
    assert found == {TARGET: "r1", TARGET + "2": "r2"}
    assert [waiting.record.id async for waiting in ledger.list_outcomes()] == ["r3"]


@pytest.mark.assumption(86)
async def test_a_new_ledger_is_empty(ledger: Ledger) -> None:
    """
    Before anything was written there is nothing to read, and that is no error.
    """
    assert await ledger.find("r1") is None
    assert [row async for row in ledger.list_open()] == []
    assert await ledger.bound_secrets(TARGET) == []
    await ledger.unbind(TARGET, SECRET)
    assert await ledger.replace(TARGET, running(), "W/\"datetime'2026-01-01T00%3A00%3A00.0000000Z'\"") is None


@pytest.mark.assumption(87, 88)
async def test_secrets_are_bound_to_one_target(ledger: Ledger) -> None:
    """
    Binding twice is binding once, in any spelling; a target whose id begins the same has its own.
    """
    two = SecretId("https://localhost:8443", "Two")
    for secret in (SECRET, SecretId(SECRET.vault, "ONE"), two):
        await ledger.bind(TARGET, secret)
    await ledger.bind(TARGET + "2", SECRET)

    assert {bound.secret.identity for bound in await ledger.bound_secrets(TARGET)} == {SECRET.identity, two.identity}
    await ledger.unbind(TARGET, two)
    assert {bound.secret.identity for bound in await ledger.bound_secrets(TARGET)} == {SECRET.identity}
    assert len(await ledger.bound_secrets(TARGET + "2")) == 1


@pytest.mark.assumption(87, 88)
async def test_the_bindings_of_all_targets_are_those_of_each(ledger: Ledger) -> None:
    """
    Each with the identity of its target, also where ids begin the same, and with when it was left.
    """
    await ledger.bind(TARGET, SECRET)
    await ledger.bind(TARGET + "2", SecretId(SECRET.vault, "two"))
    await ledger.leave(TARGET + "2", SECRET, NOW)

    found = [(target, bound.secret.identity, bound.left_on) async for target, bound in ledger.list_bound()]

    expected = [
        (target, bound.secret.identity, bound.left_on)
        for target in (TARGET, TARGET + "2")
        for bound in await ledger.bound_secrets(target)
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert len(found) == 3


@pytest.mark.assumption(88)
async def test_a_secret_that_has_left_is_known_with_the_time_until_it_comes_back(ledger: Ledger) -> None:
    """
    Also one that was never bound; binding it forgets that it had left, and others stay as they are.
    """
    two = SecretId("https://localhost:8443", "Two")
    await ledger.bind(TARGET, SECRET)
    await ledger.leave(TARGET, SECRET, NOW)
    await ledger.leave(TARGET, two, NOW + timedelta(microseconds=1))

    left = {bound.secret.identity: bound.left_on for bound in await ledger.bound_secrets(TARGET)}
    assert left == {SECRET.identity: NOW, two.identity: NOW + timedelta(microseconds=1)}
    await ledger.bind(TARGET, SECRET)
    left = {bound.secret.identity: bound.left_on for bound in await ledger.bound_secrets(TARGET)}
    assert left == {SECRET.identity: None, two.identity: NOW + timedelta(microseconds=1)}


async def test_a_secret_bound_by_an_earlier_version_has_not_left(tables: TableLedger) -> None:
    """
    Its row has no column for that.
    """
    await tables.bind(TARGET, SECRET)
    key = bound_key(TARGET, SECRET)
    row = await tables._client.get_entity("live", key)
    del row["LeftOn"]
    await tables._client.update_entity(row, mode=UpdateMode.REPLACE)

    (bound,) = await tables.bound_secrets(TARGET)

    assert (bound.secret.identity, bound.left_on) == (SECRET.identity, None)


@pytest.mark.usefixtures("impatience")
@pytest.mark.assumption(83, 84, 89)
async def test_a_lost_answer_to_a_write_is_made_out(tables: TableLedger, transport: LosingTransport) -> None:
    """
    A write whose answer was lost is sent again, finds itself in the way, and counts as done.
    """
    await tables.bind(TARGET, SECRET)  # so that the table is there

    transport.loses = True
    first = await claimed(tables)
    assert first.row.lease == "c1"
    transport.loses = True
    second = await tables.replace(TARGET, running(claim="c2"), first.etag)
    assert second is not None
    transport.loses = True
    assert await tables.end(ending(), target=TARGET, etag=second.etag)
    transport.loses = True
    assert await tables.end_unclaimed(ending("r2"))
    transport.loses = True
    await tables.forget_outcome("r2")
    third = await claimed(tables, "r3")
    transport.loses = True
    assert await tables.release(TARGET, third.etag)

    assert await tables.read_open(TARGET) is None
    assert await tables.read_outcome("r1") == ending()
    assert await tables.read_standing("r2") == ending("r2").record


def waiting(rotation_id: str = "r1") -> WaitingRotation:
    """
    Return the row of a rotation that was accepted.
    """
    request = structs.replace(running(rotation_id).request, waits=True)
    return WaitingRotation(request, accepted_record(request, NOW), NOW + timedelta(minutes=15))


async def list_waiting(ledger: Ledger) -> list[WaitingRotation]:
    """
    Return everything that waits, by id.
    """
    return sorted([row async for row in ledger.list_waiting()], key=lambda row: row.record.id)


@pytest.mark.assumption(83)
async def test_what_was_accepted_is_remembered_once(ledger: Ledger) -> None:
    """
    It is found by its id and listed; a second one of the same id changes nothing.
    """
    later = structs.replace(waiting(), due_on=NOW + timedelta(days=1))

    assert await ledger.wait(waiting())
    assert not await ledger.wait(later)

    assert await list_waiting(ledger) == [waiting()]
    assert await ledger.find("r1") == waiting().record
    assert await ledger.find_claimed("r1") is None


async def test_what_runs_or_has_ended_is_found_before_what_waits(ledger: Ledger) -> None:
    """
    Its row is forgotten last: what runs and what has ended come before it.
    """
    await ledger.wait(waiting())
    first = await claimed(ledger)
    assert await ledger.find("r1") == running().record
    await ledger.end(ending(), target=TARGET, etag=first.etag)
    assert await ledger.find("r1") == ending().record
    await ledger.forget_outcome("r1")

    assert await ledger.find("r1") == ending().record
    assert await list_waiting(ledger) == [waiting()]


async def test_a_waiting_rotation_is_postponed_if_it_waits(ledger: Ledger) -> None:
    """
    Its due time changes and nothing else; one that is gone does not come back.
    """
    await ledger.wait(waiting())
    await ledger.wait(waiting("r2"))
    later = NOW + timedelta(hours=1)

    await ledger.postpone(waiting(), later)
    await ledger.forget_waiting("r2")
    await ledger.postpone(waiting("r2"), later)

    assert await list_waiting(ledger) == [structs.replace(waiting(), due_on=later)]


@pytest.mark.assumption(89)
async def test_a_waiting_rotation_is_forgotten(ledger: Ledger) -> None:
    """
    And no other; twice is once.
    """
    await ledger.wait(waiting("r1"))
    await ledger.wait(waiting("r2"))

    await ledger.forget_waiting("r1")
    await ledger.forget_waiting("r1")

    assert await list_waiting(ledger) == [waiting("r2")]
    assert await ledger.find("r1") is None


@pytest.mark.assumption(83, 84, 85)
async def test_a_rotation_begins_once(ledger: Ledger) -> None:
    """
    And is bound to its target in the same step; from then on it has no outcome but that of its claim.
    """
    first = await claimed(ledger)
    row = structs.replace(running(), begun=True)

    begun = await ledger.begin(TARGET, row, first.etag, waits=False, bind=SECRET)

    assert begun is not None
    assert await ledger.read_open(TARGET) == begun == Versioned(row, begun.etag)
    assert [bound.secret.identity for bound in await ledger.bound_secrets(TARGET)] == [SECRET.identity]
    assert await ledger.begin(TARGET, row, begun.etag, waits=False) is None
    assert not await ledger.end_unclaimed(ending(reason="unmanaged"))
    assert not await ledger.end(ending(), target=TARGET, etag=begun.etag, begun=False)
    assert await ledger.read_standing("r1") is None
    assert await ledger.end(ending(), target=TARGET, etag=begun.etag, begun=True)
    assert await ledger.read_standing("r1") == ending().record


@pytest.mark.assumption(84)
async def test_a_rotation_that_has_ended_neither_begins_nor_waits_nor_ends_again(ledger: Ledger) -> None:
    """
    Another worker may hold a claim for it by then: the outcome stays, and the target is released.
    """
    assert await ledger.end_unclaimed(ending(reason="unmanaged"))
    first = await claimed(ledger)
    row = structs.replace(running(), begun=True)

    assert await ledger.begin(TARGET, row, first.etag, waits=False, bind=SECRET) is None
    assert await ledger.begin(TARGET, row, first.etag, waits=True) is None
    assert not await ledger.end(ending(), target=TARGET, etag=first.etag)
    assert not await ledger.defer(deferred(), target=TARGET, etag=first.etag)
    assert not await ledger.end_unclaimed(ending())

    assert await ledger.bound_secrets(TARGET) == []
    assert await ledger.read_standing("r1") == ending(reason="unmanaged").record
    assert await ledger.read_open(TARGET) == first
    assert await ledger.release(TARGET, first.etag)


@pytest.mark.assumption(84)
async def test_what_was_deferred_begins_and_ends_only_where_that_is_known(ledger: Ledger) -> None:
    """
    An event that comes again may be older than the row by which its rotation waits.
    """
    first = await claimed(ledger)
    assert await ledger.defer(deferred(), target=TARGET, etag=first.etag)
    assert await ledger.read_standing("r1") == deferred()
    second = await claimed(ledger)
    row = structs.replace(running(), begun=True)

    assert await ledger.begin(TARGET, row, second.etag, waits=False) is None
    assert not await ledger.end(ending(), target=TARGET, etag=second.etag)
    assert await list_waiting(ledger) == [deferred()]

    begun = await ledger.begin(TARGET, row, second.etag, waits=True)
    assert begun is not None
    assert await list_waiting(ledger) == []
    assert await ledger.defer(deferred(), target=TARGET, etag=begun.etag, begun=True)
    assert await ledger.read_standing("r1") == deferred()
    third = await claimed(ledger)
    assert await ledger.end(ending(), target=TARGET, etag=third.etag, waits=True)
    assert await list_waiting(ledger) == []


@pytest.mark.assumption(84)
async def test_what_was_deferred_can_end_without_a_claim(ledger: Ledger) -> None:
    """
    Its secret may be of nobody's concern by then; the row by which it waits is forgotten when its turn comes.
    """
    first = await claimed(ledger)
    assert await ledger.defer(deferred(), target=TARGET, etag=first.etag)

    assert await ledger.end_unclaimed(ending(reason="unmanaged"))

    assert await ledger.find("r1") == ending(reason="unmanaged").record
    assert not await ledger.end_waiting(ending(reason="cancelled"))
    await ledger.forget_waiting("r1")
    assert await ledger.find("r1") == ending(reason="unmanaged").record


@pytest.mark.assumption(83, 84, 85)
async def test_beginning_takes_the_row_by_which_a_rotation_waited(ledger: Ledger) -> None:
    """
    In one step: the row of the running rotation is replaced, and waits no more. Others still wait.
    """
    await ledger.wait(waiting())
    await ledger.wait(waiting("r2"))
    first = await claimed(ledger)
    row = structs.replace(running(), begun=True)

    begun = await ledger.begin(TARGET, row, first.etag, waits=True)

    assert begun is not None
    assert await ledger.read_open(TARGET) == begun == Versioned(row, begun.etag)
    assert await list_waiting(ledger) == [waiting("r2")]
    assert await ledger.replace(TARGET, row, first.etag) is None
    assert await ledger.replace(TARGET, row, begun.etag) is not None


@pytest.mark.assumption(83, 84, 85)
async def test_beginning_does_both_or_nothing(ledger: Ledger) -> None:
    """
    Under a stale tag, or where nothing waits any more, neither row changes.
    """
    await ledger.wait(waiting())
    first = await claimed(ledger)
    second = await ledger.replace(TARGET, running(claim="c2"), first.etag)
    assert second is not None
    row = structs.replace(running(claim="c3"), begun=True)

    assert await ledger.begin(TARGET, row, first.etag, waits=True) is None
    assert await list_waiting(ledger) == [waiting()]
    await ledger.forget_waiting("r1")
    assert await ledger.begin(TARGET, row, second.etag, waits=True) is None
    assert await ledger.read_open(TARGET) == second


@pytest.mark.assumption(84)
async def test_ending_what_was_accepted_takes_the_same_row(ledger: Ledger) -> None:
    """
    In one step with its outcome; then it cannot begin any more.
    """
    await ledger.wait(waiting())
    first = await claimed(ledger)

    assert await ledger.end_waiting(ending(reason="busy"))

    assert await list_waiting(ledger) == []
    assert await ledger.read_outcome("r1") == ending(reason="busy")
    assert await ledger.begin(TARGET, structs.replace(running(), begun=True), first.etag, waits=True) is None
    assert await ledger.read_open(TARGET) == first


@pytest.mark.assumption(84)
async def test_what_has_begun_cannot_be_ended_as_if_it_waited(ledger: Ledger) -> None:
    """
    Nothing is remembered then; nor for what never waited, nor a second outcome.
    """
    await ledger.wait(waiting())
    first = await claimed(ledger)
    assert await ledger.begin(TARGET, structs.replace(running(), begun=True), first.etag, waits=True) is not None

    assert not await ledger.end_waiting(ending(reason="busy"))
    assert await ledger.read_outcome("r1") is None
    assert not await ledger.end_unclaimed(ending(reason="unmanaged"))
    assert await ledger.read_standing("r1") is None
    assert not await ledger.end_waiting(ending("r9", reason="busy"))

    await ledger.wait(waiting("r2"))
    assert await ledger.end_unclaimed(ending("r2"))
    assert not await ledger.end_waiting(ending("r2", reason="busy"))
    assert await ledger.read_outcome("r2") == ending("r2")
    assert await list_waiting(ledger) == [waiting("r2")]


@pytest.mark.assumption(84)
async def test_an_end_takes_the_row_by_which_a_rotation_waits(ledger: Ledger) -> None:
    """
    In one step with the claim; where that row is gone, it was ended without a claim, and this end does not count.
    """
    await ledger.wait(waiting())
    first = await claimed(ledger)
    assert await ledger.end(ending(), target=TARGET, etag=first.etag, waits=True)
    assert await list_waiting(ledger) == []
    assert await ledger.read_open(TARGET) is None

    second = await claimed(ledger, "r2")
    assert not await ledger.end(ending("r2"), target=TARGET, etag=second.etag, waits=True)
    assert await ledger.read_open(TARGET) == second
    assert await ledger.read_outcome("r2") is None


def deferred(rotation_id: str = "r1") -> WaitingRotation:
    """
    Return the row of a rotation for which it was too soon.
    """
    row = waiting(rotation_id)
    record = structs.replace(row.record, state=State.SCHEDULED, allowed_on=NOW + timedelta(hours=24))
    request = structs.replace(row.request, deferred=True)
    return WaitingRotation(request, record, NOW + timedelta(hours=24))


@pytest.mark.assumption(84)
async def test_deferring_frees_the_target_and_lets_the_rotation_wait(ledger: Ledger) -> None:
    """
    In one step; when it begins, its row goes as that of any rotation that was accepted.
    """
    first = await claimed(ledger)

    assert await ledger.defer(deferred(), target=TARGET, etag=first.etag, waits=False)

    assert await ledger.read_open(TARGET) is None
    assert await list_waiting(ledger) == [deferred()]
    assert await ledger.find("r1") == deferred().record
    again = await claimed(ledger)
    row = structs.replace(running(), request=deferred().request, begun=True)
    assert await ledger.begin(TARGET, row, again.etag, waits=True) is not None
    assert await list_waiting(ledger) == []


@pytest.mark.assumption(84)
async def test_what_was_accepted_is_deferred_in_its_row(ledger: Ledger) -> None:
    """
    It waits once, until another time; deferred again by another delivery it is the same row.
    """
    await ledger.wait(waiting())
    first = await claimed(ledger)

    assert await ledger.defer(deferred(), target=TARGET, etag=first.etag, waits=True)
    assert await list_waiting(ledger) == [deferred()]

    second = await claimed(ledger)
    assert not await ledger.defer(deferred(), target=TARGET, etag=second.etag, waits=False)
    assert await ledger.defer(deferred(), target=TARGET, etag=second.etag, waits=True)
    assert await list_waiting(ledger) == [deferred()]


@pytest.mark.assumption(83, 84)
async def test_what_cannot_be_deferred_changes_nothing(ledger: Ledger) -> None:
    """
    A stale tag, or a row that was taken away with an outcome.
    """
    first = await claimed(ledger)
    row = await ledger.replace(TARGET, running(claim="c2"), first.etag)
    assert row is not None

    assert not await ledger.defer(deferred(), target=TARGET, etag=first.etag, waits=False)
    assert not await ledger.defer(deferred(), target=TARGET, etag=row.etag, waits=True)

    assert await ledger.read_open(TARGET) == row
    assert await list_waiting(ledger) == []


@pytest.mark.assumption(83)
async def test_the_first_that_reserves_an_id_counts(ledger: Ledger) -> None:
    """
    A later request gets what was asked for first, under any id.
    """
    assert await ledger.reserve("r1", Reservation("first")) == Reservation("first")
    assert await ledger.reserve("r1", Reservation("second")) == Reservation("first")
    assert await ledger.reserve("r2", Reservation("second")) == Reservation("second")
    assert await ledger.find("r1") is None


@pytest.mark.assumption(83, 84, 89)
@pytest.mark.usefixtures("impatience")
async def test_a_lost_answer_about_what_waits_is_made_out(tables: TableLedger, transport: LosingTransport) -> None:
    """
    Each write that is sent again finds itself in the way, and counts as done.
    """
    await tables.bind(TARGET, SECRET)  # so that the table is there
    transport.loses = True
    assert await tables.wait(waiting())
    transport.loses = True
    assert await tables.reserve("r1", Reservation("digest")) == Reservation("digest")
    first = await claimed(tables)
    row = structs.replace(running(), begun=True)
    transport.loses = True
    assert await tables.defer(deferred(), target=TARGET, etag=first.etag, waits=True)
    first = await claimed(tables)
    transport.loses = True
    begun = await tables.begin(TARGET, row, first.etag, waits=True)
    assert begun is not None
    transport.loses = True
    assert await tables.end(ending(), target=TARGET, etag=begun.etag, begun=True)
    await tables.wait(waiting("r2"))
    transport.loses = True
    await tables.postpone(waiting("r2"), NOW)
    await tables.wait(waiting("r3"))
    transport.loses = True
    assert await tables.end_waiting(ending("r3"))
    assert await list_waiting(tables) == [structs.replace(waiting("r2"), due_on=NOW)]
    transport.loses = True
    await tables.forget_waiting("r2")

    assert await list_waiting(tables) == []
    assert await tables.read_outcome("r3") == ending("r3")


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("status", [503, 500])
async def test_beginning_is_tried_again_in_a_busy_storage_account(tables: TableLedger, status: int) -> None:
    """
    A failure inside a transaction is no sign that the rotation was ended elsewhere.
    """
    await tables.wait(waiting())
    first = await claimed(tables)
    busy: Any = BusyTable(tables._client, status)

    begun = await TableLedger(Table(busy)).begin(TARGET, structs.replace(running(), begun=True), first.etag, waits=True)

    assert begun is not None
    assert await list_waiting(tables) == []


async def test_a_waiting_row_of_another_version_stops_nobody_else(tables: TableLedger) -> None:
    """
    What it asks for is not known here: it is left out, and the others are brought back.
    """
    await tables.wait(waiting())
    await tables.wait(waiting("r2"))
    await tables._client.update_entity(
        {"PartitionKey": "live", "RowKey": "accepted:r1", "Row": '{"request": {"v": 9}}'}
    )

    assert await list_waiting(tables) == [waiting("r2")]


def changing(change: str = "c1", what: SecretId = SECRET) -> TagChange:
    """
    Return the row of a change of tags.
    """
    return TagChange(change, what, NOW + timedelta(minutes=10))


@pytest.mark.assumption(83)
async def test_a_change_of_tags_and_a_rotation_claim_the_same_place(ledger: Ledger) -> None:
    """
    The first one has it; the other gets to see what is there, and comes when it is gone.
    """
    held = await ledger.hold(TARGET, changing())
    assert held.row == changing()
    assert (await ledger.claim(TARGET, running())).row == changing()
    assert (await ledger.hold(TARGET, changing("c2"))).row == changing()
    assert await ledger.release(TARGET, held.etag)

    first = await claimed(ledger)
    assert (await ledger.hold(TARGET, changing())).row == running()
    assert await ledger.release(TARGET, first.etag)
    assert (await ledger.hold(TARGET, changing("c3"))).row == changing("c3")


@pytest.mark.assumption(85)
async def test_a_change_of_tags_is_found_among_no_rotations(ledger: Ledger) -> None:
    """
    Nothing of it is resumed or listed, and no other target waits for it.
    """
    await ledger.hold(TARGET, changing())

    assert await ledger.read_open(TARGET) is None
    assert [target async for target, _ in ledger.list_open()] == []
    assert await ledger.find("c1") is None
    assert (await ledger.hold(SECRET.identity, changing("c2"))).row == changing("c2")


async def test_health_and_the_list_of_rotations_read_past_a_change_of_tags(tables: TableLedger) -> None:
    """
    Its row is one that this version knows.
    """
    await tables.hold(TARGET, changing())

    await tables.probe()
    assert [record async for record in TableHistory(tables._table).list_live()] == []
