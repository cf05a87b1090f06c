"""
The Bicep files of `infra/`, parsed.

pycep tells no string from a name, and nests operators from the right; so tests look at literals, at which names occur
in an expression, and at the text, but evaluate nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pycep import BicepParser

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"


@dataclass(frozen=True)
class Resource:
    """
    A resource of a template; `config` is what it is made of, inside its loop or condition.
    """

    template: str
    symbol: str
    type: str
    is_existing: bool
    config: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        """
        Return the resource's `properties`.
        """
        return dict(self.config.get("properties", {}))


class Template:
    """
    One Bicep file. Its comments are left out of `text`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(INFRA).as_posix()
        self.text = re.sub(r"(^|\s)//.*$", "", path.read_text(), flags=re.MULTILINE)

    @cached_property
    def parsed(self) -> dict[str, Any]:
        """
        Return what pycep makes of the file.
        """
        return dict(BicepParser().parse(file_path=self.path))

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """
        Return the parameters by name.
        """
        return dict(self.parsed.get("parameters", {}))

    @property
    def required(self) -> set[str]:
        """
        Return the names of the parameters that have no default.
        """
        return {name for name, parameter in self.parameters.items() if parameter["default"] is None}

    @property
    def variables(self) -> dict[str, Any]:
        """
        Return the values of the variables by name.
        """
        return {name: variable["value"] for name, variable in self.parsed.get("variables", {}).items()}

    @property
    def outputs(self) -> dict[str, Any]:
        """
        Return the values of the outputs by name.
        """
        return {name: output["value"] for name, output in self.parsed.get("outputs", {}).items()}

    @property
    def modules(self) -> dict[str, tuple["Template", dict[str, Any]]]:
        """
        Return for each module which template it is, and what it is given.
        """
        modules = {}
        for symbol, module in self.parsed.get("modules", {}).items():
            path = (self.path.parent / module["detail"]["path"]).resolve()
            modules[symbol] = (template(path), _within(module["config"]).get("params", {}))
        return modules

    @property
    def resources(self) -> list[Resource]:
        """
        Return the resources.
        """
        return [
            Resource(self.name, symbol, found["type"], bool(found["existing"]), _within(found["config"]))
            for symbol, found in self.parsed.get("resources", {}).items()
        ]


@cache
def template(path: Path) -> Template:
    """
    Return one template.
    """
    return Template(path)


@cache
def templates() -> tuple[Template, ...]:
    """
    Return all templates.
    """
    return tuple(template(path) for path in sorted(INFRA.rglob("*.bicep")))


def resources(kind: str) -> list[Resource]:
    """
    Return the resources of one type that are made, in all templates.
    """
    return [
        resource
        for made in templates()
        for resource in made.resources
        if resource.type == kind and not resource.is_existing
    ]


def only(kind: str) -> Resource:
    """
    Return the one resource of its type.
    """
    (resource,) = resources(kind)
    return resource


def module(name: str) -> Template:
    """
    Return one of the templates in `infra/modules/`.
    """
    return template(INFRA / "modules" / f"{name}.bicep")


def words(value: Any) -> Iterator[Any]:
    """
    Yield every key and every leaf of a parsed value.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)
    else:
        yield value


def _within(config: dict[str, Any]) -> dict[str, Any]:
    while "config" in config and ("condition" in config or "loop_type" in config):
        config = config["config"]
    return config
