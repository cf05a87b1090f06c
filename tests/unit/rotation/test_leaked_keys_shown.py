"""
Who holds a leaked key is shown until that key is dead, whatever becomes of its revocation.
"""

from datetime import timedelta

import pytest

from rotation.overview.leaks import LeakedKeyStatus
from rotation.overview.review import review
from rotation.overview.secrets import SecretStatus, Wanted, list_secrets
from rotation.overview.sweep import look
from rotation.policy.tags import PAUSED
from rotation.run.cancelling import cancel
from rotation.vocabulary.errors import Declined, Unavailable
from rotation.vocabulary.limits import HOLDERS_MOVE_WITHIN
from rotation.vocabulary.target import KeyName
from tests.twins.world import TARGETS, VAULT, TwinWorld

HOUR = timedelta(hours=1)
LEAD = timedelta(days=1)
WITHIN = timedelta(minutes=1)
PRIMARY, SECONDARY = KeyName


@pytest.fixture(params=list(TARGETS))
async def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target, in which two secrets hold the primary key, of which one is paused.
    """
    world = TwinWorld(request.param)
    world.lead = LEAD
    world.put("two", {PAUSED: "true"}, key=PRIMARY)
    world.put("three", key=SECONDARY)
    world.clock.advance(timedelta(seconds=5))
    await sweep(world)
    return world


async def sweep(world: TwinWorld) -> None:
    """
    Look through the vaults and verify everything.
    """
    looks = await look(world.ports, LEAD, within=WITHIN)
    await review(world.ports, LEAD, looks, before=world.clock.now(), within=WITHIN)


async def shown(world: TwinWorld) -> dict[str, LeakedKeyStatus]:
    """
    Return the leaked keys that secrets hold, as the list shows them.
    """
    page = await list_secrets(world.ports, Wanted(), lead=LEAD, top=100, continuation=None)
    return {name_of(secret): secret.leaked_key for secret in page.secrets if secret.leaked_key}


def name_of(secret: SecretStatus) -> str:
    """
    Return the name of a secret.
    """
    assert secret.secret.name is not None
    return secret.secret.name


async def revoking(world: TwinWorld) -> str:
    """
    Report the leak; return the id of its revocation.
    """
    await world.report()
    (waiting,) = world.ledger.waiting()
    return waiting.record.id


async def test_a_secret_that_holds_a_leaked_key_shows_it_at_once(world: TwinWorld) -> None:
    """
    With the revocation and when that is due; one that has left the key shows nothing.
    """
    revocation = await revoking(world)

    assert await shown(world) == {"two": LeakedKeyStatus(revocation, world.clock.now() + HOUR)}


async def test_it_shows_it_before_it_has_moved(world: TwinWorld) -> None:
    """
    Both do, where the report is in the queue.
    """
    accepted = await world.report_only()
    await world.rotator.moves(accepted, but=accepted.secret)

    assert (await shown(world)).keys() == {"one", "two"}


async def test_it_is_shown_however_its_revocation_ends(world: TwinWorld) -> None:
    """
    Failed for want of a move: nothing is due any more, and the key is alive.
    """
    revocation = await revoking(world)
    await world.resume(after=HOUR + HOLDERS_MOVE_WITHIN)
    assert world.ledger.waiting() == []
    expected = {"two": LeakedKeyStatus(revocation, None)}

    assert await shown(world) == expected
    await sweep(world)
    assert await shown(world) == expected


async def test_it_is_shown_although_it_was_cancelled(world: TwinWorld) -> None:
    """
    That nobody revokes it does not make it a secret again.
    """
    revocation = await revoking(world)
    await cancel(world.ports, revocation)

    assert await shown(world) == {"two": LeakedKeyStatus(revocation, None)}


async def test_it_is_gone_with_the_key(world: TwinWorld) -> None:
    """
    By whichever hand.
    """
    await revoking(world)
    await world.resume(after=HOUR + HOLDERS_MOVE_WITHIN)
    world.provider.turn(world.target, PRIMARY)

    await sweep(world)

    assert world.ledger.leaks() == []
    assert await shown(world) == {}


async def test_it_is_gone_with_the_value(world: TwinWorld) -> None:
    """
    A new version holds another key; the leak itself stays known.
    """
    await revoking(world)
    world.clock.advance(timedelta(minutes=1))
    world.put("two", key=SECONDARY)

    await sweep(world)

    assert await shown(world) == {}
    assert len(world.ledger.leaks()) == 1


async def test_a_sweep_finds_who_holds_it(world: TwinWorld) -> None:
    """
    A secret that got it by hand.
    """
    leaked = world.current("two").value
    assert leaked is not None
    await revoking(world)
    world.put("four", {PAUSED: "true"}, value=leaked.reveal())
    world.clock.advance(timedelta(minutes=1))

    await sweep(world)

    assert (await shown(world)).keys() == {"two", "four"}


@pytest.mark.parametrize("call", ["read_current", "read_keys"])
@pytest.mark.parametrize("error", [Declined("403"), Unavailable("503")], ids=["refused", "unavailable"])
async def test_what_cannot_be_read_holds_what_it_held(world: TwinWorld, call: str, error: Exception) -> None:
    """
    An answer that says nothing clears nobody.
    """
    await revoking(world)
    world.clock.advance(timedelta(minutes=1))
    world.faults.before(call, *[error] * 12)

    await sweep(world)

    assert (await shown(world)).keys() == {"two"}
    assert len(world.ledger.leaks()) == 1


async def test_a_leaked_key_needs_a_person(world: TwinWorld) -> None:
    """
    Health says so, and the metric counts it.
    """
    await revoking(world)
    await sweep(world)

    facts = await world.inventory.vault_facts(VAULT)
    assert facts is not None
    assert facts.needs_attention
