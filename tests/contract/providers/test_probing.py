"""
A key is asked for where its target takes keys, and only there.
"""

import dataclasses
import math
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import structs

from adapters.data_plane import DataPlane
from adapters.transport import SharedTransport
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.faults import Fault
from localcloud.kinds import KINDS
from localcloud.kinds.batch import BATCH
from localcloud.kinds.kind import LocalKind, Resource
from localcloud.kinds.openai import OPENAI, add_openai_account
from localcloud.kinds.storage import STORAGE
from localcloud.kinds.workflow import WORKFLOW
from providers.accounts import AccountClient
from rotation.ports.providers import KeyProbe, KeyProber, Verdict
from rotation.vocabulary.errors import Declined, DependencyError, OutOfTime
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock
from tests.twins.targets import parse_target
from wiring.parts import Wiring

PRIMARY, SECONDARY = KeyName
# What each kind is asked for.
QUESTIONS = {"batch": "BatchService.ListPools", "storage": "Blobs.ListContainers", "openai": "OpenAI.ListModels"}
ASKABLE = [BATCH, STORAGE, OPENAI]
# Where each kind says that its data plane is.
GETS = {"batch": "Batch.GetAccount", "storage": "Storage.GetAccount", "openai": "OpenAI.GetAccount"}


@pytest.fixture(params=ASKABLE, ids=str)
def kind(request: pytest.FixtureRequest) -> LocalKind:
    """
    Return each kind of target that takes keys.
    """
    found: LocalKind = request.param
    return found


@pytest.fixture
async def made(azure: LocalAzure, kind: LocalKind) -> Resource:
    """
    Return an account whose keys are the credential itself.
    """
    return await kind.make(azure, "account1")


async def prober_of(wiring: Wiring, made: Resource) -> KeyProber:
    """
    Return what finds out whether keys work.
    """
    prober = await wiring.providers.prober_for(parse_target(made.address))
    assert prober is not None
    return prober


async def probe_of(wiring: Wiring, made: Resource, deadline: Deadline) -> KeyProbe:
    """
    Return what can be asked.
    """
    probe = await (await prober_of(wiring, made)).probe(parse_target(made.address), deadline)
    assert probe is not None
    return probe


async def ask(wiring: Wiring, made: Resource, deadline: Deadline, key: str) -> Verdict:
    """
    Ask with a key.
    """
    return await (await probe_of(wiring, made, deadline)).ask(KeyMaterial(key), deadline)


async def test_a_live_key_works_and_a_dead_one_does_not(
    azure: LocalAzure, wiring: Wiring, made: Resource, kind: LocalKind, deadline: Deadline
) -> None:
    """
    With one request each, which changes nothing.
    """
    dead = made.keys["Primary"]
    made.regenerate("Primary")

    live = [await ask(wiring, made, deadline, made.keys[name]) for name in ("Primary", "Secondary")]
    refused = await ask(wiring, made, deadline, dead)

    assert [verdict.works for verdict in live] == [True, True]
    assert refused.works is False
    assert refused.said.endswith({"openai": "401"}.get(kind.name, "403 AuthenticationFailed"))
    assert azure.requests.count(QUESTIONS[kind.name]) == 3


async def test_a_key_that_settles_does_not_work_yet(
    azure: LocalAzure, wiring: Wiring, made: Resource, deadline: Deadline
) -> None:
    """
    Azure Resource Manager shows it all the same.
    """
    azure.settling = lambda: math.inf
    made.regenerate("Primary")

    assert (await ask(wiring, made, deadline, made.keys["Primary"])).works is False
    made.keys.settle()
    assert (await ask(wiring, made, deadline, made.keys["Primary"])).works is True


@pytest.mark.parametrize(
    "fault",
    [
        Fault(operation="", kind="answer", status=429, retry_after=7),
        Fault(operation="", kind="answer", status=500),
        Fault(operation="", kind="answer", status=503),
        Fault(operation="", kind="answer", status=403, code="AuthorizationFailure"),
        Fault(operation="", kind="answer", status=403, code="AuthenticationTypeDisabled"),
        Fault(operation="", kind="answer", status=404),
        Fault(operation="", kind="answer", status=302),
        Fault(operation="", kind="answer", status=403, body=b"<html>Blocked by the proxy</html>"),
        Fault(operation="", kind="answer", status=204, body=b""),
        Fault(operation="", kind="drop"),
    ],
    ids=lambda fault: f"{fault.status} {fault.code or fault.kind}",
)
async def test_other_answers_say_nothing_of_a_key(
    azure: LocalAzure, wiring: Wiring, made: Resource, kind: LocalKind, deadline: Deadline, fault: Fault
) -> None:
    """
    It is asked once each time: whether it is asked again is the rotation's affair. Nothing is followed elsewhere.
    """
    azure.faults.add(dataclasses.replace(fault, operation=QUESTIONS[kind.name]))

    verdict = await ask(wiring, made, deadline, made.keys["Primary"])

    assert (verdict.works, verdict.may_change) == (None, True)
    assert azure.requests.count(QUESTIONS[kind.name]) == 1


async def test_no_key_is_in_what_is_told(
    azure: LocalAzure,
    wiring: Wiring,
    made: Resource,
    kind: LocalKind,
    deadline: Deadline,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Nor what was signed with it: a service may quote what it was sent.
    """
    caplog.set_level("DEBUG")
    key = made.keys["Primary"]
    quoting = f'{{"error": {{"code": "{key}", "message": "{key}"}}, "code": "{key}"}}'.encode()
    azure.faults.add(Fault(operation=QUESTIONS[kind.name], kind="answer", status=403, body=quoting))

    verdicts = [await ask(wiring, made, deadline, key) for _ in range(2)]
    verdicts.append(await ask(wiring, made, deadline, f"{key[:-2]}!!"))

    assert [verdict.works for verdict in verdicts[:2]] == [None, True]
    told = f"{verdicts} {caplog.text}"
    assert key not in told
    assert key[:-2] not in told
    assert "SharedKey" not in told


async def test_nothing_is_asked_when_the_time_is_over(
    wiring: Wiring, azure: LocalAzure, made: Resource, kind: LocalKind, clock: HandClock
) -> None:
    """
    The deadline is checked right before.
    """
    deadline = Deadline(clock)
    probe = await probe_of(wiring, made, deadline)
    clock.advance(LAST_SEND + timedelta(seconds=1))

    with pytest.raises(OutOfTime):
        await probe.ask(KeyMaterial(made.keys["Primary"]), deadline)
    with pytest.raises(OutOfTime):
        await (await prober_of(wiring, made)).probe(parse_target(made.address), deadline)
    assert azure.requests.count(QUESTIONS[kind.name]) == 0


async def test_an_account_that_is_not_shown_cannot_be_asked(
    azure: LocalAzure, wiring: Wiring, made: Resource, kind: LocalKind, deadline: Deadline
) -> None:
    """
    The error says what was refused.
    """
    azure.faults.add(Fault(operation=GETS[kind.name], kind="answer", status=403, code="AuthorizationFailed"))

    with pytest.raises(Declined, match="AuthorizationFailed"):
        await probe_of(wiring, made, deadline)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b'{"properties": {}}'])
async def test_an_answer_without_an_endpoint_is_no_answer(
    azure: LocalAzure, wiring: Wiring, made: Resource, kind: LocalKind, deadline: Deadline, body: bytes
) -> None:
    """
    It is no error of the rotation.
    """
    azure.faults.add(Fault(operation=GETS[kind.name], kind="answer", status=200, body=body, times=None))

    try:
        probe = await (await prober_of(wiring, made)).probe(parse_target(made.address), deadline)
    except DependencyError:
        return
    assert probe is None or (await probe.ask(KeyMaterial(made.keys["Primary"]), deadline)).works is None


async def test_no_other_host_is_asked(
    azure: LocalAzure, wiring: Wiring, made: Resource, kind: LocalKind, deadline: Deadline
) -> None:
    """
    Whatever Azure Resource Manager says: it gets no key, no signature and no request.
    """
    wiring.settings = structs.replace(wiring.settings, data_plane_suffixes=[])
    verdict = await ask(wiring, made, deadline, made.keys["Primary"])

    assert (verdict.works, verdict.may_change) == (None, False)
    assert "ROTATION_DATA_PLANE_SUFFIXES" in verdict.said
    assert azure.requests.count(QUESTIONS[kind.name]) == 0


async def test_a_workflow_cannot_be_asked(azure: LocalAzure, wiring: Wiring) -> None:
    """
    To call its URL would start a run.
    """
    made = await WORKFLOW.make(azure, "orders")

    assert await wiring.providers.prober_for(parse_target(made.address)) is None


@pytest.mark.parametrize("other", ["SpeechServices", "CognitiveServices", None])
async def test_other_cognitive_services_cannot_be_asked(
    azure: LocalAzure, wiring: Wiring, deadline: Deadline, other: str | None
) -> None:
    """
    They have no read in common.
    """
    made = await add_openai_account(azure, "speech")
    made.kind = other

    assert await (await prober_of(wiring, made)).probe(parse_target(made.address), deadline) is None


async def test_nothing_is_asked_where_the_setting_says_so(azure: LocalAzure, wiring: Wiring, made: Resource) -> None:
    """
    ROTATION_PROVE_KEYS=false.
    """
    wiring.settings = structs.replace(wiring.settings, prove_keys=False)

    assert await wiring.providers.prober_for(parse_target(made.address)) is None


def test_every_kind_that_takes_keys_is_asked_here() -> None:
    """
    A new one is added to this list.
    """
    assert [kind for kind in KINDS if kind.deployed.data_plane] == ASKABLE


ENDPOINTS = [
    (BATCH, {"accountEndpoint": "a.westeurope.batch.azure.com"}, "https://a.westeurope.batch.azure.com/pools"),
    (STORAGE, {"primaryEndpoints": {"blob": "https://a.blob.core.windows.net/"}}, "https://a.blob.core.windows.net/"),
    (
        STORAGE,
        {"primaryEndpoints": {"blob": "https://a.z41.blob.storage.azure.net/", "file": "https://a.z41.file.x/"}},
        "https://a.z41.blob.storage.azure.net/",
    ),
    (STORAGE, {"primaryEndpoints": {"file": "https://a.file.core.windows.net/"}}, "https://a.file.core.windows.net/"),
    (STORAGE, {"primaryEndpoints": {"dfs": "https://a.dfs.core.windows.net/"}}, None),
    (OPENAI, {"endpoint": "https://a.openai.azure.com/"}, "https://a.openai.azure.com/openai/models"),
    (
        OPENAI,
        {"endpoint": "https://westeurope.api.cognitive.microsoft.com/"},
        "https://westeurope.api.cognitive.microsoft.com/openai/models",
    ),
]


@pytest.mark.parametrize(("kind", "properties", "url"), ENDPOINTS, indirect=["kind"], ids=str)
@pytest.mark.parametrize("spelled", [str, str.upper])
async def test_an_account_is_asked_where_azure_says_that_it_is(
    azure: LocalAzure,
    wiring: Wiring,
    made: Resource,
    kind: LocalKind,
    deadline: Deadline,
    properties: dict[str, object],
    url: str | None,
    spelled: Callable[[str], str],
) -> None:
    """
    Storage accounts for files alone have no blobs, regions serve Azure OpenAI, and ARM spells a kind as it likes.
    """
    shown = {"id": made.arm_id, "name": "account1", "kind": spelled("OpenAI"), "properties": properties}
    azure.faults.add(Fault(operation=GETS[kind.name], kind="answer", status=200, body=msgspec.json.encode(shown)))
    prober = await prober_of(wiring, made)
    assert isinstance(prober, AccountClient)

    question = await prober.question(parse_target(made.address), deadline)

    assert (question and question.url.partition("?")[0]) == url
    assert question is None or hosts_of(wiring, kind).obstacle(question.url) is None


def hosts_of(wiring: Wiring, kind: LocalKind) -> DataPlane:
    """
    Return the hosts of a kind that may be asked.
    """
    return DataPlane(None, wiring.settings.suffixes_of(kind.deployed))


async def test_no_redirect_is_followed() -> None:
    """
    Neither a key nor a signature goes to a host that another one names.
    """
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"}) if request.path == "/" else web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    transport = SharedTransport()
    async with TestServer(app) as server:
        reply = await DataPlane(transport, []).get(str(server.make_url("/")), {"api-key": "k"}, Deadline(HandClock()))
    await transport.shut()

    assert (reply.status, asked) == (307, ["/"])
