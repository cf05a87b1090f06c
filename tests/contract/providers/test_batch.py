import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.request_log import LoggedRequest
from localcloud.kinds.batch import add_batch_account
from rotation.vocabulary.errors import Declined, NoAnswer
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock
from tests.twins.targets import parse_target
from wiring.parts import Wiring

UNAUTHORIZED = Fault(operation="Batch.ListKeys", kind="answer", status=403, code="AuthorizationFailed")
# ARM's own words end so, and nothing may follow them.
ITS_END = r"403 AuthorizationFailed: .* please refresh your credentials\.$"


@pytest.mark.parametrize(
    ("modes", "says"),
    [
        (("AAD",), "AAD"),
        (("AAD", "TaskAuthenticationToken"), "AAD, TaskAuthenticationToken"),
        (("AAD", "Later"), "AAD, Later"),
    ],
)
async def test_an_account_without_shared_key_is_refused_with_the_reason(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, modes: Sequence[str], says: str
) -> None:
    """
    ARM's words are passed on, with what the account allows, also in words that the SDK does not know, and what to do.
    """
    made = await add_batch_account(azure, "aadonly", authentication_modes=modes)
    target = parse_target(made.arm_id)

    with pytest.raises(Declined, match=rf"403 SharedKeyAuthenticationNotAllowed: .*are {says}: allow SharedKey"):
        await (await wiring.providers.provider_for(target)).regenerate(target, KeyName.SECONDARY, deadline)


@pytest.mark.parametrize("modes", [None, ("SharedKey",), ("AAD", "SharedKey")])
async def test_a_refusal_of_an_account_with_shared_key_has_another_reason(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, modes: Sequence[str] | None
) -> None:
    """
    One look at the account shows that it allows its keys, and ARM's words stand alone.
    """
    made = await add_batch_account(azure, "shared", authentication_modes=modes)
    target = parse_target(made.arm_id)
    azure.faults.add(UNAUTHORIZED)

    with pytest.raises(Declined, match=ITS_END):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)

    assert azure.requests.count("Batch.GetAccount") == 1


@pytest.mark.parametrize(("seconds_left", "looks"), [(0, 0), (0.1, 1)])
async def test_a_refusal_goes_unexplained_when_the_time_is_over(
    azure: LocalAzure, wiring: Wiring, clock: HandClock, seconds_left: float, looks: int
) -> None:
    """
    The account is not looked at past the deadline, nor again where the pause would outlast it.
    """
    target = parse_target((await add_batch_account(azure, "aadonly", authentication_modes=("AAD",))).arm_id)
    deadline = Deadline(clock)

    async def pass_time(_: LoggedRequest) -> None:
        clock.advance(LAST_SEND - timedelta(seconds=seconds_left))

    azure.faults.before("Batch.ListKeys", pass_time)
    azure.faults.add(UNAUTHORIZED)
    azure.faults.add(Fault(operation="Batch.GetAccount", kind="answer", status=503))

    with pytest.raises(Declined, match=ITS_END):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)

    assert azure.requests.count("Batch.GetAccount") == looks


@pytest.mark.parametrize("answer", [{"primary": ""}, {"primary": None}])
async def test_an_answer_without_a_key_is_never_taken_for_keys(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, answer: dict[str, Any]
) -> None:
    """
    An empty text is none, and is not stored.
    """
    target = parse_target((await add_batch_account(azure, "account1")).arm_id)
    body = json.dumps({"secondary": "a2V5"} | answer).encode()
    azure.faults.add(Fault(operation="Batch.ListKeys", kind="answer", status=200, body=body, times=None))

    with pytest.raises(NoAnswer, match="cannot be used"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)
