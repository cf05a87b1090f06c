import json
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.app import triggered_by
from tests.unit.infra.deployment import deployment
from tools.azd.clis import Azd, AzureCli, HookError
from tools.azd.postdeploy import postdeploy
from tools.azd.prepackage import prepackage
from tools.azd.preprovision import preprovision

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
ONE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-one/providers/Microsoft.KeyVault/vaults/kv-one"
TWO = f"/subscriptions/{OTHER}/resourceGroups/rg-two/providers/Microsoft.KeyVault/vaults/kv-two"
TOPIC = f"/subscriptions/{OTHER}/resourceGroups/rg-events/providers/Microsoft.EventGrid/systemTopics/theirs"
MASTER_KEY = "master-key-of-the-host"


class Azure(AzureCli):
    """
    Stands in for the Azure CLI: answers by what a command begins with, and writes down what it is asked.
    """

    def __init__(self, answers: dict[str, Any] | None = None, *, absent: int = 0) -> None:
        self.answers = {"functionapp keys list": {"masterKey": MASTER_KEY}, **(answers or {})}
        self.absent = absent
        self.problem = "(NotFound) The function is not there."
        self.asked: list[tuple[str, ...]] = []
        self.parameters: dict[str, str] = {}

    def ask(self, *arguments: str) -> Any:
        """
        Return the answer to a command; nothing where there is none to give.
        """
        self.asked.append(arguments)
        if arguments[0] == "deployment":
            file = json.loads(Path(arguments[-1].removeprefix("@")).read_text())
            self.parameters = {name: parameter["value"] for name, parameter in file["parameters"].items()}
        answer = self.answers.get(" ".join(arguments[:3]), self.answers.get(" ".join(arguments[:2])))
        if isinstance(answer, Exception):
            raise answer
        return answer(arguments) if callable(answer) else answer

    def problem_of(self, *arguments: str) -> str:
        """
        Return why the function is not there, which it is after a number of questions.
        """
        self.asked.append(arguments)
        return "" if len(self.asked) > self.absent else self.problem

    def deployments(self) -> list[tuple[str, ...]]:
        """
        Return the commands that deploy something.
        """
        return [arguments for arguments in self.asked if arguments[0] == "deployment"]


def topics(arguments: tuple[str, ...]) -> list[dict[str, Any]]:
    """
    Return the system topics of a subscription: in the other one, of one vault, as Azure spells its id.
    """
    theirs = {"id": TOPIC, "source": TWO.lower(), "identity": {"type": "SystemAssigned", "principalId": "1"}}
    return [theirs] if OTHER in arguments else [{"id": "/x", "source": f"{ONE}-other", "identity": None}]


class App:
    """
    The host of the app, at an address of its own.
    """

    def __init__(self, status: int) -> None:
        self.requests: list[tuple[str, str | None, bytes]] = []
        self.drops = False
        requests, app = self.requests, self

        class Handler(BaseHTTPRequestHandler):
            """
            Answers everything with one status.
            """

            def do_POST(self) -> None:
                """
                Write the request down.
                """
                body = self.rfile.read(int(self.headers["content-length"]))
                requests.append((self.path, self.headers["x-functions-key"], body))
                if app.drops:
                    return
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """
                Print nothing.
                """

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # It looks that often whether it is to stop, twice a second if nothing is said.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """
        Stop it.
        """
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(params=[202])
def app(request: pytest.FixtureRequest) -> Iterator[App]:
    """
    Yield a host that answers with the status of the test.
    """
    host = App(request.param)
    yield host
    host.close()


def environment(app: App, **more: str) -> dict[str, str]:
    """
    Return what azd gives a hook: its own variables, and the outputs of main.bicep.
    """
    outputs = re.findall(r"^output (\w+)", (INFRA / "main.bicep").read_text(), re.MULTILINE)
    return {
        **{name: f"<{name}>" for name in outputs},
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_ENV_NAME": "prod",
        "AZURE_KEY_VAULT_IDS": f"{ONE}, {TWO}",
        "AZURE_FUNCTION_APP_URL": app.url,
        **more,
    }


def test_the_template_is_given_what_it_asks_for(app: App) -> None:
    """
    Outputs of main.bicep arrive as the parameters of eventing.bicep: all of them, and no other.
    """
    azure = Azure({"eventgrid system-topic list": topics})

    postdeploy(environment(app), azure)

    declared = re.findall(r"^param (\w+)", (INFRA / "eventing.bicep").read_text(), re.MULTILINE)
    assert sorted(azure.parameters) == sorted(declared)
    assert azure.parameters["functionAppId"] == "<EVENTING_FUNCTION_APP_ID>"
    assert azure.parameters["vaultIds"] == f"{ONE},{TWO}"
    (deployment,) = azure.deployments()
    assert deployment[:3] == ("deployment", "sub", "create")
    assert Path(deployment[deployment.index("--template-file") + 1]) == INFRA / "eventing.bicep"


def test_a_system_topic_that_is_there_is_adopted(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Whatever the case of its source, in the subscription of its vault; a second one would be refused.
    """
    azure = Azure({"eventgrid system-topic list": topics})

    postdeploy(environment(app), azure)

    assert azure.parameters["existingTopics"] == f"{TWO}={TOPIC}"
    assert "no system-assigned identity" not in capsys.readouterr().out


def test_a_topic_that_cannot_keep_what_it_does_not_deliver_is_named(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It is not ours to change: its owner is told what is missing.
    """
    azure = Azure({"eventgrid system-topic list": [{"id": TOPIC, "source": TWO, "identity": None}]})

    postdeploy(environment(app), azure)

    said = capsys.readouterr().out
    assert "no system-assigned identity" in said
    assert TOPIC in said
    assert azure.deployments()


def test_nothing_is_subscribed_before_the_function_is_there(app: App) -> None:
    """
    Event Grid refuses a subscription to a function that does not exist.
    """
    azure = Azure({"eventgrid system-topic list": topics}, absent=3)
    pauses: list[float] = []

    postdeploy(environment(app), azure, sleep=pauses.append)

    (function,) = triggered_by("eventGridTrigger")
    questions = azure.asked[:4]
    assert len(pauses) == 3
    assert all(question[-2:] == ("--function-name", function) for question in questions)
    assert azure.deployments()


def test_a_function_that_never_shows_up_is_told_of(app: App) -> None:
    """
    The deployment fails with the way out, nothing is subscribed, and there is no pause after the last try.
    """
    azure = Azure(absent=99)
    pauses: list[float] = []

    with pytest.raises(HookError, match=r"azd hooks run postdeploy.* The last answer was: \(NotFound\)"):
        postdeploy(environment(app), azure, sleep=pauses.append, tries=3)

    assert len(pauses) == 2
    assert not azure.deployments()


def test_who_is_not_signed_in_waits_for_nothing(app: App) -> None:
    """
    The message of az says what to do, and no pause would change it.
    """
    azure = Azure(absent=99)
    azure.problem = "az functionapp function show failed: ERROR: Please run 'az login' to setup account."

    with pytest.raises(HookError, match="az login"):
        postdeploy(environment(app), azure, sleep=lambda _: pytest.fail("it waited"))


@pytest.mark.parametrize("chosen", ["kv-one", f"{ONE}/secrets/x", f"{ONE};{TWO}"])
def test_what_is_no_vault_is_named(app: App, chosen: str) -> None:
    """
    With what an id looks like, before anything is waited for.
    """
    azure = Azure()

    with pytest.raises(HookError, match="EVENTING_VAULT_IDS holds what is no id of a vault: "):
        postdeploy(environment(app, EVENTING_VAULT_IDS=chosen), azure)

    assert not azure.asked


def test_a_vault_in_two_spellings_is_one(app: App) -> None:
    """
    Azure compares ids in any case; the first spelling counts.
    """
    azure = Azure({"eventgrid system-topic list": []})

    postdeploy(environment(app, EVENTING_VAULT_IDS=f"{ONE},{ONE.upper()},{TWO},{ONE}"), azure)

    assert azure.parameters["vaultIds"] == f"{ONE},{TWO}"


def test_another_environment_on_the_same_vault_is_told_of(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Two ledgers do not know of each other: their scopes must not overlap. The own subscription is no other.
    """
    own = {"name": "azure-key-rotator-own", "destination": {"resourceId": "<EVENTING_FUNCTION_APP_ID>/functions/x"}}
    other = {"name": "azure-key-rotator-other", "destination": {"resourceId": "/subscriptions/y/functions/x"}}
    somebody = {"name": "somebody", "destination": {"endpointUrl": "https://x"}}
    azure = Azure({"eventgrid system-topic list": topics, "eventgrid system-topic event-subscription": [own, somebody]})

    postdeploy(environment(app), azure)
    assert "Another environment" not in capsys.readouterr().out

    azure.answers["eventgrid system-topic event-subscription"] = [own, somebody, other]
    postdeploy(environment(app), azure)
    said = capsys.readouterr().out
    assert f"Another environment rotates secrets of {TWO} as well (azure-key-rotator-other)" in said


def test_a_role_that_does_not_count_yet_is_thought_of(app: App) -> None:
    """
    A refused deployment says what Azure said, and that running it again may be enough.
    """
    azure = Azure({"eventgrid system-topic list": [], "deployment sub create": HookError("az said no")})

    with pytest.raises(HookError, match=r"az said no\n.*azd hooks run postdeploy"):
        postdeploy(environment(app), azure)


def test_vaults_whose_events_come_another_way_are_left_out(app: App) -> None:
    """
    EVENTING_VAULT_IDS takes the place of all vaults.
    """
    azure = Azure({"eventgrid system-topic list": []})

    postdeploy(environment(app, EVENTING_VAULT_IDS=ONE), azure)

    assert azure.parameters["vaultIds"] == ONE


def test_no_vault_needs_to_be_subscribed_to(app: App) -> None:
    """
    `none` leaves all events to those who have set them up by hand; the sweep runs all the same.
    """
    azure = Azure()

    postdeploy(environment(app, EVENTING_VAULT_IDS="none"), azure)

    assert not azure.deployments()
    assert len(app.requests) == 1


def test_the_first_sweep_is_started(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """
    As the portal starts a timer by hand; the master key goes to the app and is not printed.
    """
    postdeploy(environment(app, EVENTING_VAULT_IDS="none"), Azure())

    assert app.requests == [("/admin/functions/sweep_vaults", MASTER_KEY, b'{"input": ""}')]
    said = capsys.readouterr().out
    assert "A sweep was asked for" in said
    assert MASTER_KEY not in said


@pytest.mark.parametrize("app", [401, 403, 404, 500], indirect=True)
def test_a_sweep_that_cannot_be_started_fails_nothing(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The schedule starts it later.
    """
    postdeploy(environment(app, EVENTING_VAULT_IDS="none"), Azure())

    said = capsys.readouterr().out
    assert "The first sweep runs at its schedule" in said
    assert MASTER_KEY not in said


def test_a_connection_that_drops_fails_nothing(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The app may restart just after it was deployed.
    """
    app.drops = True

    postdeploy(environment(app, EVENTING_VAULT_IDS="None"), Azure())

    assert "The first sweep runs at its schedule" in capsys.readouterr().out


@pytest.mark.parametrize("variable", ["ROTATION_PRIVATE_NETWORKING=true", "ROTATION_ENTRA_CLIENT_ID=5"])
def test_what_cannot_be_reached_is_not_asked(app: App, variable: str) -> None:
    """
    With private networking the app lets in few, and with tokens the master key alone is not enough: no key is fetched.
    """
    azure = Azure()
    name, _, value = variable.partition("=")

    postdeploy(environment(app, EVENTING_VAULT_IDS="none", **{name: value}), azure)

    assert not app.requests
    assert not [asked for asked in azure.asked if "keys" in asked]


FREE = {"group exists": False}
OWN = "an-id-of-its-own"


class Kept(Azd):
    """
    Stands in for azd: keeps what it is told.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[str, str, str]] = []

    def set(self, environment: str, name: str, value: str) -> None:
        """
        Keep it.
        """
        self.kept.append((environment, name, value))


def provisioned(**more: str) -> dict[str, str]:
    """
    Return what azd gives a hook before it provisions.
    """
    return {"AZURE_ENV_NAME": "prod", "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION, "ROTATION_ENVIRONMENT_ID": OWN, **more}


def test_a_free_name_is_taken() -> None:
    """
    It is made of the environment's, or was chosen; the template makes the same.
    """
    by_default, chosen = Azure(FREE), Azure(FREE)

    preprovision(provisioned(), by_default, Kept())
    preprovision(provisioned(ROTATION_RESOURCE_GROUP="rg-keys"), chosen, Kept())

    made = deployment("public").one("Microsoft.Resources/resourceGroups")["name"]
    assert [asked[-1] for asked in by_default.asked] == [made] == ["rg-rotator-prod"]
    assert [asked[-1] for asked in chosen.asked] == ["rg-keys"]


@pytest.mark.parametrize(
    "tags", [None, {}, {"azd-env-name": "prod"}, {"azd-env-name": "prod", "azure-key-rotator": "another-id"}]
)
def test_a_group_that_exists_is_never_claimed(tags: dict[str, str] | None) -> None:
    """
    `azd down` would delete it, with all that is in it: also another template's, or a colleague's, of the same name.
    """
    azure = Azure({"group exists": True, "group show": {"tags": tags}})

    with pytest.raises(HookError, match=r"rg-rotator-prod is there already.*ROTATION_RESOURCE_GROUP"):
        preprovision(provisioned(), azure, Kept())


def test_a_group_of_the_same_environment_is_provisioned_again() -> None:
    """
    It was made by an earlier `azd up`, whether that went well or not: the template puts the id on it.
    """
    tags = deployment("public").one("Microsoft.Resources/resourceGroups")["tags"]

    preprovision(provisioned(), Azure({"group exists": True, "group show": {"tags": tags}}), Kept())


def test_an_environment_gets_a_word_of_its_own_once() -> None:
    """
    Azd keeps it, for that environment.
    """
    azd = Kept()
    first = provisioned()
    del first["ROTATION_ENVIRONMENT_ID"]

    preprovision(first, Azure(FREE), azd)
    preprovision(provisioned(), Azure(FREE), azd)

    ((environment, name, value),) = azd.kept
    assert (environment, name) == ("prod", "ROTATION_ENVIRONMENT_ID")
    assert str(uuid.UUID(value)) == value


def test_an_environment_does_not_move() -> None:
    """
    Names of what is in its group are taken, and two apps would rotate the same secrets.
    """
    with pytest.raises(HookError, match=r"lies in the resource group rg-old.*azd env new"):
        preprovision(provisioned(AZURE_RESOURCE_GROUP="rg-old"), Azure(FREE), Kept())

    preprovision(provisioned(AZURE_RESOURCE_GROUP="RG-Rotator-Prod"), Azure(FREE), Kept())


def test_without_a_subscription_nobody_knows_what_exists() -> None:
    """
    The message says how to choose one.
    """
    with pytest.raises(HookError, match="azd env set AZURE_SUBSCRIPTION_ID"):
        preprovision(provisioned(AZURE_SUBSCRIPTION_ID=""), Azure(FREE), Kept())


@pytest.mark.parametrize("value", ["thirty", "30d", "-1", "3.5", "٣٠"])
def test_a_number_that_is_none_is_refused(value: str) -> None:
    """
    Azd would take the default instead, without a word.
    """
    with pytest.raises(HookError, match=r"ROTATION_LEAD_DAYS is '.*azd env set ROTATION_LEAD_DAYS 30"):
        preprovision(provisioned(ROTATION_LEAD_DAYS=value), Azure(FREE), Kept())


def test_a_number_that_is_none_is_answered_with_one_that_makes_sense() -> None:
    """
    With the default of that very variable, which is that of the template.
    """
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"].values()
    defaults = dict(re.findall(r"\$\{(ROTATION_\w+)=(\d+)\}", json.dumps(list(given))))

    assert "ROTATION_GRACE_HOURS" in defaults
    for name, usual in defaults.items():
        with pytest.raises(HookError, match=rf"{name} is '1\.5'.*such as {usual}: azd env set {name} {usual}$"):
            preprovision(provisioned(**{name: "1.5"}), Azure(FREE), Kept())


def test_numbers_are_checked_that_the_template_has() -> None:
    """
    Every parameter that is a number, by the variable that fills it in.
    """
    numbers = re.findall(r"^param (\w+) int", (INFRA / "main.bicep").read_text(), re.MULTILINE)
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]

    assert numbers
    for number in numbers:
        (variable,) = re.findall(r"\$\{(\w+)=", given[number]["value"])
        with pytest.raises(HookError, match=variable):
            preprovision(provisioned(**{variable: "many"}), Azure(FREE), Kept())


def test_az_is_run_and_its_json_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What fails says what az said.
    """
    az = tmp_path / "az"
    az.write_text("""#!/bin/sh
[ "$1" = broken ] && { echo 'ERROR: who are you?' >&2; exit 1; }
printf '["%s"]' "$*"
""")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")

    assert AzureCli().ask("group", "show") == ["group show --output json --only-show-errors"]
    assert not AzureCli().problem_of("group", "show")
    assert AzureCli().problem_of("broken") == "az broken failed: ERROR: who are you?"
    with pytest.raises(HookError, match=r"az broken failed: ERROR: who are you\?"):
        AzureCli().ask("broken")


def test_azd_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    For the environment that is named; what fails says what azd said.
    """
    azd = tmp_path / "azd"
    azd.write_text("""#!/bin/sh
printf '%s' "$*" >"$(dirname "$0")/asked"
[ "$3" = BROKEN ] && { echo 'no such environment' >&2; exit 1; }
exit 0
""")
    azd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")

    Azd().set("prod", "NAME", "value")
    assert (tmp_path / "asked").read_text() == "env set NAME value --environment prod"
    with pytest.raises(HookError, match="azd env set BROKEN failed: no such environment"):
        Azd().set("prod", "BROKEN", "value")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(HookError, match="azd"):
        Azd().set("prod", "NAME", "value")


def test_a_missing_az_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With what to do.
    """
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(HookError, match=r"Azure CLI .* install it"):
        AzureCli().ask("group", "show")


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_the_package_is_built_on_every_system(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    By make, or by what make does where there is none; a command that fails ends the deployment.
    """
    run: list[list[str]] = []

    def succeed(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        run.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", succeed)
    prepackage(system)
    assert (run[-1] == ["make", "package"]) if system == "posix" else (run[-1][1:] == ["-m", "tools.package"])

    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(HookError, match="could not be built"):
        prepackage(system)


@pytest.mark.parametrize("hook", ["preprovision", "prepackage", "postdeploy"])
def test_azd_runs_the_hooks_that_there_are(hook: str) -> None:
    """
    On Windows as well; the command line refuses what is none.
    """
    written = (ROOT / "azure.yaml").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "tools.azd", "none"], cwd=ROOT, check=False, capture_output=True, text=True
    )

    assert f"run: python3 -m tools.azd {hook}\n" in written
    assert f"run: python -m tools.azd {hook}\n" in written
    assert done.returncode == 1
    assert hook in done.stderr


def test_hooks_need_nothing_but_python() -> None:
    """
    Azd runs them with the Python that it finds, in which nothing is installed.
    """
    program = "import sys; sys.modules.update(dict.fromkeys(['uv', 'azure', 'msgspec'])); import tools.azd.__main__"
    done = subprocess.run([sys.executable, "-S", "-c", program], cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603 - it stands above

    assert done.returncode == 0, done.stderr
