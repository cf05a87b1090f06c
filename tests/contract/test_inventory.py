import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from adapters.inventory import TableInventory
from adapters.ledger import TableLedger
from adapters.table import Table
from adapters.transport import SharedTransport
from rotation.ports.inventory import Attention, Entry, Facts, Inventory, Result, Status, VaultFacts, Verification
from rotation.ports.ledger import Ledger
from rotation.run import outcome
from rotation.vocabulary.endings import Misconfigured, Skip, SkipReason
from rotation.vocabulary.errors import UnreadableRow
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.contract.conftest import MakeTable
from tests.contract.sides import sides
from tests.twins.inventory import MemoryInventory
from tests.twins.ledger import MemoryLedger
from tests.twins.targets import accepted_record, parse_target

pytestmark = pytest.mark.assumption(92)

# With microseconds: a moment that were rounded would lose rows, or keep them.
NOW = datetime(2026, 3, 1, 12, 0, 0, 123_457, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
EXPIRES = datetime(2026, 6, 1, tzinfo=UTC)
VAULT = "https://kv.vault.azure.net"
OTHER_VAULT = "https://kv2.vault.azure.net"
TARGET = parse_target(
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg(1)/providers/Microsoft.Batch"
    "/batchAccounts/Account1"
)


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
    An inventory, and the ledger beside it.
    """

    def __init__(self, inventory: Inventory, ledger: Ledger) -> None:
        self.inventory = inventory
        self.ledger = ledger

    async def entries(self, vault: str = VAULT, after: str = "") -> list[Entry]:
        """
        Return what is known of a vault's secrets.
        """
        return [entry async for entry in self.inventory.list_entries(vault, after)]

    async def names(self, vault: str = VAULT, after: str = "") -> list[str]:
        """
        Return the names of a vault's secrets.
        """
        return [entry.facts.secret.name for entry in await self.entries(vault, after)]


@pytest.fixture(params=sides("table"))
def side(request: pytest.FixtureRequest) -> Side:
    """
    Return the twin, then the real one.
    """
    if request.param == "twin":
        ledger = MemoryLedger()
        return Side(MemoryInventory(ledger), ledger)
    table: Table = request.getfixturevalue("table")
    return Side(TableInventory(table), TableLedger(table))


def facts(name: str = "one", seen_on: datetime = NOW, vault: str = VAULT, **more: Any) -> Facts:
    """
    Return what a look has found.
    """
    found = Facts(
        SecretId(vault, name),
        seen_on,
        TARGET.arm_id,
        TARGET.provider,
        key=KeyName.PRIMARY,
        expires_on=EXPIRES,
        validity_days=90,
    )
    return structs.replace(found, **more)


async def keep(inventory: Inventory, found: list[Facts]) -> None:
    """
    Keep each at the moment at which it was seen.
    """
    moments = {facts.seen_on for facts in found} or {NOW}
    for moment in sorted(moments):
        await inventory.keep([facts for facts in found if facts.seen_on == moment], moment)


def rotation(name: str = "one", completed_on: datetime = LATER, key: KeyName = KeyName.SECONDARY) -> Rotation:
    """
    Return the record of a completed rotation.
    """
    secret = SecretId(VAULT, name, "a" * 32)
    request = RotationRequest(str(uuid.uuid4()), Trigger.SWEEP, secret, NOW)
    record = accepted_record(request, NOW).about(TARGET).stored(secret.at("b" * 32), completed_on + timedelta(days=90))
    return outcome.completed_record(structs.replace(record, key_name=key), completed_on)


def failed(name: str = "one", completed_on: datetime = LATER) -> Rotation:
    """
    Return the record of a failed rotation.
    """
    request = RotationRequest(str(uuid.uuid4()), Trigger.SWEEP, SecretId(VAULT, name, "a" * 32), NOW)
    return outcome.ended_record(accepted_record(request, NOW), Misconfigured("tag"), completed_on)


@pytest.mark.assumption(86, 88)
async def test_what_is_kept_comes_back_as_it_was_found(side: Side) -> None:
    """
    In the order of the names, whatever their case, and of one vault at a time.
    """
    found = [facts("Zeta"), facts("alpha", misconfigured='tag "ü"\n'), facts("beta-2", paused="paused"), facts("beta")]
    await keep(side.inventory, found)
    await keep(side.inventory, [facts("elsewhere", vault=OTHER_VAULT)])

    assert await side.entries() == [Entry(found[1]), Entry(found[3]), Entry(found[2]), Entry(found[0])]
    assert await side.names(OTHER_VAULT) == ["elsewhere"]
    assert await side.names("https://nobody.vault.azure.net") == []


@pytest.mark.assumption(88)
async def test_a_listing_goes_on_behind_a_name(side: Side) -> None:
    """
    The name itself is not repeated, and need not be there any more.
    """
    await keep(side.inventory, [facts(name) for name in ("a", "b-1", "b1", "c")])

    assert await side.names(after="b-1") == ["b1", "c"]
    assert await side.names(after="b") == ["b-1", "b1", "c"]
    assert await side.names(after="!") == ["a", "b-1", "b1", "c"]
    assert await side.names(after="c") == []


@pytest.mark.assumption(84, 88)
async def test_a_large_page_is_kept_whole(side: Side) -> None:
    """
    More than one transaction of Table storage holds.
    """
    names = [f"n-{number:03}" for number in range(205)]

    await keep(side.inventory, [facts(name) for name in names])

    assert await side.names() == names


@pytest.mark.assumption(88)
async def test_what_is_kept_is_registered_with_its_target(side: Side) -> None:
    """
    Before any of them is rotated, its neighbours know of it; one without a target is registered with none.
    """
    await keep(side.inventory, [facts("one"), facts("TWO"), facts("three", target=None, misconfigured="tag")])

    bound = await side.ledger.bound_secrets(TARGET.identity)
    assert {each.secret.identity for each in bound} == {f"{VAULT}/secrets/one", f"{VAULT}/secrets/two"}


@pytest.mark.assumption(88)
async def test_what_is_seen_again_has_not_left_its_target(side: Side) -> None:
    """
    Whatever a rotation saw of it before.
    """
    await side.ledger.leave(TARGET.identity, SecretId(VAULT, "one"), NOW)

    await keep(side.inventory, [facts("one")])

    (bound,) = await side.ledger.bound_secrets(TARGET.identity)
    assert bound.left_on is None


async def test_a_later_look_replaces_an_earlier_one(side: Side) -> None:
    """
    In another spelling too.
    """
    await keep(side.inventory, [facts("one", paused="paused")])
    await keep(side.inventory, [facts("ONE", LATER, key=KeyName.SECONDARY)])

    assert await side.entries() == [Entry(facts("ONE", LATER, key=KeyName.SECONDARY))]


@pytest.mark.assumption(88)
async def test_a_complete_look_forgets_what_it_has_not_seen(side: Side) -> None:
    """
    Of its own vault alone, and what it has seen itself stays: also what it saw at its very beginning.
    """
    await keep(side.inventory, [facts("gone"), facts("stays")])
    await keep(side.inventory, [facts("elsewhere", vault=OTHER_VAULT)])
    await keep(side.inventory, [facts("stays", LATER), facts("new", LATER + timedelta(microseconds=1))])

    await side.inventory.finish(VaultFacts(VAULT, LATER, LATER))

    assert await side.names() == ["new", "stays"]
    assert await side.names(OTHER_VAULT) == ["elsewhere"]


@pytest.mark.assumption(88)
async def test_a_moment_is_not_rounded_to_a_second(side: Side) -> None:
    """
    What was seen a millisecond before the look began was not seen by it, and what it saw first was.
    """
    await keep(side.inventory, [facts("gone", NOW - timedelta(milliseconds=1)), facts("stays", NOW)])

    await side.inventory.finish(VaultFacts(VAULT, NOW, NOW))

    assert await side.names() == ["stays"]


async def test_a_broken_look_forgets_nothing(side: Side) -> None:
    """
    And is remembered with its reason.
    """
    await keep(side.inventory, [facts("one")])
    broken = VaultFacts(VAULT, LATER, NOW, "the vault cannot be listed: 403 Forbidden", needs_attention=True)

    await side.inventory.finish(broken)

    assert await side.names() == ["one"]
    assert await side.inventory.vault_facts(VAULT) == broken


@pytest.mark.assumption(86)
async def test_how_a_look_went_is_remembered_for_each_vault(side: Side) -> None:
    """
    The last one counts; without one there is nothing.
    """
    assert await side.inventory.vault_facts(VAULT) is None
    await side.inventory.finish(VaultFacts(VAULT, NOW, None, "broken"))
    await side.inventory.finish(VaultFacts(VAULT, LATER, LATER, needs_attention=True))

    assert await side.inventory.vault_facts(VAULT) == VaultFacts(VAULT, LATER, LATER, needs_attention=True)
    assert await side.inventory.vault_facts(OTHER_VAULT) is None


@pytest.mark.assumption(89)
async def test_what_a_rotation_stored_counts_over_an_older_look(side: Side) -> None:
    """
    Key, expiry and moment are the new version's; what stood in its way does not any more.
    """
    await keep(side.inventory, [facts(misconfigured="it has no expiry date", expires_on=None)])
    record = rotation()

    await side.inventory.note(record)

    (entry,) = await side.entries()
    assert entry.last == record
    assert (entry.facts.key, entry.facts.expires_on) == (KeyName.SECONDARY, LATER + timedelta(days=90))
    assert (entry.facts.seen_on, entry.facts.misconfigured, entry.facts.paused) == (LATER, None, None)
    assert (entry.facts.target_identity, entry.facts.validity_days) == (TARGET.identity, 90)


@pytest.mark.assumption(89)
async def test_a_later_look_counts_over_what_was_stored(side: Side) -> None:
    """
    Somebody changed the tags since; the last rotation stays.
    """
    record = rotation()
    await side.inventory.note(record)
    seen = facts(seen_on=LATER + timedelta(seconds=1), paused="its tag RotationPaused is true")

    await keep(side.inventory, [seen])

    assert record.completed_on is not None
    assert await side.entries() == [
        Entry(seen, record, Verification(record.completed_on, Result.LIVE, TARGET.identity, key=KeyName.SECONDARY))
    ]


async def test_a_secret_that_no_look_has_seen_is_known_by_its_rotation(side: Side) -> None:
    """
    It is shown before the first sweep.
    """
    record = rotation("New-One")
    await side.inventory.note(record)

    (entry,) = await side.entries()
    assert entry.facts.secret == SecretId(VAULT, "New-One")
    assert (entry.facts.key, entry.facts.target, entry.last) == (KeyName.SECONDARY, TARGET.arm_id, record)


@pytest.mark.assumption(89)
async def test_a_failure_is_the_last_rotation_and_stores_nothing(side: Side) -> None:
    """
    Facts are what they were; a secret of which nothing else is known is not shown.
    """
    await keep(side.inventory, [facts()])
    record, unknown = failed(), failed("unknown")

    await side.inventory.note(record)
    await side.inventory.note(unknown)

    assert await side.entries() == [Entry(facts(), record)]


@pytest.mark.assumption(89)
async def test_a_failure_leaves_what_was_stored_before(side: Side) -> None:
    """
    The version that the last complete rotation stored is still the current one.
    """
    await keep(side.inventory, [facts()])
    await side.inventory.note(rotation())
    record = failed(completed_on=LATER + timedelta(hours=1))

    await side.inventory.note(record)

    (entry,) = await side.entries()
    assert entry.last == record
    assert entry.facts.key is KeyName.SECONDARY


@pytest.mark.assumption(88, 89)
async def test_an_older_outcome_that_is_told_late_does_not_hide_a_newer_one(side: Side) -> None:
    """
    It had waited to be published, while another rotation went through.
    """
    await keep(side.inventory, [facts()])
    newer = rotation(completed_on=LATER + timedelta(minutes=10), key=KeyName.PRIMARY)
    await side.inventory.note(newer)

    await side.inventory.note(rotation(completed_on=LATER))

    (entry,) = await side.entries()
    assert entry.last == newer
    assert entry.facts.key is KeyName.PRIMARY
    await side.inventory.finish(VaultFacts(VAULT, LATER + timedelta(minutes=5), LATER))
    assert await side.names() == ["one"]


@pytest.mark.assumption(88)
async def test_a_rotation_that_ends_during_a_look_keeps_its_row(side: Side) -> None:
    """
    The look may have passed its page before the secret was there.
    """
    await side.inventory.note(rotation(completed_on=LATER + timedelta(seconds=1)))

    await side.inventory.finish(VaultFacts(VAULT, LATER, LATER))

    assert await side.names() == ["one"]


async def test_what_is_about_no_secret_or_has_not_ended_is_not_noted(side: Side) -> None:
    """
    A regenerate-only request belongs to no line.
    """
    request = RotationRequest(str(uuid.uuid4()), Trigger.HTTP, None, NOW, KeyName.PRIMARY, target=TARGET.written)
    await side.inventory.note(outcome.completed_record(accepted_record(request, NOW), LATER))
    await side.inventory.note(structs.replace(rotation(), completed_on=None))
    skipped = outcome.ended_record(rotation(), Skip(SkipReason.PAUSED), LATER)

    await side.inventory.note(structs.replace(skipped, secret=None))

    assert await side.entries() == []


@pytest.mark.assumption(86)
async def test_an_empty_page_is_kept_without_a_word(side: Side) -> None:
    """
    A vault may have none.
    """
    await keep(side.inventory, [])
    await side.inventory.finish(VaultFacts(VAULT, NOW, NOW))

    assert await side.entries() == []


@pytest.mark.assumption(89)
async def test_a_row_of_another_version_is_never_left_out(table: Table) -> None:
    """
    Until the next look has written it again.
    """
    inventory = TableInventory(table)
    await keep(inventory, [facts("one"), facts("two")])
    partition = "secrets:https:||kv.vault.azure.net"
    await table.client.update_entity(
        {"PartitionKey": partition, "RowKey": "one", "Row": '{"v": 9}', "RowSchema": 9, "RowVersion": "9.8.7"}
    )
    with pytest.raises(UnreadableRow, match=r"9\.8\.7"):
        _ = [entry async for entry in inventory.list_entries(VAULT, "")]

    await keep(inventory, [facts("one")])

    assert [entry.facts.secret.name async for entry in inventory.list_entries(VAULT, "")] == ["one", "two"]


async def test_a_look_does_not_hide_what_another_version_has_written_beside_it(table: Table) -> None:
    """
    A row has two writers: how the last rotation ended is still that version's.
    """
    inventory = TableInventory(table)
    await keep(inventory, [facts("one")])
    await inventory.note(rotation("one"))
    partition = "secrets:https:||kv.vault.azure.net"
    await table.client.update_entity(
        {"PartitionKey": partition, "RowKey": "one", "LastSchema": 9, "LastVersion": "9.8.7"}
    )

    await keep(inventory, [facts("one")])

    with pytest.raises(UnreadableRow, match=r"Last of row one .* 9\.8\.7"):
        _ = [entry async for entry in inventory.list_entries(VAULT, "")]


def seen(on: datetime = LATER, result: Result = Result.LIVE) -> Verification:
    """
    Return what came of a comparison.
    """
    return Verification(on, result, TARGET.identity, TARGET.address, "why", is_doubted=True, key=KeyName.PRIMARY)


@pytest.mark.assumption(84, 88)
async def test_what_came_of_a_comparison_is_kept_beside_the_rest(side: Side) -> None:
    """
    Of any number of secrets in several vaults at once; the last one counts, and a look leaves it as it is.
    """
    await keep(side.inventory, [facts("one"), facts("two")])
    other = SecretId(OTHER_VAULT, "Three")
    await side.inventory.keep([structs.replace(facts("three"), secret=other)], NOW)
    for result in (Result.DRIFT, Result.LIVE):
        await side.inventory.keep_verifications(
            {SecretId(VAULT, "ONE"): seen(result=result), SecretId(VAULT, "two"): seen(result=result), other: seen()},
            LATER,
        )
    await keep(side.inventory, [facts("one", seen_on=LATER)])

    found = [entry async for entry in side.inventory.list_entries(VAULT, "")]
    found += [entry async for entry in side.inventory.list_entries(OTHER_VAULT, "")]
    assert [entry.verified for entry in found] == [seen(), seen(), seen()]
    await side.inventory.keep_verifications({}, LATER)


@pytest.mark.assumption(88)
async def test_one_secret_is_read_as_the_list_has_it(side: Side) -> None:
    """
    In any spelling of its name, with all that is known of it; none of another name or vault.
    """
    await keep(side.inventory, [facts("One"), facts("two")])
    await keep(side.inventory, [facts("one", vault=OTHER_VAULT)])
    await side.inventory.note(rotation("one", LATER))
    await side.inventory.keep_verifications({SecretId(VAULT, "one"): seen()}, LATER)
    attention = Attention(Status.DRIFTED, LATER)
    await side.inventory.keep_attention(SecretId(VAULT, "one"), attention, instead=None)

    entry, _ = await side.entries()

    assert entry.attention == attention
    assert await side.inventory.read_entry(SecretId(VAULT, "ONE")) == entry
    assert await side.inventory.read_entry(SecretId(VAULT, "one", "a" * 32)) == entry
    assert await side.inventory.read_entry(SecretId(OTHER_VAULT, "one")) == Entry(facts("one", vault=OTHER_VAULT))
    assert await side.inventory.read_entry(SecretId(VAULT, "on")) is None
    assert await side.inventory.read_entry(SecretId("https://nobody.vault.azure.net", "one")) is None


async def test_one_secret_is_read_with_what_was_just_seen_of_it(side: Side) -> None:
    """
    Known or not, and its last rotation stands beside that; nothing is kept.
    """
    await keep(side.inventory, [facts("one")])
    record = failed("new")
    await side.inventory.note(record)
    newer = facts("one", LATER, paused="paused")

    assert await side.inventory.read_entry(SecretId(VAULT, "one"), seen=newer) == Entry(newer)
    assert await side.inventory.read_entry(SecretId(VAULT, "new")) is None
    assert await side.inventory.read_entry(SecretId(VAULT, "new"), seen=facts("new")) == Entry(facts("new"), record)
    assert await side.inventory.read_entry(SecretId(VAULT, "none"), seen=facts("none")) == Entry(facts("none"))
    assert await side.entries() == [Entry(facts("one"))]


@pytest.mark.assumption(84)
async def test_a_comparison_has_seen_its_secret(side: Side) -> None:
    """
    A look that began before it does not forget the secret, whenever what is kept was found; a later one does.
    """
    await keep(side.inventory, [facts("one", seen_on=LATER)])
    found = {SecretId(VAULT, "one"): seen(NOW), SecretId(VAULT, "new"): seen(NOW)}
    await side.inventory.keep_verifications(found, LATER)

    await side.inventory.finish(VaultFacts(VAULT, LATER, LATER))
    assert await side.names() == ["one"]  # Of the other one nothing else is known.
    await side.inventory.finish(VaultFacts(VAULT, LATER + timedelta(hours=1), LATER))
    assert await side.names() == []


@pytest.mark.assumption(84, 88)
async def test_that_somebody_was_told_is_kept_until_it_is_over(side: Side) -> None:
    """
    Beside the rest; of a secret that is not known nothing is kept.
    """
    secret, gone = SecretId(VAULT, "ONE"), SecretId(VAULT, "gone")
    await keep(side.inventory, [facts("one")])
    before = None
    for attention in (Attention(Status.DRIFTED, NOW), Attention(Status.DRIFTED, NOW, is_told=True), None):
        assert await side.inventory.keep_attention(secret, attention, instead=before)
        assert not await side.inventory.keep_attention(gone, attention, instead=before)
        (entry,) = [entry async for entry in side.inventory.list_entries(VAULT, "")]
        assert (entry.attention, entry.facts) == (attention, facts("one"))
        before = attention
    await keep(side.inventory, [facts("gone")])
    assert [entry.attention async for entry in side.inventory.list_entries(VAULT, "")] == [None, None]


@pytest.mark.assumption(83, 84)
async def test_only_one_of_two_writes_that_a_secret_needs_a_person(side: Side) -> None:
    """
    The other one finds that it is not as it was; what it wanted to write may be there already.
    """
    secret = SecretId(VAULT, "one")
    await keep(side.inventory, [facts("one")])
    first, second = Attention(Status.DRIFTED, NOW), Attention(Status.DRIFTED, LATER)

    assert await side.inventory.keep_attention(secret, first, instead=None)
    assert not await side.inventory.keep_attention(secret, second, instead=None)
    assert await side.inventory.keep_attention(secret, first, instead=None)

    (entry,) = [entry async for entry in side.inventory.list_entries(VAULT, "")]
    assert entry.attention == first


@pytest.mark.assumption(86)
async def test_how_a_look_went_can_be_kept_alone(side: Side) -> None:
    """
    Then nothing is forgotten.
    """
    await keep(side.inventory, [facts("one")])
    look = VaultFacts(VAULT, LATER, LATER, needs_attention=True)

    await side.inventory.keep_look(look)

    assert await side.inventory.vault_facts(VAULT) == look
    assert await side.names() == ["one"]
