import json
import re
from typing import Any

import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.kinds.storage import add_storage_account
from localcloud.kinds.storage.accounts import StorageAccount
from rotation.ports.providers import Provider
from rotation.vocabulary.errors import Declined, NoAnswer
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline
from tests.twins.targets import parse_target
from wiring.parts import Wiring


async def reached(wiring: Wiring, account: StorageAccount) -> tuple[Provider, Target]:
    """
    Return the adapter, and an account as its target.
    """
    target = parse_target(account.arm_id)
    return await wiring.providers.provider_for(target), target


async def test_keys_are_told_by_their_names(azure: LocalAzure, wiring: Wiring, deadline: Deadline) -> None:
    """
    `key1` is Primary, `key2` is Secondary, in listing and regenerating.
    """
    account = await add_storage_account(azure, "account1")
    provider, target = await reached(wiring, account)

    keys = await provider.read_keys(target, deadline)
    assert [keys[key].reveal() for key in KeyName] == [account.keys["Primary"], account.keys["Secondary"]]

    answer = await provider.regenerate(target, KeyName.SECONDARY, deadline)
    assert answer is not None
    assert keys[KeyName.PRIMARY].reveal() == answer[KeyName.PRIMARY].reveal() == account.keys["Primary"]
    assert keys[KeyName.SECONDARY].reveal() != answer[KeyName.SECONDARY].reveal() == account.keys["Secondary"]


async def test_keys_for_kerberos_are_not_asked_for(azure: LocalAzure, wiring: Wiring, deadline: Deadline) -> None:
    """
    The SDK does by default: keys that nobody rotates would be read for nothing.
    """
    account = await add_storage_account(azure, "account1", has_kerberos_keys=True)
    provider, target = await reached(wiring, account)

    keys = await provider.read_keys(target, deadline)

    assert set(keys) == set(KeyName)
    assert account.kerberos_listings == 0


@pytest.mark.parametrize("extra", [[], [{"keyName": "kerb1", "value": "a2VyYg=="}]])
async def test_order_and_case_of_the_names_do_not_matter(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, extra: list[dict[str, str]]
) -> None:
    """
    Nor do keys with other names.
    """
    provider, target = await reached(wiring, await add_storage_account(azure, "account1"))
    keys = [*extra, {"keyName": "Key2", "value": "c2Vjb25k"}, {"keyName": "KEY1", "value": "Zmlyc3Q="}]
    body = json.dumps({"keys": keys}).encode()
    azure.faults.add(Fault(operation="Storage.ListKeys", kind="answer", status=200, body=body))

    read = await provider.read_keys(target, deadline)

    assert [read[key].reveal() for key in KeyName] == ["Zmlyc3Q=", "c2Vjb25k"]


@pytest.mark.parametrize(
    "keys",
    [
        None,
        [],
        [{"keyName": "key1", "value": "Zmlyc3Q="}],
        [{"keyName": "key1", "value": "Zmlyc3Q="}, {"keyName": "key2", "value": ""}],
        [{"keyName": "key1", "value": "Zmlyc3Q="}, {"keyName": "key2"}],
        [{"value": "Zmlyc3Q="}, {"keyName": "key2", "value": "c2Vjb25k"}],
        [{"keyName": "key1", "value": 1}, {"keyName": "key2", "value": "c2Vjb25k"}],
        ["key1", "key2"],
    ],
)
async def test_an_answer_without_both_keys_is_never_taken_for_keys(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, keys: Any
) -> None:
    """
    Read, it is no answer; to a regeneration, it is a success that says nothing.
    """
    provider, target = await reached(wiring, await add_storage_account(azure, "account1"))
    body = json.dumps({"keys": keys}).encode()
    for operation in ("Storage.ListKeys", "Storage.RegenerateKey"):
        azure.faults.add(Fault(operation=operation, kind="answer", status=200, body=body, times=None))

    with pytest.raises(NoAnswer, match="cannot be used"):
        await provider.read_keys(target, deadline)
    assert await provider.regenerate(target, KeyName.PRIMARY, deadline) is None


async def test_a_lock_is_told_in_arms_words(azure: LocalAzure, wiring: Wiring, deadline: Deadline) -> None:
    """
    A ReadOnly lock refuses listing keys, too: a person has to remove it.
    """
    provider, target = await reached(wiring, await add_storage_account(azure, "account1"))
    for operation in ("Storage.ListKeys", "Storage.RegenerateKey"):
        azure.faults.add(Fault(operation=operation, kind="answer", status=409, code="ScopeLocked"))
    words = r"409 ScopeLocked: The scope .* are locked: .* remove the lock and try again\.$"

    with pytest.raises(Declined, match=words):
        await provider.read_keys(target, deadline)
    with pytest.raises(Declined, match=words):
        await provider.regenerate(target, KeyName.PRIMARY, deadline)


@pytest.mark.parametrize(("allows", "says"), [(False, True), (True, False), (None, False)])
async def test_a_refusal_says_whether_the_account_allows_its_keys(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, allows: bool | None, says: bool
) -> None:
    """
    And what to do where it does not. Unset means allowed.
    """
    account = await add_storage_account(azure, "account1", allows_shared_key=allows)
    provider, target = await reached(wiring, account)
    azure.faults.add(Fault(operation="Storage.RegenerateKey", kind="answer", status=403))

    with pytest.raises(
        Declined, match=r"^regenerating Primary of Storage account account1: 403 AuthorizationFailed"
    ) as no:
        await provider.regenerate(target, KeyName.PRIMARY, deadline)

    assert (
        bool(re.search(r"\(its allowSharedKeyAccess is false: allow shared keys, or stop .*\)$", str(no.value))) is says
    )
