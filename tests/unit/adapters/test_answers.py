import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiohttp import ClientConnectorError, web
from aiohttp.test_utils import TestServer, unused_port
from azure.core import AsyncPipelineClient
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
    map_error,
)
from azure.core.pipeline.policies import ContentDecodePolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core.exceptions import ARMErrorFormat

from adapters.answers import meaning_of, once, until_answered
from localcloud.azure.site_host import every_body, wrapped
from rotation.vocabulary.errors import Declined, DependencyError, NoAnswer, NotFound, OutOfTime, Unavailable
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock

SECRET = "s3cr3t-k3y"
ERRORS = {
    401: ClientAuthenticationError,
    404: ResourceNotFoundError,
    409: ResourceExistsError,
    412: ResourceModifiedError,
}
REFUSAL = json.dumps({"error": {"code": "TheCode", "message": "The message."}})

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Client = AsyncPipelineClient[HttpRequest, AsyncHttpResponse]


@dataclass
class Service:
    """
    A service over HTTP that answers as its test says, and the SDKs' way to ask it.
    """

    client: Client
    url: str = ""
    answer: Handler | None = None
    read_timeout: float = 10
    error_format: type = ARMErrorFormat

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """
        Answer a request.
        """
        assert self.answer
        return await self.answer(request)

    def says(self, status: int, body: bytes | str = REFUSAL, **headers: str) -> None:
        """
        Answer from now on with this.
        """

        async def answer(_: web.BaseRequest) -> web.Response:
            text = body.encode() if isinstance(body, str) else body
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, body=text, headers={"Content-Type": "application/json"} | named)

        self.answer = answer

    async def ask(self) -> object:
        """
        Send a request as an SDK's generated code does, and raise what that raises.
        """
        request = HttpRequest("POST", self.url, json={})
        response = await self.client.send_request(request, read_timeout=self.read_timeout)
        if response.status_code != 200:
            map_error(status_code=response.status_code, response=response, error_map=ERRORS)
            raise HttpResponseError(response=response, error_format=self.error_format)
        return response.json()["value"]

    async def refusal(self) -> DependencyError:
        """
        Return what the answer means.
        """
        with pytest.raises(DependencyError) as refusal:
            await once("listKeys of account1", self.ask)
        return refusal.value


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """
    Yield a service on this machine.
    """
    client: Client = AsyncPipelineClient(
        "http://127.0.0.1", policies=[ContentDecodePolicy()], transport=AioHttpTransport()
    )
    service = Service(client)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await service.handle(request)

    application = web.Application()
    application.router.add_post("/{path:.*}", handle)
    async with client, TestServer(application) as server:
        service.url = str(server.make_url("/"))
        yield service


def told_by(error: BaseException) -> str:
    """
    Return all that a log could hold of an error.
    """
    return f"{error} {error!r} {''.join(traceback.format_exception(error))}"


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (204, NoAnswer),
        (302, NoAnswer),
        (304, NoAnswer),
        (400, Declined),
        (401, Declined),
        (403, Declined),
        (404, NotFound),
        (405, Declined),
        (408, NoAnswer),
        (409, Declined),
        (410, Declined),
        (412, Declined),
        (422, Declined),
        (423, Declined),
        (429, Unavailable),
        (499, Declined),
        (500, Unavailable),
        (501, NoAnswer),
        (502, NoAnswer),
        (503, Unavailable),
        (504, NoAnswer),
        (507, NoAnswer),
        (599, NoAnswer),
    ],
)
async def test_a_status_says_whether_the_request_is_over(
    service: Service, status: int, meaning: type[DependencyError]
) -> None:
    """
    A clear no is Declined, what the service itself gave up is Unavailable, and after a gateway's word nobody knows.
    """
    service.says(status, b"" if status in {204, 304} else REFUSAL)

    assert type(await service.refusal()) is meaning


WRAPPED = wrapped("ServiceUnavailable").decode()
SITE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/x/hostruntime/runtime/webhooks/workflow/api"
FULL = {"x_ms_ratelimit_remaining_subscription_writes": "199"}
EMPTY = {"x_ms_ratelimit_remaining_subscription_writes": "0"}
ARMS_429 = json.dumps({"error": {"code": "SubscriptionRequestsThrottled", "message": "Try again after '10' seconds."}})


@pytest.mark.parametrize(
    ("status", "body", "headers", "elsewhere", "meaning"),
    [
        *((400, body.decode(), {}, NoAnswer, NoAnswer) for body in every_body()),
        (400, json.dumps({"error": json.loads(WRAPPED)}), {}, NoAnswer, NoAnswer),
        (400, json.dumps({"error": {"code": "C", "message": json.loads(WRAPPED)["Message"]}}), {}, NoAnswer, NoAnswer),
        (400, json.dumps({"Code": "BadRequest", "Message": "The body is wrong."}), {}, NoAnswer, NoAnswer),
        (403, "<html>A proxy's page</html>", {}, NoAnswer, NoAnswer),
        (404, "<html>A proxy's page</html>", {}, NoAnswer, NoAnswer),
        (401, "", {}, NoAnswer, NoAnswer),
        (409, json.dumps({"error": "conflict"}), {}, NoAnswer, NoAnswer),
        (500, REFUSAL, {}, Unavailable, NoAnswer),
        (502, REFUSAL, {}, NoAnswer, NoAnswer),
        (503, REFUSAL, {}, Unavailable, NoAnswer),
        (503, REFUSAL, {"x_ms_failure_cause": "gateway"}, Unavailable, NoAnswer),
        (504, REFUSAL, {}, NoAnswer, NoAnswer),
        (429, REFUSAL, {}, Unavailable, NoAnswer),
        (429, REFUSAL, FULL, Unavailable, NoAnswer),
        (429, REFUSAL, FULL | {"x_ms_failure_cause": "service"}, Unavailable, NoAnswer),
        (429, REFUSAL, EMPTY | {"x_ms_failure_cause": "service"}, Unavailable, NoAnswer),
        (429, REFUSAL, {"x_ms_failure_cause": "gateway"}, Unavailable, Unavailable),
        (429, REFUSAL, EMPTY, Unavailable, NoAnswer),
        (429, ARMS_429, {}, Unavailable, Unavailable),
        (400, REFUSAL, {}, Declined, Declined),
        (400, "\ufeff" + REFUSAL, {}, Declined, Declined),
        (403, REFUSAL, {}, Declined, Declined),
        (404, REFUSAL, {}, NotFound, NotFound),
        (409, json.dumps({"odata.error": {"code": "EntityAlreadyExists", "message": {}}}), {}, Declined, Declined),
    ],
)
async def test_only_a_clear_no_in_the_services_own_shape_is_a_refusal(
    service: Service,
    status: int,
    body: str,
    headers: dict[str, str],
    elsewhere: type[DependencyError],
    meaning: type[DependencyError],
) -> None:
    """
    What a proxy answers for somebody else is no answer; behind a site's host, so is every failure but ARM's own 429.
    """
    service.says(status, body, **headers)
    assert type(await service.refusal()) is elsewhere

    service.url = service.url.rstrip("/") + SITE
    assert type(await service.refusal()) is meaning


async def test_what_app_service_says_of_a_sites_host_is_passed_on(service: Service) -> None:
    """
    A person who reads that the host did not answer knows where to look.
    """
    service.says(400, WRAPPED)

    expected = "400 BadRequest: Encountered an error (ServiceUnavailable) from host runtime."
    assert str(await service.refusal()) == f"listKeys of account1: {expected}"


async def test_a_refusal_tells_status_code_and_message(service: Service) -> None:
    """
    What was asked and what the service said about it is what a person needs.
    """
    service.says(403)

    assert str(await service.refusal()) == "listKeys of account1: 403 TheCode: The message."


async def test_two_refusals_for_one_cause_read_alike(service: Service) -> None:
    """
    In one line, so that logs and records can be grouped by what they say.
    """
    refusals = set()
    for number in "12":
        request = f"{number * 8}-1111-4111-8111-111111111111"
        message = f"The account does not exist.\nRequestId:{request}\nTime:2026-11-28T02:23:1{number}.0000000Z"
        service.says(404, json.dumps({"error": {"code": "AccountNotFound", "message": message}}))
        refusals.add(str(await service.refusal()))

    assert refusals == {"listKeys of account1: 404 AccountNotFound: The account does not exist."}


async def test_an_answer_is_passed_on(service: Service) -> None:
    """
    Where nothing went wrong nothing is changed.
    """
    service.says(200, '{"value": "fine"}')

    assert await once("it", service.ask) == "fine"


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429, 500, 502, 503])
@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        f"<html><title>502</title>{SECRET}</html>",
        json.dumps(SECRET),
        json.dumps([SECRET]),
        json.dumps([{"code": "x", "key": SECRET}]),
        json.dumps({"primary": SECRET, "secondary": SECRET}),
        json.dumps({"error": SECRET}),
        json.dumps({"error": [SECRET]}),
        json.dumps({"error": None, "key": SECRET}),
        json.dumps({"error": {"code": None, "message": None, "key": SECRET}}),
        json.dumps({"error": {"code": "", "message": "", "key": SECRET}}),
        json.dumps({"error": {"code": "TheCode", "message": "The message.", "key": SECRET, "target": SECRET}}),
        json.dumps({"error": {"code": "TheCode", "message": "Odd.", "innererror": {"code": SECRET}}}),
        json.dumps({"error": {"code": "TheCode", "message": "Odd.", "details": [{"code": "x", "message": SECRET}]}}),
        json.dumps({"error": {"code": "C", "message": "M", "additionalInfo": [{"type": "x", "info": {"k": SECRET}}]}}),
        f'{{"error": {{"code": "TheCode", "message": "{SECRET}',
        f"\ufeff{SECRET}",
        SECRET.encode() + b"\xff\xfe",
        SECRET.encode("utf-16"),
        b"",
        b"null",
        b"[]",
        b"{}",
    ],
)
async def test_nothing_else_of_an_answer_is_told(service: Service, status: int, body: bytes | str) -> None:
    """
    Beyond code and message no part of a body reaches the error, its chain or its traceback, however odd the body is.
    """
    service.says(status, body)

    refusal = await service.refusal()

    assert str(refusal).startswith(f"listKeys of account1: {status} ")
    assert SECRET not in told_by(refusal)


@pytest.mark.parametrize(
    "error",
    [{"code": "C" * 200_000, "message": "M"}, {"code": "C", "message": "M" * 200_000}],
    ids=["code", "message"],
)
async def test_an_endless_answer_is_cut(service: Service, error: dict[str, str]) -> None:
    """
    The description of a refusal fits a log line and a row of the ledger.
    """
    service.says(400, json.dumps({"error": error}))

    assert len(str(await service.refusal())) < 2000


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(
    ("written", "retry_after"),
    [
        ("0", timedelta(0)),
        ("7", timedelta(seconds=7)),
        ("3600", timedelta(hours=1)),
        ("99999999", timedelta(days=1)),
        ("9" * 400, timedelta(days=1)),
        ("9" * 5000, None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("\u0667", None),
        (None, None),
    ],
)
async def test_the_wait_that_a_service_asks_for_is_known(
    service: Service, status: int, written: str | None, retry_after: timedelta | None
) -> None:
    """
    Plain seconds are understood, up to a day; any other wait is ours to choose.
    """
    service.says(status, REFUSAL, **({} if written is None else {"Retry_After": written}))

    refusal = await service.refusal()

    assert isinstance(refusal, Unavailable)
    if written == "9" * 5000:
        assert refusal.retry_after in {None, timedelta(days=1)}
    else:
        assert refusal.retry_after == retry_after


async def test_a_refused_connection_is_over(service: Service) -> None:
    """
    Where nobody listens nothing was sent, so that asking again regenerates nothing twice.
    """
    service.url = f"http://127.0.0.1:{unused_port()}/"

    with pytest.raises(ServiceRequestError) as failure:
        await service.ask()

    assert isinstance(failure.value.inner_exception, ClientConnectorError)
    assert type(meaning_of(failure.value, "it")) is Unavailable


async def test_a_failed_handshake_is_over(service: Service) -> None:
    """
    Where TLS was not agreed on, no request was sent either.
    """
    service.url = service.url.replace("http:", "https:")

    with pytest.raises(ServiceRequestError) as failure:
        await service.ask()

    assert isinstance(failure.value.inner_exception, ClientConnectorError)
    assert type(meaning_of(failure.value, "it")) is Unavailable


async def test_a_dropped_connection_leaves_it_open(service: Service) -> None:
    """
    The request was received, so it may take effect, although the SDK's error has the name of a refused connection.
    """

    async def drop(request: web.BaseRequest) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    service.answer = drop
    with pytest.raises(ServiceRequestError) as failure:
        await service.ask()

    assert type(meaning_of(failure.value, "it")) is NoAnswer


async def test_half_an_answer_leaves_it_open(service: Service) -> None:
    """
    A connection that ends amid the body tells nothing about the outcome.
    """

    async def stop_halfway(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(SECRET.encode())
        assert request.transport
        request.transport.close()
        return response

    service.answer = stop_halfway

    refusal = await service.refusal()

    assert type(refusal) is NoAnswer
    assert SECRET not in told_by(refusal)


async def test_an_answer_that_does_not_come_leaves_it_open(service: Service) -> None:
    """
    After a timeout the request may still take effect.
    """
    never = asyncio.Event()

    async def wait(_: web.BaseRequest) -> web.Response:
        await never.wait()
        return web.Response()

    service.answer, service.read_timeout = wait, 0.05
    with pytest.raises(ServiceResponseTimeoutError) as failure:
        await service.ask()
    never.set()

    assert type(meaning_of(failure.value, "it")) is NoAnswer


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"7", b'"text"', f'{{"value: "{SECRET}"'.encode(), f"<{SECRET}>".encode(), b"\xff"],
)
async def test_a_success_that_cannot_be_read_leaves_it_open(service: Service, body: bytes) -> None:
    """
    An empty, torn or foreign body of a 200 is no answer, and none of it is told.
    """
    service.says(200, body)

    refusal = await service.refusal()

    assert type(refusal) is NoAnswer
    assert str(refusal).startswith("listKeys of account1: ")
    assert SECRET not in told_by(refusal)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (ServiceRequestTimeoutError(SECRET), Unavailable),
        (ServiceRequestError(SECRET), NoAnswer),
        (ServiceRequestError(SECRET, error=OSError(SECRET)), NoAnswer),
        (ServiceResponseError(SECRET), NoAnswer),
        (ServiceResponseTimeoutError(SECRET), NoAnswer),
        (HttpResponseError(SECRET), NoAnswer),
        (DecodeError(SECRET), NoAnswer),
        (ClientAuthenticationError(SECRET), NoAnswer),
        (AzureError(SECRET), NoAnswer),
        (json.JSONDecodeError(SECRET, SECRET, 0), NoAnswer),
        (UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET), NoAnswer),
        (KeyError(SECRET), NoAnswer),
        (TypeError(SECRET), NoAnswer),
        (AttributeError(SECRET), NoAnswer),
    ],
)
async def test_an_error_without_a_status_is_sorted_too(error: Exception, meaning: type[DependencyError]) -> None:
    """
    Only a connection that was never made is over, and the error's own text, which may hold an answer, is not told.
    """
    with pytest.raises(DependencyError) as refusal:
        await once("it", raising(error))

    assert type(refusal.value) is meaning
    assert refusal.value.__context__ is None
    assert str(refusal.value).startswith("it: ")
    assert SECRET not in told_by(refusal.value)


def raising(error: BaseException) -> Callable[[], Awaitable[None]]:
    """
    Return a request that meets an error.
    """

    async def send() -> None:
        raise error

    return send


@pytest.mark.parametrize(
    "error", [OutOfTime(), Declined("no"), Unavailable("busy"), asyncio.CancelledError(), KeyboardInterrupt()]
)
async def test_what_is_no_answer_passes_through(error: BaseException) -> None:
    """
    The app's own errors keep their meaning, and a cancelled task stops.
    """
    with pytest.raises(type(error)) as passed:
        await once("it", raising(error))
    assert passed.value is error


@dataclass
class Script:
    """
    A request that meets errors, one after the other, and then succeeds.
    """

    errors: list[Exception]
    tries: int = 0

    async def ask(self) -> str:
        """
        Meet the next error or succeed.
        """
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return "fine"


def throttled(seconds: float | None = None) -> Unavailable:
    """
    Return a 429, with the wait that it asks for.
    """
    return Unavailable("429", retry_after=None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("errors", "tries", "seconds"),
    [
        ([], 1, 0),
        ([throttled()], 2, 0.5),
        ([ServiceRequestError("dropped")], 2, 0.5),
        ([throttled(), NoAnswer("no"), ServiceResponseTimeoutError("late")], 4, 3.5),
        ([throttled(0)], 2, 0.5),
        ([throttled(0.1)], 2, 0.5),
        ([throttled(5)], 2, 5),
        ([throttled(), throttled(10)], 3, 10.5),
        ([KeyError("value"), ValueError("empty")], 3, 1.5),
    ],
)
async def test_a_read_is_tried_until_it_is_answered(errors: list[Exception], tries: int, seconds: float) -> None:
    """
    Whatever may pass is asked again, after growing pauses or the one that the service asks for.
    """
    script, clock = Script(list(errors)), HandClock()
    deadline = Deadline(clock)

    assert await until_answered("it", script.ask, deadline) == "fine"
    assert script.tries == tries
    assert deadline.elapsed == seconds


@pytest.mark.parametrize(
    ("errors", "meaning", "tries", "seconds"),
    [
        ([throttled()] * 9, Unavailable, 4, 3.5),
        ([ServiceRequestError("dropped")] * 9, NoAnswer, 4, 3.5),
        ([throttled(3)] * 9, Unavailable, 4, 9),
        ([throttled(10.5)] * 9, Unavailable, 1, 0),
        ([throttled(86_400)] * 9, Unavailable, 1, 0),
        ([throttled(), throttled(60)], Unavailable, 2, 0.5),
        ([Declined("403")] * 9, Declined, 1, 0),
        ([NotFound("404")] * 9, NotFound, 1, 0),
        ([throttled(), Declined("403")], Declined, 2, 0.5),
        ([OutOfTime()] * 9, OutOfTime, 1, 0),
        ([throttled(), OutOfTime()], OutOfTime, 2, 0.5),
        ([RuntimeError("a mistake of ours")] * 9, RuntimeError, 1, 0),
    ],
)
async def test_a_read_is_given_up_where_asking_again_is_not_worth_it(
    errors: list[Exception], meaning: type[Exception], tries: int, seconds: float
) -> None:
    """
    After four tries, before a long wait, and after a clear no, the caller hears of it.
    """
    script, clock = Script(list(errors)), HandClock()
    deadline = Deadline(clock)

    with pytest.raises(meaning):
        await until_answered("it", script.ask, deadline)
    assert script.tries == tries
    assert deadline.elapsed == seconds


@pytest.mark.parametrize(
    ("last_send", "tries", "seconds"),
    [(0.5, 1, 0), (0.6, 2, 0.5), (1.5, 2, 0.5), (1.6, 3, 1.5), (3.5, 3, 1.5), (3.6, 4, 3.5)],
)
async def test_a_read_is_not_tried_after_the_deadline(last_send: float, tries: int, seconds: float) -> None:
    """
    Where a pause would use up the time that is left, the attempt ends without sleeping.
    """
    script, clock = Script([throttled()] * 9), HandClock()
    deadline = Deadline(clock, timedelta(seconds=last_send))

    with pytest.raises(OutOfTime if tries < 4 else Unavailable):
        await until_answered("it", script.ask, deadline)
    assert script.tries == tries
    assert deadline.elapsed == seconds


async def test_a_wait_that_is_asked_for_counts_against_the_deadline() -> None:
    """
    Late in an attempt even a short Retry-After ends it.
    """
    script, clock = Script([throttled(8)]), HandClock()
    deadline = Deadline(clock)
    clock.advance(LAST_SEND - timedelta(seconds=7))

    with pytest.raises(OutOfTime):
        await until_answered("it", script.ask, deadline)
    assert script.tries == 1
