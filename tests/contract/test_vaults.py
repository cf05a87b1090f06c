import json
import uuid
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.keyvault.secrets import SecretProperties

from adapters.key_vault import made_on
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.request_log import LoggedRequest
from localcloud.azure.vault import Vault
from rotation.ports.vaults import NewVersion, Vaults
from rotation.vocabulary.errors import Declined, DependencyError, Forbidden, NoAnswer, NotFound, OutOfTime, Unavailable
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.secret import ListedSecret, SecretId
from rotation.vocabulary.timing import Deadline
from tests.contract.sides import sides
from tests.live.description import is_live
from tests.twins.clock import HandClock
from tests.twins.vaults import MemoryVaults
from wiring.parts import Wiring

EXPIRES = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAIN = NewVersion(KeyMaterial("x"), {}, None, EXPIRES)
TAGS = {"ProviderAddress": "/subscriptions/x", "Team": "billing"}


class Side:
    """
    A port, and the other end of it to prepare and to check.
    """

    def __init__(self, vaults: Vaults, uri: str, vault: Vault | None = None) -> None:
        self.vaults = vaults
        # In a vault that lasts each test has a name of its own: a deleted one cannot be used again.
        self.secret = SecretId(uri, f"one-{uuid.uuid4().hex}" if is_live() else "one")
        self._vault = vault

    def put(self, value: str, **options: Any) -> SecretId:
        """
        Make a version by hand.
        """
        if self._vault:
            return self.secret.at(self._vault.set(self.secret.name, value, **options))
        return self._twin.put(self.secret, value, **({"tags": {}} | options))

    def put_certificate(self, *, enabled: bool = True) -> None:
        """
        Make a version by way of a certificate.
        """
        if self._vault:
            self._vault.set_certificate(self.secret.name, enabled=enabled)
        else:
            self.put("certificate", enabled=enabled)
            self._twin.make_certificate(self.secret)

    def delete(self, *, is_done: bool = True) -> None:
        """
        Delete the secret by hand; if asked, that is under way until `settle`.
        """
        if self._vault:
            self._vault.delete(self.secret.name, takes=0 if is_done else 3600)
        else:
            self._twin.delete(self.secret, is_done=is_done)

    def recover(self) -> None:
        """
        Begin to bring it back by hand.
        """
        if self._vault:
            self._vault.recover(self.secret.name, takes=3600)
        else:
            self._twin.recover(self.secret)

    def settle(self, *, recovered: bool = False) -> None:
        """
        End what is under way.
        """
        if self._vault:
            self._vault.settle()
        else:
            self._twin.settle(self.secret, recovered=recovered)

    @property
    def _twin(self) -> MemoryVaults:
        assert isinstance(self.vaults, MemoryVaults)
        return self.vaults


@pytest.fixture(params=sides("key vault"))
def side(request: pytest.FixtureRequest, clock: HandClock) -> Side:
    """
    Return the twin, then the adapter.
    """
    if request.param == "twin":
        uri = "https://kv.vault.azure.net"
        return Side(MemoryVaults(clock, [uri]), uri)
    vault: Vault = request.getfixturevalue("vault")
    return Side(request.getfixturevalue("wiring").vaults, vault.uri, vault)


@pytest.mark.assumption(38, 39)
async def test_the_current_version_is_the_newest(side: Side, deadline: Deadline) -> None:
    """
    Whatever version the id is pinned to, the newest comes back, with all that a rotation needs.
    """
    old = side.put("old")
    new = side.put("new", tags=TAGS, content_type="text/plain", expires_on=EXPIRES)

    current = await side.vaults.read_current(old, deadline)

    assert current.id == new
    assert current.value == KeyMaterial("new")
    assert current.enabled
    assert (current.tags, current.content_type, current.expires_on) == (TAGS, "text/plain", EXPIRES)


@pytest.mark.assumption(40)
async def test_a_disabled_current_version_comes_without_its_value(side: Side, deadline: Deadline) -> None:
    """
    It can still be told that the secret is disabled, and what its tags say.
    """
    side.put("old")
    disabled = side.put("new", tags=TAGS, enabled=False)

    current = await side.vaults.read_current(side.secret, deadline)

    assert (current.value, current.enabled) == (None, False)
    assert current.tags == TAGS
    if isinstance(side.vaults, MemoryVaults):
        assert current.id == disabled


@pytest.mark.assumption(43)
async def test_a_secret_that_is_not_there_is_not_found(side: Side, deadline: Deadline) -> None:
    """
    Also by the version, and in the listing of versions.
    """
    side.put("value")
    missing = SecretId(side.secret.vault, "missing", "0" * 32)
    with pytest.raises(NotFound):
        await side.vaults.read_current(missing, deadline)
    with pytest.raises(NotFound):
        await side.vaults.read_version(side.secret.at("0" * 32), deadline)


async def test_another_vault_is_forbidden(side: Side, deadline: Deadline) -> None:
    """
    Whatever is asked of it.
    """
    foreign = SecretId("https://evil.vault.azure.net", "one", "0" * 32)
    with pytest.raises(Forbidden):
        side.vaults.require(foreign)
    with pytest.raises(Forbidden):
        await side.vaults.read_current(foreign, deadline)
    with pytest.raises(Forbidden):
        await side.vaults.disable(foreign, deadline)


@pytest.mark.assumption(39, 47, 48)
async def test_a_stored_version_reads_as_it_was_stored(side: Side, deadline: Deadline) -> None:
    """
    Value, tags, content type and expiry come back, and the old version keeps its value.
    """
    old = side.put("old", tags=TAGS)

    made = await side.vaults.store(
        side.secret,
        NewVersion(KeyMaterial("new/+="), TAGS | {"RotationId": "r1"}, "text/plain", EXPIRES),
        deadline,
    )

    current = await side.vaults.read_current(side.secret, deadline)
    assert current.id == made
    assert made.version != old.version
    assert current.value == KeyMaterial("new/+=")
    assert current.tags["RotationId"] == "r1"
    assert (current.content_type, current.expires_on) == ("text/plain", EXPIRES)
    assert await side.vaults.read_version(old, deadline) == KeyMaterial("old")


@pytest.mark.assumption(42, 50)
async def test_a_version_can_be_disabled(side: Side, deadline: Deadline) -> None:
    """
    It stays in the listing, and its value is read no more.
    """
    old, new = side.put("old"), side.put("new")

    await side.vaults.disable(old, deadline)

    versions = {found.version: found.enabled for found in await side.vaults.list_versions(side.secret, deadline)}
    assert versions == {old.version: False, new.version: True}
    with pytest.raises(Declined):
        await side.vaults.read_version(old, deadline)
    assert (await side.vaults.read_current(side.secret, deadline)).value == KeyMaterial("new")


async def test_managed_secrets_are_listed_with_their_tags(side: Side, deadline: Deadline) -> None:
    """
    Those with the tag ProviderAddress on their current version, without values or versions.
    """
    side.put("old", tags={})
    side.put("new", tags=TAGS)
    for number in range(30):
        await side.vaults.store(SecretId(side.secret.vault, f"plain-{number}"), PLAIN, deadline)

    assert await side.vaults.list_managed(side.secret.vault, deadline) == [(side.secret, TAGS)]


async def test_a_certificates_secret_is_told_apart(side: Side, deadline: Deadline) -> None:
    """
    In a list and in a read, which show it in different ways: such a value cannot be set.
    """
    plain = SecretId(side.secret.vault, "plain")
    await side.vaults.store(plain, PLAIN, deadline)
    side.put_certificate()

    listed = {found.id: found async for page in side.vaults.list_pages(side.secret.vault) for found in page}

    assert {secret: found.is_certificate for secret, found in listed.items()} == {plain: False, side.secret: True}
    assert (await side.vaults.read_current(side.secret, deadline)).is_certificate
    assert not (await side.vaults.read_current(plain, deadline)).is_certificate


async def test_a_disabled_certificates_secret_is_told_apart_too(side: Side, deadline: Deadline) -> None:
    """
    It is read from the list of its versions, which does not name its key either.
    """
    side.put_certificate(enabled=False)

    current = await side.vaults.read_current(side.secret, deadline)

    assert (current.enabled, current.is_certificate) == (False, True)


@pytest.mark.assumption(42)
async def test_the_versions_of_an_unknown_secret_are_none(side: Side, deadline: Deadline) -> None:
    """
    That is no error, and nothing to be asked about again.
    """
    assert await side.vaults.list_versions(SecretId(side.secret.vault, "unknown"), deadline) == []


@pytest.mark.assumption(42, 125, 126)
@pytest.mark.parametrize("enabled", [True, False])
async def test_a_version_says_when_it_was_made_wherever_it_is_read(
    side: Side, deadline: Deadline, *, enabled: bool
) -> None:
    """
    In whole seconds: as the current version, disabled or not, and in the list.
    """
    made = side.put("first", enabled=enabled)

    current = await side.vaults.read_current(made, deadline)
    (listed,) = await side.vaults.list_versions(made, deadline)

    assert current.created_on == listed.created_on
    assert current.created_on.microsecond == 0
    async with aclosing(side.vaults.list_pages(made.vault)) as pages:
        found = [each async for page in pages for each in page if each.id.name == made.name]
    assert [each.created_on for each in found] == [current.created_on]


@pytest.mark.assumption(42)
def test_a_version_of_which_nobody_knows_when_it_was_made_is_old() -> None:
    """
    Very old ones have no time: they count as made long before any grace time.
    """
    assert made_on(SecretProperties(version="0" * 32)) == datetime.min.replace(tzinfo=UTC)


@pytest.mark.assumption(42)
async def test_versions_come_in_no_order(side: Side, deadline: Deadline) -> None:
    """
    Made within a second they have the same time, and their ids say nothing of which came first.
    """
    made = [side.put(str(number)).version for number in range(20)]

    versions = await side.vaults.list_versions(side.secret, deadline)

    listed = [version.version for version in versions]
    assert listed == sorted(filter(None, made)) != made
    assert {version.created_on.microsecond for version in versions} == {0}


@pytest.mark.assumption(52)
async def test_a_name_is_refused_while_its_secret_is_being_deleted(side: Side, deadline: Deadline) -> None:
    """
    That passes; the deleted secret stays, which is a clear no that says what to do.
    """
    side.put("old")
    side.delete(is_done=False)
    with pytest.raises(NotFound):
        await side.vaults.read_current(side.secret, deadline)
    with pytest.raises(Unavailable):
        await side.vaults.store(side.secret, PLAIN, deadline)

    side.settle()

    with pytest.raises(Declined, match=r"(?i)recover.* or purge it"):
        await side.vaults.store(side.secret, PLAIN, deadline)
    assert await side.vaults.list_versions(side.secret, deadline) == []
    listed = [found.id async for page in side.vaults.list_pages(side.secret.vault) for found in page]
    assert side.secret not in listed


@pytest.mark.assumption(52)
async def test_a_name_is_refused_while_its_secret_is_being_recovered(side: Side, deadline: Deadline) -> None:
    """
    That passes as well, and then everything is as it was before the deletion.
    """
    old = side.put("old", tags=TAGS)
    side.delete()
    side.recover()
    with pytest.raises(Unavailable):
        await side.vaults.store(side.secret, PLAIN, deadline)

    side.settle(recovered=True)

    assert (await side.vaults.read_current(side.secret, deadline)).id == old
    await side.vaults.store(side.secret, PLAIN, deadline)


@pytest.mark.parametrize("body", [{"code": "Conflict"}, {"code": "Conflict", "innererror": {"code": "Unheard"}}])
async def test_a_conflict_that_is_not_about_a_deleted_secret_passes(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline, body: dict[str, object]
) -> None:
    """
    Operations on one item that meet are to be tried again.
    """
    error = json.dumps({"error": body | {"message": "Two operations met."}}).encode()
    azure.faults.add(Fault(operation="Vault.SetSecret", kind="answer", status=409, body=error))

    with pytest.raises(Unavailable, match="409 Conflict: Two operations met"):
        await wiring.vaults.store(SecretId(vault.uri, "one"), PLAIN, deadline)


async def test_a_secret_that_is_deleted_while_it_is_read_is_not_found(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline
) -> None:
    """
    Between the read that says that it is disabled and the list of its versions, which is then empty: asked once.
    """
    vault.set("one", "value", enabled=False)

    async def delete(_: LoggedRequest) -> None:
        vault.delete("one")

    azure.faults.before("Vault.ListVersions", delete)

    with pytest.raises(NotFound):
        await wiring.vaults.read_current(SecretId(vault.uri, "one"), deadline)
    assert azure.requests.count("Vault.ListVersions") == 1


async def test_a_secret_that_is_enabled_while_it_is_read_is_read_again(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline
) -> None:
    """
    What is current by then comes back, with its value.
    """
    vault.set("one", "old", enabled=False)
    vault.set("one", "older still", enabled=True)
    vault.set("one", "disabled", enabled=False)

    async def make_again(_: LoggedRequest) -> None:
        vault.delete("one")
        vault.purge("one")
        vault.set("one", "new")

    azure.faults.before("Vault.ListVersions", make_again)

    current = await wiring.vaults.read_current(SecretId(vault.uri, "one"), deadline)

    assert (current.value, current.enabled) == (KeyMaterial("new"), True)


async def test_of_disabled_versions_of_one_second_the_one_asked_about_is_current(
    vault: Vault, wiring: Wiring, deadline: Deadline
) -> None:
    """
    Nothing else can tell them apart: times are whole seconds, and ids come in no order.
    """
    made = [SecretId(vault.uri, "one", vault.set("one", str(number), enabled=False)) for number in range(5)]
    for version in vault.versions("one"):
        vault.update(replace(version, created_on=EXPIRES))

    for asked in made:
        assert (await wiring.vaults.read_current(asked, deadline)).id == asked


async def test_nothing_is_sent_when_the_time_is_over(side: Side, clock: HandClock) -> None:
    """
    Every call checks the deadline.
    """
    side.put("value")
    deadline = Deadline(clock)
    clock.advance(LAST_SEND + timedelta(seconds=1))
    pinned = side.secret.at("0" * 32)

    for call in (
        side.vaults.read_current(pinned, deadline),
        side.vaults.read_version(pinned, deadline),
        side.vaults.list_versions(pinned, deadline),
        side.vaults.list_managed(side.secret.vault, deadline),
        side.vaults.disable(pinned, deadline),
        side.vaults.store(pinned, PLAIN, deadline),
    ):
        with pytest.raises(OutOfTime):
            await call


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(operation="Vault.SetSecret", kind="answer", status=503, when="after"), Unavailable),
        (Fault(operation="Vault.SetSecret", kind="answer", status=500, when="after", retry_after=0), Unavailable),
        (Fault(operation="Vault.SetSecret", kind="answer", status=429, retry_after=1), Unavailable),
        (Fault(operation="Vault.SetSecret", kind="answer", status=504), NoAnswer),
        (Fault(operation="Vault.SetSecret", kind="drop", when="after"), NoAnswer),
        (Fault(operation="Vault.SetSecret", kind="answer", status=200, body=b"", when="after"), NoAnswer),
        (Fault(operation="Vault.SetSecret", kind="answer", status=200, body=b"<html>", when="after"), NoAnswer),
        (Fault(operation="Vault.SetSecret", kind="answer", status=200, body=b"[]", when="after"), NoAnswer),
        (Fault(operation="Vault.SetSecret", kind="answer", status=403, code="Forbidden"), Declined),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.kind} {value.status} {value.body}",
)
async def test_storing_is_sent_once_however_it_is_answered(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline, fault: Fault, error: type[DependencyError]
) -> None:
    """
    The SDK's own retries never make a second version.
    """
    vault.set("one", "old")
    armed = azure.faults.add(fault)

    with pytest.raises(error) as raised:
        await wiring.vaults.store(
            SecretId(vault.uri, "one"),
            NewVersion(KeyMaterial("k3y"), {}, None, EXPIRES),
            deadline,
        )

    assert armed.fired == 1
    assert azure.requests.count("Vault.SetSecret") == 1
    assert "k3y" not in str(raised.value)


@pytest.mark.parametrize("kind", ["answer", "drop"])
async def test_reading_is_tried_again(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline, kind: Any
) -> None:
    """
    A passing fault of a read is not the rotation's business.
    """
    vault.set("one", "value")
    azure.faults.add(Fault(operation="Vault.GetSecret", kind=kind, times=2))

    current = await wiring.vaults.read_current(SecretId(vault.uri, "one"), deadline)

    assert current.value == KeyMaterial("value")
    assert azure.requests.count("Vault.GetSecret") == 3


async def test_an_absurd_retry_after_is_not_obeyed(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline
) -> None:
    """
    A wait of hours is handed to the caller instead of being slept through.
    """
    vault.set("one", "value")
    azure.faults.add(Fault(operation="Vault.GetSecret", kind="answer", status=429, retry_after=86_400, times=None))

    with pytest.raises(Unavailable) as raised:
        await wiring.vaults.read_current(SecretId(vault.uri, "one"), deadline)

    assert raised.value.retry_after == timedelta(days=1)
    assert azure.requests.count("Vault.GetSecret") == 1


async def test_without_a_token_nothing_is_sent(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline
) -> None:
    """
    A failing identity endpoint is no refusal by Key Vault.
    """
    vault.set("one", "value")
    azure.faults.add(Fault(operation="Identity.Token", kind="answer", status=400, times=None))

    with pytest.raises(Unavailable):
        await wiring.vaults.store(
            SecretId(vault.uri, "one"),
            NewVersion(KeyMaterial("new"), {}, None, EXPIRES),
            deadline,
        )

    assert azure.requests.count("Vault.SetSecret") == 0


async def test_the_first_request_brings_its_token(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline
) -> None:
    """
    For the audience of the cloud's vaults: nobody waits for a challenge.
    """
    vault.set("one", "value")

    await wiring.vaults.read_current(SecretId(vault.uri, "one"), deadline)

    assert azure.requests.count("Vault.Challenge") == 0
    assert azure.requests.count("Vault.GetSecret") == 1


async def test_an_identity_endpoint_cannot_hold_a_worker_for_a_day(
    azure: LocalAzure, vault: Vault, wiring: Wiring, deadline: Deadline
) -> None:
    """
    azure-identity would sleep for as long as it is told to; a rotation asks again soon.
    """
    vault.set("one", "value")
    wiring.identity._within = 0.3
    azure.faults.add(Fault(operation="Identity.Token", kind="answer", status=429, retry_after=86_400))

    current = await wiring.vaults.read_current(SecretId(vault.uri, "one"), deadline)

    assert current.value == KeyMaterial("value")


async def test_a_vault_is_listed_a_page_at_a_time(side: Side, deadline: Deadline) -> None:
    """
    Every secret once, managed or not, as its current version stands; without values or versions.
    """
    side.put("old", tags={}, expires_on=EXPIRES)
    side.put("new", tags=TAGS, expires_on=EXPIRES, enabled=False)
    for number in range(60):
        name = SecretId(side.secret.vault, f"n-{number:02}")
        await side.vaults.store(name, PLAIN, deadline)

    pages = [page async for page in side.vaults.list_pages(side.secret.vault)]

    found = {listed.id: listed for page in pages for listed in page}
    assert len(found) == sum(map(len, pages)) == 61
    assert max(map(len, pages)) <= 25
    listed = found[side.secret]
    assert listed == ListedSecret(side.secret, TAGS, enabled=False, expires_on=EXPIRES, created_on=listed.created_on)
    assert found[SecretId(side.secret.vault, "n-59")].tags == {}


async def test_an_empty_vault_has_no_secrets(side: Side) -> None:
    """
    And that is no error.
    """
    assert [listed async for page in side.vaults.list_pages(side.secret.vault) for listed in page] == []


async def test_a_foreign_vault_is_not_listed(side: Side) -> None:
    """
    Nothing is sent.
    """
    with pytest.raises(Forbidden):
        await anext(side.vaults.list_pages("https://evil.vault.azure.net"))


@pytest.mark.parametrize("kind", ["answer", "drop"])
async def test_a_page_that_fails_is_asked_for_again(
    azure: LocalAzure, vault: Vault, wiring: Wiring, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    That page alone, and no secret is left out or listed twice.
    """
    monkeypatch.setattr("adapters.answers.READ_AGAIN_AFTER", (0.0, 0.0, 0.0))
    names = [f"n-{number:02}" for number in range(60)]
    for name in names:
        vault.set(name, "value")
    azure.faults.add(Fault(operation="Vault.ListSecrets", kind=kind, skip=1, times=2))

    pages = [[listed.id.name for listed in page] async for page in wiring.vaults.list_pages(vault.uri)]

    assert sorted(name for page in pages for name in page) == names
    assert [len(page) for page in pages] == [25, 25, 10]
    assert azure.requests.count("Vault.ListSecrets") == 5


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(operation="Vault.ListSecrets", kind="answer", status=403, code="Forbidden", skip=1), Declined),
        (
            Fault(operation="Vault.ListSecrets", kind="answer", status=429, retry_after=3600, skip=1, times=None),
            Unavailable,
        ),
        (Fault(operation="Vault.ListSecrets", kind="answer", status=200, body=b"[]", skip=1, times=None), NoAnswer),
    ],
    ids=["forbidden", "throttled", "odd"],
)
async def test_a_listing_that_breaks_says_so(
    azure: LocalAzure,
    vault: Vault,
    wiring: Wiring,
    fault: Fault,
    error: type[DependencyError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    After the pages that came: a broken list is never taken for a complete one.
    """
    monkeypatch.setattr("adapters.answers.READ_AGAIN_AFTER", (0.0, 0.0, 0.0))
    for number in range(30):
        vault.set(f"n-{number:02}", "value")
    azure.faults.add(fault)
    pages: list[int] = []

    async def read() -> None:
        async for page in wiring.vaults.list_pages(vault.uri):
            pages.append(len(page))  # noqa: PERF401 - it breaks half way

    with pytest.raises(error):
        await read()

    assert pages == [25]


async def test_a_listing_is_read_no_faster_than_it_is_used(azure: LocalAzure, vault: Vault, wiring: Wiring) -> None:
    """
    One page is asked for when the one before has been dealt with, so that a vault's size does not matter.
    """
    for number in range(60):
        vault.set(f"n-{number:02}", "value")
    asked = []

    async with aclosing(wiring.vaults.list_pages(vault.uri)) as pages:
        async for _ in pages:
            asked.append(azure.requests.count("Vault.ListSecrets"))  # noqa: PERF401 - one after the other

    assert asked == [1, 2, 3]
