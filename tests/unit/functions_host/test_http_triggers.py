import io
from collections.abc import AsyncIterator

import aiohttp
import pytest

from localcloud.functions_host.errors import StartupError
from localcloud.functions_host.process import FunctionsHost
from localcloud.functions_host.routes import RouteTemplate
from tests.unit.functions_host.conftest import Serve

APP = """
def told(request):
    return func.HttpResponse(json.dumps({
        "method": request.method, "url": request.url, "route": dict(request.route_params),
        "query": dict(request.params), "header": request.headers.get("X-Some"), "body": request.get_body().decode(),
    }), mimetype="application/json", status_code=201, headers={"X-Answer": "42"})

@app.route("things/{id}", methods=["GET", "POST"], auth_level="anonymous")
async def tell(req: func.HttpRequest) -> func.HttpResponse:
    return told(req)

@app.route("things/mine", auth_level="anonymous")
async def specific(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("mine")

@app.route("numbers/{number:int}", auth_level="anonymous")
async def number(req: func.HttpRequest) -> func.HttpResponse:
    return told(req)

@app.route("guarded")
async def guarded(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")

@app.route("vault", auth_level="admin")
async def vault(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")

@app.route("raises", auth_level="anonymous")
async def raises(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("not for the caller")

@app.route("nothing", auth_level="anonymous")
async def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None

@app.route("text", auth_level="anonymous")
async def text(req: func.HttpRequest) -> str:
    return "only text"

@app.route("cookies", auth_level="anonymous")
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse()
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; HttpOnly")
    return response

@app.route("thread", auth_level="anonymous")
def thread(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    logging.getLogger("app").info("from a thread", extra={"thread_of": "function"})
    return func.HttpResponse(f"{threading.current_thread().name} {context.function_name} {context.invocation_id}")
"""


@pytest.fixture(scope="module")
async def host(serve: Serve) -> AsyncIterator[FunctionsHost]:
    """
    Yield a host of the app above.
    """
    async with serve(APP) as running:
        yield running


async def test_a_request_reaches_the_function_of_its_route_and_method(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    """
    The function sees the request as Azure's worker would show it, and its answer arrives whole.
    """
    url = f"{host.url}/api/things/a%20b?one=1&two=2&two=3&none="
    async with http.post(url, data="body", headers={"X-Some": "value"}) as response:
        assert response.status == 201
        assert response.headers["X-Answer"] == "42"
        assert response.content_type == "application/json"
        assert await response.json() == {
            "method": "POST",
            "url": url,
            "route": {"id": "a b"},
            "query": {"one": "1", "two": "2,3"},
            "header": "value",
            "body": "body",
        }


@pytest.mark.parametrize(
    "path",
    ["/api/unknown", "/things/x", "/", "/api/things", "/api/things/a/b", "/api/numbers/seven", "/admin/unknown"],
)
async def test_no_route_is_not_found(host: FunctionsHost, http: aiohttp.ClientSession, path: str) -> None:
    """
    A path that no function has a route for is 404, with or without the prefix.
    """
    async with http.get(host.url + path) as response:
        assert response.status == 404


async def test_another_method_is_not_found_as_in_azure(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A method that the route does not list is 404, not 405.
    """
    async with http.delete(f"{host.url}/api/things/x") as response:
        assert response.status == 404


async def test_the_more_specific_route_wins(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A literal segment goes before a parameter, whatever the case of its letters.
    """
    async with http.get(f"{host.url}/api/Things/MINE") as response:
        assert await response.text() == "mine"


async def test_a_constrained_parameter_arrives_as_text(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A constraint chooses the route and converts nothing.
    """
    async with http.get(f"{host.url}/api/numbers/-7") as response:
        assert (await response.json())["route"] == {"number": "-7"}


async def test_a_function_key_or_the_master_key_opens_a_function(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    """
    Either key does, in the header or in the query.
    """
    url = f"{host.url}/api/guarded"
    for key in (host.function_key, host.keys.master):
        async with http.get(url, headers={"x-functions-key": key}) as response:
            assert await response.text() == "in"
        async with http.get(url, params={"code": key}) as response:
            assert await response.text() == "in"


async def test_without_the_right_key_there_is_no_entry(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    No key, a wrong one and the Event Grid key are all 401.
    """
    for headers in ({}, {"x-functions-key": "wrong"}, {"x-functions-key": host.keys.eventgrid}):
        async with http.get(f"{host.url}/api/guarded", headers=headers) as response:
            assert response.status == 401


async def test_a_wrong_header_is_not_made_up_for_by_the_query(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    The header is what counts where there are both.
    """
    url = f"{host.url}/api/guarded?code={host.function_key}"
    async with http.get(url, headers={"x-functions-key": "wrong"}) as response:
        assert response.status == 401


async def test_the_admin_level_takes_the_master_key_only(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A function key does not open a function of level admin.
    """
    url = f"{host.url}/api/vault"
    async with http.get(url, headers={"x-functions-key": host.function_key}) as response:
        assert response.status == 401
    async with http.get(url, headers={"x-functions-key": host.keys.master}) as response:
        assert response.status == 200


@pytest.mark.parametrize("function", ["raises", "nothing"])
async def test_a_function_that_fails_tells_the_caller_nothing(
    host: FunctionsHost, http: aiohttp.ClientSession, function: str
) -> None:
    """
    An exception, or no answer at all, is a bare 500.
    """
    async with http.get(f"{host.url}/api/{function}") as response:
        assert (response.status, await response.read()) == (500, b"")


async def test_an_exception_is_logged_with_its_traceback(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    The log says what the caller was not told.
    """
    async with http.get(f"{host.url}/api/raises"):
        pass
    record = next(line for line in host.log_lines() if line["message"] == "raises failed")
    assert record["function"] == "raises"
    assert "Traceback" in record["exception"]
    assert "ValueError: not for the caller" in record["exception"]


async def test_text_may_be_returned_as_it_is(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A str is a 200.
    """
    async with http.get(f"{host.url}/api/text") as response:
        assert (response.status, await response.text()) == (200, "only text")


async def test_several_cookies_arrive(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    Each cookie has a header of its own.
    """
    async with http.get(f"{host.url}/api/cookies") as response:
        assert response.headers.getall("Set-Cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


async def test_a_sync_function_runs_in_a_thread_and_gets_its_context(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    """
    What it logs there carries its name, its invocation and every extra field.
    """
    async with http.get(f"{host.url}/api/thread") as response:
        thread, name, invocation_id = (await response.text()).split()
    assert (thread.startswith("function_"), name) == (True, "thread")
    record = next(
        line for line in host.log_lines() if line.get("invocationId") == invocation_id and "thread_of" in line
    )
    assert (record["message"], record["thread_of"], record["function"]) == ("from a thread", "function", "thread")


async def test_a_request_of_more_than_100_mb_is_refused(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    The limit is Azure's.
    """
    async with http.post(f"{host.url}/api/things/big", data=io.BytesIO(bytes(100 * 1024 * 1024 + 1))) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("a/{b?}", "/a", {}),
        ("a/{b?}", "/a/x", {"b": "x"}),
        ("a/{*rest}", "/a/x/y%2Fz", {"rest": "x/y/z"}),
        ("a/{id:guid}", "/A/0123ABCD-0123-0123-0123-0123456789ab", {"id": "0123ABCD-0123-0123-0123-0123456789ab"}),
        ("a/{id:guid}", "/a/nothing", None),
        ("openapi.json", "/openapiXjson", None),
    ],
)
def test_templates_match_as_in_asp_net(template: str, path: str, values: dict[str, str] | None) -> None:
    """
    Optional and rest parameters, constraints and percent-encoding work, and case does not matter.
    """
    assert RouteTemplate.parse(template, where="test").match(path) == values


@pytest.mark.parametrize("template", ["a/{id:length(3)}", "a/{b}-{c}", "a/{b"])
def test_a_template_that_is_not_understood_is_refused(template: str) -> None:
    """
    The host does not start with a route that it would serve wrongly.
    """
    with pytest.raises(StartupError, match="function f: route"):
        RouteTemplate.parse(template, where="function f")
