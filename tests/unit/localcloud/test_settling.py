"""
Keys that a data plane accepts only some time after they were regenerated.
"""

import math

import aiohttp
import pytest

from localcloud.azure.access_keys import AccessKeys
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.identity import ARM
from localcloud.azure.key_history import KeyHistory
from localcloud.consumers import CallFailed
from localcloud.kinds.batch import BATCH
from localcloud.kinds.kind import LocalKind, Resource
from localcloud.kinds.openai import OPENAI
from localcloud.kinds.storage import STORAGE
from localcloud.kinds.workflow import WORKFLOW

OPENED_BY_KEYS = (BATCH, STORAGE, OPENAI)
OWNER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/a"


async def answer(made: Resource, value: str, http: aiohttp.ClientSession) -> tuple[int | None, str] | None:
    """
    Make a call with a value, as the clients of a secret do; return how it was refused, None if it was not.
    """
    consumer = made.consumer()
    try:
        await consumer.use("version", value, http)
    except CallFailed as failure:
        return failure.status, failure.code
    finally:
        await consumer.forget("version")
    return None


async def post(azure: LocalAzure, http: aiohttp.ClientSession, made: Resource, path: str, body: object = None) -> str:
    """
    Post to ARM; return what it answers.
    """
    headers = {"Authorization": f"Bearer {azure.identity.issue(ARM)}"}
    async with http.post(f"{azure.arm_uri}{made.arm_id}/{path}", headers=headers, json=body) as answered:
        assert answered.status == 200
        return await answered.text()


@pytest.mark.parametrize("kind", OPENED_BY_KEYS, ids=str)
async def test_the_old_key_is_dead_at_once_and_the_new_one_works_once_it_has_settled(
    azure: LocalAzure, http: aiohttp.ClientSession, kind: LocalKind
) -> None:
    """
    The official client is refused as with any wrong key; the other key works all the time.
    """
    azure.settling = lambda: math.inf
    made = await kind.make(azure, "mine")
    old, other = made.value("Primary"), made.value("Secondary")
    assert [await answer(made, value, http) for value in (old, other)] == [None, None]

    made.regenerate("Primary")

    new = made.value("Primary")
    refused = await answer(made, old, http)
    assert refused is not None
    assert refused[0] in {401, 403}
    assert [await answer(made, value, http) for value in (new, other)] == [refused, None]
    made.keys.settle()
    assert [await answer(made, value, http) for value in (new, other, old)] == [None, None, refused]


@pytest.mark.parametrize(
    ("kind", "operation", "name", "version"),
    [
        (BATCH, "regenerateKeys", "Primary", "2025-06-01"),
        (STORAGE, "regenerateKey", "key1", "2024-01-01"),
        (OPENAI, "regenerateKey", "Key1", "2025-09-01"),
    ],
    ids=str,
)
async def test_the_resource_manager_shows_a_key_that_settles(
    azure: LocalAzure, http: aiohttp.ClientSession, kind: LocalKind, operation: str, name: str, version: str
) -> None:
    """
    In the answer to the regeneration and in every list of keys after it.
    """
    azure.settling = lambda: math.inf
    made = await kind.make(azure, "mine")
    old = made.keys["Primary"]

    regenerated = await post(azure, http, made, f"{operation}?api-version={version}", {"keyName": name})
    listed = await post(azure, http, made, f"listKeys?api-version={version}")

    assert made.keys["Primary"] != old
    for shown in (regenerated, listed):
        assert made.keys["Primary"] in shown
        assert made.keys["Secondary"] in shown
        assert old not in shown


@pytest.mark.parametrize("kind", OPENED_BY_KEYS, ids=str)
async def test_nothing_opens_a_resource_while_both_keys_settle(
    azure: LocalAzure, http: aiohttp.ClientSession, kind: LocalKind
) -> None:
    """
    Nor does it disturb another resource, whose own settling counts.
    """
    made, another = await kind.make(azure, "mine"), await kind.make(azure, "other")
    azure.settling = lambda: math.inf
    another.keys.settling = lambda: 0.0
    for key in ("Primary", "Secondary"):
        made.regenerate(key)
        another.regenerate(key)

    assert None not in [await answer(made, made.value(key), http) for key in ("Primary", "Secondary")]
    assert [await answer(another, another.value(key), http) for key in ("Primary", "Secondary")] == [None, None]


async def test_a_callback_url_works_at_once(azure: LocalAzure, http: aiohttp.ClientSession) -> None:
    """
    Nobody can ask whether it does without starting the workflow.
    """
    azure.settling = lambda: math.inf
    made = await WORKFLOW.make(azure, "mine")

    made.regenerate("Primary")

    assert await answer(made, made.value("Primary"), http) is None


def test_each_regeneration_asks_how_long_its_key_settles() -> None:
    """
    The history has the same to say about it as the keys.
    """
    history = KeyHistory()
    values, times = iter(["a", "b", "c", "d", "e"]), iter([math.inf, 0.0, 3600.0])
    keys = AccessKeys(OWNER, history, lambda: next(values), lambda: next(times))
    assert keys.accepted() == ("a", "b")

    keys.regenerate("Primary")
    assert keys.accepted() == ("b",)
    keys.regenerate("Primary")
    assert keys.accepted() == ("d", "b")
    keys.regenerate("Primary")
    assert keys.accepted() == ("b",)

    *_, settling = history.of(OWNER, "Primary")
    assert settling.value == keys["Primary"] == "e"
    assert settling.works_since is not None
    assert (settling.works_since.wall - settling.since.wall).total_seconds() == 3600


def test_a_key_that_is_settled_by_hand_works_from_then_on() -> None:
    """
    One that works already keeps its time.
    """
    history = KeyHistory()
    keys = AccessKeys(OWNER, history, iter("abc").__next__, lambda: math.inf)
    (other,) = history.of(OWNER, "Secondary")
    keys.regenerate("Primary")

    keys.settle()

    _, settled = history.of(OWNER, "Primary")
    assert keys.accepted() == ("c", "b")
    assert settled.works_since is not None
    assert settled.works_since.monotonic >= settled.since.monotonic
    assert other.works_since == other.since
