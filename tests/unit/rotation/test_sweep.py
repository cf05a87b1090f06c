import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from msgspec import structs

from rotation.overview.standing import status_of
from rotation.overview.sweep import look, sweep
from rotation.ports.inventory import Status, VaultFacts
from rotation.vocabulary.errors import Declined, NoAnswer, Unavailable
from rotation.vocabulary.record import State
from rotation.vocabulary.request import RotationRequest, Trigger, request_for_sweep
from rotation.vocabulary.secret import ListedSecret, SecretId
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Clock
from tests.twins.targets import batch_account
from tests.twins.vaults import MemoryVaults
from tests.twins.world import SUBSCRIPTION, TARGETS, VAULT, TwinWorld

LEAD = timedelta(days=30)
WITHIN = timedelta(minutes=8)
DAY = timedelta(days=1)
SECOND_VAULT = "https://kv2.vault.azure.net"


class TwoVaults(TwinWorld):
    """
    A world with a second vault, in which one managed secret is due.
    """

    def __init__(self) -> None:
        super().__init__("batch")
        self.vaults = MemoryVaults(self.clock, [VAULT, SECOND_VAULT], self.faults)
        self.put()
        self.vaults.put(
            SecretId(SECOND_VAULT, "other"),
            self.provider.value(self.target, KeyName.PRIMARY),
            tags={"ProviderAddress": self.address, "CredentialId": "Primary", "ValidityPeriodDays": "90"},
            expires_on=self.clock.now() + timedelta(days=3),
        )
        self.rotator = self.worker()


@pytest.fixture
def world() -> TwinWorld:
    """
    Return a world in which one managed secret expires in 20 days.
    """
    return TwinWorld("batch")


async def sweep_once(world: TwinWorld, lead: timedelta = LEAD) -> list[RotationRequest]:
    """
    Sweep, and return what goes into the queue.
    """
    queue: list[RotationRequest] = []
    await sweep(world.ports, lead, queue.append, within=WITHIN)
    return queue


async def statuses(world: TwinWorld, lead: timedelta = LEAD) -> dict[str, tuple[Status, str | None]]:
    """
    Return how the secrets of the first vault stand, and why.
    """
    return {
        entry.facts.secret.name: (
            status_of(entry, world.clock.now(), lead),
            entry.facts.paused or entry.facts.misconfigured,
        )
        async for entry in world.inventory.list_entries(VAULT, "")
    }


def put(world: TwinWorld, name: str, days: float | None, **tags: str) -> SecretId:
    """
    Make a managed secret that expires in so many days.
    """
    managed = {"ProviderAddress": world.address, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
    value = world.provider.value(world.target, KeyName.PRIMARY)
    expires_on = None if days is None else world.clock.now() + timedelta(days=days)
    return world.vaults.put(SecretId(VAULT, name), value, tags=managed | tags, expires_on=expires_on)


async def test_a_due_secret_is_pinned_to_the_version_that_is_current(world: TwinWorld) -> None:
    """
    Its request is a sweep's, about the very version that was found.
    """
    (request,) = await sweep_once(world)

    assert request == request_for_sweep(world.current().id, world.clock.now())
    assert (request.trigger, request.secret) == (Trigger.SWEEP, world.current().id)
    assert not request.force


@pytest.mark.parametrize(
    ("days", "lead", "is_due"),
    [
        (30, 30, True),
        (30.01, 30, False),
        (14, 14, True),
        (14.01, 14, False),
        (-1, 30, True),
        (0, 1, True),
        (60, 60, True),
    ],
)
async def test_a_secret_is_due_so_many_days_before_its_expiry(
    world: TwinWorld, days: float, lead: int, is_due: bool
) -> None:
    """
    On the day itself, and from then on; also when it has expired.
    """
    put(world, "one", days)

    assert len(await sweep_once(world, timedelta(days=lead))) == is_due


@pytest.mark.parametrize("validity", [31, 60, 89, 90, 91, 119, 365])
@pytest.mark.parametrize("lead", [1, 30, 60, 90, 120, 365])
async def test_no_lead_rotates_a_version_soon_after_its_birth(world: TwinWorld, validity: int, lead: int) -> None:
    """
    Whatever the lead and the validity, a rotated secret is left alone for at least 30 days, or until 30 are left.
    """
    put(world, "one", 0, ValidityPeriodDays=str(validity))
    (request,) = await sweep_once(world, timedelta(days=lead))
    assert (await world.rotate(request)).state is State.COMPLETED

    rest = min(30, validity - 30)
    world.clock.advance(timedelta(days=rest) - timedelta(seconds=1))
    assert await sweep_once(world, timedelta(days=lead)) == []
    world.clock.advance(timedelta(days=validity - rest))
    assert len(await sweep_once(world, timedelta(days=lead))) == 1


@pytest.mark.parametrize(
    ("tags", "status", "why"),
    [
        ({"RotationPaused": "true"}, Status.PAUSED, "RotationPaused"),
        ({"ValidityPeriodDays": "7"}, Status.MISCONFIGURED, "ValidityPeriodDays"),
        ({"CredentialId": "Third"}, Status.MISCONFIGURED, "CredentialId"),
        ({"RotationPaused": "maybe"}, Status.MISCONFIGURED, "RotationPaused"),
        ({"RotationStrategy": "Both"}, Status.MISCONFIGURED, "RotationStrategy"),
        ({"ProviderAddress": "/subscriptions/typo"}, Status.MISCONFIGURED, "ProviderAddress"),
        ({"providerAddress": "/subscriptions/typo"}, Status.MISCONFIGURED, "ProviderAddress"),
        ({f"Tag{number}": "x" for number in range(12)}, Status.MISCONFIGURED, "15"),
        (
            {"ProviderAddress": TARGETS["batch"].arm_id.replace("/rg/", "/rg2/")},
            Status.MISCONFIGURED,
            "ROTATION_ALLOWED_SCOPES",
        ),
    ],
)
async def test_what_is_not_to_be_rotated_is_not_enqueued_and_says_why(
    world: TwinWorld, tags: dict[str, str], status: Status, why: str
) -> None:
    """
    However due it is; an operator reads the reason in the inventory, long before it expires.
    """
    put(world, "one", 1, **tags)

    assert await sweep_once(world) == []

    (found,) = (await statuses(world)).values()
    assert found[0] is status
    assert why in str(found[1])
    assert world.faults.count("read_current") == 0


async def test_a_disabled_secret_counts_as_paused(world: TwinWorld) -> None:
    """
    Nobody reads it: nothing is due.
    """
    world.put(enabled=False)

    assert await sweep_once(world) == []
    assert await statuses(world) == {"one": (Status.PAUSED, "its current version is disabled")}


async def test_a_secret_without_expiry_is_misconfigured(world: TwinWorld) -> None:
    """
    No event will ever come for it, and no sweep finds it due.
    """
    put(world, "one", None)

    assert await sweep_once(world) == []
    status, why = (await statuses(world))["one"]
    assert status is Status.MISCONFIGURED
    assert "expiry" in str(why)


async def test_a_certificates_secret_is_misconfigured(world: TwinWorld) -> None:
    """
    Its value cannot be set.
    """
    world.vaults.make_certificate(SecretId(VAULT, "one"))

    assert await sweep_once(world) == []
    assert (await statuses(world))["one"][0] is Status.MISCONFIGURED


async def test_an_unmanaged_secret_is_none_of_our_business(world: TwinWorld) -> None:
    """
    It is neither read nor shown.
    """
    world.put("two", bare=True)
    put(world, "one", 60)

    assert await sweep_once(world) == []
    assert list(await statuses(world)) == ["one"]
    assert world.faults.count("read_current") == 0


async def test_only_what_is_due_costs_a_request(world: TwinWorld) -> None:
    """
    Of 40 secrets in 21 pages three are due: one request for each page, and one for each of the three.
    """
    put(world, "one", 60)
    for number in range(40):
        put(world, f"n-{number}", 3 if number in {0, 7, 39} else 60)

    due = await sweep_once(world)

    assert sorted(str(request.secret and request.secret.name) for request in due) == ["n-0", "n-39", "n-7"]
    assert world.faults.count("list_pages") == 21
    assert world.faults.count("read_current") == 3
    changes = {"read_version", "list_versions", "read_keys", "regenerate", "store", "disable", "claim", "publish"}
    assert not changes & set(world.faults.calls)
    assert len(await statuses(world)) == 41


async def test_a_look_asks_for_nothing_but_lists(world: TwinWorld) -> None:
    """
    `?refresh=true` shows what is due and hands nothing out.
    """
    await look(world.ports, LEAD, within=WITHIN)

    assert world.faults.count("read_current") == 0
    assert await statuses(world) == {"one": (Status.OVERDUE, None)}


async def test_two_sweeps_of_one_day_are_one_rotation(world: TwinWorld) -> None:
    """
    The id carries the date: the next day's is another one, so that what failed is tried again.
    """
    world.faults.before("regenerate", Declined("403 AuthorizationFailed"))
    (first,) = await sweep_once(world)
    failed = await world.rotate(first)
    world.clock.advance(timedelta(hours=11, minutes=59))  # The clock starts at noon.
    (again,) = await sweep_once(world)
    assert again.id == first.id
    assert await world.rotate(again) == failed
    assert world.regenerations() == 0

    world.clock.advance(timedelta(minutes=1))
    (next_day,) = await sweep_once(world)

    assert next_day.id != first.id
    assert (await world.rotate(next_day)).state is State.COMPLETED
    assert await sweep_once(world) == []


async def test_a_missed_event_is_made_up_for_once_though_it_comes_late(world: TwinWorld) -> None:
    """
    The sweep's rotation replaces the version; the event about the old one is superseded.
    """
    late = [world.event(trigger=trigger) for trigger in (Trigger.SECRET_NEAR_EXPIRY, Trigger.SECRET_EXPIRED)]
    (request,) = await sweep_once(world)

    assert (await world.rotate(request)).state is State.COMPLETED
    ended = [await world.rotate(event) for event in late]

    assert [(record.state, record.skip_reason) for record in ended] == [(State.SKIPPED, "superseded")] * 2
    assert world.regenerations() == 1
    assert len(world.vaults.history(SecretId(VAULT, "one"))) == 2
    assert world.outages == 0


async def test_an_event_that_was_in_time_leaves_the_sweep_nothing_to_do(world: TwinWorld) -> None:
    """
    What the sweep enqueued before is superseded.
    """
    (request,) = await sweep_once(world)
    await world.rotate(world.event())

    assert (await world.rotate(request)).skip_reason == "superseded"
    assert world.regenerations() == 1


async def test_a_version_that_was_born_during_the_sweep_is_left_alone(world: TwinWorld) -> None:
    """
    An event rotates the secret between its listing and its pinning: it is not rotated once more right away.
    """

    async def rotate() -> None:
        await world.worker().rotate(world.event())

    world.faults.before("read_current", rotate)

    assert await sweep_once(world) == []
    assert world.regenerations() == 1


async def test_a_broken_vault_stops_no_other() -> None:
    """
    The other vault's due secrets are enqueued; the broken one says why, and what was known of it is kept.
    """
    world = TwoVaults()
    await sweep_once(world)
    world.clock.advance(DAY)
    world.faults.before("list_pages", Declined("403 Forbidden: no list permission"))
    queue: list[RotationRequest] = []

    looks = await sweep(world.ports, LEAD, queue.append, within=WITHIN)

    assert [request.secret and request.secret.vault for request in queue] == [SECOND_VAULT]
    broken, well = looks
    assert "403 Forbidden" in str(broken.problem)
    assert broken.as_of == world.clock.now() - DAY
    assert (well.vault, well.problem, well.as_of) == (SECOND_VAULT, None, world.clock.now())
    assert list(await statuses(world)) == ["one"]
    assert await world.inventory.vault_facts(VAULT) == broken


async def test_a_vault_that_breaks_half_way_keeps_what_was_seen(world: TwinWorld) -> None:
    """
    Due secrets of the pages before are enqueued, and nothing of the pages behind is forgotten.
    """
    for name in ("two", "three", "four"):
        put(world, name, 3)
    await sweep_once(world)
    world.clock.advance(DAY)
    world.faults.before("list_pages", None, NoAnswer("dropped"))

    queue = await sweep_once(world)

    assert len(queue) == 2
    assert sorted(await statuses(world)) == ["four", "one", "three", "two"]
    facts = await world.inventory.vault_facts(VAULT)
    assert facts is not None
    assert "dropped" in str(facts.problem)


async def test_a_broken_secret_stops_no_other(world: TwinWorld) -> None:
    """
    Due and not readable: it shows so, and its neighbours on the page are enqueued.
    """
    put(world, "two", 3)
    world.faults.before("read_current", Declined("403 Forbidden"))

    queue = await sweep_once(world)

    assert len(queue) == 1
    found = {status for status, _ in (await statuses(world)).values()}
    assert found == {Status.OVERDUE, Status.MISCONFIGURED}
    facts = await world.inventory.vault_facts(VAULT)
    assert facts is not None
    assert facts.problem is None


async def test_a_bug_in_one_vault_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """
    Whatever it is: the log has it, the inventory does not tell it to strangers.
    """
    world = TwoVaults()
    world.faults.before("list_pages", RuntimeError("sig=abc"))
    queue: list[RotationRequest] = []

    broken, well = await sweep(world.ports, LEAD, queue.append, within=WITHIN)

    assert len(queue) == 1
    assert well.problem is None
    assert broken.problem is not None
    assert "sig=abc" not in broken.problem
    assert "sig=abc" in caplog.text


async def test_a_ledger_that_is_down_keeps_nothing_from_being_enqueued(world: TwinWorld) -> None:
    """
    Rotating what is due matters more than showing it; and it is not asked again for every page.
    """
    for number in range(400):
        put(world, f"n-{number:03}", 3)
    down = [Unavailable("503")] * 20
    for operation in ("keep", "finish", "vault_facts"):
        world.faults.before(operation, *down)

    queue = await sweep_once(world)

    assert len(queue) == 401
    assert world.faults.count("keep") == 1


async def test_a_look_that_was_not_kept_forgets_nothing(world: TwinWorld) -> None:
    """
    What it has seen is not in the inventory, so that it must not be taken for complete.
    """
    await sweep_once(world)
    world.clock.advance(DAY)
    world.faults.before("keep", Unavailable("503"))

    await sweep_once(world)

    assert list(await statuses(world)) == ["one"]
    facts = await world.inventory.vault_facts(VAULT)
    assert facts is not None
    assert facts.as_of == world.clock.now() - DAY
    assert "503" in str(facts.problem)


async def test_the_next_pages_are_asked_for_while_the_last_ones_are_kept(world: TwinWorld) -> None:
    """
    A sweep takes as long as its pages take one after the other: what is found costs no time of its own.
    """
    for number in range(99):
        put(world, f"n-{number:02}", 60)
    keeping, asked = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        keeping.set()
        async with asyncio.timeout(5):
            await asked.wait()

    async def note() -> None:
        async with asyncio.timeout(5):
            await keeping.wait()
        asked.set()

    world.faults.before("keep", wait)
    world.faults.before("list_pages", *[None] * 40, note)

    await sweep_once(world)

    assert asked.is_set()
    assert len(await statuses(world)) == 100


async def test_what_is_found_is_kept_in_full_transactions(world: TwinWorld) -> None:
    """
    Four pages of Key Vault's fill one of Table storage: 100 secrets at a time.
    """
    for number in range(199):
        put(world, f"n-{number:03}", 60)
    world.vaults.page_size = 25

    await sweep_once(world)

    assert world.faults.count("keep") == 2


async def test_only_few_pages_wait_in_memory(world: TwinWorld) -> None:
    """
    A ledger that is slow keeps a vault of any size from being listed further.
    """
    for number in range(399):
        put(world, f"n-{number:03}", 60)
    listed: list[int] = []

    async def stand_still() -> None:
        for _ in range(1000):
            await asyncio.sleep(0)
        listed.append(world.faults.count("list_pages"))

    world.faults.before("keep", stand_still)

    await sweep_once(world)

    assert listed[0] < 50
    assert world.faults.count("list_pages") == 200


class EndlessVaults(MemoryVaults):
    """
    A vault that stops answering behind its first page.
    """

    is_asked = False

    async def list_pages(self, vault: str) -> AsyncGenerator[list[ListedSecret], None]:
        """
        Yield one page, then nothing any more.
        """
        self.is_asked = True
        try:
            async for page in super().list_pages(vault):
                yield page
                await asyncio.Event().wait()
        finally:
            # Closing a connection takes a moment.
            for _ in range(10):
                await asyncio.sleep(0)
            self.is_asked = False


@pytest.fixture
def endless(world: TwinWorld) -> EndlessVaults:
    """
    Give the world such a vault, with one secret that is due.
    """
    vaults = EndlessVaults(world.clock, [VAULT], world.faults)
    vaults.put(SecretId(VAULT, "one"), "x", tags=world.current().tags, expires_on=world.clock.now() + timedelta(days=3))
    world.vaults = vaults
    return vaults


async def test_a_bug_over_a_page_ends_the_look_and_nothing_else(world: TwinWorld, endless: EndlessVaults) -> None:
    """
    The vault is listed no further, and the sweep ends with what it knows.
    """

    def enqueue(_: RotationRequest) -> None:
        raise RuntimeError("sig=abc")

    async with asyncio.timeout(5):
        (facts,) = await sweep(world.ports, LEAD, enqueue, within=WITHIN)

    assert "the log says why" in str(facts.problem)
    assert not endless.is_asked


async def test_a_vault_that_takes_too_long_is_left_where_it_stands(world: TwinWorld, endless: EndlessVaults) -> None:
    """
    The function's time is bounded: what was found by then is enqueued and kept, and the look is not complete.
    """
    queue: list[RotationRequest] = []

    async with asyncio.timeout(5):
        (facts,) = await sweep(world.ports, LEAD, queue.append, within=timedelta(milliseconds=50))

    assert len(queue) == 1
    assert "took longer" in str(facts.problem)
    assert facts.as_of is None
    assert not endless.is_asked


async def test_what_is_found_is_registered_with_its_target(world: TwinWorld) -> None:
    """
    Also what is paused or misconfigured holds a key; the first rotation of any of them spares the others.
    """
    put(world, "paused", 3, RotationPaused="true")
    put(world, "broken", 3, ValidityPeriodDays="7")

    await sweep_once(world)

    bound = {bound.secret.name for bound in await world.ledger.bound_secrets(world.target.identity)}
    assert bound == {"one", "paused", "broken"}


async def test_a_registered_neighbour_is_spared_though_its_vault_cannot_be_listed_since(world: TwinWorld) -> None:
    """
    The other key is held by a secret that only the sweep has seen: it is adopted.
    """
    world.put("two", key=KeyName.SECONDARY)
    await sweep_once(world)
    world.faults.before("list_managed", Declined("403 Forbidden"))

    rotation = await world.rotate(world.event("one"))

    assert (rotation.state, rotation.adopted) == (State.COMPLETED, True)
    assert world.outages == 0


async def test_the_outcome_of_a_sweep_is_one_line_for_each_vault(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    With figures that an alert can watch, and a warning for each secret that is misconfigured.
    """
    caplog.set_level(logging.INFO)
    put(world, "expired", -1)
    put(world, "broken", 3, ValidityPeriodDays="7")
    for name in ("fine", "well"):
        put(world, name, 60)

    async def take_time() -> None:
        world.clock.advance(timedelta(seconds=5))

    world.faults.before("list_pages", take_time)
    world.faults.before("keep", Unavailable("503"))

    await sweep_once(world)

    (line,) = [vars(record) for record in caplog.records if vars(record).get("step") == "swept"]
    assert {name: line[name] for name in ("vault", "secrets", "due", "misconfigured", "seconds", "problem")} == {
        "vault": VAULT,
        "secrets": 5,
        "due": 2,
        "misconfigured": 1,
        "seconds": 5,
        "problem": "what was found cannot be kept: 503",
    }
    assert line["nearest_expiry"] == -DAY.total_seconds()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("broken" in text and "ValidityPeriodDays" in text for text in warnings)


async def test_no_key_is_told_by_a_sweep(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    A key that was pasted into a tag stands in no reason, no log line and no row.
    """
    caplog.set_level(logging.DEBUG)
    key = world.provider.value(world.target, KeyName.PRIMARY)
    for number, tag in enumerate(("CredentialId", "ValidityPeriodDays", "ProviderAddress", "RotationStrategy")):
        put(world, f"n-{number}", 3, **{tag: key})

    await sweep_once(world)

    shown = json.dumps([str(found) for found in (await statuses(world)).items()]) + world.ledger.everything()
    assert "n-3" in shown
    assert key not in shown + caplog.text


async def test_moments_are_the_clocks_own(world: TwinWorld) -> None:
    """
    A look knows when it began, and that is what a secret's line says.
    """
    clock: Clock = world.clock
    (facts,) = await look(world.ports, LEAD, within=WITHIN)

    assert (facts.looked_on, facts.as_of) == (clock.now(), clock.now())


async def test_a_secret_that_moved_to_another_account_is_shown_with_it(world: TwinWorld) -> None:
    """
    The next look replaces what the last one has seen.
    """
    await sweep_once(world)
    world.clock.advance(DAY)
    other = batch_account(SUBSCRIPTION, "rg", "account2")
    put(world, "one", 60, ProviderAddress=other.arm_id)

    await sweep_once(world)

    (entry,) = [entry async for entry in world.inventory.list_entries(VAULT, "")]
    assert (entry.facts.target, entry.facts.target_identity) == (other.arm_id, other.identity)
    assert structs.replace(entry.facts, seen_on=world.clock.now()) == entry.facts


async def test_two_looks_at_once_forget_nothing(world: TwinWorld) -> None:
    """
    A refresh begins during a sweep whose first page is slow, and ends after it: the secret's row is not lost.
    """
    gate = asyncio.Event()
    reached = asyncio.Event()
    refresh: list[asyncio.Task[list[VaultFacts]]] = []

    async def wait() -> None:
        reached.set()
        await gate.wait()

    async def begin_refresh() -> None:
        world.clock.advance(timedelta(seconds=5))
        world.faults.before("finish", wait)
        refresh.append(asyncio.create_task(look(world.ports, LEAD, within=WITHIN)))
        async with asyncio.timeout(5):
            await reached.wait()

    world.faults.before("list_pages", begin_refresh)
    await sweep_once(world)
    gate.set()
    await refresh[0]

    assert list(await statuses(world)) == ["one"]
