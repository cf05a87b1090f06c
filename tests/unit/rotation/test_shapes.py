"""
A key that stands inside a value: what surrounds it is the secret's own, whatever happens to the rotation.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, unquote

import pytest
from msgspec import Struct, structs

from providers.account_key import BASE64_KEY
from providers.batch import BATCH_ACCOUNT
from providers.storage import STORAGE_ACCOUNT, ConnectionStringKey
from providers.workflow import WORKFLOW
from rotation.run.rehearsal import rehearse
from rotation.vocabulary.errors import Busy
from rotation.vocabulary.limits import LARGEST_VALUE
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import request_for_sweep
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline
from tests.twins.calls import ROTATION
from tests.twins.providers import Form, MemoryProvider, callback_url
from tests.twins.world import SUBSCRIPTION, TARGETS, Killed, TwinWorld

PRIMARY, SECONDARY = KeyName
STORAGE = STORAGE_ACCOUNT.target({"subscription": SUBSCRIPTION, "resource_group": "rg", "account": "account1"})
SIGNED = "BlobEndpoint=https://account1.blob.core.windows.net;SharedAccessSignature=sv=2022&sig=abc"


class Shape(Struct, frozen=True):
    """
    A text as people store it: how it is made of what a client of the target returns, and what an app takes from it.
    """

    target: Target
    written: Callable[[str], str]
    used: Callable[[str], str]


def of_connection_string(value: str) -> str:
    """
    Return the key in it, as azure-storage reads it.
    """
    parts = dict(part.split("=", 1) for part in value.split(";") if "=" in part)
    return {name.upper().strip(): text.strip() for name, text in parts.items()}["ACCOUNTKEY"]


def signature(url: str) -> str:
    """
    Return what stands behind `sig=`.
    """
    return url.partition("sig=")[2].partition("&")[0].partition("#")[0]


def of_own_url(value: str) -> str:
    """
    Return the URL of the target that is signed as the one in it is: the host does not matter.
    """
    return f"https://site1.example/orders/manual?sp=run&sv=1.0&sig={signature(json.loads(value)['url'])}"


SHAPES = {
    "connection string": Shape(
        STORAGE,
        lambda key: (
            f"EndpointSuffix=core.windows.net;accountkey={key};AccountName=account1;QueueEndpoint=https://q.example"
        ),
        of_connection_string,
    ),
    "JSON": Shape(
        TARGETS["batch"],
        lambda key: json.dumps({"account": "account1", "key": key}, indent=2) + "\n",
        lambda value: str(json.loads(value)["key"]),
    ),
    "part of a URL": Shape(
        TARGETS["batch"],
        lambda key: f"\ufeffbatch://account1:{quote(key, safe='')}@account1.batch.azure.com/?x=%2F\r\n",
        lambda value: unquote(re.findall(":([^:@]+)@", value)[0]),
    ),
    "own host": Shape(
        TARGETS["workflow"],
        lambda url: '{"url": "https://own.example:8443/v2?sp=run\\u0026sig=' + signature(url) + '\\u0026sv=1.0#top"}',
        of_own_url,
    ),
}
_FORMS = {
    BATCH_ACCOUNT.provider: Form(answers_with_keys=True),
    STORAGE_ACCOUNT.provider: Form(answers_with_keys=True),
    WORKFLOW.provider: Form(callback_url),
}


class ShapedWorld(TwinWorld):
    """
    A world whose secrets hold texts of a shape.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        form = structs.replace(_FORMS[shape.target.provider], used=self._used)
        super().__init__(target=shape.target, provider=MemoryProvider(forms={shape.target.provider: form}))
        self.put(value=self.text(PRIMARY))

    def text(self, key: KeyName) -> str:
        """
        Return what a secret of this shape holds for a key at present.
        """
        return self.shape.written(self.provider.value(self.target, key))

    def _used(self, value: str) -> str:
        # Some secrets hold what the client of the target returns.
        return self.shape.used(value) if value not in self._given else value

    @property
    def _given(self) -> set[str]:
        keys = self.provider.keys(self.target)
        return {given.reveal() for given in keys.values()}

    def held(self, name: str = "one") -> str:
        """
        Return the value of a secret's current version.
        """
        value = self.current(name).value
        assert value is not None
        return value.reveal()


@pytest.fixture(params=SHAPES)
def world(request: pytest.FixtureRequest) -> ShapedWorld:
    """
    Return a world for each shape.
    """
    return ShapedWorld(SHAPES[request.param])


@pytest.fixture
def strings() -> ShapedWorld:
    """
    Return a world whose secrets hold connection strings.
    """
    return ShapedWorld(SHAPES["connection string"])


def error_of(rotation: Rotation) -> str:
    """
    Return the code of what a rotation failed with.
    """
    assert rotation.error is not None
    return rotation.error.code


async def test_a_rotation_exchanges_the_key_and_nothing_else(world: ShapedWorld) -> None:
    """
    There and back again.
    """
    for key in (SECONDARY, PRIMARY):
        rotation = await world.rotate()

        assert (rotation.state, rotation.key_name) == (State.COMPLETED, key)
        assert world.held() == world.text(key)
    assert world.outages == 0
    assert world.regenerations() == 2


@pytest.mark.parametrize("strategy", ["Alternate", "InPlace"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", sorted(set(ROTATION)))
async def test_a_rotation_killed_anywhere_exchanges_the_key_and_nothing_else(
    world: ShapedWorld, call: str, when: str, strategy: str
) -> None:
    """
    Also where the key that stands in the value is dead by the time the rotation is resumed.
    """
    world.put(tags={"RotationStrategy": strategy}, value=world.text(PRIMARY))
    request = world.event()
    getattr(world.faults, when)(call, Killed())

    await world.die_in(request)
    with suppress(Busy):
        await world.worker().rotate(request)
    for _ in range(2):
        await world.resume()
    rotation = await world.rotate(request)

    assert rotation.state is State.COMPLETED
    assert world.held() == world.text(PRIMARY if strategy == "InPlace" else SECONDARY)
    assert world.regenerations() == 1


async def test_the_key_in_use_is_found_though_somebody_regenerates_it_before_a_rotation_is_resumed(
    world: ShapedWorld,
) -> None:
    """
    The journal names both keys: the dead one in the value gives its place to the new one.
    """
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    world.provider.turn(world.target, PRIMARY)

    await world.resume()

    assert world.held() == world.text(SECONDARY)
    assert world.regenerations() == 2


async def test_a_row_of_an_earlier_build_is_finished(world: ShapedWorld) -> None:
    """
    Its journal names one key.
    """
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    open_row = await world.ledger.read_open(world.target.identity)
    assert open_row is not None
    assert open_row.row.journal is not None
    earlier = structs.replace(open_row.row, journal=structs.replace(open_row.row.journal, other_fingerprint=None))
    await world.ledger.replace(world.target.identity, earlier, open_row.etag)

    await world.resume()

    assert world.held() == world.text(SECONDARY)
    assert world.outages == 0


async def test_an_adopted_key_is_put_into_ones_own_value(world: ShapedWorld) -> None:
    """
    Each secret keeps its form: one holds what the client of the target returns, the other a text with it.
    """
    world.put("two")
    await world.rotate(world.event("two"))

    rotation = await world.rotate()

    assert rotation.adopted
    assert world.held("two") == world.provider.value(world.target, SECONDARY)
    assert world.held() == world.text(SECONDARY)


async def test_a_text_protects_the_key_in_it(world: ShapedWorld) -> None:
    """
    Its key is one that a managed secret holds, whatever stands around it.
    """
    world.put("two", {"CredentialId": "Secondary"}, key=SECONDARY)

    rotation = await world.rotate(world.event("two"))

    assert (rotation.state, rotation.adopted, world.regenerations()) == (State.COMPLETED, True, 0)
    assert world.held("two") == world.provider.value(world.target, PRIMARY)


@pytest.mark.parametrize(
    "form",
    [
        "{}\n",
        '{{"storage": "AccountName=account1;AccountKey={}"}}',
        "AccountName=other;AccountKey=b3RoZXI=;X=1;AccountName=account1;AccountKey={}",
        "AccountName=other;AccountKey={}",
        "x{}",
    ],
)
async def test_a_key_in_a_value_of_any_form_is_protected(strings: ShapedWorld, form: str) -> None:
    """
    Some of these are not rotated themselves; their clients may read the key all the same.
    """
    strings.put("two", {"CredentialId": "Secondary"}, value=form.format(strings.provider.value(STORAGE, SECONDARY)))
    strings.unmanage("two")

    rotation = await strings.rotate()

    assert (rotation.state, rotation.adopted, strings.regenerations()) == (State.COMPLETED, True, 0)
    assert strings.held() == strings.text(SECONDARY)


@pytest.mark.parametrize("spell", [str, lambda key: quote(quote(key, safe=""), safe="")], ids=["both", "spelled oddly"])
async def test_a_secret_that_holds_both_keys_protects_both(strings: ShapedWorld, spell: Callable[[str], str]) -> None:
    """
    Its neighbour can move to neither: one would die for nothing it knows. It is itself misconfigured.
    """
    both = "{} {}".format(*(spell(strings.provider.value(STORAGE, key)) for key in KeyName))
    strings.put("two", value=both)
    strings.unmanage("two")

    assert error_of(await strings.rotate(strings.event("two"))) == "misconfigured"
    rotation = await strings.rotate()

    assert (rotation.state, rotation.adopted, strings.regenerations()) == (State.COMPLETED, True, 0)
    assert strings.held("two") == both


@pytest.mark.parametrize("left", KeyName)
async def test_no_key_of_a_secret_is_regenerated_that_stands_in_it_in_another_spelling(
    strings: ShapedWorld, left: KeyName
) -> None:
    """
    Beside the one that could be exchanged; a dry run says the same.
    """
    text = f"{strings.text(PRIMARY)}\nBACKUP={quote(quote(strings.provider.value(STORAGE, left), safe=''), safe='')}"
    strings.put(value=text)

    planned = await rehearse(strings.ports, strings.manual())
    rotation = await strings.rotate()

    assert error_of(planned) == error_of(rotation) == "misconfigured"
    assert (strings.held(), strings.regenerations()) == (text, 0)


@pytest.mark.parametrize("name", ["https://account1:{}", "{}", "abc{}", "hunter2 my pass", "account2 {}"])
async def test_nothing_that_stands_in_a_value_stands_in_an_error(
    strings: ShapedWorld, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Not even where an account's name is expected: people mix up the parts of a connection string.
    """
    key = strings.provider.value(STORAGE, PRIMARY)
    strings.put(value=f"AccountName={name.format(key)};AccountKey={'k' * 86}==")

    rotation = await strings.rotate()

    told = f"{rotation.error} {caplog.text}"
    assert error_of(rotation) == "misconfigured"
    assert not [key[at : at + 6] for at in range(len(key) - 6) if key[at : at + 6] in told]
    assert "hunter2" not in told


async def test_a_value_that_is_replaced_as_a_whole_is_logged(
    strings: ShapedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Force said so, and nothing in it looked like a key.
    """
    caplog.set_level("INFO")
    strings.put(value="placeholder\n")

    rotation = await strings.rotate(strings.manual(force=True))

    assert (rotation.state, strings.held()) == (State.COMPLETED, strings.provider.value(STORAGE, PRIMARY))
    assert "replaces the whole value: nothing in it looks like a key" in caplog.text


async def test_healing_puts_the_key_where_the_dead_one_stood(world: ShapedWorld) -> None:
    """
    By a sweep that finds what this app has stored, and by a caller who says force.
    """
    await world.rotate()
    world.provider.turn(world.target, SECONDARY)
    assert error_of(await world.rotate(world.manual())) == "drift"

    healed = await world.rotate(request_for_sweep(world.current().id, world.clock.now()))
    assert (healed.state, world.held()) == (State.COMPLETED, world.text(SECONDARY))

    world.provider.turn(world.target, SECONDARY)
    forced = await world.rotate(world.manual(force=True))
    assert (forced.state, world.held()) == (State.COMPLETED, world.text(SECONDARY))


async def test_versions_with_a_dead_key_in_their_text_are_disabled(world: ShapedWorld) -> None:
    """
    Not those whose text has another key.
    """
    for _ in range(3):
        await world.rotate()

    assert [version.enabled for version in world.vaults.history(world.secret)] == [False, False, False, True, True]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        f"AccountName=another;AccountKey={'k' * 86}==",
        SIGNED,
        f'{{"blob": "{SIGNED}", "database": "AccountEndpoint=https://d.example;AccountKey={"k" * 86}==;"}}',
    ],
)
async def test_what_cannot_hold_the_key_is_refused_before_one_dies(
    strings: ShapedWorld, other: str, force: bool
) -> None:
    """
    Force does not overwrite it either, and a dry run says the same.
    """
    strings.put(value=other)
    request = strings.manual(force=force)

    planned = await rehearse(strings.ports, request)
    rotation = await strings.rotate(request)

    assert error_of(planned) == error_of(rotation) == "misconfigured"
    assert strings.held() == other
    assert strings.regenerations() == 0
    assert "abc" not in str(rotation.error)


@pytest.mark.parametrize("force", [False, True])
async def test_of_several_dead_keys_none_is_chosen(strings: ShapedWorld, force: bool) -> None:
    """
    A person must decide which one gives its place, also where force is said.
    """
    text = f"AccountKey={'k' * 86}== AccountKey={'l' * 86}=="
    strings.put(value=text)
    request = strings.manual(force=force)

    planned = await rehearse(strings.ports, request)
    rotation = await strings.rotate(request)

    assert error_of(planned) == error_of(rotation) == "drift"
    assert (strings.held(), strings.regenerations()) == (text, 0)


async def test_a_text_that_would_become_too_long_is_refused_before_a_key_dies(world: ShapedWorld) -> None:
    """
    Key Vault would not take it, and the dead key would have to stay.
    """
    text = world.text(PRIMARY)
    full = " " * (LARGEST_VALUE - len(text.encode())) + text
    world.put(value=full)

    planned = await rehearse(world.ports, world.manual())
    rotation = await world.rotate()

    if rotation.state is State.COMPLETED:
        assert len(world.held().encode()) == LARGEST_VALUE
    else:
        assert error_of(planned) == error_of(rotation) == "misconfigured"
        assert (world.held(), world.regenerations()) == (full, 0)


async def test_a_disabled_text_with_a_dead_key_is_replaced_by_the_key(
    world: ShapedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Nobody can read what stands around it, and its clients can do nothing with what they have. A log line says so.
    """
    caplog.set_level("INFO")
    world.put(tags={"RotationStrategy": "InPlace"}, value=world.text(PRIMARY))
    request = world.event()
    world.faults.after("regenerate", Killed())
    await world.die_in(request)
    await world.vaults.disable(world.current().id, Deadline(world.clock))

    await world.resume()

    assert world.current().value == KeyMaterial(world.provider.value(world.target, PRIMARY))
    assert "stores the key alone: the version before is disabled" in caplog.text


async def test_a_text_that_can_hold_no_key_any_more_keeps_its_rotation_in_place_going(
    strings: ShapedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A version of the app that is stricter than the one that has regenerated never fails it: the secret holds a dead key.
    """
    strings.put(tags={"RotationStrategy": "InPlace"}, value=strings.text(PRIMARY))
    request = strings.event()
    strings.faults.after("regenerate", Killed())
    await strings.die_in(request)

    class Stricter(ConnectionStringKey, frozen=True, dict=True):
        def hindrances(self, *_: object) -> Callable[[int], str | None]:
            return lambda _: "its value is not what this version takes"

    form = Stricter(BASE64_KEY.pattern, BASE64_KEY.part, BASE64_KEY.length)
    monkeypatch.setattr(strings.provider, "_kinds", [structs.replace(STORAGE_ACCOUNT, credential=form)])
    (suspended,) = await strings.resume()
    assert suspended.state is State.REGENERATING

    monkeypatch.undo()
    (rotation,) = await strings.resume()
    assert (rotation.state, strings.held()) == (State.COMPLETED, strings.text(PRIMARY))
