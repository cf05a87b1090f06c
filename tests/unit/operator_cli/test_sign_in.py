import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.credentials import Auth, Given
from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import Answer, problem
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import Secret
from tests.unit.operator_cli.test_connection import signed_in

CLIENT_ID = "5f0c1f6c-1d7a-4c7e-9b0e-6b1f4f0a7d11"


class Az:
    """
    An `az` that notes what it is asked, and answers as arranged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        self._asked = folder / "asked"
        self._program = folder / "az"

    def answers(self, stdout: str = "", stderr: str = "", code: int = 0) -> None:
        """
        Let it answer so from now on.
        """
        self._program.write_text(
            f"#!{sys.executable}\nimport json, sys\nopen({str(self._asked)!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
            f"sys.stdout.write({stdout!r})\nsys.stderr.write({stderr!r})\nsys.exit({code})\n"
        )
        self._program.chmod(0o755)

    @property
    def asked(self) -> list[str] | None:
        """
        The arguments of the last call, None where there was none.
        """
        return json.loads(self._asked.read_text()) if self._asked.exists() else None


@pytest.fixture
def az(tmp_path: Path) -> Az:
    """
    Return an `az` of which nothing is arranged yet, so that it is not there.
    """
    return Az(tmp_path)


def with_az(az: Az) -> dict[str, str | None]:
    """
    Return the environment of somebody who names the app and has no key.
    """
    names: dict[str, str | None] = {"KEY_ROTATOR_APP": "my-rotator", "KEY_ROTATOR_RESOURCE_GROUP": "my-group"}
    return {**names, "KEY_ROTATOR_FUNCTION_KEY": None, "KEY_ROTATOR_AUTH": "key", "PATH": az.path}


async def test_az_looks_the_function_key_up(app: SmallApp, run: Command, az: Az) -> None:
    """
    With the rights of the person that is signed in to it, by the names of app and resource group.
    """
    az.answers(f"{app.function_key}\n")

    result = await run("status", environment=with_az(az))

    assert result.exit_code == 0
    assert az.asked is not None
    assert az.asked[:3] == ["functionapp", "keys", "list"]
    assert az.asked[3:7] == ["--name", "my-rotator", "--resource-group", "my-group"]
    assert app.asked("GET", "/api/secrets")[0].headers["x-functions-key"] == app.function_key


async def test_a_key_that_is_given_is_not_looked_up(run: Command, az: Az) -> None:
    """
    It takes a second or two, and rights that not everybody has.
    """
    az.answers(code=1)

    result = await run("status", environment={**with_az(az), "KEY_ROTATOR_FUNCTION_KEY": run.app.function_key})

    assert (result.exit_code, az.asked) == (0, None)


@pytest.mark.parametrize(
    ("stdout", "stderr", "code", "exit_code", "said", "remedy"),
    [
        ("", "WARNING: x\nERROR: Please run 'az login'.\n", 1, 3, "az found no function key: Please run", "`az login`"),
        ("", "", 1, 3, "az found no function key: no reason given", "`az login`"),
        ("\n", "", 0, 3, "my-rotator has no function key called default", "KEY_ROTATOR_FUNCTION_KEY"),
        ("a key\r\nof two lines", "", 0, 2, "characters that no key has", "az functionapp keys list"),
    ],
)
async def test_az_that_finds_no_key_is_told_with_its_reason(
    app: SmallApp, run: Command, az: Az, stdout: str, stderr: str, code: int, exit_code: int, said: str, remedy: str
) -> None:
    """
    In one line, and the app is not asked.
    """
    az.answers(stdout, stderr, code)

    result = await run("status", environment=with_az(az))

    assert result.exit_code == exit_code
    first, second = result.stderr.splitlines()
    assert said in first
    assert remedy in second
    assert not app.requests


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PATH": "/nowhere"}, "the Azure CLI, which would look the function key up, is not installed"),
        ({"KEY_ROTATOR_RESOURCE_GROUP": None}, "az finds the function key by the app's name and its resource group"),
        ({"KEY_ROTATOR_APP": None}, "az finds the function key by the app's name and its resource group"),
        ({"KEY_ROTATOR_APP": None, "KEY_ROTATOR_RESOURCE_GROUP": None}, "there is no credential"),
        ({"KEY_ROTATOR_AUTH": "entra"}, "--auth entra needs the audience of the app's sign-in"),
    ],
)
async def test_what_is_missing_for_a_sign_in_is_named(
    app: SmallApp, run: Command, az: Az, environment: dict[str, str | None], said: str
) -> None:
    """
    Exit code 2, before anything is asked.
    """
    result = await run("status", environment=with_az(az) | environment)

    assert result.exit_code == 2
    assert said in result.stderr
    assert not app.requests


async def test_an_app_on_this_machine_needs_no_look_up(app: SmallApp, run: Command, az: Az) -> None:
    """
    The names may be those of the app in Azure, which a shell has set.
    """
    az.answers(code=1)

    result = await run("status", environment=with_az(az) | {"KEY_ROTATOR_AUTH": None})

    assert az.asked is None
    assert "does not accept the credential (401)" in result.stderr


@pytest.mark.parametrize("written", [f"api://{CLIENT_ID}", CLIENT_ID, f"api://{CLIENT_ID}/.default"])
async def test_entra_alone_sends_a_token_and_no_key(app: SmallApp, run: Command, written: str) -> None:
    """
    For the audience of the app registration, which may be given by its client id.
    """
    environment = signed_in(app) | {"KEY_ROTATOR_FUNCTION_KEY": "not-to-be-sent", "KEY_ROTATOR_AUDIENCE": written}

    result = await run("status", "--auth", "entra", environment=environment)

    assert result.exit_code == 0
    assert app.asked("GET", "/msi/token")[0].query["resource"] == f"api://{CLIENT_ID}"
    (asked,) = app.asked("GET", "/api/secrets")
    assert asked.headers["Authorization"] == f"Bearer {app.token}"
    assert "x-functions-key" not in asked.headers


async def test_by_key_alone_no_token_is_asked_for(app: SmallApp, run: Command) -> None:
    """
    Whatever the environment says of an audience.
    """
    environment = signed_in(app) | {"KEY_ROTATOR_FUNCTION_KEY": app.function_key, "KEY_ROTATOR_AUDIENCE": CLIENT_ID}

    result = await run("status", "--auth", "key", environment=environment)

    assert result.exit_code == 0
    assert not app.asked("GET", "/msi/token")


async def test_every_changing_call_says_that_no_page_sends_it(app: SmallApp, run: Command) -> None:
    """
    And carries nothing of the kind where it only reads.
    """
    app.secrets = [Secret("batch-key")]

    assert (await run("rotate", "batch-key")).exit_code == 0
    assert (await run("verify", "batch-key")).exit_code == 0

    assert {one.headers.get("X-Rotator") for one in app.requests if one.method != "GET"} == {"1"}
    assert {one.headers.get("X-Rotator") for one in app.requests if one.method == "GET"} == {None}


@pytest.mark.parametrize("answer", [Answer(401), problem(401, "unauthenticated", "there is no principal")])
async def test_a_token_that_is_not_accepted_is_told_with_what_to_check(
    app: SmallApp, run: Command, answer: Answer
) -> None:
    """
    Exit code 3, whether App Service or the app says no: the remedy is about tokens, not keys.
    """
    token = {"access_token": app.token, "expires_on": "4102444800", "resource": "x", "token_type": "Bearer"}
    app.answers += [Answer(200, token), answer]

    result = await run("status", "--audience", CLIENT_ID, environment=signed_in(app))

    assert result.exit_code == 3
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: not_admitted: http://localhost:")
    assert (": there is no principal" in first) is bool(answer.body)
    assert "KEY_ROTATOR_AUDIENCE" in second


async def test_a_role_that_is_missing_is_told_in_the_words_of_the_app(app: SmallApp, run: Command) -> None:
    """
    Exit code 1, as for everything that the app refuses.
    """
    app.answers.append(problem(403, "forbidden", "this call needs the app role Rotations.Operate"))

    result = await run("status")

    assert result.exit_code == 1
    assert "forbidden: this call needs the app role Rotations.Operate" in result.stderr
    assert "assigned to you in Microsoft Entra" in result.stderr


def test_no_credential_is_shown_by_what_holds_it() -> None:
    """
    Also not in an error of a test or a debugger.
    """
    assert "the-key" not in repr(Given(Auth.AUTO, "the-key", None, None, None))


def test_help_waits_for_no_sdk() -> None:
    """
    Signing in to Entra takes half a second to import, and few commands need it.
    """
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rotator", "--help"], check=True, capture_output=True, text=True
    )

    imported = set(re.findall(r"^import time:.*\| +(\S+)$", process.stderr, re.MULTILINE))
    assert "typer" in imported
    assert not {name for name in imported if name.partition(".")[0] in {"azure", "aiohttp", "msal", "requests"}}
