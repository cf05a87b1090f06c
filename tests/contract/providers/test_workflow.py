import json
from datetime import timedelta
from typing import Any

import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.azure.request_log import LoggedRequest
from localcloud.azure.site_host import wrapped
from localcloud.kinds.workflow import add_workflow
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.errors import Declined, NoAnswer
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock
from tests.twins.targets import parse_target
from wiring.parts import Wiring


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


@pytest.mark.parametrize(("callable_triggers", "says"), [(("a", "b"), r"\('a', 'b'\)"), ((), r"\(none\)")])
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
    [
        {"kind": "answer", "status": 400, "body": wrapped("NotFound", "extensions API")},
        {"kind": "answer", "status": 503},
        {"kind": "drop"},
    ],
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


@pytest.mark.parametrize(
    ("trigger", "script"),
    [("manual", {}), ("renamed", {}), ("manual", {"kind": "answer", "status": 403, "times": None})],
    ids=["definition", "not in the definition", "no definition"],
)
async def test_a_refusal_for_another_reason_is_no_diagnosis(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, trigger: str, script: dict[str, Any]
) -> None:
    """
    A trigger that may be a Request trigger, whose URL may not be read, is refused with the service's own words.
    """
    workflow = await add_workflow(azure, "orders", site="site1")
    target = parse_target(f"{workflow.arm_id}/triggers/{trigger}")
    refusal = Fault(
        operation="Workflow.ListCallbackUrl", kind="answer", status=403, code="AuthorizationFailed", times=None
    )
    azure.faults.add(refusal)
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
        ({"value": f"{BUILT}&note=a?b", "queries": {}}, f"{BUILT}&note=a?b"),
        ({"value": f"{BASE}?note=a?b", "relativePath": "/orders", "queries": SIGNED}, BUILT),
        ({"value": BASE, "basePath": "", "relativePath": "", "queries": SIGNED}, BUILT),
        ({"basePath": BASE, "relativePath": "", "queries": SIGNED}, BUILT),
        (
            {"basePath": f"{BASE}/X/", "relativePath": "/X/{id}", "queries": SIGNED},
            BUILT.replace("invoke?", "invoke/X/X/{id}?"),
        ),
        ({"basePath": BASE, "queries": {"note": "a b", "sig": "x"}}, f"{BASE}?note=a%20b&sig=x"),
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
    target = parse_target(workflow.address)
    body = json.dumps(answer).encode()
    azure.faults.add(Fault(operation="Workflow.ListCallbackUrl", kind="answer", status=200, body=body, times=2))

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
    target = parse_target(workflow.address)

    with pytest.raises(Misconfigured, match="SAS authentication is switched off"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)


@pytest.mark.parametrize(
    "answer",
    [
        {"value": f"{BASE}?api-version=2022-05-01"},
        {"basePath": BASE, "queries": None},
        {"basePath": BASE, "queries": SIGNED | {"sig": ""}},
        {"basePath": BASE, "queries": SIGNED | {"sig": None}},
    ],
)
async def test_a_url_without_a_signature_anywhere_is_misconfigured(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, answer: dict[str, Any]
) -> None:
    """
    Neither the URL nor the parts hold one: no key opens it, and it is not stored.
    """
    target = parse_target((await add_workflow(azure, "orders", site="site1")).address)
    body = json.dumps(answer).encode()
    azure.faults.add(Fault(operation="Workflow.ListCallbackUrl", kind="answer", status=200, body=body, times=None))

    with pytest.raises(Misconfigured, match="SAS authentication is switched off"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"queries": SIGNED},
        {"basePath": "", "queries": SIGNED},
        {"value": "", "relativePath": "/orders", "queries": SIGNED},
        {"basePath": f"{BASE}?a=b", "queries": SIGNED},
    ],
)
async def test_an_answer_without_a_url_is_never_taken_for_one(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, answer: dict[str, Any]
) -> None:
    """
    A query alone is nothing that a client could call.
    """
    target = parse_target((await add_workflow(azure, "orders", site="site1")).address)
    body = json.dumps(answer).encode()
    azure.faults.add(Fault(operation="Workflow.ListCallbackUrl", kind="answer", status=200, body=body, times=None))

    with pytest.raises(NoAnswer, match="cannot be used"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)


@pytest.mark.parametrize(("seconds_left", "looks"), [(0, 0), (0.1, 1)])
async def test_a_refusal_goes_unexplained_when_the_time_is_over(
    azure: LocalAzure, wiring: Wiring, clock: HandClock, seconds_left: float, looks: int
) -> None:
    """
    The definition is not read past the deadline, nor again where the pause would outlast it.
    """
    workflow = await add_workflow(azure, "daily", site="site1", triggers=("daily",), request_triggers=())
    target = parse_target(f"{workflow.arm_id}/triggers/daily")
    deadline = Deadline(clock)

    async def pass_time(_: LoggedRequest) -> None:
        clock.advance(LAST_SEND - timedelta(seconds=seconds_left) - timedelta(seconds=deadline.elapsed))

    azure.faults.before("Workflow.ListCallbackUrl", pass_time)
    azure.faults.add(Fault(operation="Workflow.Get", kind="answer", status=503))

    with pytest.raises(Declined, match="400 UnsupportedTriggerType"):
        await (await wiring.providers.provider_for(target)).read_keys(target, deadline)

    assert azure.requests.count("Workflow.Get") == looks
