"""
Callers who sign in: what they may do, who is on record for it, and everything that must not let anybody in.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yarl
from typer.testing import CliRunner

from handlers.dashboard import FOLDER, INDEX
from handlers.openapi import document
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.directory import ADA, GRACE, JOAN, MACHINE, OPERATE, REGISTRATION, Member, token_for
from localcloud.azure.identity import ARM
from localcloud.cloud import LocalCloud
from localcloud.functions_host.process import FunctionsHost
from localcloud.functions_host.sign_in import KEY, SETTINGS
from rotator.app import app as command_line
from tests.e2e.browser import MARK, Browser
from tests.e2e.client import Client, Subject
from tests.e2e.conftest import AT_ONCE, assert_nothing_leaked
from tests.e2e.test_events import event_of

SOMEBODY = "0b112d10-c79f-56c4-a589-e94e094e8418"

FILES = [path.name for path in Path(FOLDER).iterdir() if path.name != INDEX]

# Every call of the API, with a path that is one.
CALLS = [
    (method.upper(), path.format(id=SOMEBODY, vault="kv.example", name="one"))
    for path, operations in document()["paths"].items()
    for method in operations
    if path != "/health"
]


def forged(*roles: str) -> dict[str, str]:
    """
    Return the header that a caller would like to have.
    """
    claims = [{"typ": "roles", "val": role} for role in roles or (OPERATE,)]
    principal = {"auth_typ": "aad", "claims": claims, "name_typ": "name", "role_typ": "roles"}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(principal).encode()).decode()}


@pytest.fixture(scope="module")
async def entra(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield a cloud whose app lets callers in who have signed in.
    """
    async with LocalCloud(
        tmp_path_factory.mktemp("entra"),
        ca=ca,
        is_impatient=True,
        ROTATION_VERIFY_DAYS="0",
        AzureFunctionsJobHost__extensions__queues__visibilityTimeout=AT_ONCE,
        ROTATION_AUTHENTICATION="entra",
    ) as cloud:
        yield cloud
        assert_nothing_leaked(cloud)


@pytest.fixture
async def browser(entra: LocalCloud) -> AsyncIterator[Browser]:
    """
    Yield a browser in which nobody has signed in.
    """
    async with Browser(entra.host) as browser:
        yield browser


def bearer(cloud: LocalCloud, member: Member = MACHINE, **claims: Any) -> dict[str, str]:
    """
    Return the header with a token, of which some claims are exchanged.
    """
    return {"Authorization": f"Bearer {token_for(member, cloud.azure.identity.signing_key, **claims)}"}


class Machine(Client):
    """
    A client that sends a token, and no function key.
    """

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """
        Return status, JSON and headers of one call of the API.
        """
        sent = {"x-functions-key": ""} | bearer(self.cloud) | (headers or {})
        return await super().ask(method, path, body=body, raw=raw, headers=sent)


@pytest.fixture
async def machine(entra: LocalCloud) -> AsyncIterator[Machine]:
    """
    Yield a machine that may do everything.
    """
    machine = Machine(entra)
    yield machine
    entra.azure.faults.clear()
    await machine.idle()


@pytest.mark.parametrize(("method", "path"), CALLS, ids=lambda part: part)
async def test_no_call_is_answered_to_a_stranger(entra: LocalCloud, browser: Browser, method: str, path: str) -> None:
    """
    Neither with nothing, nor with a principal that they wrote themselves, nor with a function key.
    """
    key = {"x-functions-key": entra.host.keys.master}
    for headers in ({}, MARK, forged(), forged() | MARK, key, key | forged()):
        status, _ = await browser.ask(method, f"/api{path}", body={}, headers=headers)
        assert status == 401, headers


async def test_health_and_every_file_of_the_page_are_for_everyone(browser: Browser) -> None:
    """
    They hold nothing, and a page has to be there to send somebody to sign in.
    """
    paths = ["/api/health", "/api/dashboard", "/api/dashboard/", *(f"/api/dashboard/{file}" for file in FILES)]

    assert {path: (await browser.ask("GET", path))[0] for path in paths} == dict.fromkeys(paths, 200)


@pytest.mark.parametrize(
    "path",
    [
        "/api/dashboard/../secrets",
        "/api/dashboard/..%2fsecrets",
        "/api/dashboard/%2e%2e/secrets",
        "/api/dashboard/main.js/../../secrets",
        "/api/dashboard/;/../../secrets",
        "/api/health/../secrets",
        "/api/health/..;/secrets",
        "//api/secrets",
        "/api//secrets",
        "/API/SECRETS",
        "/api/secrets/",
        "/api/secrets?x=/api/health",
        "/api/secrets#/api/health",
        "/runtime/webhooks/eventgrid/../../../api/secrets",
        "/admin/host/status/../../../api/secrets",
    ],
)
async def test_no_spelling_of_a_path_leads_around_the_sign_in(browser: Browser, path: str) -> None:
    """
    Also for a caller who brings a principal along, as it may come through where no one has to sign in.
    """
    for headers in ({}, forged()):
        status, answer = await browser.ask("GET", path, headers=headers)
        assert status in {400, 401, 404}
        assert answer is None or "secrets" not in answer


async def test_the_hosts_own_paths_need_a_sign_in_but_for_events_and_deployments(
    entra: LocalCloud, browser: Browser
) -> None:
    """
    Events come with the key of the webhook, and deployments ask with the master key.
    """
    master = {"x-functions-key": entra.host.keys.master}

    assert (await browser.ask("POST", "/admin/functions/sweep_vaults", body={"input": ""}, headers=master))[0] == 401
    assert (await browser.ask("GET", "/admin/host/status", headers=master))[0] == 200
    assert (await browser.ask("GET", "/admin/host/status"))[0] == 401


@pytest.mark.parametrize("kind", ["batch", "workflow"])
async def test_events_still_come_in_and_name_nobody(machine: Machine, kind: str) -> None:
    """
    Event Grid has no token: its path is left out of the sign-in.
    """
    subject = await machine.subject(kind)
    rotation = subject.rotation_id()

    assert await machine.deliver(event_of(subject)) == 202
    record = await machine.ended(rotation)

    assert (record["state"], record["requestedBy"]) == ("Completed", None)


async def test_a_person_signs_in_reads_and_signs_out(entra: LocalCloud, browser: Browser) -> None:
    """
    With the cookie alone, which holds until then.
    """
    assert await browser.sign_in(GRACE, then="/api/dashboard?x=1#y") == "/api/dashboard?x=1#y"
    assert (await browser.ask("GET", "/api/secrets"))[0] == 200

    await browser.ask("GET", "/.auth/logout")

    assert browser.cookie is None
    assert (await browser.ask("GET", "/api/secrets"))[0] == 401
    assert entra.site.authentication.properties["globalValidation"]["unauthenticatedClientAction"] == "Return401"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:x",
        "",
    ],
)
async def test_signing_in_sends_a_browser_to_no_other_site(browser: Browser, elsewhere: str) -> None:
    """
    Whatever a link asks for.
    """
    assert await browser.sign_in(GRACE, then=elsewhere) == "/.auth/login/done"


async def test_who_has_no_role_may_nothing_and_learns_which_is_missing(browser: Browser) -> None:
    """
    Having signed in is not enough.
    """
    await browser.sign_in(JOAN)

    for method, path in CALLS:
        status, problem = await browser.ask(method, f"/api{path}", body={}, headers=MARK)
        assert (status, problem["code"]) == (403, "forbidden")
        assert ("Rotations.Read" if method == "GET" else "Rotations.Operate") in problem["detail"]


async def test_a_reader_changes_nothing(machine: Machine, browser: Browser) -> None:
    """
    Every call that is not a GET, and a refresh, need the other role; no call but those does.
    """
    subject = await machine.subject()
    await browser.sign_in(GRACE)

    for method, path in [*CALLS, ("GET", "/secrets?refresh=true"), ("GET", "/secrets?refresh=%22true%22")]:
        status, problem = await browser.ask(
            method, f"/api{path}", body={"secret": subject.uri}, headers=MARK | forged()
        )
        if method == "GET" and "refresh" not in path:
            assert "has no app role" not in json.dumps(problem)
        else:
            assert (status, problem["code"]) == (403, "forbidden")
            assert "Rotations.Operate" in problem["detail"]
    assert subject.regenerations() == 0


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": ARM}, 401),
        ({"aud": "api://somebody-elses"}, 401),
        ({"aud": f"api://{REGISTRATION}/"}, 401),
        ({"aud": "session"}, 401),
        ({"iss": "https://login.microsoftonline.com/another-tenant/v2.0"}, 401),
        ({"iss": "https://sts.windows.net/66666666-6666-4666-8666-666666666666/"}, 401),
        ({"exp": 1_700_000_000}, 401),
        ({"azp": "55555555-6666-4555-8555-555555555555"}, 403),
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_app_opens_nothing(
    machine: Machine, browser: Browser, claims: dict[str, Any], status: int
) -> None:
    """
    Another audience, another issuer, one that has expired, and that of an application that is not named.
    """
    for method, path in (("GET", "/api/secrets"), ("POST", "/api/rotations")):
        headers = bearer(machine.cloud, **claims) | forged()
        assert (await browser.ask(method, path, body={}, headers=headers))[0] == status


async def test_a_token_of_nobodys_or_for_something_else_opens_nothing(machine: Machine, browser: Browser) -> None:
    """
    Signed by somebody else, not signed, one for Azure Resource Manager; nor does a session stand in for a token.
    """
    identity = machine.cloud.azure.identity
    await browser.sign_in(ADA)
    tokens = [
        token_for(MACHINE, "another key"),
        token_for(MACHINE, identity.signing_key).rpartition(".")[0] + ".",
        identity.issue(ARM),
        browser.cookie,
        "",
        "x",
    ]
    for token in tokens:
        status, *_ = await machine.ask("GET", "/secrets", headers={"Authorization": f"Bearer {token}"})
        assert status == 401, token
    # Not even in the browser of somebody who has signed in.
    assert (await browser.ask("GET", "/api/secrets", headers={"Authorization": "Bearer x"}))[0] == 401


@pytest.mark.parametrize("claims", [{}, {"aud": "session", "exp": 1_700_000_000}], ids=str)
async def test_no_token_makes_a_session_and_none_lasts_for_ever(entra: LocalCloud, claims: dict[str, Any]) -> None:
    """
    What an application has is no cookie, and one that has expired is none either.
    """
    token = token_for(ADA, entra.azure.identity.signing_key, **claims)

    assert await status_of(entra.host, "GET /api/secrets", ("Cookie", f"AppServiceAuthSession={token}")) == 401


FORMS: list[dict[str, Any]] = [
    {"data": {"secret": "x"}},
    {"data": '{"secret": "x"}', "headers": {"Content-Type": "text/plain"}},
    {"data": '{"secret": "x"}', "headers": {"Content-Type": "application/json"}},
    {"data": "", "headers": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}},
    {"data": '{"secret": "x"}', "headers": {"X-Rotator": "true"}},
    {"data": '{"secret": "x"}', "headers": {"Authorization": ""}},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_a_form_of_another_site_changes_nothing(machine: Machine, browser: Browser, form: dict[str, Any]) -> None:
    """
    The browser of an operator sends the cookie along, and the app refuses the call all the same.
    """
    subject = await machine.subject()
    await browser.sign_in(ADA)
    sent = dict(form)
    if isinstance(sent["data"], str):
        sent["data"] = sent["data"].replace('"x"', f'"{subject.uri}"')

    for method, path in CALLS:
        if method != "GET":
            status, problem = await browser.ask(method, f"/api{path}", **sent)
            assert status in {401, 403}
            assert status == 401 or "X-Rotator: 1" in problem["detail"]
    assert subject.regenerations() == 0


async def test_another_site_may_not_ask_the_browser_for_the_header(browser: Browser) -> None:
    """
    A preflight request is answered with nothing that allows it.
    """
    await browser.sign_in(ADA)
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    status, _ = await browser.ask(
        "OPTIONS", "/api/rotations", headers=asked | {"Access-Control-Request-Headers": "x-rotator"}
    )

    assert status == 404


async def test_an_operator_rotates_in_a_browser_and_is_on_record(machine: Machine, browser: Browser) -> None:
    """
    In the answer, in the record, in the event and in the log.
    """
    subject = await machine.subject()
    await browser.sign_in(ADA)

    status, record = await browser.ask(
        "POST", "/api/rotations", body={"secret": subject.uri}, headers=MARK | forged("Rotations.Read")
    )

    ada = {"name": ADA.name, "objectId": ADA.principal.principal_id, "appId": None}
    assert (status, record["state"], record["requestedBy"]) == (200, "Completed", ada)
    assert (await machine.get(record["id"]))["requestedBy"] == ada
    assert (await machine.told(f"{record['id']}:completed")).data["requestedBy"] == ada
    (line,) = machine.log_lines(f"rotation {record['id']}: ended")
    assert f"requested by {ADA.name}" in line["message"]


async def test_a_machine_is_on_record_by_its_application(machine: Machine) -> None:
    """
    Also where the rotation runs from the queue.
    """
    subject = await machine.subject()
    status, accepted, _ = await machine.ask(
        "POST", "/rotations", body={"secret": subject.uri}, headers={"Prefer": "respond-async"}
    )
    record = await machine.ended(accepted["id"])

    principal = MACHINE.principal
    expected = {"name": None, "objectId": principal.principal_id, "appId": principal.client_id}
    assert (status, record["state"]) == (202, "Completed")
    assert accepted["requestedBy"] == record["requestedBy"] == expected


async def test_all_that_follows_from_the_report_of_a_leak_names_who_reported(
    machine: Machine, browser: Browser
) -> None:
    """
    The moves of the other holders, which the queue runs, and the revocation, which comes later.
    """
    subject = await machine.subject()
    machine.cloud.put_secret(f"{subject.secret}-too", subject.target.value("Primary"), subject.target.address)
    await browser.sign_in(ADA)

    _, record = await browser.ask(
        "POST", "/api/rotations", body={"secret": subject.uri, "revokePreviousAfter": "PT1H"}, headers=MARK
    )
    await machine.idle()
    _, page, _ = await machine.ask("GET", f"/rotations?target={subject.target.arm_id}")
    status, cancelled = await browser.ask("DELETE", f"/api/rotations/{record['revocation']['id']}", headers=MARK)

    assert len(page["rotations"]) == 3
    assert {each["requestedBy"]["name"] for each in page["rotations"]} == {ADA.name}
    assert (status, cancelled["requestedBy"]["name"]) == (200, ADA.name)


async def test_a_change_that_leaves_no_record_is_a_line_of_the_log_with_who_asked(
    machine: Machine, browser: Browser
) -> None:
    """
    Tags are changed, and a comparison is made: the name of who asked stands beside the secret.
    """
    subject = await machine.subject()
    await browser.sign_in(ADA)
    path = f"/api/secrets/{machine.cloud.vault.uri.removeprefix('https://')}/{subject.secret}"

    assert (await browser.ask("PATCH", path, body={"paused": True}, headers=MARK))[0] == 200
    assert (await browser.ask("POST", f"{path}/verify", headers=MARK))[0] == 200
    assert (await browser.ask("PATCH", path, body={"managed": False}, headers=MARK))[0] == 204

    lines = [line["message"] for line in machine.log_lines(f"/{subject.secret}") if "requested by" in line["message"]]
    assert len(lines) == 3
    assert all(f"requested by {ADA.name}, object {ADA.principal.principal_id}" in line for line in lines)
    assert [line.split(":")[0].split(" ")[0] for line in lines] == ["PATCH", "POST", "PATCH"]


def host_without_sign_in(cloud: LocalCloud, log: Path, **settings: str) -> FunctionsHost:
    """
    Return a host of the same app before which nobody has to sign in: it takes nothing from a request.
    """
    kept = {
        name: value for name, value in cloud.settings.items() if name not in {SETTINGS, KEY, "WEBSITE_AUTH_ENABLED"}
    }
    return FunctionsHost(app=cloud.app, environment=kept | settings, log=log)


async def test_a_forged_principal_is_never_believed_where_the_sign_in_is_off(machine: Machine, tmp_path: Path) -> None:
    """
    The setting says entra, and App Service does not vouch for anybody: every call is refused, whatever it carries.
    """
    async with (
        host_without_sign_in(machine.cloud, tmp_path / "off.log") as host,
        Browser(host) as browser,
    ):
        for method, path in CALLS:
            status, problem = await browser.ask(method, f"/api{path}", body={}, headers=forged() | MARK)
            assert (status, problem["code"]) == (503, "settings")
        _, health = await browser.ask("GET", "/api/health")
        assert "ROTATION_AUTHENTICATION" in health["checks"]["sign_in"]


async def status_of(host: FunctionsHost, request: str, *headers: tuple[str, str]) -> int:
    """
    Return the status of a request whose headers are sent as they stand here, the same name twice included.
    """
    address = yarl.URL(host.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    sent = [("Host", "localhost"), ("Connection", "close"), ("Content-Length", "2"), *headers]
    lines = [f"{request} HTTP/1.1", *(f"{name}: {value}" for name, value in sent), "", "{}"]
    writer.write("\r\n".join(lines).encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


SPELLINGS = ["X-MS-CLIENT-PRINCIPAL", "x-ms-client-principal", "X-mS-cLiEnT-pRiNcIpAl"]


async def test_a_second_principal_is_never_chosen_from(machine: Machine, tmp_path: Path) -> None:
    """
    Where a header would come through beside the platform's own, in whatever case, nobody is let in.
    """
    ((name, value),) = forged().items()
    log = tmp_path / "twice.log"
    async with host_without_sign_in(machine.cloud, log, WEBSITE_AUTH_ENABLED="True") as host:
        for second in SPELLINGS:
            assert await status_of(host, "GET /api/secrets", (second, value)) == 200
            assert await status_of(host, "GET /api/secrets", (name, value), (second, value)) == 401


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_what_a_caller_writes_is_taken_away_in_any_case_and_however_often(
    browser: Browser, entra: LocalCloud, spelling: str
) -> None:
    """
    A reader who adds the principal of an operator stays a reader.
    """
    await browser.sign_in(GRACE)
    ((name, value),) = forged().items()
    headers = [
        ("Cookie", f"AppServiceAuthSession={browser.cookie}"),
        ("X-Rotator", "1"),
        (spelling, value),
        (name, value),
    ]

    assert await status_of(entra.host, "POST /api/rotations", *headers) == 403
    assert await status_of(entra.host, "GET /api/secrets", *headers) == 200


async def test_with_keys_a_forged_principal_changes_nothing(client: Client) -> None:
    """
    It opens nothing without a key, is asked for no role, and stands in no record.
    """
    subject = await client.subject()
    without_key = {"x-functions-key": ""}

    refused, *_ = await client.ask("GET", "/secrets", headers=forged() | without_key)
    status, record, _ = await client.ask(
        "POST", "/rotations", body={"secret": subject.uri}, headers=forged("Rotations.Read")
    )

    assert refused == 401
    assert (status, record["state"], record["requestedBy"]) == (200, "Completed", None)


async def test_the_command_line_needs_no_function_key(machine: Machine) -> None:
    """
    It brings the token of who is signed in on the machine, and rotates as that person.
    """
    subject: Subject = await machine.subject()
    signed_in = machine.cloud.azure.operator_environment()
    runner = CliRunner(
        env={
            **signed_in,
            "KEY_ROTATOR_URL": machine.cloud.host.url,
            "KEY_ROTATOR_AUDIENCE": REGISTRATION,
            "KEY_ROTATOR_FUNCTION_KEY": None,
            "KEY_ROTATOR_APP": None,
            "KEY_ROTATOR_RESOURCE_GROUP": None,
        }
    )

    result = await asyncio.to_thread(runner.invoke, command_line, ["rotate", subject.uri, "--json"])

    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.stdout)["rotations"]
    assert record["requestedBy"]["name"] == ADA.name
    assert subject.holds("Secondary")
