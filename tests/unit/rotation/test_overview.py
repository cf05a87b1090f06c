from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from rotation.overview.paging import continuation_of
from rotation.overview.secrets import SecretsPage, SecretStatus, Wanted, has_looked, list_secrets
from rotation.overview.sweep import look
from rotation.ports.inventory import Result, Status, Verification
from rotation.vocabulary.errors import Declined, Malformed, Unavailable
from rotation.vocabulary.record import State
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.secret import ListedSecret, SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.targets import batch_account
from tests.twins.vaults import MemoryVaults
from tests.twins.world import SUBSCRIPTION, VAULT, TwinWorld

LEAD = timedelta(days=30)
MINUTE = timedelta(minutes=1)
SECOND_VAULT = "https://a-second.vault.azure.net"
OTHER = batch_account(SUBSCRIPTION, "rg", "account2")


@pytest.fixture
def world() -> TwinWorld:
    """
    Return a world with two vaults; the first one's one secret holds the primary key and is overdue.
    """
    world = TwinWorld("batch")
    world.vaults = MemoryVaults(world.clock, [VAULT, SECOND_VAULT], world.faults)
    world.put()
    world.rotator = world.worker()
    return world


def put(world: TwinWorld, name: str, vault: str = VAULT, days: float = 60, **tags: str) -> None:
    """
    Make a managed secret that expires in so many days.
    """
    managed = {"ProviderAddress": world.address, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
    world.vaults.put(
        SecretId(vault, name),
        world.provider.value(world.target, KeyName.PRIMARY),
        tags=managed | tags,
        expires_on=world.clock.now() + timedelta(days=days),
    )


async def see(world: TwinWorld) -> None:
    """
    Look through the vaults, a minute after whatever happened before.
    """
    world.clock.advance(MINUTE)
    await look(world.ports, LEAD, within=MINUTE)


async def page_of(
    world: TwinWorld,
    *,
    top: int = 100,
    continuation: str | None = None,
    target: str | None = None,
    status: Status | None = None,
) -> SecretsPage:
    """
    Return a page of the list.
    """
    return await list_secrets(world.ports, Wanted(target, status), lead=LEAD, top=top, continuation=continuation)


async def walk(world: TwinWorld, top: int) -> list[SecretStatus]:
    """
    Return all lines, from pages of so many.
    """
    found: list[SecretStatus] = []
    continuation = None
    for _ in range(100):
        page = await page_of(world, top=top, continuation=continuation)
        assert len(page.secrets) <= top
        found += page.secrets
        continuation = page.continuation
        if continuation is None:
            return found
    raise AssertionError("the list has no end")


async def test_every_kind_of_status_is_shown_with_its_reason(world: TwinWorld) -> None:
    """
    As it stands at the moment of asking.
    """
    put(world, "due", days=29.5)
    put(world, "expired", days=-1)
    put(world, "fine")
    put(world, "misconfigured", ValidityPeriodDays="7")
    put(world, "paused", RotationPaused="true")
    await see(world)

    page = await page_of(world)

    shown = {line.secret.name: (line.status, line.why is not None) for line in page.secrets}
    assert shown == {
        "due": (Status.DUE, False),
        "expired": (Status.EXPIRED, False),
        "fine": (Status.UP_TO_DATE, False),
        "misconfigured": (Status.MISCONFIGURED, True),
        "one": (Status.OVERDUE, False),
        "paused": (Status.PAUSED, True),
    }
    world.clock.advance(timedelta(days=35))
    later = {line.secret.name: line.status for line in (await page_of(world)).secrets}
    assert (later["due"], later["fine"], later["paused"]) == (Status.EXPIRED, Status.OVERDUE, Status.PAUSED)


async def test_a_secret_shows_when_it_is_rotated_next(world: TwinWorld) -> None:
    """
    Key Vault's event comes 30 days before the expiry; what is due already is asked for by every sweep, from now on.
    """
    put(world, "fine", days=60)
    put(world, "due", days=29.5)
    put(world, "expired", days=-1)
    put(world, "paused", RotationPaused="true")
    put(world, "misconfigured", ValidityPeriodDays="7")
    world.vaults.put(SecretId(VAULT, "nearly"), "x", tags={"ProviderAdress": world.address})
    made_on = world.clock.now()
    await see(world)
    now = world.clock.now()

    shown = {line.secret.name: line.next_rotation_on for line in (await page_of(world)).secrets}

    assert shown == {
        "fine": made_on + timedelta(days=30),
        "due": now,
        "expired": now,
        "one": now,
        "paused": None,
        "misconfigured": None,
        "nearly": None,
    }


async def test_what_no_sweep_is_sure_to_rotate_shows_no_next_rotation(world: TwinWorld) -> None:
    """
    Its value holds no key, or its target is gone: a person has to come first. Nor is a vault rotated.
    """
    await see(world)
    found = Verification(world.clock.now(), Result.DRIFT, world.target.identity, world.target.address, "drift")

    for result in (Result.DRIFT, Result.TARGET_MISSING, Result.LIVE):
        await world.inventory.keep_verifications(
            {world.secret: structs.replace(found, result=result)}, world.clock.now()
        )
        (line,) = (await page_of(world)).secrets
        assert (line.next_rotation_on is None) is (result is not Result.LIVE)
    world.faults.before("list_pages", Declined("403 Forbidden: no list permission"))
    await see(world)
    assert (await page_of(world)).secrets[0].next_rotation_on is None


async def test_secrets_of_one_target_are_shown_with_each_other(world: TwinWorld) -> None:
    """
    Which share it, and which key each holds; in every vault, and none with itself.
    """
    put(world, "two", SECOND_VAULT, CredentialId="Secondary")
    put(world, "alone", ProviderAddress=OTHER.arm_id)
    await see(world)

    lines = {line.secret.name: line for line in (await page_of(world)).secrets}

    one, two = f"{VAULT}/secrets/one", f"{SECOND_VAULT}/secrets/two"
    assert (lines["one"].shares_target_with, lines["two"].shares_target_with) == ([two], [one])
    assert (lines["one"].key_name, lines["two"].key_name) == (KeyName.PRIMARY, KeyName.SECONDARY)
    assert lines["alone"].shares_target_with == []
    assert (lines["alone"].target, lines["alone"].provider) == (OTHER.arm_id, "Microsoft.Batch/batchAccounts")


async def test_one_question_tells_who_shares_a_target(world: TwinWorld) -> None:
    """
    However many secrets of the page share it.
    """
    for number in range(30):
        put(world, f"n-{number}")
    await see(world)

    page = await page_of(world)

    assert all(len(line.shares_target_with) == 30 for line in page.secrets)
    assert world.faults.count("bound_secrets") == 1


async def test_a_secret_is_shown_with_its_last_rotation(world: TwinWorld) -> None:
    """
    How it ended, and the key and expiry that it stored, before any sweep comes by.
    """
    await see(world)
    assert (await page_of(world)).secrets[0].last_rotation is None
    world.clock.advance(MINUTE)
    rotation = await world.rotate()

    (line,) = (await page_of(world)).secrets

    last = line.last_rotation
    assert last is not None
    assert (last.id, last.state, last.trigger) == (rotation.id, State.COMPLETED, Trigger.SECRET_NEAR_EXPIRY)
    assert (last.completed_on, last.error) == (rotation.completed_on, None)
    assert (line.key_name, line.status) == (KeyName.SECONDARY, Status.UP_TO_DATE)
    assert line.expires_on == world.current().expires_on
    assert line.seen_on == rotation.completed_on


async def test_a_failure_is_shown_with_its_code(world: TwinWorld) -> None:
    """
    The secret is what it was before.
    """
    await see(world)
    world.faults.before("regenerate", Declined("403 AuthorizationFailed"))
    await world.rotate()

    (line,) = (await page_of(world)).secrets

    assert line.last_rotation is not None
    assert (line.last_rotation.state, line.last_rotation.error) == (State.FAILED, "provider_refused")
    assert (line.key_name, line.status) == (KeyName.PRIMARY, Status.OVERDUE)
    assert line.why is None


async def test_an_overdue_secret_says_why_its_rotation_was_skipped(world: TwinWorld) -> None:
    """
    It was asked for too soon; what a duplicate was skipped for says nothing.
    """
    await world.rotate(first := world.event())
    await world.rotate(structs.replace(first, id="a-duplicate"))
    world.clock.advance(timedelta(hours=1))
    put(world, "one", days=20)

    await see(world)
    (before,) = (await page_of(world)).secrets
    world.grace = timedelta(days=1)
    world.rotator = world.worker()
    await world.rotate(world.manual())
    (after,) = (await page_of(world)).secrets

    assert (before.status, before.why) == (Status.OVERDUE, None)
    assert (after.status, after.why) == (Status.OVERDUE, "its last rotation was skipped: too_soon")


async def test_an_outcome_told_late_does_not_hide_a_newer_one(world: TwinWorld) -> None:
    """
    It had waited to be published, and another rotation went through meanwhile.
    """
    await see(world)
    world.clock.advance(MINUTE)
    world.faults.before("publish", Unavailable("503"))
    await world.rotate()
    world.clock.advance(MINUTE)
    newer = await world.rotate(world.manual())
    await world.resume(after=2 * MINUTE)

    (line,) = (await page_of(world)).secrets

    assert line.last_rotation is not None
    assert line.last_rotation.id == newer.id
    assert line.key_name is newer.key_name


async def test_a_ledger_that_cannot_note_an_outcome_does_not_undo_it(world: TwinWorld) -> None:
    """
    The next look puts the line right.
    """
    await see(world)
    world.faults.before("note", Unavailable("503"))

    assert (await world.rotate()).state is State.COMPLETED

    await see(world)
    assert (await page_of(world)).secrets[0].status is Status.UP_TO_DATE


async def test_a_line_goes_with_its_secret(world: TwinWorld) -> None:
    """
    Deleted, or not managed any more: after the next look it is not shown.
    """
    put(world, "two")
    put(world, "three")
    await see(world)
    world.delete("one")
    world.vaults.put(SecretId(VAULT, "two"), "x", tags={})

    await see(world)

    assert [line.secret.name for line in (await page_of(world)).secrets] == ["three"]


async def test_a_vault_that_cannot_be_listed_has_a_line_of_its_own(world: TwinWorld) -> None:
    """
    It says why, and what was known of its secrets is shown below.
    """
    put(world, "two", SECOND_VAULT)
    await see(world)
    world.faults.before("list_pages", Declined("403 Forbidden: no list permission"))
    await see(world)

    about, one, two = (await page_of(world)).secrets

    assert (about.secret.vault, about.secret.name, about.status) == (VAULT, None, Status.MISCONFIGURED)
    assert "403 Forbidden" in str(about.why)
    assert (one.secret.name, two.secret.name) == ("one", "two")
    assert one.seen_on < two.seen_on
    misconfigured = (await page_of(world, status=Status.MISCONFIGURED)).secrets
    assert misconfigured == [about]
    assert about not in (await page_of(world, target=world.target.identity)).secrets
    await see(world)
    assert about.secret not in [line.secret for line in (await page_of(world)).secrets]


class ClosingVaults(MemoryVaults):
    """
    Vaults that may be listed until they are closed.
    """

    closed: tuple[str, ...] = ()

    async def list_pages(self, vault: str) -> AsyncGenerator[list[ListedSecret], None]:
        """
        Yield the pages of a vault that is not closed.
        """
        if vault in self.closed:
            raise Declined("403")
        async for page in super().list_pages(vault):
            yield page


@pytest.mark.parametrize("top", [1, 2, 3, 4, 5, 8, 100])
@pytest.mark.parametrize("broken", [(), (VAULT,), (SECOND_VAULT,), (VAULT, SECOND_VAULT)])
async def test_pages_hold_every_line_once(world: TwinWorld, top: int, broken: tuple[str, ...]) -> None:
    """
    Over both vaults, by name, and whichever of them has a line of its own.
    """
    world.vaults = vaults = ClosingVaults(world.clock, [VAULT, SECOND_VAULT], world.faults)
    world.put()
    for name in ("B", "a-1", "a1", "z"):
        put(world, name)
        put(world, name, SECOND_VAULT)
    await see(world)
    vaults.closed = broken
    await see(world)

    found = await walk(world, top)

    first = [(VAULT, name) for name in ("a-1", "a1", "B", "one", "z")]
    second = [(SECOND_VAULT, name) for name in ("a-1", "a1", "B", "z")]
    expected = [(VAULT, None)] * (VAULT in broken) + first + [(SECOND_VAULT, None)] * (SECOND_VAULT in broken) + second
    assert [(line.secret.vault, line.secret.name) for line in found] == expected


async def test_a_page_goes_on_behind_a_secret_that_is_gone(world: TwinWorld) -> None:
    """
    A continuation is a place, not a line.
    """
    for name in ("a", "b", "c"):
        put(world, name)
    await see(world)
    page = await page_of(world, top=2)
    world.vaults.delete(SecretId(VAULT, "b"))
    await see(world)

    rest = await page_of(world, continuation=page.continuation)

    assert [line.secret.name for line in rest.secrets] == ["c", "one"]


async def test_a_filter_looks_through_all_vaults(world: TwinWorld) -> None:
    """
    By target and by status; a page may end anywhere.
    """
    put(world, "two", SECOND_VAULT, ProviderAddress=OTHER.arm_id)
    put(world, "three", SECOND_VAULT, days=3)
    await see(world)

    overdue = await page_of(world, status=Status.OVERDUE, top=1)
    assert [line.secret.name for line in overdue.secrets] == ["one"]
    rest = await page_of(world, status=Status.OVERDUE, top=1, continuation=overdue.continuation)
    assert [line.secret.name for line in rest.secrets] == ["three"]
    assert rest.continuation is None
    of_other = await page_of(world, target=OTHER.identity)
    assert [line.secret.name for line in of_other.secrets] == ["two"]
    assert (await page_of(world, target=OTHER.identity, status=Status.PAUSED)).secrets == []


@pytest.mark.parametrize(
    "place",
    [
        (VAULT, "\x00"),
        (VAULT, "' or '"),
        (VAULT, "a/b"),
        (VAULT, "a" * 500),
        (VAULT, ""),
        ("https://foreign.vault.azure.net", "a"),
        ("", ""),
        (VAULT,),
        (VAULT, "a", "b"),
    ],
)
async def test_a_continuation_that_is_none_is_refused(world: TwinWorld, place: tuple[str, ...]) -> None:
    """
    Nothing of it reaches the ledger.
    """
    with pytest.raises(Malformed, match="continuation"):
        await page_of(world, continuation=continuation_of(*place))
    assert world.faults.calls == []


async def test_the_list_is_as_old_as_its_oldest_look(world: TwinWorld) -> None:
    """
    Unknown while a vault was never looked through to its end; a broken look makes no newer list.
    """

    async def as_of() -> datetime | None:
        return (await page_of(world)).as_of

    assert await as_of() is None
    assert not await has_looked(world.ports)
    world.faults.before("list_pages", Declined("403"))
    await see(world)
    assert await as_of() is None
    assert await has_looked(world.ports)
    await see(world)
    looked_on = world.clock.now()
    assert await as_of() == looked_on
    world.faults.before("list_pages", None, Declined("403"))
    await see(world)

    assert await as_of() == looked_on


async def test_secrets_of_a_vault_that_was_taken_away_are_not_shown(world: TwinWorld) -> None:
    """
    Neither as lines nor as neighbours.
    """
    put(world, "two", SECOND_VAULT)
    await see(world)
    kept = MemoryVaults(world.clock, [VAULT], world.faults)
    world.vaults = kept

    (line,) = (await page_of(world)).secrets

    assert line.secret.name == "one"
    assert line.shares_target_with == []


async def test_a_ledger_that_is_down_is_no_empty_list(world: TwinWorld) -> None:
    """
    Anyone who asks is told to ask again.
    """
    world.faults.before("list_entries", Unavailable("503"))
    with pytest.raises(Unavailable):
        await page_of(world)
