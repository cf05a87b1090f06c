import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from adapters.ledger import TableLedger
from adapters.table import Table
from adapters.transport import SharedTransport
from rotation.ports.ledger import Ledger
from rotation.run import outcome
from rotation.vocabulary.endings import Skip, SkipReason
from rotation.vocabulary.record import EndedRotation, Leak, OpenRotation, State, WaitingRotation
from rotation.vocabulary.request import LeakedKey, Revocation, request_to_revoke
from tests.contract.conftest import MakeTable
from tests.contract.sides import sides
from tests.twins.ledger import MemoryLedger
from tests.twins.targets import accepted_record, batch_account

pytestmark = [pytest.mark.assumption(92), pytest.mark.assumption(84)]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
ACCOUNT = batch_account(SUBSCRIPTION, "rg(1)", "a1")
OTHER = batch_account(SUBSCRIPTION, "rg(1)", "a12")


@pytest.fixture
async def transport() -> AsyncIterator[SharedTransport]:
    """
    Yield the transport of the real ledger.
    """
    transport = SharedTransport()
    yield transport
    await transport.shut()


@pytest.fixture(params=sides("tables"))
def ledger(request: pytest.FixtureRequest, make_table: MakeTable, transport: SharedTransport) -> Ledger:
    """
    Return the twin, then the real one.
    """
    return MemoryLedger() if request.param == "twin" else TableLedger(Table(make_table(transport)))


def revoking(fingerprint: str = "f", target: str = ACCOUNT.written) -> WaitingRotation:
    """
    Return the row of a revocation.
    """
    revocation = Revocation(str(uuid.uuid4()), timedelta(hours=1), LeakedKey(fingerprint * 64, target))
    request = request_to_revoke(revocation, NOW, reason="leaked")
    return WaitingRotation(request, structs.replace(accepted_record(request, NOW), state=State.SCHEDULED), NOW)


def leak_of(row: WaitingRotation, target: str = ACCOUNT.identity) -> Leak:
    """
    Return what a revocation is about.
    """
    assert row.request.revokes
    return Leak(target, row.request.revokes.leaked, row.record.id, NOW)


async def reported(ledger: Ledger, fingerprint: str = "f") -> WaitingRotation:
    """
    Report a leak.
    """
    row = revoking(fingerprint)
    assert await ledger.report_leak(row, leak_of(row))
    return row


def cancelled(row: WaitingRotation) -> EndedRotation:
    """
    Return the outcome of a revocation that is cancelled.
    """
    return EndedRotation(row.request, outcome.ended_record(row.record, Skip(SkipReason.CANCELLED), NOW))


async def waiting(ledger: Ledger) -> list[WaitingRotation]:
    """
    Return what waits.
    """
    return [row async for row in ledger.list_waiting()]


async def test_a_report_is_found_by_its_target_and_by_its_id(ledger: Ledger) -> None:
    """
    Revocation and leak come in one step.
    """
    row = await reported(ledger)

    assert await ledger.read_revocation(ACCOUNT.identity) == row
    assert await ledger.find(row.record.id) == row.record
    assert await ledger.list_leaks(ACCOUNT.identity) == [leak_of(row)]
    assert await ledger.list_leaks() == [leak_of(row)]
    assert await ledger.read_waiting(row.record.id) is None


async def test_a_target_has_one_revocation_at_a_time(ledger: Ledger) -> None:
    """
    The second report changes nothing, neither the revocation nor what is known to have leaked.
    """
    row = await reported(ledger)
    second = revoking("e")

    assert not await ledger.report_leak(second, leak_of(second))

    assert await waiting(ledger) == [row]
    assert await ledger.list_leaks() == [leak_of(row)]


async def test_another_target_has_its_own(ledger: Ledger) -> None:
    """
    Also where the name of one begins with that of the other.
    """
    row = await reported(ledger)
    other = revoking("f", OTHER.written)
    assert await ledger.report_leak(other, leak_of(other, OTHER.identity))

    assert await ledger.read_revocation(OTHER.identity) == other
    assert await ledger.list_leaks(ACCOUNT.identity) == [leak_of(row)]
    assert await ledger.list_leaks(OTHER.identity) == [leak_of(other, OTHER.identity)]
    await ledger.forget_leak(OTHER.identity, leak_of(other).leaked)
    assert await ledger.list_leaks() == [leak_of(row)]


async def test_a_leak_outlives_its_revocation_until_it_is_forgotten(ledger: Ledger) -> None:
    """
    Whatever became of that; a new report of the same key takes its place.
    """
    row = await reported(ledger)
    assert await ledger.end_waiting(cancelled(row))
    assert await ledger.list_leaks() == [leak_of(row)]

    again = await reported(ledger)
    assert await ledger.list_leaks() == [leak_of(again)]
    await ledger.forget_leak(ACCOUNT.identity, leak_of(again).leaked)
    await ledger.forget_leak(ACCOUNT.identity, leak_of(again).leaked)
    assert await ledger.list_leaks() == []


async def test_a_revocation_is_cancelled_or_begins(ledger: Ledger) -> None:
    """
    Both take its row, so that only the first of them takes effect.
    """
    row = await reported(ledger)
    running = OpenRotation(row.request, row.record, "c1", NOW + timedelta(minutes=10))
    first = await ledger.claim(ACCOUNT.identity, running)
    assert await ledger.end_waiting(cancelled(row))
    assert await ledger.begin(ACCOUNT.identity, structs.replace(running, begun=True), first.etag, waits=True) is None
    assert not await ledger.defer(row, target=ACCOUNT.identity, etag=first.etag, waits=True)
    assert await waiting(ledger) == []
    assert await ledger.release(ACCOUNT.identity, first.etag)

    row = await reported(ledger)
    running = OpenRotation(row.request, row.record, "c2", NOW + timedelta(minutes=10))
    second = await ledger.claim(ACCOUNT.identity, running)
    assert (
        await ledger.begin(ACCOUNT.identity, structs.replace(running, begun=True), second.etag, waits=True) is not None
    )
    assert not await ledger.end_waiting(cancelled(row))
    assert await ledger.read_outcome(row.record.id) is None


async def test_an_end_takes_the_row_of_its_own_revocation(ledger: Ledger) -> None:
    """
    The next report finds the target free.
    """
    row = await reported(ledger)
    first = await ledger.claim(ACCOUNT.identity, OpenRotation(row.request, row.record, "c1", NOW))

    assert await ledger.end(cancelled(row), target=ACCOUNT.identity, etag=first.etag, waits=True)

    assert await waiting(ledger) == []
    await reported(ledger)


async def test_a_revocation_that_has_ended_forgets_its_own_row_alone(ledger: Ledger) -> None:
    """
    The row of the target may be the next one's by then.
    """
    row = await reported(ledger)
    assert await ledger.end_waiting(cancelled(row))
    following = await reported(ledger)

    await ledger.forget_waiting(row.record.id)
    assert await waiting(ledger) == [following]
    await ledger.forget_waiting(following.record.id)
    assert await waiting(ledger) == []


async def test_a_revocation_is_postponed(ledger: Ledger) -> None:
    """
    Only as it was read.
    """
    row = await reported(ledger)
    later = structs.replace(row, due_on=NOW + timedelta(minutes=15))

    await ledger.postpone(row, later.due_on)
    await ledger.postpone(row, NOW + timedelta(hours=1))

    assert await waiting(ledger) == [later]


async def test_a_revocation_that_was_cancelled_leaves_the_next_ones_row_alone(ledger: Ledger) -> None:
    """
    Its worker may come late: it can neither begin, end, wait nor be ended any more, and the next one stays.
    """
    first = await reported(ledger)
    running = OpenRotation(first.request, first.record, "c1", NOW + timedelta(minutes=10))
    claim = await ledger.claim(ACCOUNT.identity, running)
    assert await ledger.end_waiting(cancelled(first))
    second = await reported(ledger, "e")

    assert await ledger.begin(ACCOUNT.identity, structs.replace(running, begun=True), claim.etag, waits=True) is None
    assert not await ledger.defer(first, target=ACCOUNT.identity, etag=claim.etag, waits=True)
    assert not await ledger.end(cancelled(first), target=ACCOUNT.identity, etag=claim.etag, waits=True)
    await ledger.forget_outcome(first.record.id)
    assert not await ledger.end_waiting(cancelled(first))

    assert await ledger.list_revocations() == [second]
    assert await ledger.release(ACCOUNT.identity, claim.etag)
