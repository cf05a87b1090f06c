from datetime import timedelta
from typing import Any

import pytest

from adapters.transport import SharedTransport
from adapters.wiring import Wiring
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION, LocalAzure
from localcloud.azure.faults import Fault
from rotation.errors import Declined, DependencyError, Misconfigured, NoAnswer, NotFound, OutOfTime, Unavailable
from rotation.ports import Keys, Provider
from rotation.target import KeyName, Target, parse_target
from rotation.timing import LAST_SEND, Deadline
from tests.twins.clock import HandClock
from tests.twins.providers import MemoryProvider

REGENERATE = {"batch": "Batch.RegenerateKeys", "workflow": "Workflow.RegenerateAccessKey"}


@pytest.fixture(params=["batch", "workflow"])
def kind(request: pytest.FixtureRequest) -> str:
    """
    Return each kind of target.
    """
    return str(request.param)


@pytest.fixture
async def target(azure: LocalAzure, kind: str) -> Target:
    """
    Return a target that exists in the local Azure.
    """
    if kind == "batch":
        made = azure.add_batch_account(subscription=SUBSCRIPTION, resource_group=RESOURCE_GROUP, name="account1")
        return parse_target(made.arm_id)
    workflow = await azure.add_workflow(SUBSCRIPTION, RESOURCE_GROUP, "site1", "orders")
    return parse_target(f"{workflow.arm_id}/triggers/manual")


@pytest.fixture(params=["twin", "adapter"])
async def provider(request: pytest.FixtureRequest, wiring: Wiring, target: Target) -> Provider:
    """
    Return the twin, then the adapter.
    """
    if request.param == "adapter":
        return await wiring.of(target)
    twin = MemoryProvider()
    twin.add(target)
    return twin


def fingerprints(target: Target, keys: Keys) -> dict[KeyName, str]:
    """
    Return what tells the keys apart.
    """
    return {key: target.fingerprint(keys[key]) for key in KeyName}


@pytest.mark.parametrize("key", list(KeyName))
async def test_regenerating_changes_one_key_and_no_other(
    provider: Provider, target: Target, deadline: Deadline, key: KeyName
) -> None:
    """
    What is read afterwards differs in that key alone, and agrees with what the answer held.
    """
    before = fingerprints(target, await provider.read_keys(target, deadline))

    answer = await provider.regenerate(target, key, deadline)

    after = fingerprints(target, await provider.read_keys(target, deadline))
    assert before[KeyName.PRIMARY] != before[KeyName.SECONDARY]
    assert after[key] != before[key]
    assert after[key.other] == before[key.other]
    if answer is not None:
        assert fingerprints(target, answer) == after


async def test_an_unknown_target_is_not_found(provider: Provider, target: Target, deadline: Deadline) -> None:
    """
    Reading and regenerating both say so.
    """
    other = parse_target(target.arm_id.replace("account1", "account2").replace("site1/", "site2/") + "")
    other = parse_target(f"{other.arm_id}/triggers/manual") if "sites" in other.arm_id else other
    with pytest.raises(NotFound):
        await provider.read_keys(other, deadline)
    with pytest.raises(NotFound):
        await provider.regenerate(other, KeyName.PRIMARY, deadline)


async def test_nothing_is_sent_when_the_time_is_over(provider: Provider, target: Target, clock: HandClock) -> None:
    """
    Every call checks the deadline.
    """
    deadline = Deadline(clock)
    clock.advance(LAST_SEND + timedelta(seconds=1))

    with pytest.raises(OutOfTime):
        await provider.read_keys(target, deadline)
    with pytest.raises(OutOfTime):
        await provider.regenerate(target, KeyName.PRIMARY, deadline)


def fault(kind: Any = "answer", **options: Any) -> dict[str, Any]:
    """
    Return a fault that waits for its operation.
    """
    return {"kind": kind, **options}


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (fault(status=500, when="after"), Unavailable),
        (fault(status=503, when="after"), Unavailable),
        (fault(status=429, retry_after=0), Unavailable),
        (fault(status=503, retry_after=86_400), Unavailable),
        (fault(status=502, when="after"), NoAnswer),
        (fault(status=504, when="after"), NoAnswer),
        (fault(kind="drop", when="after"), NoAnswer),
        (fault(kind="drop", when="before"), NoAnswer),
        (fault(status=400, code="BadRequest"), Declined),
        (fault(status=401, code="InvalidAuthenticationToken"), Declined),
        (fault(status=403, code="AuthorizationFailed", retry_after=1), Declined),
        (fault(status=409, code="MissingSubscriptionRegistration"), Declined),
        (fault(status=500, body=b"<html>", when="after"), Unavailable),
    ],
    ids=str,
)
async def test_regenerating_is_sent_once_however_it_is_answered(
    azure: LocalAzure,
    wiring: Wiring,
    kind: str,
    target: Target,
    deadline: Deadline,
    script: dict[str, Any],
    error: type[DependencyError],
) -> None:
    """
    The SDKs' own retries and registrations never send a second request.
    """
    armed = azure.faults.add(Fault(operation=REGENERATE[kind], **script))

    with pytest.raises(error):
        await (await wiring.of(target)).regenerate(target, KeyName.SECONDARY, deadline)

    assert armed.fired == 1
    assert azure.requests.count(REGENERATE[kind]) == 1
    assert azure.requests.count("Unknown") == 0


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"<html>"])
async def test_an_odd_answer_of_success_is_a_success(
    azure: LocalAzure, wiring: Wiring, kind: str, target: Target, deadline: Deadline, body: bytes
) -> None:
    """
    The key was regenerated; what the body would have told is read.
    """
    azure.faults.add(Fault(operation=REGENERATE[kind], kind="answer", status=200, body=body, when="after"))

    assert await (await wiring.of(target)).regenerate(target, KeyName.SECONDARY, deadline) is None


async def test_an_answer_that_does_not_come_is_no_answer(
    azure: LocalAzure, wiring: Wiring, kind: str, target: Target, deadline: Deadline
) -> None:
    """
    A request that hangs is given up, and may take effect yet.
    """
    wiring.__dict__["transport"] = SharedTransport(answer_within=0.2)
    provider = await wiring.of(target)
    await provider.read_keys(target, deadline)
    azure.faults.add(Fault(operation=REGENERATE[kind], kind="hang"))

    with pytest.raises(NoAnswer):
        await provider.regenerate(target, KeyName.SECONDARY, deadline)


async def test_a_service_that_cannot_be_reached_is_unavailable(
    wiring: Wiring, target: Target, deadline: Deadline, azure: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A refused connection proves that nothing was sent, so it may be tried again at once.
    """
    provider: Any = await wiring.of(target)
    monkeypatch.setattr(provider, "_endpoint", "https://localhost:1")

    with pytest.raises(Unavailable):
        await provider.regenerate(target, KeyName.SECONDARY, deadline)


@pytest.mark.parametrize(
    "script", [fault(status=503), fault(status=504), fault(kind="drop"), fault(status=429, retry_after=1)]
)
async def test_reading_keys_is_tried_again(
    azure: LocalAzure, wiring: Wiring, kind: str, target: Target, deadline: Deadline, script: dict[str, Any]
) -> None:
    """
    A passing fault of a read is not the rotation's business.
    """
    read = "Batch.ListKeys" if kind == "batch" else "Workflow.ListCallbackUrl"
    azure.faults.add(Fault(operation=read, **script))

    keys = await (await wiring.of(target)).read_keys(target, deadline)

    assert set(keys) == set(KeyName)


async def test_an_account_without_shared_key_is_refused_with_the_reason(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline
) -> None:
    """
    ARM's words are passed on, with what the account allows and what to do.
    """
    made = azure.add_batch_account(
        subscription=SUBSCRIPTION, resource_group=RESOURCE_GROUP, name="aadonly", authentication_modes=("AAD",)
    )
    target = parse_target(made.arm_id)

    with pytest.raises(Declined, match=r"403 SharedKeyAuthenticationNotAllowed: .*are AAD: allow SharedKey"):
        await (await wiring.of(target)).regenerate(target, KeyName.SECONDARY, deadline)


async def test_the_only_request_trigger_is_found(azure: LocalAzure, wiring: Wiring, deadline: Deadline) -> None:
    """
    A target without a trigger means the one trigger that can be called, among others that cannot.
    """
    workflow = await azure.add_workflow(
        SUBSCRIPTION, RESOURCE_GROUP, "site1", "mixed", triggers=("daily", "manual"), request_triggers=("manual",)
    )
    target = parse_target(workflow.arm_id)

    keys = await (await wiring.of(target)).read_keys(target, deadline)

    assert keys[KeyName.PRIMARY].reveal() == workflow.callback_url("manual", "Primary")
    assert keys[KeyName.SECONDARY].reveal() == workflow.callback_url("manual", "Secondary")


@pytest.mark.parametrize(("callable_triggers", "says"), [(("a", "b"), "'a', 'b'"), ((), "none")])
async def test_a_workflow_without_one_clear_trigger_is_misconfigured(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, callable_triggers: tuple[str, ...], says: str
) -> None:
    """
    Guessing would hand out somebody else's URL: the tag has to name the trigger.
    """
    workflow = await azure.add_workflow(
        SUBSCRIPTION, RESOURCE_GROUP, "site1", "many", triggers=("a", "b", "c"), request_triggers=callable_triggers
    )
    target = parse_target(workflow.arm_id)

    with pytest.raises(Misconfigured, match=says):
        await (await wiring.of(target)).read_keys(target, deadline)
