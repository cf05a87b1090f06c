"""
The command line: one command for each module of `rotator.commands`.
"""

from typing import Annotated

import typer

from rotator.commands.cancel import cancel
from rotator.commands.change import change
from rotator.commands.create import create
from rotator.commands.doctor import doctor
from rotator.commands.health import health
from rotator.commands.history import history
from rotator.commands.leak import leak
from rotator.commands.manage import manage
from rotator.commands.pause import pause
from rotator.commands.resume import resume
from rotator.commands.rotate import rotate
from rotator.commands.show import show
from rotator.commands.status import status
from rotator.commands.unmanage import unmanage
from rotator.commands.verify import verify
from rotator.commands.watch import watch
from rotator.group import Group
from rotator.session import command

app = typer.Typer(
    help="Rotate access keys through a deployed Azure Key Rotator, and see how its secrets stand.",
    epilog=(
        "Exit codes: 0 done; 1 something failed, was refused, was too soon or did not end in time, or a key is not "
        "live; 2 the command line is wrong, or nobody said yes; 3 the app cannot be reached, does not let you in or "
        "cannot work; 130 interrupted."
    ),
    cls=Group,
    no_args_is_help=True,
    # An error is a line that can be searched and copied, and no traceback shows a variable that holds the key.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only this needs it

        typer.echo(f"rotator {version('azure-key-rotator-cli')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


for work in (status, show, verify, rotate, watch, history, leak, cancel, manage, create, pause, resume):
    app.command()(command(work))
app.command("set")(command(change))
app.command()(command(unmanage))
app.command()(command(health, is_anonymous=True))
app.command()(command(doctor))
