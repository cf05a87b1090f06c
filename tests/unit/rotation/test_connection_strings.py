"""
A kind whose key stands inside a value: what surrounds it is the secret's own, whatever happens to the rotation.
"""

import pytest
from msgspec import structs

from providers.storage import STORAGE_ACCOUNT
from rotation.run.rehearsal import rehearse
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import request_for_sweep
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.world import SUBSCRIPTION, Killed, TwinWorld

PRIMARY, SECONDARY = KeyName
TARGET = STORAGE_ACCOUNT.target({"subscription": SUBSCRIPTION, "resource_group": "rg", "account": "account1"})
SIGNED = "BlobEndpoint=https://account1.blob.core.windows.net;SharedAccessSignature=sv=2022&sig=abc"


def connection_string(world: TwinWorld, key: KeyName) -> str:
    """
    Return how an app is told to reach the account with a key at present.
    """
    value = world.provider.value(world.target, key)
    return f"EndpointSuffix=core.windows.net;accountkey={value};AccountName=account1;QueueEndpoint=https://q.example"


def held(world: TwinWorld, name: str = "one") -> str:
    """
    Return the value of a secret's current version.
    """
    value = world.current(name).value
    assert value is not None
    return value.reveal()


@pytest.fixture
def world() -> TwinWorld:
    """
    Return a world whose secret holds a connection string.
    """
    world = TwinWorld(target=TARGET)
    world.put(value=connection_string(world, PRIMARY))
    return world


def error_of(rotation: Rotation) -> str:
    """
    Return the code of what a rotation failed with.
    """
    assert rotation.error is not None
    return rotation.error.code


async def test_a_rotation_exchanges_the_key_and_nothing_else(world: TwinWorld) -> None:
    """
    There and back again.
    """
    for key in (SECONDARY, PRIMARY):
        rotation = await world.rotate()

        assert (rotation.state, rotation.key_name) == (State.COMPLETED, key)
        assert held(world) == connection_string(world, key)
    assert world.outages == 0
    assert world.regenerations() == 2


@pytest.mark.parametrize("strategy", ["Alternate", "InPlace"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["regenerate", "read_keys", "store"])
async def test_a_resumed_rotation_exchanges_it_too(world: TwinWorld, call: str, when: str, strategy: str) -> None:
    """
    Also where the key that stands in the value is dead by then.
    """
    world.put(tags={"RotationStrategy": strategy}, value=connection_string(world, PRIMARY))
    request = world.event()
    getattr(world.faults, when)(call, Killed())
    await world.die_in(request)

    await world.resume()
    await world.rotate(request)

    assert held(world) == connection_string(world, PRIMARY if strategy == "InPlace" else SECONDARY)
    assert world.regenerations() == 1


async def test_an_adopted_key_is_put_into_ones_own_value(world: TwinWorld) -> None:
    """
    Each secret keeps its form: one holds the key alone, the other a connection string.
    """
    world.put("two")
    await world.rotate(world.event("two"))

    rotation = await world.rotate()

    assert rotation.adopted
    assert held(world, "two") == world.provider.value(TARGET, SECONDARY)
    assert held(world) == connection_string(world, SECONDARY)


async def test_a_connection_string_protects_the_key_in_it(world: TwinWorld) -> None:
    """
    Its key is one that a managed secret holds, whatever stands around it.
    """
    world.put("two", {"CredentialId": "Secondary"}, key=SECONDARY)

    rotation = await world.rotate(world.event("two"))

    assert (rotation.state, rotation.adopted, world.regenerations()) == (State.COMPLETED, True, 0)
    assert held(world, "two") == world.provider.value(TARGET, PRIMARY)


@pytest.mark.parametrize(
    "form",
    [
        "{}\n",
        '"AccountName=account1;AccountKey={}"',
        '{{"storage": "AccountName=account1;AccountKey={}"}}',
        "AccountName=other;AccountKey=b3RoZXI=;X=1;AccountName=account1;AccountKey={}",
        "AccountName=account1;AccountKey={};AccountKey=b3RoZXI=",
    ],
)
async def test_a_key_in_a_value_of_any_form_is_protected(world: TwinWorld, form: str) -> None:
    """
    Such a secret is not rotated itself; its clients may read the key all the same.
    """
    world.put("two", {"CredentialId": "Secondary"}, value=form.format(world.provider.value(TARGET, SECONDARY)))

    rotation = await world.rotate()

    assert (rotation.state, rotation.adopted, world.regenerations()) == (State.COMPLETED, True, 0)
    assert held(world) == connection_string(world, SECONDARY)


async def test_healing_puts_the_key_where_the_dead_one_stood(world: TwinWorld) -> None:
    """
    By a sweep that finds what this app has stored, and by a caller who says force.
    """
    await world.rotate()
    world.provider.turn(TARGET, SECONDARY)
    assert error_of(await world.rotate(world.manual())) == "drift"

    healed = await world.rotate(request_for_sweep(world.current().id, world.clock.now()))
    assert (healed.state, held(world)) == (State.COMPLETED, connection_string(world, SECONDARY))

    world.provider.turn(TARGET, SECONDARY)
    forced = await world.rotate(world.manual(force=True))
    assert (forced.state, held(world)) == (State.COMPLETED, connection_string(world, SECONDARY))


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("other", ["AccountName=another;AccountKey=abc==", SIGNED])
async def test_what_cannot_hold_the_key_is_refused_before_one_dies(world: TwinWorld, other: str, force: bool) -> None:
    """
    Force does not overwrite it either, and a dry run says the same.
    """
    world.put(value=other)
    request = world.manual(force=force)

    planned = await rehearse(world.ports, request)
    rotation = await world.rotate(request)

    assert error_of(planned) == error_of(rotation) == "misconfigured"
    assert held(world) == other
    assert world.regenerations() == 0
    assert "abc" not in str(rotation.error)


async def test_a_disabled_connection_string_with_a_dead_key_is_replaced_by_the_key(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Nobody can read what stands around it, and its clients can do nothing with what they have. A log line says so.
    """
    caplog.set_level("INFO")
    world.put(tags={"RotationStrategy": "InPlace"}, value=connection_string(world, PRIMARY))
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    await world.vaults.disable(world.current().id, Deadline(world.clock))

    await world.resume()

    assert world.current().value == KeyMaterial(world.provider.value(TARGET, PRIMARY))
    assert "stores the key alone: the version before is disabled" in caplog.text


async def test_a_value_that_can_hold_no_key_any_more_keeps_its_rotation_in_place_going(
    world: TwinWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A version of the app that is stricter than the one that has regenerated never fails it: the secret holds a dead key.
    """
    world.put(tags={"RotationStrategy": "InPlace"}, value=connection_string(world, PRIMARY))
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)

    def refuse(*_: object) -> KeyMaterial:
        raise Misconfigured("its value is not what this version takes")

    monkeypatch.setattr(world.provider, "_kinds", [structs.replace(STORAGE_ACCOUNT, exchange=refuse)])
    (suspended,) = await world.resume()
    assert suspended.state is State.REGENERATING

    monkeypatch.undo()
    (rotation,) = await world.resume()
    assert (rotation.state, held(world)) == (State.COMPLETED, connection_string(world, PRIMARY))
