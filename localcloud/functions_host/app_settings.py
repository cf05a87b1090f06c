"""
App settings: the environment, as local.settings.json may fill it, and the `%NAME%` expressions that refer to it.

It rests on assumptions 80 and 82 of docs/fidelity.md.
"""

import os
import re
from pathlib import Path

import msgspec

from localcloud.functions_host.errors import StartupError

_EXPRESSION = re.compile(r"%([^%]+)%")


class _LocalSettings(msgspec.Struct):
    values: dict[str, str] = msgspec.field(name="Values", default_factory=dict)


def load_local_settings(file: Path) -> None:
    """
    Put the `Values` of a local.settings.json into the environment. What is set there already stays, as with Core Tools.
    """
    try:
        settings = msgspec.json.decode(file.read_bytes(), type=_LocalSettings)
    except (OSError, msgspec.DecodeError) as error:
        raise StartupError(f"{file}: cannot be read as a local.settings.json: {error}") from error
    for name, value in settings.values.items():
        os.environ.setdefault(name, value)


def resolve(text: str, *, where: str) -> str:
    """
    Put the value of the app setting in place of every `%NAME%`; `where` tells a person which text lacked a setting.
    """

    def value(expression: re.Match[str]) -> str:
        name = expression[1]
        if name not in os.environ:
            raise StartupError(f"{where}: {text!r} needs the app setting {name}, which is not set")
        return os.environ[name]

    return _EXPRESSION.sub(value, text)


def connection_string(connection: str, *, where: str) -> str:
    """
    Look up what a binding's `connection` names: the setting of that name, or of that name behind `AzureWebJobs`.
    """
    name = connection or "AzureWebJobsStorage"
    for candidate in (name, f"AzureWebJobs{name}"):
        if value := os.environ.get(candidate):
            return value
    raise StartupError(f"{where}: the app setting {name} is not set; it must be a storage connection string")
