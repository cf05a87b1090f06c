import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import pytest

from localcloud.azure.access_keys import KeyName
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.identity import ARM
from localcloud.azure.vault import Vault
from localcloud.consumers import CallFailed, Consumer
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.batch.accounts import BatchAccount
from localcloud.kinds.batch.consumer import BatchConsumer
from localcloud.kinds.workflow import add_workflow
from localcloud.witness import CachingWitness, Witness

SECRET = "batch-key"
PATIENCE = 30  # seconds
BRIEFLY, LONG = timedelta(seconds=0.5), timedelta(hours=1)


@dataclass
class World:
    """
    A Batch account whose primary key a secret holds.
    """

    azure: LocalAzure
    vault: Vault
    account: BatchAccount
    http: aiohttp.ClientSession

    def store(self, key: KeyName) -> str:
        """
        Make a version that holds the present value of a key.
        """
        return self.vault.set(SECRET, self.account.value(key), tags={"CredentialId": key})

    async def ask_to_regenerate(self, key: KeyName) -> None:
        """
        Send a request, as a rotator does.
        """
        url = f"{self.azure.arm_uri}{self.account.arm_id}/regenerateKeys?api-version=2025-06-01"
        headers = {"Authorization": f"Bearer {self.azure.identity.issue(ARM, self.azure.operator)}"}
        async with self.http.post(url, json={"keyName": key}, headers=headers) as answer:
            assert answer.status == 200

    def witness(self, consumer: BatchConsumer | None = None) -> Witness:
        """
        Return a witness on the secret.
        """
        return Witness(self.azure, self.vault, SECRET, consumer or self.account.consumer())

    def caching(self, caches_for: timedelta, consumer: Consumer | None = None) -> CachingWitness:
        """
        Return a witness on the secret that uses what it has read for so long.
        """
        consumer = consumer or self.account.consumer()
        return CachingWitness(self.azure, self.vault, SECRET, consumer, caches_for=caches_for)


@pytest.fixture
async def world(azure: LocalAzure, http: aiohttp.ClientSession) -> World:
    """
    Return a world with one version of the secret.
    """
    made = World(azure, await azure.add_vault("kv"), await add_batch_account(azure, "renders"), http)
    made.store("Primary")
    return made


@pytest.fixture(autouse=True)
async def _patience() -> AsyncIterator[None]:
    async with asyncio.timeout(PATIENCE):
        yield


class UnluckyConsumer(BatchConsumer):
    """
    Once told to, sends the calls with one version just after somebody asked to regenerate its key.
    """

    def __init__(self, world: World, version: str) -> None:
        super().__init__(world.account.arm_id, world.account.name, world.account.endpoint)
        self._world = world
        self._version = version
        self.is_unlucky = False

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        """
        Lose the race.
        """
        if self.is_unlucky and version == self._version:
            await self._world.ask_to_regenerate("Primary")
        await super().use(version, value, session)


async def test_calls_with_a_live_key_are_counted(world: World) -> None:
    """
    The official clients read the secret and use what they read.
    """
    async with world.witness() as witness:
        await witness.see_more(3)

    assert 3 <= witness.calls == witness.calls_with_current <= world.azure.requests.count("BatchService.ListPools")
    assert witness.failures == []


async def test_a_workflow_is_started_by_its_callback_url(azure: LocalAzure) -> None:
    """
    Every call that counts ran it; one more may be under way at the end.
    """
    vault = await azure.add_vault("kv")
    workflow = await add_workflow(azure, "orders", resource_group="rg", site="site")
    vault.set("workflow-url", workflow.callback_url(), tags={"CredentialId": "Primary"})

    async with Witness(azure, vault, "workflow-url", workflow.consumer()) as witness:
        await witness.see_more(3)
        assert witness.failures == []
        assert workflow.runs >= witness.calls >= 3
        workflow.regenerate("Primary")
        await witness.see_more(2)

    assert witness.failures[0].code == "DirectApiInvalidSignature"
    assert witness.failures[0].status == 401


async def test_a_dead_key_is_a_failure(world: World) -> None:
    """
    It is told with version, key and error code, and without its value. A call with the current version always counts.
    """
    value = world.account.value("Primary")
    async with world.witness() as witness:
        await witness.see_more(1)
        await world.ask_to_regenerate("Primary")
        await witness.see_more(2)

    failure = witness.failures[0]
    assert failure.version == world.vault.current(SECRET).version
    assert (failure.key, failure.code, failure.status) == ("Primary", "AuthenticationFailed", 403)
    assert value not in repr(witness.failures) + repr(vars(witness))


async def test_the_version_before_is_used_too(world: World) -> None:
    """
    Clients cache what they read: after a rotation both keys are in use.
    """
    async with world.witness() as witness:
        await witness.see_more(1)
        await world.ask_to_regenerate("Secondary")
        world.store("Secondary")
        await witness.see_more(2)  # The second of them with both.
        await witness.see_more(3)

    assert witness.calls_with_previous >= 3
    assert witness.failures == []


async def test_a_cached_key_that_dies_before_the_next_rotation_is_a_failure(world: World) -> None:
    """
    Nobody had asked for another key when it died.
    """
    old = world.vault.current(SECRET).version
    async with world.witness() as witness:
        await witness.see_more(1)
        world.store("Secondary")
        world.account.regenerate("Primary")
        await witness.see_more(3)

    assert {(failure.version, failure.key) for failure in witness.failures} == {(old, "Primary")}
    assert witness.discarded == 0


async def test_a_call_that_raced_with_the_next_rotation_is_discarded(world: World) -> None:
    """
    The cached key died amid the call, rightly: the next rotation had begun. It is not used any more.
    """
    consumer = UnluckyConsumer(world, world.vault.current(SECRET).version)
    async with world.witness(consumer) as witness:
        await witness.see_more(1)
        world.store("Secondary")
        consumer.is_unlucky = True
        await witness.see_more(3)

    assert (witness.discarded, witness.calls_with_previous, witness.failures) == (1, 0, [])
    assert world.azure.requests.count("Batch.RegenerateKeys") == 1


async def test_a_race_excuses_no_call_with_the_current_version(world: World) -> None:
    """
    Anyone who regenerates the key that the current version holds breaks its client.
    """
    consumer = UnluckyConsumer(world, world.vault.current(SECRET).version)
    consumer.is_unlucky = True
    async with world.witness(consumer) as witness:
        await witness.see_more(1)

    assert witness.discarded == 0
    assert witness.failures[0].status == 403


async def test_a_cached_key_is_not_used_once_the_next_rotation_has_begun(world: World) -> None:
    """
    Also when the request to regenerate is still under way.
    """
    async with world.witness() as witness:
        await witness.see_more(1)
        world.store("Secondary")
        await witness.see_more(3)
        hanging = world.azure.faults.add(Fault(operation="Batch.RegenerateKeys", kind="hang"))
        request = asyncio.create_task(world.ask_to_regenerate("Primary"))
        await hanging.reached()
        await witness.see_more(1)
        before = witness.calls_with_previous
        await witness.see_more(3)
        hanging.release()
        await request
        await witness.see_more(3)

    assert before == witness.calls_with_previous > 0
    assert witness.failures == []


async def test_a_secret_that_cannot_be_read_is_a_failure(world: World) -> None:
    """
    A client that has no key cannot work either.
    """
    world.azure.faults.add(Fault(operation="Vault.GetSecret", kind="answer", status=403, code="Forbidden"))
    async with world.witness() as witness:
        await witness.see_more(2)

    (failure,) = witness.failures
    assert (failure.version, failure.code, failure.status) == (None, "Forbidden", 403)


class LateConsumer(BatchConsumer):
    """
    Its calls fail, and take longer than any value is used.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world.account.arm_id, world.account.name, world.account.endpoint)

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        """
        Be refused in the end.
        """
        await asyncio.sleep(BRIEFLY.total_seconds())
        raise CallFailed("AuthenticationFailed", 403)


async def test_a_cached_key_is_used_through_rotations(world: World) -> None:
    """
    It is a failure where one of them regenerates it, however rightly for others.
    """
    first = world.vault.current(SECRET).version
    async with world.caching(LONG) as witness:
        await witness.use_all()
        world.account.regenerate("Secondary")
        world.store("Secondary")
        await witness.use_all()
        assert witness.calls_with_previous > 0
        assert witness.failures == []
        await world.ask_to_regenerate("Primary")
        world.store("Primary")
        await witness.use_all()

    assert {failure.version for failure in witness.failures} == {first}


async def test_what_was_read_too_long_ago_is_not_used(world: World) -> None:
    """
    A value counts from when its read began: one for no time at all is old once it is there.
    """
    async with world.caching(timedelta()) as witness:
        await witness.use_all()

    assert (witness.calls, witness.discarded, witness.failures) == (0, 0, [])


async def test_a_call_that_is_over_too_late_does_not_count(world: World) -> None:
    """
    Whatever came of it: its key may have died rightly meanwhile.
    """
    async with world.caching(BRIEFLY, LateConsumer(world)) as witness:
        while not witness.discarded:
            await witness.use_all()

    assert (witness.calls, witness.failures) == (0, [])
