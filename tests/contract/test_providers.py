import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.transport import SharedTransport
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.site_host import wrapped
from localcloud.kinds.batch import add_batch_account
from localcloud.kinds.workflow import add_workflow
from rotation.ports.providers import Provider
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, OutOfTime, Unavailable
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline
from tests.contract.sides import sides
from tests.twins.clock import HandClock
from tests.twins.providers import MemoryProvider
from tests.twins.targets import parse_target
from wiring.parts import Wiring

REGENERATE = {"batch": "Batch.RegenerateKeys", "workflow": "Workflow.RegenerateAccessKey"}


@pytest.fixture(params=["batch", "workflow"])
def kind(request: pytest.FixtureRequest) -> str:
    """
    Return each kind of target.
    """
    return str(request.param)


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


def fingerprints(target: Target, keys: Keys) -> dict[KeyName, str]:
    """
    Return what tells the keys apart.
    """
    return {key: target.fingerprint(keys[key]) for key in KeyName}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("batch", marks=pytest.mark.assumption(14, 15, 22, 23, 25)),
        pytest.param("workflow", marks=pytest.mark.assumption(28, 29, 30)),
    ],
    indirect=True,
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


@pytest.mark.parametrize("kind", [pytest.param("batch", marks=pytest.mark.assumption(11)), "workflow"], indirect=True)
async def test_an_unknown_target_is_not_found(provider: Provider, target: Target, deadline: Deadline) -> None:
    """
    Reading and regenerating both say so.
    """
    group, _, names = target.arm_id.partition("/providers/")
    namespace, kind, name, *rest = names.split("/")
    unknown = "/".join(
        [f"{group}/providers", namespace, kind, f"{name[:-1]}{'y' if name.endswith('x') else 'x'}", *rest]
    )
    other = parse_target(f"{unknown}/triggers/manual" if rest else unknown)
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
    kind: str,
    target: Target,
    deadline: Deadline,
    script: dict[str, Any],
    error: type[DependencyError],
    behind_a_site: type[DependencyError],
) -> None:
    """
    The SDKs' own retries and registrations never send a second request, and an answer means what it can prove.
    """
    armed = azure.faults.add(Fault(operation=REGENERATE[kind], **script))

    with pytest.raises(behind_a_site if kind == "workflow" else error):
        await (await wiring.providers.provider_for(target)).regenerate(target, KeyName.SECONDARY, deadline)

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

    assert await (await wiring.providers.provider_for(target)).regenerate(target, KeyName.SECONDARY, deadline) is None


async def test_an_answer_that_does_not_come_is_no_answer(
    azure: LocalAzure, wiring: Wiring, kind: str, target: Target, deadline: Deadline
) -> None:
    """
    A request that hangs is given up, and may take effect yet.
    """
    wiring.__dict__["transport"] = SharedTransport(answer_within=0.2)
    provider = await wiring.providers.provider_for(target)
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
    azure: LocalAzure, wiring: Wiring, kind: str, target: Target, deadline: Deadline, script: dict[str, Any]
) -> None:
    """
    A passing fault of a read is not the rotation's business.
    """
    read = "Batch.ListKeys" if kind == "batch" else "Workflow.ListCallbackUrl"
    azure.faults.add(Fault(operation=read, **script))

    keys = await (await wiring.providers.provider_for(target)).read_keys(target, deadline)

    assert set(keys) == set(KeyName)


async def test_an_account_without_shared_key_is_refused_with_the_reason(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline
) -> None:
    """
    ARM's words are passed on, with what the account allows and what to do.
    """
    made = await add_batch_account(azure, "aadonly", authentication_modes=("AAD",))
    target = parse_target(made.arm_id)

    with pytest.raises(Declined, match=r"403 SharedKeyAuthenticationNotAllowed: .*are AAD: allow SharedKey"):
        await (await wiring.providers.provider_for(target)).regenerate(target, KeyName.SECONDARY, deadline)


async def test_the_only_request_trigger_is_found(azure: LocalAzure, wiring: Wiring, deadline: Deadline) -> None:
    """
    A target without a trigger means the one trigger that can be called, among others that cannot.
    """
    workflow = await add_workflow(
        azure, "mixed", site="site1", triggers=("daily", "manual"), request_triggers=("manual",)
    )
    target = parse_target(workflow.arm_id)

    keys = await (await wiring.providers.provider_for(target)).read_keys(target, deadline)

    assert keys[KeyName.PRIMARY].reveal() == workflow.callback_url("manual", "Primary")
    assert keys[KeyName.SECONDARY].reveal() == workflow.callback_url("manual", "Secondary")


@pytest.mark.parametrize(("callable_triggers", "says"), [(("a", "b"), "'a', 'b'"), ((), "none")])
async def test_a_workflow_without_one_clear_trigger_is_misconfigured(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, callable_triggers: tuple[str, ...], says: str
) -> None:
    """
    Guessing would hand out somebody else's URL: the tag has to name the trigger.
    """
    workflow = await add_workflow(
        azure, "many", site="site1", triggers=("a", "b", "c"), request_triggers=callable_triggers
    )
    target = parse_target(workflow.arm_id)

    with pytest.raises(Misconfigured, match=says):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)


@pytest.mark.parametrize(
    "script",
    [fault(status=400, body=wrapped("NotFound", "extensions API")), fault(status=503), fault(kind="drop")],
    ids=["a site's host", "503", "dropped"],
)
async def test_the_only_request_trigger_is_found_although_the_site_fails_for_a_moment(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, script: dict[str, Any]
) -> None:
    """
    What says little about the workflow is no word about its triggers: the definition is read again.
    """
    workflow = await add_workflow(azure, "orders", site="site1")
    armed = azure.faults.add(Fault(operation="Workflow.Get", **script))

    keys = await (await wiring.providers.provider_for(parse_target(workflow.arm_id))).read_keys(
        parse_target(workflow.arm_id), deadline
    )

    assert armed.fired == 1
    assert keys[KeyName.PRIMARY].reveal() == workflow.callback_url("manual", "Primary")


async def test_a_trigger_that_is_no_request_trigger_is_misconfigured(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline
) -> None:
    """
    Its type in the definition explains the refusal, and the error says what to name instead.
    """
    workflow = await add_workflow(
        azure, "mixed", site="site1", triggers=("daily", "manual"), request_triggers=("manual",)
    )
    target = parse_target(f"{workflow.arm_id}/triggers/Daily")

    with pytest.raises(Misconfigured, match=r"'Daily' .* is of type Recurrence: only a Request trigger"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)


@pytest.mark.parametrize("script", [{}, fault(status=403, times=None)], ids=["definition", "no definition"])
async def test_a_refusal_for_another_reason_is_no_diagnosis(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, script: dict[str, Any]
) -> None:
    """
    A Request trigger whose URL may not be read is refused with the service's own words.
    """
    workflow = await add_workflow(azure, "orders", site="site1")
    target = parse_target(f"{workflow.arm_id}/triggers/manual")
    refusal = fault(status=403, code="AuthorizationFailed", times=None)
    azure.faults.add(Fault(operation="Workflow.ListCallbackUrl", **refusal))
    if script:
        azure.faults.add(Fault(operation="Workflow.Get", **script))

    with pytest.raises(Declined, match="403 AuthorizationFailed"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)


BASE = "https://site1.example:443/api/orders/triggers/manual/paths/invoke"
SIGNED = {"api-version": "2022-05-01", "sp": "/triggers/manual/run", "sv": "1.0", "sig": "c2ln_-"}
BUILT = f"{BASE}?api-version=2022-05-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=c2ln_-"


@pytest.mark.parametrize(
    ("answer", "url"),
    [
        ({"basePath": BASE, "queries": SIGNED}, BUILT),
        ({"value": None, "basePath": BASE, "queries": SIGNED}, BUILT),
        ({"value": f"{BASE}?api-version=2022-05-01", "basePath": BASE, "queries": SIGNED}, BUILT),
        ({"value": BUILT, "basePath": "https://other.example", "queries": {}}, BUILT),
        (
            {"basePath": f"{BASE}/", "relativePath": "/orders/{id}", "queries": SIGNED},
            BUILT.replace("invoke?", "invoke/orders/{id}?"),
        ),
        (
            {"basePath": BASE, "queries": {"se": "2027-01-01T00:00:00Z", "sig": "x"}},
            f"{BASE}?se=2027-01-01T00%3A00%3A00Z&sig=x",
        ),
    ],
)
async def test_a_callback_url_is_made_of_its_parts_where_it_is_not_given(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, answer: dict[str, Any], url: str
) -> None:
    """
    `value` may be absent or unsigned; a template in the relative path stays as it is written.
    """
    workflow = await add_workflow(azure, "orders", site="site1")
    target = parse_target(f"{workflow.arm_id}/triggers/manual")
    given = fault(status=200, body=json.dumps(answer).encode(), times=2)
    azure.faults.add(Fault(operation="Workflow.ListCallbackUrl", **given))

    keys = await (await wiring.providers.provider_for(target)).read_keys(target, deadline)

    assert keys[KeyName.PRIMARY].reveal() == url


async def test_a_url_that_no_key_has_signed_is_misconfigured(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline
) -> None:
    """
    With SAS authentication switched off there is no key to rotate, and the error says so.
    """
    workflow = await add_workflow(azure, "orders", site="site1")
    workflow.has_sas = False
    target = parse_target(f"{workflow.arm_id}/triggers/manual")

    with pytest.raises(Misconfigured, match="SAS authentication is switched off"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)
