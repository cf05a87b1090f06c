"""
The options that every command has, and those that several have.
"""

import inspect
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import typer

from rotator.credentials import Auth, Given

Timeout: TypeAlias = Annotated[
    float, typer.Option(min=0, metavar="MINUTES", help="How long each rotation is watched before it counts as late.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]


class Output(StrEnum):
    """
    How results are written.
    """

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class Shared:
    """
    What the options of every command say.
    """

    url: str | None
    given: Given
    as_json: bool


def shared_parameters() -> list[inspect.Parameter]:
    """
    Return the options that every command has.
    """

    def options(  # noqa: PLR0913 - one for each
        *,
        url: Annotated[
            str | None,
            typer.Option(envvar="KEY_ROTATOR_URL", help="The app's address, with or without /api.", metavar="URL"),
        ] = None,
        auth: Annotated[
            Auth,
            typer.Option(
                envvar="KEY_ROTATOR_AUTH",
                help="Sign in by key or by entra; auto: by whatever is given.",
                metavar="auto|key|entra",
                case_sensitive=False,
            ),
        ] = Auth.AUTO,
        function_key: Annotated[
            str | None,
            typer.Option(
                envvar="KEY_ROTATOR_FUNCTION_KEY",
                help="A function key of the app; better in the environment, where no list of processes shows it.",
                metavar="KEY",
            ),
        ] = None,
        audience: Annotated[
            str | None,
            typer.Option(
                envvar="KEY_ROTATOR_AUDIENCE",
                help="The audience of the app's Microsoft Entra sign-in, or its client id: send a token for it.",
                metavar="AUDIENCE",
            ),
        ] = None,
        app: Annotated[
            str | None,
            typer.Option(
                envvar="KEY_ROTATOR_APP",
                help="The app's name: without another credential, az looks the function key up.",
                metavar="NAME",
            ),
        ] = None,
        resource_group: Annotated[
            str | None,
            typer.Option(
                envvar="KEY_ROTATOR_RESOURCE_GROUP", help="The app's resource group, for the same.", metavar="NAME"
            ),
        ] = None,
        output: Annotated[Output, typer.Option(help="How results are written.")] = Output.TABLE,
        json: Annotated[bool, typer.Option("--json", help="The same as --output json.")] = False,
    ) -> None: ...

    return list(inspect.signature(options, eval_str=True).parameters.values())


def take_shared(options: dict[str, Any]) -> Shared:
    """
    Return what the options of every command say, and leave the command's own.
    """
    url, output, json = options.pop("url"), options.pop("output"), options.pop("json")
    given = Given(**{name: options.pop(name) for name in Given.__dataclass_fields__})
    return Shared(url, given, json or output is Output.JSON)
