import asyncio
from datetime import timedelta
from typing import Any

import pytest

from adapters.service_messages import one_line
from adapters.throttling import Throttling
from adapters.transport import SharedTransport
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.site_host import wrapped
from localcloud.kinds import KINDS
from localcloud.kinds.kind import LocalKind
from providers import KINDS as DEPLOYED
from rotation.ports.providers import Provider
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, OutOfTime, Unavailable
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline
from tests.contract.sides import sides
from tests.twins.clock import HandClock
from tests.twins.providers import MemoryProvider
from tests.twins.targets import parse_target
from wiring.parts import Wiring


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> LocalKind:
    """
    Return each kind of target.
    """
    found: LocalKind = request.param
    return found


@pytest.fixture(params=sides("adapter"))
async def provider(request: pytest.FixtureRequest, wiring: Wiring, target: Target) -> Provider:
    """
    Return the twin, then the adapter.
    """
    if request.param == "adapter":
        return await wiring.providers.provider_for(target)
    twin = MemoryProvider()
    twin.add(target)
    return twin


def each_kind(**assumed: pytest.MarkDecorator) -> pytest.MarkDecorator:
    """
    Return the mark that runs a test for every kind, and with some of them confirms assumptions.
    """
    params = [pytest.param(kind, marks=assumed.get(kind.name, ()), id=kind.name) for kind in KINDS]
    return pytest.mark.parametrize("kind", params, indirect=True)


def test_every_kind_that_is_deployed_goes_through_this_contract() -> None:
    """
    The local cloud has each of them.
    """
    assert {kind.deployed.provider for kind in KINDS} == {kind.provider for kind in DEPLOYED}


def fingerprints(target: Target, keys: Keys) -> dict[KeyName, str]:
    """
    Return what tells the keys apart.
    """
    return {key: target.fingerprint(keys[key]) for key in KeyName}


@each_kind(
    batch=pytest.mark.assumption(14, 15, 22, 23, 25),
    storage=pytest.mark.assumption(112),
    workflow=pytest.mark.assumption(28, 29, 30),
)
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


@each_kind(batch=pytest.mark.assumption(11))
async def test_an_unknown_target_is_not_found(provider: Provider, target: Target, deadline: Deadline) -> None:
    """
    Reading and regenerating both say so.
    """
    group, _, names = target.shown_by.partition("/providers/")
    namespace, kind, name, *rest = names.split("/")
    unknown = f"{name[:-1]}{'y' if name.endswith('x') else 'x'}"
    other = parse_target("/".join([f"{group}/providers", namespace, kind, unknown, *rest]))
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


READS = [pytest.param(kind, operation, id=operation) for kind in KINDS for operation in (*kind.look_up, kind.read)]


@pytest.mark.parametrize(("kind", "operation"), READS, indirect=["kind"])
async def test_the_deadline_reaches_every_request_that_reads_keys(
    azure: LocalAzure, wiring: Wiring, target: Target, clock: HandClock, operation: str
) -> None:
    """
    Also the one that looks a target up first, where its id names nothing below it.
    """
    whole = parse_target(target.arm_id)
    deadline = Deadline(clock)
    clock.advance(LAST_SEND)

    with pytest.raises(OutOfTime):
        await (await wiring.providers.provider_for(whole)).read_keys(whole, deadline)

    assert azure.requests.count(operation) == 0


@pytest.mark.parametrize(("kind", "operation"), READS, indirect=["kind"])
async def test_no_read_is_tried_again_when_the_pause_would_outlast_the_time(
    azure: LocalAzure, wiring: Wiring, target: Target, clock: HandClock, operation: str
) -> None:
    """
    The attempt ends at once.
    """
    whole = parse_target(target.arm_id)
    deadline = Deadline(clock)
    clock.advance(LAST_SEND - timedelta(seconds=0.1))
    azure.faults.add(Fault(operation=operation, kind="answer", status=504))

    with pytest.raises(OutOfTime):
        await (await wiring.providers.provider_for(whole)).read_keys(whole, deadline)


def fault(kind: Any = "answer", **options: Any) -> dict[str, Any]:
    """
    Return a fault that waits for its operation.
    """
    return {"kind": kind, **options}


@pytest.mark.parametrize(
    ("script", "error", "behind_a_site"),
    [
        (fault(status=500, when="after"), Unavailable, NoAnswer),
        (fault(status=503, when="after"), Unavailable, NoAnswer),
        (fault(status=429, retry_after=0), Unavailable, NoAnswer),
        (fault(status=503, retry_after=86_400), Unavailable, NoAnswer),
        (fault(status=502, when="after"), NoAnswer, NoAnswer),
        (fault(status=504, when="after"), NoAnswer, NoAnswer),
        (fault(kind="drop", when="after"), NoAnswer, NoAnswer),
        (fault(kind="drop", when="before"), NoAnswer, NoAnswer),
        (fault(status=400, body=wrapped()), NoAnswer, NoAnswer),
        (fault(status=403, body=b"<html>"), NoAnswer, NoAnswer),
        (fault(status=400, code="BadRequest"), Declined, Declined),
        (fault(status=401, code="InvalidAuthenticationToken"), Declined, Declined),
        (fault(status=403, code="AuthorizationFailed", retry_after=1), Declined, Declined),
        (fault(status=409, code="MissingSubscriptionRegistration"), Declined, Declined),
        (fault(status=500, body=b"<html>", when="after"), Unavailable, NoAnswer),
    ],
    ids=str,
)
async def test_regenerating_is_sent_once_however_it_is_answered(
    azure: LocalAzure,
    wiring: Wiring,
    kind: LocalKind,
    target: Target,
    deadline: Deadline,
    script: dict[str, Any],
    error: type[DependencyError],
    behind_a_site: type[DependencyError],
) -> None:
    """
    The SDKs' own retries and registrations never send a second request, and an answer means what it can prove.
    """
    armed = azure.faults.add(Fault(operation=kind.regenerate, **script))

    with pytest.raises(behind_a_site if kind.behind_a_site else error):
        await (await wiring.providers.provider_for(target)).regenerate(target, KeyName.SECONDARY, deadline)

    assert armed.fired == 1
    assert azure.requests.count(kind.regenerate) == 1
    assert azure.requests.count("Unknown") == 0


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"<html>"])
async def test_an_odd_answer_of_success_is_a_success(
    azure: LocalAzure, wiring: Wiring, kind: LocalKind, target: Target, deadline: Deadline, body: bytes
) -> None:
    """
    The key was regenerated; what the body would have told is read.
    """
    azure.faults.add(Fault(operation=kind.regenerate, kind="answer", status=200, body=body, when="after"))

    assert await (await wiring.providers.provider_for(target)).regenerate(target, KeyName.SECONDARY, deadline) is None


async def test_an_answer_that_does_not_come_is_no_answer(
    azure: LocalAzure, wiring: Wiring, kind: LocalKind, target: Target, deadline: Deadline
) -> None:
    """
    A request that hangs is given up, and may take effect yet.
    """
    wiring.__dict__["transport"] = SharedTransport(answer_within=0.2)
    provider = await wiring.providers.provider_for(target)
    await provider.read_keys(target, deadline)
    azure.faults.add(Fault(operation=kind.regenerate, kind="hang"))

    with pytest.raises(NoAnswer):
        await provider.regenerate(target, KeyName.SECONDARY, deadline)


async def test_a_service_that_cannot_be_reached_is_unavailable(
    wiring: Wiring, target: Target, deadline: Deadline, azure: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A refused connection proves that nothing was sent, so it may be tried again at once.
    """
    provider: Any = await wiring.providers.provider_for(target)
    monkeypatch.setattr(provider._arm, "_endpoint", "https://localhost:1")

    with pytest.raises(Unavailable):
        await provider.regenerate(target, KeyName.SECONDARY, deadline)


@pytest.mark.parametrize(
    "script",
    [
        fault(status=503),
        fault(status=504),
        fault(kind="drop"),
        fault(status=429, retry_after=1),
        fault(status=400, body=wrapped("InternalServerError")),
        fault(status=404, body=b"<html>"),
    ],
)
async def test_reading_keys_is_tried_again(
    azure: LocalAzure, wiring: Wiring, kind: LocalKind, target: Target, deadline: Deadline, script: dict[str, Any]
) -> None:
    """
    A passing fault of a read is not the rotation's business.
    """
    azure.faults.add(Fault(operation=kind.read, **script))

    keys = await (await wiring.providers.provider_for(target)).read_keys(target, deadline)

    assert set(keys) == set(KeyName)


async def test_nothing_is_sent_while_its_subscription_is_throttled(
    azure: LocalAzure, wiring: Wiring, kind: LocalKind, target: Target, clock: HandClock
) -> None:
    """
    A regeneration that would be refused is put off, by whichever request that was learnt.
    """
    wiring.__dict__["throttling"] = Throttling(clock)
    azure.throttle_arm(bucket=1, per_second=0.01)
    provider = await wiring.providers.provider_for(target)
    with pytest.raises(Unavailable, match="429 SubscriptionRequestsThrottled"):
        await asyncio.gather(*(provider.read_keys(target, Deadline(clock)) for _ in range(2)))

    with pytest.raises(Unavailable) as put_off:
        await provider.regenerate(target, KeyName.PRIMARY, Deadline(clock))

    assert azure.requests.count(kind.regenerate) == 0
    assert put_off.value.retry_after is not None


@each_kind()
async def test_no_value_of_it_is_quoted_or_passed_on(wiring: Wiring, target: Target, deadline: Deadline) -> None:
    """
    Not where it was pasted by mistake, and not in what a service says.
    """
    provider = await wiring.providers.provider_for(target)
    for value in (await provider.read_keys(target, deadline)).values():
        written = value.reveal()
        said = one_line(f"The value '{written}' is not allowed", 1000)

        assert written not in quoted(written)
        assert target.fingerprint(value) not in {target.fingerprint(KeyMaterial(word)) for word in said.split("'")}
