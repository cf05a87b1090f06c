"""
Who may call: attacks on the check of the principal, and on what leads there.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from handlers import admission
from handlers.admission import admit, caller_of
from handlers.calls import answers
from rotation.vocabulary.caller import Caller
from rotation.vocabulary.errors import Forbidden, RotationError, SettingsError, Unauthorized
from rotation.vocabulary.limits import LONGEST_NAME
from wiring.parts import Wiring

ROOT = Path(__file__).parents[3]
ENTRA = {"ROTATION_AUTHENTICATION": "entra", "WEBSITE_AUTH_ENABLED": "True"}
ROLE_TYPE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
OBJECT = "http://schemas.microsoft.com/identity/claims/objectidentifier"
READ, OPERATE = "Rotations.Read", "Rotations.Operate"
TOKEN = {"Authorization": "Bearer made.up.token"}
Admit = Callable[[func.HttpRequest], Caller | None]


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """
    Return what gives the app its settings.
    """

    def let(settings: dict[str, str]) -> None:
        wiring = Wiring(settings)
        monkeypatch.setattr(admission, "wired", lambda: wiring)

    let(ENTRA)
    return let


def claims(*roles: str, role_type: str = "roles", **others: str) -> list[dict[str, str]]:
    """
    Return the claims of a person.
    """
    person = {"preferred_username": "ada@example.com", OBJECT: "0b1ec7"} | others
    pairs = [*person.items(), *((role_type, role) for role in roles)]
    return [{"typ": kind, "val": value} for kind, value in pairs]


def principal(*roles: str, auth_typ: str = "aad", role_typ: str = "roles", **others: Any) -> str:
    """
    Return the header as App Service writes it.
    """
    shown = {"auth_typ": auth_typ, "claims": claims(*roles), "name_typ": "name", "role_typ": role_typ} | others
    return base64.b64encode(json.dumps(shown).encode()).decode()


def call(
    method: str = "GET", written: str | None = None, *, headers: dict[str, str] | None = None, **params: str
) -> func.HttpRequest:
    """
    Return a call with a principal.
    """
    sent = {"X-MS-CLIENT-PRINCIPAL": written} if written is not None else {}
    return func.HttpRequest(
        method=method,
        url="https://app.azurewebsites.net/api/secrets/my-vault.vault.azure.net/my-key",
        headers=sent | (headers or {}),
        params=params,
        body=b"",
    )


pytestmark = pytest.mark.usefixtures("set_up")


def test_a_reader_reads_and_an_operator_does_all() -> None:
    """
    Operating implies reading.
    """
    ada = Caller("ada@example.com", "0b1ec7", None)

    assert admit(call("GET", principal(READ))) == ada
    assert admit(call("GET", principal(OPERATE))) == ada
    assert admit(call("POST", principal(OPERATE), headers=TOKEN)) == ada


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "post", "HEAD"], ids=lambda method: f"method {method}"
)
def test_a_reader_changes_nothing(method: str) -> None:
    """
    The refusal names the role that is missing.
    """
    with pytest.raises(Forbidden, match=r"no app role Rotations\.Operate"):
        admit(call(method, principal(READ), headers=TOKEN))


@pytest.mark.parametrize("roles", [(), ("Rotations.Reader",), ("rotations.read",), ("Rotations.Read,x",), ("*",)])
def test_a_caller_with_neither_role_is_refused(roles: tuple[str, ...]) -> None:
    """
    A name that is only similar is another role.
    """
    with pytest.raises(Forbidden, match=r"no app role Rotations\.Read"):
        admit(call("GET", principal(*roles)))


@pytest.mark.parametrize("written", ["true", " true", "yes", "1", "True", '"true"'])
def test_a_refresh_needs_an_operator(written: str) -> None:
    """
    However it is written: it works for minutes. What it is, is checked later.
    """
    admit(call("GET", principal(OPERATE), refresh=written))
    with pytest.raises(Forbidden, match=r"Rotations\.Operate"):
        admit(call("GET", principal(READ), refresh=written))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_page_of_another_site_starts_no_refresh(site: str) -> None:
    """
    An image there would make the app look through all vaults, with the cookie of an operator who looks at it.
    """
    with pytest.raises(Forbidden, match="X-Rotator"):
        admit(call("GET", principal(OPERATE), headers={"Sec-Fetch-Site": site}, refresh="true"))
    admit(call("GET", principal(OPERATE), headers={"Sec-Fetch-Site": site, "X-Rotator": "1"}, refresh="true"))
    admit(call("GET", principal(OPERATE), headers={"Sec-Fetch-Site": site}))


def test_a_list_that_is_not_refreshed_needs_a_reader() -> None:
    """
    Also where that is said.
    """
    assert admit(call("GET", principal(READ), refresh="false"))


@pytest.mark.parametrize("role_typ", [ROLE_TYPE, "roles"])
def test_roles_are_taken_from_both_kinds_of_claim(role_typ: str) -> None:
    """
    The one that the principal names, and `roles`, by which Microsoft Entra has them.
    """
    for kind in {role_typ, "roles"}:
        assert admit(call("GET", principal(role_typ=role_typ, claims=claims(READ, role_type=kind))))


def test_no_other_claim_is_a_role() -> None:
    """
    Not the name that somebody has chosen, nor a group.
    """
    others = claims(name=OPERATE, groups=OPERATE, scp=OPERATE, role=OPERATE, wids=OPERATE)

    with pytest.raises(Forbidden):
        admit(call("GET", principal(claims=others)))


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        f"{principal(OPERATE)},{principal(OPERATE)}",
        f"{principal(OPERATE)}, ",
        principal(OPERATE, auth_typ="twitter"),
        principal(OPERATE, auth_typ="AAD"),
        principal(OPERATE)[:-8],
        principal(OPERATE, claims=None),
        principal(OPERATE, claims=[{"typ": "roles", "val": None}]),
        principal(OPERATE, claims=[{"typ": "roles"}]),
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"null").decode(),
        base64.b64encode(b'{"auth_typ": "aad"}').decode(),
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b'{"auth_typ": "aad", "claims": [], "x": ' + b"[" * 20_000).decode(),
        "eyJ" + "*" * 40,
        "ü",
        json.dumps({"auth_typ": "aad", "claims": claims(OPERATE)}),
    ],
    ids=lambda written: str(written)[-20:],
)
def test_a_call_without_one_readable_principal_is_a_strangers(written: str | None) -> None:
    """
    None, two, another provider's, and whatever cannot be read.
    """
    with pytest.raises(Unauthorized):
        admit(call("GET", written))


@pytest.mark.parametrize("name", ["x-ms-client-principal", "X-Ms-Client-Principal", "X-MS-CLIENT-PRINCIPAL"])
def test_the_header_is_found_in_any_case(name: str) -> None:
    """
    So that a second one in another case cannot hide behind it.
    """
    assert admit(call("GET", headers={name: principal(READ)}))


@pytest.mark.parametrize(
    "settings",
    [
        {"ROTATION_AUTHENTICATION": "entra"},
        {"ROTATION_AUTHENTICATION": "entra", "WEBSITE_AUTH_ENABLED": "False"},
        {"ROTATION_AUTHENTICATION": "entra", "WEBSITE_AUTH_ENABLED": ""},
        {"ROTATION_AUTHENTICATION": "entra", "WEBSITE_AUTH_ENABLED": "1"},
        {"ROTATION_AUTHENTICATION": "entra", "ROTATION_WEBSITE_AUTH_ENABLED": "True"},
        {"ROTATION_AUTHENTICATION": "entraa", "WEBSITE_AUTH_ENABLED": "True"},
        {"ROTATION_AUTHENTICATION": "key, entra", "WEBSITE_AUTH_ENABLED": "True"},
    ],
    ids=str,
)
def test_no_principal_is_believed_where_it_may_be_the_callers_own(
    set_up: Callable[[dict[str, str]], None], settings: dict[str, str]
) -> None:
    """
    Without App Service's sign-in, and where the setting cannot be read.
    """
    set_up(settings)

    with pytest.raises(SettingsError) as error:
        admit(call("GET", principal(OPERATE)))
    assert error.value.setting == "ROTATION_AUTHENTICATION"


@pytest.mark.parametrize("settings", [{}, {"ROTATION_AUTHENTICATION": "KEY", "WEBSITE_AUTH_ENABLED": "True"}], ids=str)
def test_with_keys_a_principal_changes_nothing(
    set_up: Callable[[dict[str, str]], None], settings: dict[str, str]
) -> None:
    """
    A forged one gives no right, no name, and no error.
    """
    set_up(settings)

    for written in (None, principal(OPERATE), principal(), "forged"):
        assert admit(call("DELETE", written)) is None
        assert caller_of(call("DELETE", written)) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Rotator": "0"},
        {"X-Rotator": ""},
        {"X-Rotator": "1,1"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearerx y"},
        {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_another_site_changes_nothing_with_a_persons_cookie(headers: dict[str, str], method: str) -> None:
    """
    What a form can send is not enough.
    """
    with pytest.raises(Forbidden, match="X-Rotator: 1"):
        admit(call(method, principal(OPERATE), headers=headers))


@pytest.mark.parametrize(
    "headers", [{"X-Rotator": "1"}, {"x-rotator": "1"}, TOKEN, {"authorization": "bearer x"}], ids=str
)
def test_the_page_itself_and_programs_change_what_they_may(headers: dict[str, str]) -> None:
    """
    The page sends the header, and a program its token.
    """
    assert admit(call("POST", principal(OPERATE), headers=headers))


def test_an_application_is_named_by_its_client_id() -> None:
    """
    With either version of the token; it has no name.
    """
    for kind in ("azp", "appid"):
        found = admit(call(written=principal(claims=[{"typ": kind, "val": "11111111"}, {"typ": "roles", "val": READ}])))
        assert found == Caller(None, None, "11111111")


def test_a_name_is_short_and_begins_no_line_of_its_own() -> None:
    """
    People choose their names themselves, and log lines show them.
    """
    odd = claims(READ, preferred_username="ada\r\nrotation 1: ended\u2028\u202e\x1b[31m" + "x" * 1000)
    found = admit(call(written=principal(claims=odd)))

    assert found
    assert found.name
    assert found.name.isprintable()
    assert found.name.startswith("adarotation 1: ended[31m")
    assert len(found.name) == LONGEST_NAME


def test_a_principal_without_a_name_is_still_told_apart() -> None:
    """
    By what there is, in a sentence.
    """
    assert str(Caller(object_id="o", app_id="a")) == "object o, application a"
    assert str(Caller("ada", "o")) == "ada, object o"
    assert str(Caller()) == "a principal without name and id"


async def answered(request: func.HttpRequest, error: RotationError | None = None) -> func.HttpResponse:
    """
    Return the answer of a function of the API to a call.
    """
    blueprint = func.Blueprint()

    @answers(blueprint, "POST", "things")
    async def handle(request: func.HttpRequest) -> func.HttpResponse:
        if error:
            raise error
        return func.HttpResponse(status_code=204)

    (builder,) = blueprint._function_builders
    response: func.HttpResponse = await builder._function.get_user_function()(request)
    return response


async def test_a_stranger_is_told_what_lets_them_in() -> None:
    """
    As HTTP wants it.
    """
    response = await answered(call("POST"))

    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(response.get_body())["code"] == "unauthorized"


@pytest.mark.parametrize(("error", "status"), [(None, 204), (Forbidden("not yours"), 403)])
async def test_who_asks_for_a_change_is_logged(
    caplog: pytest.LogCaptureFixture, error: RotationError | None, status: int
) -> None:
    """
    With what came of it: tags and cancellations leave no other trace.
    """
    caplog.set_level("INFO")

    await answered(call("POST", principal(OPERATE), headers=TOKEN), error)

    (line,) = [record for record in caplog.records if getattr(record, "step", "") == "asked"]
    assert line.getMessage() == (
        f"POST /api/secrets/my-vault.vault.azure.net/my-key: answered {status}, "
        "requested by ada@example.com, object 0b1ec7"
    )
    assert vars(line)["requestedBy"] == {"name": "ada@example.com", "objectId": "0b1ec7", "appId": None}


_CALL_ALL = """
import asyncio, json, sys
import azure.functions as func
import function_app

found = {}
for function in function_app.app.get_functions():
    bindings = json.loads(function.get_function_json())["bindings"]
    for trigger in bindings:
        if trigger["type"] != "httpTrigger":
            continue
        outputs = {each["name"]: None for each in bindings if each["type"] not in ("httpTrigger", "http")}
        statuses = []
        for method in trigger["methods"]:
            request = func.HttpRequest(method=str(getattr(method, "value", method)), url="https://a/api/x", body=b"{}")
            call = function.get_user_function()(**{trigger["name"]: request}, **outputs)
            statuses.append(asyncio.run(call).status_code if sys.argv[1:] != ["index"] else 0)
        found[function.get_function_name()] = [trigger["authLevel"], statuses]
print(json.dumps(found))
"""
_ANYBODY = {"get_health", "get_dashboard"}


def _found_with(settings: dict[str, str], *arguments: str) -> dict[str, Any]:
    """
    Return the level of each HTTP function of the app, and how it answers a stranger whom the host has let through.
    """
    process = subprocess.run(  # noqa: S603 - the statements are the test's own
        [sys.executable, "-c", _CALL_ALL, *arguments],
        cwd=ROOT,
        env=settings | {"PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(process.stdout)
    return found


def test_no_function_answers_a_stranger() -> None:
    """
    With `entra` the host lets everybody through, so each function of the app looks itself: also the next one.
    """
    found = _found_with(ENTRA)

    assert {level for level, _ in found.values()} == {"ANONYMOUS"}
    assert len(found) > len(_ANYBODY)
    for name, (_, statuses) in found.items():
        assert name in _ANYBODY or set(statuses) == {401}, name


@pytest.mark.parametrize("written", [None, "key", " Key", "entraa", "key entra", "none"])
def test_the_host_asks_for_keys_unless_the_setting_says_otherwise(written: str | None) -> None:
    """
    A misspelt setting opens nothing.
    """
    found = _found_with({"ROTATION_AUTHENTICATION": written} if written else {}, "index")

    assert {name for name, (level, _) in found.items() if level == "ANONYMOUS"} <= _ANYBODY
    assert {level for name, (level, _) in found.items() if name not in _ANYBODY} == {"FUNCTION"}


def test_a_setting_that_cannot_be_read_lets_nobody_in() -> None:
    """
    The host asks for a key, and every call that has one is answered 503.
    """
    found = _found_with(ENTRA | {"ROTATION_AUTHENTICATION": "misspelt"})

    for name, (_, statuses) in found.items():
        assert name in _ANYBODY or set(statuses) == {503}, name
