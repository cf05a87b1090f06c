import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud.azure.certificates import CertificateAuthority
from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import Answer, problem
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import Secret


@pytest.fixture
def secret(app: SmallApp) -> Secret:
    """
    Return the one secret that the app manages.
    """
    app.secrets = [Secret("batch-key")]
    return app.secrets[0]


@pytest.mark.parametrize("tail", ["", "/", "/api", "/api/"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_url_may_end_with_api_or_not(app: SmallApp, run: Command, host: str, tail: str) -> None:
    """
    Http will do on this machine.
    """
    result = await run("status", "--url", f"http://{host}:{app.port}{tail}")

    assert result.exit_code == 0
    assert [one.path for one in app.requests] == ["/api/secrets", "/api/health"]


@pytest.mark.parametrize(
    ("url", "said", "remedy"),
    [
        ("", "there is no URL", "set KEY_ROTATOR_URL"),
        ("my-rotator.azurewebsites.net", "the URL cannot be read", "it must look like https://"),
        ("ftp://my-rotator.azurewebsites.net", "the URL cannot be read", "it must look like https://"),
        ("https://", "the URL cannot be read", "it must look like https://"),
        ("https://[my-rotator", "the URL cannot be read", "it must look like https://"),
        ("https://my-rotator:99999", "the URL cannot be read", "it must look like https://"),
        ("http://my-rotator.azurewebsites.net", "in the clear", "use https://my-rotator.azurewebsites.net"),
        ("http://localhost.example.com", "in the clear", "use https://localhost.example.com"),
        (f"https://h/api/rotations?code={SmallApp.function_key}", "more than the app's address", "give https://"),
        (f"https://h/#{SmallApp.function_key}", "more than the app's address", "give https://"),
        (f"https://x:{SmallApp.function_key}@h", "more than the app's address", "give https://"),
    ],
)
async def test_a_url_of_no_use_is_refused_with_its_remedy(run: Command, url: str, said: str, remedy: str) -> None:
    """
    Exit code 2, and what may be a key is not repeated.
    """
    result = await run("health", "--url", url, environment={"KEY_ROTATOR_URL": None})

    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert said in first
    assert remedy in second


async def test_away_from_this_machine_a_credential_is_needed(run: Command) -> None:
    """
    But for the health, which is anonymous.
    """
    without = {"KEY_ROTATOR_FUNCTION_KEY": None, "KEY_ROTATOR_URL": "https://nowhere.invalid"}

    result = await run("status", environment=without)
    assert result.exit_code == 2
    assert "there is no credential" in result.stderr
    assert "KEY_ROTATOR_FUNCTION_KEY" in result.stderr

    result = await run("health", environment=without)
    assert result.exit_code == 3
    assert "unreachable: no answer from nowhere.invalid: " in result.stderr


async def test_the_function_key_opens_the_app(app: SmallApp, run: Command) -> None:
    """
    From the environment, where a line break after it does not matter, or as an option.
    """
    key = app.function_key
    assert (await run("status", environment={"KEY_ROTATOR_FUNCTION_KEY": f"{key}\n"})).exit_code == 0
    assert (await run("status", "--function-key", key, environment={"KEY_ROTATOR_FUNCTION_KEY": "x"})).exit_code == 0


async def test_a_wrong_key_is_told_and_not_shown(run: Command) -> None:
    """
    Exit code 3, with the place to look.
    """
    result = await run("status", "--function-key", "not-the-key-but-secret")

    assert result.exit_code == 3
    assert "not_admitted: " in result.stderr
    assert "az functionapp keys list" in result.stderr
    assert "not-the-key-but-secret" not in result.output


async def test_a_key_that_cannot_be_one_is_not_repeated(app: SmallApp, run: Command) -> None:
    """
    The HTTP library would quote it in an error.
    """
    result = await run("status", "--function-key", f"{app.function_key}\r\nx-other: 1")

    assert result.exit_code == 2
    assert "characters that no key has" in result.stderr
    assert not app.requests


def signed_in(app: SmallApp) -> dict[str, str | None]:
    """
    Return the environment of a machine with a managed identity.
    """
    return {
        "KEY_ROTATOR_FUNCTION_KEY": None,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "IDENTITY_ENDPOINT": f"{app.url}/msi/token",
        "IDENTITY_HEADER": "header",
    }


async def test_an_entra_token_opens_the_app(app: SmallApp, run: Command) -> None:
    """
    It is asked for the audience that is given, once.
    """
    app.page_size, app.secrets = 1, [Secret("one"), Secret("two")]
    environment = signed_in(app) | {"KEY_ROTATOR_AUDIENCE": "api://key-rotator"}

    result = await run("status", environment=environment)

    assert result.exit_code == 0
    (asked,) = app.asked("GET", "/msi/token")
    assert asked.query["resource"] == "api://key-rotator"
    assert len(app.asked("GET", "/api/secrets")) == 2
    assert "x-functions-key" not in app.asked("GET", "/api/secrets")[0].headers


async def test_key_and_token_may_both_be_needed(app: SmallApp, run: Command) -> None:
    """
    Functions of level function behind a sign-in want both.
    """
    environment = signed_in(app) | {"KEY_ROTATOR_FUNCTION_KEY": app.function_key}

    assert (await run("status", "--audience", "api://key-rotator", environment=environment)).exit_code == 0

    (asked,) = app.asked("GET", "/api/secrets")
    assert asked.headers["Authorization"] == f"Bearer {app.token}"
    assert asked.headers["x-functions-key"] == app.function_key


async def test_without_a_sign_in_there_is_no_token(app: SmallApp, run: Command) -> None:
    """
    Exit code 3, one line of what went wrong and one of what to do; the app is not asked.
    """
    environment = signed_in(app) | {"IDENTITY_ENDPOINT": None, "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}

    result = await run("status", "--audience", "api://key-rotator", environment=environment)

    assert result.exit_code == 3
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: not_admitted: there is no token for api://key-rotator: ")
    assert "`az login`" in second
    assert not app.requests


@pytest.fixture
async def tls_app(ca: CertificateAuthority) -> AsyncIterator[SmallApp]:
    """
    Yield an app whose certificate is of a CA that nobody knows by default.
    """
    async with SmallApp(ca.server_context) as running:
        yield running


async def test_ssl_cert_file_says_whom_to_trust(tls_app: SmallApp, ca: CertificateAuthority) -> None:
    """
    As everywhere else.
    """
    result = await Command(tls_app)("status", environment={"SSL_CERT_FILE": str(ca.bundle)})

    assert result.exit_code == 0


async def test_an_unknown_certificate_is_refused_with_its_remedy(tls_app: SmallApp) -> None:
    """
    The key is not sent.
    """
    result = await Command(tls_app)("status", environment={"SSL_CERT_FILE": None})

    assert result.exit_code == 3
    assert "CERTIFICATE_VERIFY_FAILED" in result.stderr
    assert "let SSL_CERT_FILE name the certificates to trust" in result.stderr
    assert not tls_app.requests


async def test_certificates_that_cannot_be_read_are_an_error(run: Command, tmp_path: Path) -> None:
    """
    Exit code 2: the environment is wrong.
    """
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        result = await run("status", environment={"SSL_CERT_FILE": str(path)})

        assert result.exit_code == 2
        assert f"SSL_CERT_FILE names {path}, which cannot be read" in result.stderr


async def test_an_app_on_this_machine_is_not_asked_through_a_proxy(app: SmallApp, run: Command) -> None:
    """
    A proxy would see the key, which goes over http here.
    """
    async with SmallApp() as proxy:
        result = await run("status", environment={"HTTP_PROXY": proxy.url, "ALL_PROXY": proxy.url})

        assert result.exit_code == 0
        assert not proxy.requests
        assert {one.path for one in app.requests} == {"/api/secrets", "/api/health"}


async def test_a_proxy_that_cannot_be_used_is_an_error_without_its_password(run: Command) -> None:
    """
    Exit code 2.
    """
    result = await run("status", environment={"HTTPS_PROXY": "odd://me:proxy-password@host"})

    assert result.exit_code == 2
    assert "the proxy that the environment names cannot be used" in result.stderr
    assert "proxy-password" not in result.output


async def test_nobody_there_is_told_at_once(run: Command) -> None:
    """
    One clear line, without asking again.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = await run("status", "--url", f"http://127.0.0.1:{port}")

    assert result.exit_code == 3
    assert result.stderr.splitlines()[0] == f"Error: unreachable: no answer from 127.0.0.1:{port}: Connection refused"
    assert len(result.stderr.splitlines()) == 2


async def test_an_app_that_cannot_answer_just_now_is_asked_again(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    After the time it asks for, and the request is the same one to the app.
    """
    app.answers.extend(
        [
            problem(503, "unavailable", "Key Vault throttles", rotationId="x"),
            Answer(429),
            Answer(502, "<html>Bad Gateway</html>"),
        ]
    )
    for answer in app.answers:
        answer.headers["Retry-After"] = "0"

    result = await run("rotate", secret.id)

    assert result.exit_code == 0
    assert result.stderr.splitlines()[:3] == [
        f"no answer yet ({status}); asking again in 0 s" for status in (503, 429, 502)
    ]
    asked = app.asked("POST")
    assert len(asked) == 4
    assert len({one.headers["Idempotency-Key"] for one in asked}) == 1
    assert len(app.rotations) == 1


async def test_an_answer_that_is_lost_never_rotates_twice(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    A dropped connection is followed by the same request under the same Idempotency-Key.
    """
    app.answers.append(Answer(None))

    result = await run("rotate", secret.id)

    assert result.exit_code == 0
    assert "asking again in 0.5 s" in result.stderr
    first, second = app.asked("POST")
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


async def test_patience_with_an_app_that_cannot_answer_ends(app: SmallApp, secret: Secret, run: Command) -> None:
    """
    Exit code 3 with the app's own words.
    """
    app.answers.extend(problem(503, "unavailable", "Key Vault throttles") for _ in range(4))
    for answer in app.answers:
        answer.headers["Retry-After"] = "0"

    result = await run("rotate", secret.id)

    assert result.exit_code == 3
    assert len(app.requests) == 4
    assert "Error: kv-prod/batch-key: unavailable: Key Vault throttles" in result.stderr


@pytest.mark.parametrize(
    ("code", "wait"), [("unavailable", "3600"), ("settings", "0")], ids=["asks for an hour", "will not help"]
)
async def test_what_waiting_does_not_help_is_told_at_once(app: SmallApp, run: Command, code: str, wait: str) -> None:
    """
    A long wait is the person's to decide on; a wrong setting stays wrong.
    """
    answer = problem(503, code, "details")
    answer.headers["Retry-After"] = wait
    app.answers.append(answer)

    result = await run("status")

    assert result.exit_code == 3
    assert len(app.requests) == 1
    assert f"{code}: details" in result.stderr


@pytest.mark.parametrize(
    ("answer", "said", "remedy"),
    [
        (Answer(404, ""), "there is no key rotator at http://localhost:", "check --url"),
        (Answer(403, "<html>Forbidden</html>"), "lets nobody in from here", "access restrictions"),
        (Answer(302, "", {"Location": "https://login.example.com"}), "sends elsewhere (302)", "KEY_ROTATOR_AUDIENCE"),
        (Answer(500, ""), "answers 500 Internal Server Error", "check --url"),
        (Answer(200, "<html>Sign in</html>"), "answers 200 without JSON", "check --url"),
        (Answer(200, {"secrets": 7}), "not what this command understands: Expected `array`", None),
        (Answer(200, [1]), "not what this command understands: list instead of an object", None),
    ],
)
async def test_an_answer_that_is_not_the_apps_is_told_as_such(
    app: SmallApp, run: Command, answer: Answer, said: str, remedy: str | None
) -> None:
    """
    In one line and without a traceback; a redirect is not followed.
    """
    app.answers.append(answer)

    result = await run("status")

    assert result.exit_code == 3
    first, *others = result.stderr.splitlines()
    assert said in first
    assert (remedy in others[0]) if remedy else not others
    assert len(app.requests) == 1
