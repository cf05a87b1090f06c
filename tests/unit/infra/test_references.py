import json
import re
from pathlib import Path

import pytest

from tests.unit.infra.deployment import INFRA, deployment, parameter_files

ENTRIES = {"main.bicep", "eventing.bicep"}
MODULES = sorted((INFRA / "modules").glob("*.bicep"))
EVERYTHING = "".join(path.read_text() for path in INFRA.rglob("*.bicep"))


def test_every_module_is_used() -> None:
    """
    No template lies there that nothing deploys.
    """
    used = set(re.findall(r"'(?:modules/)?([\w-]+\.bicep)'", EVERYTHING))

    assert used == {path.name for path in MODULES}
    assert {path.name for path in INFRA.glob("*.bicep")} == ENTRIES


@pytest.mark.parametrize("path", [*sorted(INFRA.glob("*.bicep")), *MODULES], ids=lambda path: path.name)
def test_a_parameter_is_described(path: Path) -> None:
    """
    Those who set a parameter read what it is for.
    """
    for before, name in re.findall(r"((?:^[^\n]+\n)*)^param (\w+) ", path.read_text(), re.MULTILINE):
        assert "@description(" in before, name


def test_every_abbreviation_is_known_and_used() -> None:
    """
    Names of resources begin with an abbreviation of abbreviations.json, which holds no other.
    """
    known = json.loads((INFRA / "abbreviations.json").read_text())
    used = set(re.findall(r"\babbreviations\.(\w+)", EVERYTHING.replace("abbreviations.json", "")))

    assert used == set(known)


def test_azd_fills_in_all_parameters() -> None:
    """
    main.parameters.json names every parameter of main.bicep but the time of the deployment: azd reads no other source.
    """
    declared = set(re.findall(r"^param (\w+) ", (INFRA / "main.bicep").read_text(), re.MULTILINE))
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]

    assert set(given) == declared - {"deployedOn"}


def test_a_default_is_the_same_in_both_files() -> None:
    """
    `${NAME=default}` of main.parameters.json says what main.bicep says.
    """
    main = (INFRA / "main.bicep").read_text()
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    declared = dict(re.findall(r"^param (\w+) \w+ = '?(.*?)'?$", main, re.MULTILINE))
    defaults = {
        name: written.group(1)
        for name, parameter in given.items()
        if isinstance(parameter["value"], str) and (written := re.fullmatch(r"\$\{\w+=(.*)\}", parameter["value"]))
    }

    assert len(defaults) > 5
    assert defaults == {name: declared[name] for name in defaults}


@pytest.mark.parametrize("name", parameter_files())
def test_no_name_is_used_twice(name: str) -> None:
    """
    Two resources of one id would overwrite each other.
    """
    ids = [one["id"].lower() for one in deployment(name).resources]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", parameter_files())
def test_names_are_as_azure_wants_them(name: str) -> None:
    """
    Short enough, and of the letters that each type allows.
    """
    allowed = {
        "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
        "Microsoft.KeyVault/vaults": r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
        "Microsoft.Web/sites": r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]",
        "Microsoft.EventGrid/systemTopics": r"[A-Za-z0-9-]{3,50}",
        "Microsoft.EventGrid/systemTopics/eventSubscriptions": r"[A-Za-z0-9-]+/[A-Za-z0-9-]{3,64}",
        "Microsoft.Resources/resourceGroups": r"[\w().-]{1,89}[\w()-]",
    }
    for one in deployment(name).resources:
        if one["type"] in allowed:
            assert re.fullmatch(allowed[one["type"]], one["name"]), one["name"]
