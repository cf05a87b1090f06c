import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.live import __main__ as command
from tests.live import places
from tests.live.places import Subscription
from tools.azd.clis import AzureCli, HookError

ROOT = Path(__file__).parents[2]
OUTPUTS = {
    "groupId": "/subscriptions/s/resourceGroups/rg",
    "batchId": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/ba",
    "rotatedStorageId": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/sk",
    "vaultUri": "https://kv.vault.azure.net/",
    "tables": "https://st.table.core.windows.net/",
    "queues": "https://st.queue.core.windows.net/",
    "queueName": "rotations-told",
    "topicEndpoint": "https://evgt.westeurope-1.eventgrid.azure.net/api/events",
    "siteName": "logic",
    "siteId": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/logic",
}


class Azure(AzureCli):
    """
    Stands in for the Azure CLI, and writes down what it is asked.
    """

    def __init__(self, *, user: str = "user", fails: str = "") -> None:
        self.asked: list[tuple[str, ...]] = []
        self.given: dict[str, str] = {}
        self._user = user
        self._fails = fails
        self.cloud = "AzureCloud"
        self.problem = ""

    def ask(self, *arguments: str) -> Any:
        """
        Answer as az does.
        """
        self.asked.append(arguments)
        begins = " ".join(arguments[:3])
        if self._fails and begins.startswith(self._fails):
            raise HookError(f"az {begins} failed")
        if begins.startswith("account show"):
            user = {"type": self._user, "name": "somebody"}
            return {"name": "Contoso", "id": "s", "user": user, "environmentName": self.cloud}
        if begins.startswith("account get-access-token"):
            claims = base64.urlsafe_b64encode(json.dumps({"oid": "p"}).encode()).decode().rstrip("=")
            return {"accessToken": f"header.{claims}.signature"}
        if begins == "deployment group create":
            file = json.loads(Path(arguments[arguments.index("--parameters") + 1].removeprefix("@")).read_text())
            self.given = {name: parameter["value"] for name, parameter in file["parameters"].items()}
            return {"properties": {"outputs": {name: {"value": value} for name, value in OUTPUTS.items()}}}
        return None

    def problem_of(self, *arguments: str) -> str:
        """
        Return why a command fails.
        """
        return super().problem_of(*arguments) or (self.problem if arguments[0] == "group" else "")

    def commands(self) -> list[str]:
        """
        Return the commands that change something, in their order.
        """
        changing = {"group create", "deployment group", "group delete", "keyvault purge", "logicapp deployment"}
        return [" ".join(asked[:2]) for asked in self.asked if " ".join(asked[:2]) in changing]


@pytest.fixture(autouse=True)
def roles_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let the roles count at once.
    """
    monkeypatch.setattr(places, "wait_until_ready", lambda _: None)
    monkeypatch.setattr(places, "_ROLE_COUNTS_AFTER", 0)
    monkeypatch.setattr(places, "_REMOVAL_PAUSE", 0)


async def test_everything_lies_in_one_group_that_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A group of a name that nobody has, its vault's name given back at the end; nothing else is named.
    """
    azure = Azure()
    place = Subscription("westeurope", has_logic_app=False, azure=azure)

    async with place.open() as made:
        assert azure.commands() == ["group create", "deployment group"]
        assert (made.batch, made.storage) == (OUTPUTS["batchId"], OUTPUTS["rotatedStorageId"])
        assert made.workflows == []

    assert azure.commands() == ["group create", "deployment group", "group delete", "keyvault purge"]
    for asked in azure.asked:
        if asked[:2] in {("group", "create"), ("deployment", "group"), ("group", "delete")}:
            assert place.group in asked
        if asked[:2] != ("account", "show"):
            assert asked[asked.index("--subscription") + 1] == "s"
    assert place.group != Subscription("westeurope", has_logic_app=False, azure=azure).group


@pytest.mark.parametrize("fails", ["group create", "deployment group create", "logicapp"])
async def test_what_was_made_is_removed_however_it_ends(fails: str) -> None:
    """
    A half-made place costs as well; whether a group was made is not known when its making has failed.
    """
    azure = Azure(fails=fails)

    with pytest.raises(HookError, match=fails):
        async with Subscription("westeurope", has_logic_app=True, azure=azure).open():
            pass

    assert "group delete" in azure.commands()
    assert ("keyvault purge" in azure.commands()) is (fails != "group create")


async def test_what_was_made_is_removed_when_it_is_stopped() -> None:
    """
    Being cancelled ends the tests, and not the removal.
    """
    azure = Azure()
    opened = asyncio.Event()

    async def run() -> None:
        async with Subscription("westeurope", has_logic_app=False, azure=azure).open():
            opened.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    await asyncio.wait_for(opened.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert azure.commands()[-2:] == ["group delete", "keyvault purge"]


@pytest.mark.parametrize("fails", ["group delete", "keyvault purge"])
async def test_what_cannot_be_removed_is_named_with_the_command_that_does(fails: str) -> None:
    """
    After some tries, as an interrupted deployment is in the way for a while; the other step is done all the same.
    """
    azure = Azure(fails=fails)
    place = Subscription("westeurope", has_logic_app=False, azure=azure)

    with pytest.raises(HookError, match=f"NOT REMOVED: az {fails} --name .* --subscription s"):
        async with place.open():
            pass

    commands = azure.commands()
    assert commands.count(fails) > 3
    assert {"group delete", "keyvault purge"} <= set(commands)


async def test_what_is_not_there_need_not_be_removed() -> None:
    """
    Neither a group that was not made, nor a vault.
    """
    azure = Azure(fails="group create")
    azure.problem = "(ResourceGroupNotFound) Resource group could not be found."

    with pytest.raises(HookError, match="group create"):
        async with Subscription("westeurope", has_logic_app=False, azure=azure).open():
            pass

    assert azure.commands().count("group delete") == 1


def test_another_cloud_is_refused_before_anything_is_made() -> None:
    """
    The suite asks the public cloud's addresses.
    """
    azure = Azure()
    azure.cloud = "AzureUSGovernment"

    with pytest.raises(HookError, match="az cloud set --name AzureCloud"):
        Subscription("usgovvirginia", has_logic_app=False, azure=azure)

    assert not azure.commands()


async def test_a_logic_app_is_made_only_when_it_was_asked_for() -> None:
    """
    It costs; both its workflows are deployed.
    """
    azure = Azure()

    async with Subscription("westeurope", has_logic_app=True, azure=azure).open() as made:
        assert azure.given["logicApp"] == "true"

    assert [workflow.split("/")[-3] for workflow in made.workflows] == ["orders", "returns"]
    assert {path.parent.name for path in (ROOT / "tests/live/workflows").glob("*/workflow.json")} == {
        "orders",
        "returns",
    }


@pytest.mark.parametrize(("user", "kind"), [("user", "User"), ("servicePrincipal", "ServicePrincipal")])
async def test_the_account_that_is_signed_in_gets_the_roles(user: str, kind: str) -> None:
    """
    A person, or a pipeline.
    """
    azure = Azure(user=user)

    async with Subscription("westeurope", has_logic_app=False, azure=azure).open():
        assert (azure.given["principalId"], azure.given["principalType"]) == ("p", kind)


async def test_the_template_is_given_what_it_asks_for() -> None:
    """
    All but the region, which is its group's.
    """
    azure = Azure()
    declared = set(re.findall(r"^param (\w+)", (ROOT / "tests/live/live.bicep").read_text(), re.MULTILINE))

    async with Subscription("westeurope", has_logic_app=False, azure=azure).open():
        assert set(azure.given) == declared - {"location"}
    assert set(OUTPUTS) == set(re.findall(r"^output (\w+)", (ROOT / "tests/live/live.bicep").read_text(), re.MULTILINE))


@pytest.mark.parametrize("has_logic_app", [False, True])
def test_it_says_what_it_makes_where_and_what_that_costs(*, has_logic_app: bool) -> None:
    """
    Before it makes anything.
    """
    azure = Azure()
    place = Subscription("westeurope", has_logic_app=has_logic_app, azure=azure)

    question = place.question() or ""

    assert "Contoso" in question
    assert place.group in question
    assert "cents" in question
    assert ("billed by the hour" in question) is has_logic_app
    assert not azure.commands()


@pytest.mark.parametrize(("answer", "is_agreed"), [("y", True), ("Yes", True), ("", False), ("n", False)])
def test_nothing_is_made_before_somebody_agrees(
    monkeypatch: pytest.MonkeyPatch, answer: str, *, is_agreed: bool
) -> None:
    """
    An empty answer is a no.
    """
    place = Subscription("westeurope", has_logic_app=False, azure=Azure())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)

    assert command._is_agreed(place, sure=False) is is_agreed


def test_where_nobody_can_be_asked_the_option_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A pipeline says --yes.
    """
    place = Subscription("westeurope", has_logic_app=False, azure=Azure())
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    assert not command._is_agreed(place, sure=False)
    assert command._is_agreed(place, sure=True)
