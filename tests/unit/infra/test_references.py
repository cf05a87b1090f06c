import json
import re

import pytest

from tests.unit.infra.templates import INFRA, Template, templates

ENTRIES = {"main.bicep", "eventing.bicep"}

every_template = pytest.mark.parametrize("template", templates(), ids=lambda template: template.name)


def test_there_are_templates() -> None:
    """
    The tests of this folder look at something.
    """
    assert {template.name for template in templates()} > ENTRIES


@every_template
def test_a_module_gets_what_it_asks_for(template: Template) -> None:
    """
    A module is given every parameter that has no default, and none that it does not know.
    """
    for symbol, (module, given) in template.modules.items():
        assert module.required <= set(given), symbol
        assert set(given) <= set(module.parameters), symbol


@every_template
def test_an_output_that_is_asked_for_is_there(template: Template) -> None:
    """
    Whoever reads an output of a module finds it declared there.
    """
    asked = re.findall(r"\b(\w+)(?:\[index\])?!?\.outputs\.(\w+)", template.text)
    for symbol, output in asked:
        assert output in template.modules[symbol][0].outputs, f"{symbol}.outputs.{output}"


@every_template
def test_what_is_declared_is_used(template: Template) -> None:
    """
    Every parameter and variable occurs somewhere besides its declaration.
    """
    for name in {*template.parameters, *template.variables}:
        assert len(re.findall(rf"\b{name}\b", template.text)) > 1, name


@every_template
def test_a_parameter_is_described(template: Template) -> None:
    """
    Whoever sets a parameter reads what it is for.
    """
    for name, parameter in template.parameters.items():
        assert any(decorator["type"] == "description" for decorator in parameter["decorators"]), name


@every_template
def test_a_file_that_is_loaded_is_there(template: Template) -> None:
    """
    What a template loads lies where it looks.
    """
    for name in re.findall(r"load(?:Json|Text)Content\('([^']+)'\)", template.text):
        assert (template.path.parent / name).is_file(), name


def test_every_module_is_used() -> None:
    """
    No template lies there that nothing deploys.
    """
    used = {module.name for template in templates() for module, _ in template.modules.values()}

    assert {template.name for template in templates()} == used | ENTRIES


def test_every_abbreviation_is_known_and_used() -> None:
    """
    Names of resources begin with an abbreviation of abbreviations.json, which holds no other.
    """
    known = json.loads((INFRA / "abbreviations.json").read_text())
    used = {
        name
        for template in templates()
        for name in re.findall(r"\babbreviations\.(\w+)", template.text.replace("abbreviations.json", ""))
    }

    assert used == set(known)


def test_azd_fills_in_parameters_that_exist() -> None:
    """
    main.parameters.json names parameters of main.bicep, among them all without a default.
    """
    (main,) = (template for template in templates() if template.name == "main.bicep")
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]

    assert main.required <= set(given) <= set(main.parameters)


def test_a_default_is_the_same_in_both_files() -> None:
    """
    `${NAME=default}` of main.parameters.json says what main.bicep says.
    """
    (main,) = (template for template in templates() if template.name == "main.bicep")
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    defaults = {
        name: written.group(1)
        for name, parameter in given.items()
        if (written := re.fullmatch(r"\$\{\w+=(.*)\}", parameter["value"]))
    }

    assert defaults
    for name, default in defaults.items():
        declared = main.parameters[name]["default"]
        assert default == (str(declared).lower() if isinstance(declared, bool) else declared), name
