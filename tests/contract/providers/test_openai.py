import json
from typing import Any

import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.kinds.openai import OpenAIAccount, add_openai_account
from rotation.ports.providers import Provider
from rotation.vocabulary.errors import Declined, NoAnswer
from rotation.vocabulary.target import KeyName, Target
from rotation.vocabulary.timing import Deadline
from tests.twins.targets import parse_target
from wiring.parts import Wiring


async def reached(wiring: Wiring, account: OpenAIAccount) -> tuple[Provider, Target]:
    """
    Return the adapter, and an account as its target.
    """
    target = parse_target(account.arm_id)
    return await wiring.providers.provider_for(target), target


async def test_keys_are_told_by_their_names(azure: LocalAzure, wiring: Wiring, deadline: Deadline) -> None:
    """
    `Key1` in the request and `key1` in the answer are Primary.
    """
    account = await add_openai_account(azure, "account1")
    provider, target = await reached(wiring, account)

    keys = await provider.read_keys(target, deadline)
    assert [keys[key].reveal() for key in KeyName] == [account.keys["Primary"], account.keys["Secondary"]]

    answer = await provider.regenerate(target, KeyName.PRIMARY, deadline)
    assert answer is not None
    assert keys[KeyName.SECONDARY].reveal() == answer[KeyName.SECONDARY].reveal() == account.keys["Secondary"]
    assert keys[KeyName.PRIMARY].reveal() != answer[KeyName.PRIMARY].reveal() == account.keys["Primary"]


@pytest.mark.parametrize("answer", [{}, {"key1": "a"}, {"key1": "", "key2": "b"}, {"key1": "a", "key2": None}])
async def test_an_answer_without_both_keys_is_never_taken_for_keys(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, answer: dict[str, Any]
) -> None:
    """
    Read, it is no answer; to a regeneration, it is a success that says nothing.
    """
    provider, target = await reached(wiring, await add_openai_account(azure, "account1"))
    for operation in ("OpenAI.ListKeys", "OpenAI.RegenerateKey"):
        body = json.dumps(answer).encode()
        azure.faults.add(Fault(operation=operation, kind="answer", status=200, body=body, times=None))

    with pytest.raises(NoAnswer, match="cannot be used"):
        await provider.read_keys(target, deadline)
    assert await provider.regenerate(target, KeyName.PRIMARY, deadline) is None


@pytest.mark.parametrize(("disables", "says"), [(True, True), (False, False), (None, False)])
async def test_a_refusal_says_whether_the_account_allows_keys(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, disables: bool | None, says: bool
) -> None:
    """
    And what to do where it does not.
    """
    account = await add_openai_account(azure, "account1", disables_local_auth=disables)
    provider, target = await reached(wiring, account)
    azure.faults.add(Fault(operation="OpenAI.ListKeys", kind="answer", status=403, code="AuthenticationTypeDisabled"))

    with pytest.raises(Declined, match=r"^listKeys of Cognitive Services account account1: 403 Auth") as refused:
        await provider.read_keys(target, deadline)

    assert (
        str(refused.value).endswith(
            "(its disableLocalAuth is true: allow keys, or stop managing a key that cannot be used)"
        )
        is says
    )
