"""
Looking through the vaults: which secrets are managed, how each stands, and which are due although no event came.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta

from msgspec import structs

from rotation.overview.standing import IS_DUE, facts_of, urgency_of
from rotation.ports.inventory import Facts, VaultFacts
from rotation.ports.world import World
from rotation.vocabulary.errors import RotationError
from rotation.vocabulary.limits import KEPT_BEYOND, PAGES_AHEAD, PINNED_AT_ONCE
from rotation.vocabulary.log_lines import report_sweep
from rotation.vocabulary.request import RotationRequest, request_for_sweep
from rotation.vocabulary.secret import ListedSecret
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger(__name__)


_Enqueue = Callable[[RotationRequest], None]
_Handle = Callable[[Facts], Awaitable[Facts]]


async def sweep(world: World, lead: timedelta, enqueue: _Enqueue, *, within: timedelta) -> list[VaultFacts]:
    """
    Look through all vaults at the same time, and hand out a request for every secret that is due.

    A secret is due `lead` before its expiry. Each request is pinned to the version that is current now, which takes
    one request to the vault; nothing else is asked about single secrets. What goes wrong with a vault or a secret is
    kept in the inventory, and stops nothing else. A vault that takes longer than `within` is left where it stands.
    """
    started_on = world.clock.now()
    waiting = await _list_deferred(world)

    async def pin(facts: Facts) -> Facts:
        if urgency_of(facts, started_on, lead) not in IS_DUE:
            return facts
        try:
            current = await world.vaults.read_current(facts.secret, Deadline(world.clock))
        except RotationError as error:
            _log.warning("sweep: secret %s is due and cannot be read: %s", facts.secret, error)
            if error.retryable:
                return facts  # What passes is no reason to call somebody: the next sweep asks again.
            return structs.replace(facts, misconfigured=f"it is due and cannot be read: {error}")
        # An event may have rotated it since it was listed: then this version was born a moment ago.
        facts = structs.replace(facts, expires_on=current.expires_on)
        if urgency_of(facts, started_on, lead) in IS_DUE and str(current.id).lower() not in waiting:
            enqueue(request_for_sweep(current.id, started_on, observes=world.observes))
        return facts

    return await _look_through(world, lead, pin, within)


async def _list_deferred(world: World) -> set[str]:
    """
    Return the versions whose rotation waits for its time: one of them is enough.
    """
    try:
        return {str(row.request.secret).lower() async for row in world.ledger.list_waiting() if row.request.deferred}
    except RotationError as error:
        _log.warning("sweep: what waits is not known: %s", error)
        return set()


async def look(world: World, lead: timedelta, *, within: timedelta) -> list[VaultFacts]:
    """
    Look through all vaults as a sweep does, and hand nothing out.
    """

    async def pass_on(facts: Facts) -> Facts:
        return facts

    return await _look_through(world, lead, pass_on, within)


async def _look_through(world: World, lead: timedelta, handle: _Handle, within: timedelta) -> list[VaultFacts]:
    return await asyncio.gather(*(_look_at(world, vault, lead, handle, within) for vault in world.vaults.uris))


async def _look_at(world: World, vault: str, lead: timedelta, handle: _Handle, within: timedelta) -> VaultFacts:
    """
    Look through one vault, a page at a time, and remember how that went.
    """
    begun_on, begun = world.clock.now(), world.clock.monotonic()
    tally = _Tally(begun_on, lead)
    try:
        async with asyncio.timeout(within.total_seconds()), aclosing(_read_ahead(world, vault)) as pages:
            found: list[Facts] = []
            async for page, asked_on in pages:
                facts = await _handle_page(world, page, asked_on, handle)
                tally.count(facts)
                found += facts
                if len(found) > KEPT_BEYOND:
                    await _keep(world, found, tally)
                    found = []
            await _keep(world, found, tally)
    except TimeoutError:
        tally.problems.append(f"looking through it took longer than {within.total_seconds():.0f} seconds")
    except RotationError as error:
        tally.problems.append(f"the vault cannot be listed: {error}")
    except Exception:  # noqa: BLE001 - one broken vault stops no other
        _log.exception("sweep: vault %s", vault)
        tally.problems.append("looking through it failed; the log says why")
    problem = next(iter(tally.problems), None)
    report_sweep(
        vault,
        secrets=tally.secrets,
        due=tally.due,
        misconfigured=tally.misconfigured,
        nearest_expiry=tally.nearest_expiry,
        seconds=world.clock.monotonic() - begun,
        problem=problem,
    )
    return await _finish(world, VaultFacts(vault, begun_on, begun_on, problem))


async def _read_ahead(world: World, vault: str) -> AsyncGenerator[tuple[list[ListedSecret], datetime], None]:
    """
    Yield a vault's pages, and when each was asked for: the next few are, while the caller is busy with the last.

    A page is asked for with a token from the one before it, so that how long they take one after the other is the least
    that a sweep takes. What the caller does with them is to add nothing to that, and only few wait in memory.
    """
    ready: asyncio.Queue[tuple[list[ListedSecret], datetime] | None] = asyncio.Queue()
    room = asyncio.Semaphore(PAGES_AHEAD)

    async def read() -> None:
        async with aclosing(world.vaults.list_pages(vault)) as pages:
            asked_on = world.clock.now()
            async for page in pages:
                await room.acquire()
                ready.put_nowait((page, asked_on))
                asked_on = world.clock.now()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: ready.put_nowait(None))
    try:
        while read_page := await ready.get():
            room.release()
            yield read_page
        await reading  # Whatever has ended it comes after the pages before it.
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _handle_page(world: World, page: list[ListedSecret], now: datetime, handle: _Handle) -> list[Facts]:
    managed = [facts for listed in page if (facts := facts_of(world.case_of(listed), now))]
    at_once = asyncio.Semaphore(PINNED_AT_ONCE)

    async def handle_one(facts: Facts) -> Facts:
        async with at_once:
            return await handle(facts)

    return await asyncio.gather(*map(handle_one, managed))


async def _keep(world: World, facts: list[Facts], tally: "_Tally") -> None:
    if not facts or tally.problems:
        # Where one write has failed, the next would only take the time that the rest of the vault needs.
        return
    try:
        await world.inventory.keep(facts, world.clock.now())
    except RotationError as error:
        # Rotating what is due matters more than showing it.
        _log.warning("sweep: the inventory of %s is not kept: %s", facts[0].secret.vault, error)
        tally.problems.append(f"what was found cannot be kept: {error}")


async def _finish(world: World, facts: VaultFacts) -> VaultFacts:
    if facts.problem:
        _log.error("sweep: %s: %s", facts.vault, facts.problem)
    try:
        before = await world.inventory.vault_facts(facts.vault)
        # Whether anything needs a person is known when all has been gone through.
        facts = structs.replace(facts, needs_attention=bool(facts.problem or (before and before.needs_attention)))
        if facts.problem:
            facts = structs.replace(facts, as_of=before and before.as_of)
        await world.inventory.finish(facts)
    except RotationError as error:
        _log.warning("sweep: how the look at %s went is not kept: %s", facts.vault, error)
    return facts


class _Tally:
    """
    What is counted of a vault, and what went wrong there.
    """

    def __init__(self, now: datetime, lead: timedelta) -> None:
        self._now = now
        self._lead = lead
        self._nearest: datetime | None = None
        self.secrets = 0
        self.due = 0
        self.misconfigured = 0
        self.problems: list[str] = []

    def count(self, page: list[Facts]) -> None:
        """
        Count one page; a secret that is misconfigured is logged, and one that is not managed is left out.
        """
        for facts in page:
            if facts.nearly:
                _log.warning("sweep: secret %s is nearly managed: %s", facts.secret, facts.nearly)
                continue
            self.secrets += 1
            if facts.misconfigured:
                self.misconfigured += 1
                _log.warning("sweep: secret %s is misconfigured: %s", facts.secret, facts.misconfigured)
            self.due += urgency_of(facts, self._now, self._lead) in IS_DUE
            if facts.expires_on and not facts.paused:
                self._nearest = min(self._nearest or facts.expires_on, facts.expires_on)

    @property
    def nearest_expiry(self) -> float | None:
        """
        The seconds until the first of the secrets expires.
        """
        return None if self._nearest is None else (self._nearest - self._now).total_seconds()
