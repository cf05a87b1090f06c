import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.live import __main__ as command
from tests.live import places
from tests.live.places import Subscription
from tools.azd.azure_cli import AzureCli
from tools.azd.errors import HookError

ROOT = Path(__file__).parents[2]
OUTPUTS = {
    "groupId": "/subscriptions/s/resourceGroups/rg",
    "batchId": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/ba",
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
        self._exists = False

    def ask(self, *arguments: str) -> Any:
        """
        Answer as az does.
        """
        self.asked.append(arguments)
        begins = " ".join(arguments[:3])
        if self._fails and begins.startswith(self._fails):
            raise HookError(f"az {begins} failed")
        self._exists |= begins.startswith("group create")
        if begins.startswith("account show"):
            return {"name": "Contoso", "id": "s", "user": {"type": self._user, "name": "somebody"}}
        if begins.startswith("ad "):
            return {"id": "p"}
        if begins.startswith("group exists"):
            return self._exists
        if begins.startswith("keyvault list-deleted"):
            return [{"name": "kv-of-somebody"}, {"name": f"kv-{self.given['token']}"}] if self.given else []
        if begins == "deployment group create":
            file = json.loads(Path(arguments[arguments.index("--parameters") + 1].removeprefix("@")).read_text())
            self.given = {name: parameter["value"] for name, parameter in file["parameters"].items()}
            return {"properties": {"outputs": {name: {"value": value} for name, value in OUTPUTS.items()}}}
        return None

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
    monkeypatch.setattr(places, "_wait_for_roles", lambda _: None)


async def test_everything_lies_in_one_group_that_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A group of a name that nobody has, its vault's name given back at the end; nothing else is named.
    """
    azure = Azure()
    place = Subscription("westeurope", has_logic_app=False, azure=azure)

    async with place.open() as made:
        assert azure.commands() == ["group create", "deployment group"]
        assert made.batch == OUTPUTS["batchId"]
        assert made.workflows == []

    assert azure.commands() == ["group create", "deployment group", "group delete", "keyvault purge"]
    for asked in azure.asked:
        if asked[:2] in {("group", "create"), ("deployment", "group"), ("group", "delete")}:
            assert place.group in asked
        if asked[0] not in {"account", "ad"}:
            assert asked[-2:] == ("--subscription", "s")
    assert place.group != Subscription("westeurope", has_logic_app=False, azure=azure).group


@pytest.mark.parametrize("fails", ["deployment group create", "logicapp", "ad "])
async def test_what_was_made_is_removed_however_it_ends(fails: str) -> None:
    """
    A half-made place costs as well.
    """
    azure = Azure(fails=fails)

    with pytest.raises(HookError):
        async with Subscription("westeurope", has_logic_app=True, azure=azure).open():
            pass

    assert "group delete" in azure.commands()
    assert ("keyvault purge" in azure.commands()) is bool(azure.given)


async def test_what_was_not_made_is_not_removed() -> None:
    """
    A group that could not be made is not deleted.
    """
    azure = Azure(fails="group create")

    with pytest.raises(HookError):
        async with Subscription("westeurope", has_logic_app=False, azure=azure).open():
            pass

    assert azure.commands() == ["group create"]


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
