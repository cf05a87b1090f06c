from datetime import timedelta

import pytest

from rotation.run.acceptance import accept
from rotation.vocabulary.endings import Drift, Misconfigured, VaultRefused
from rotation.vocabulary.errors import Declined, UnknownSecret
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.world import TARGETS, VAULT, TwinWorld


@pytest.fixture(params=list(TARGETS))
def world(request: pytest.FixtureRequest) -> TwinWorld:
    """
    Return a world for each kind of target.
    """
    return TwinWorld(request.param)


async def test_what_is_asked_for_by_name_is_about_the_version_that_is_current_now(world: TwinWorld) -> None:
    """
    And asks for no more than was asked for.
    """
    request = await accept(world.ports, SecretId(VAULT, "one"))

    assert (request.secret, request.trigger) == (world.current().id, Trigger.HTTP)
    assert (request.key, request.force, request.reason, request.revocation) == (None, False, None, None)


async def test_what_is_asked_for_by_version_is_not_looked_up(world: TwinWorld) -> None:
    """
    It is checked when it is rotated; everything that was asked for is kept.
    """
    pinned = world.current().id

    request = await accept(world.ports, pinned, rotation_id="r1", key=KeyName.SECONDARY, force=True, reason="quarterly")

    assert world.faults.count("read_current") == 0
    assert (request.id, request.secret) == ("r1", pinned)
    assert (request.key, request.force, request.reason) == (KeyName.SECONDARY, True, "quarterly")


async def test_what_is_to_be_revoked_is_the_value_of_now(world: TwinWorld) -> None:
    """
    Also where an older version was named.
    """
    older = world.current().id
    world.put(key=KeyName.SECONDARY)

    request = await accept(world.ports, older, revoke_previous_after=timedelta(hours=1))

    assert request.secret == older
    assert request.revocation is not None
    held = world.current().value
    assert held is not None
    assert request.revocation.leaked.fingerprint == world.target.fingerprint(held)


DEAD, GONE = ("".join([letter * 86, "=="]) for letter in "dg")


@pytest.mark.parametrize("form", ["{}\n", '{{"key": "{}"}}', "{0} {0}"])
async def test_the_key_that_is_to_be_revoked_is_found_in_its_text(form: str) -> None:
    """
    Also a dead one, and without asking for the keys where there is no other.
    """
    world = TwinWorld()
    for key in (world.provider.value(world.target, KeyName.PRIMARY), DEAD):
        world.put(value=form.format(key))

        request = await accept(world.ports, world.secret, revoke_previous_after=timedelta(hours=1))

        assert request.revocation is not None
        assert request.revocation.leaked.fingerprint == KeyMaterial(key).fingerprint
    assert world.faults.count("read_keys") == 0


async def test_of_several_keys_in_a_text_the_live_one_is_to_be_revoked() -> None:
    """
    What belongs to another account is no key of this one.
    """
    world = TwinWorld()
    live = world.provider.value(world.target, KeyName.SECONDARY)
    world.put(value=f"{DEAD} {live} {GONE}")

    request = await accept(world.ports, world.secret, revoke_previous_after=timedelta(hours=1))

    assert request.revocation is not None
    assert request.revocation.leaked.fingerprint == KeyMaterial(live).fingerprint


@pytest.mark.parametrize(("form", "error"), [("{} {}", Misconfigured), (f"{DEAD} {GONE}", Drift)])
async def test_a_text_that_does_not_say_which_key_leaked_is_refused(form: str, error: type[Exception]) -> None:
    """
    Nothing is revoked on a guess.
    """
    world = TwinWorld()
    world.put(value=form.format(*(world.provider.value(world.target, key) for key in KeyName)))

    with pytest.raises(error):
        await accept(world.ports, world.secret, revoke_previous_after=timedelta(hours=1))


async def test_a_refusal_to_read_is_passed_on_in_the_vaults_words(world: TwinWorld) -> None:
    """
    The caller learns which right is missing.
    """
    world.faults.before("read_current", Declined("403 ForbiddenByRbac: not authorized"))

    with pytest.raises(VaultRefused, match="403 ForbiddenByRbac: not authorized"):
        await accept(world.ports, SecretId(VAULT, "one"))


async def test_a_secret_that_is_not_there_is_named(world: TwinWorld) -> None:
    """
    A caller may have mistyped it.
    """
    with pytest.raises(UnknownSecret, match=f"{VAULT}/secrets/nothing"):
        await accept(world.ports, SecretId(VAULT, "nothing"))
