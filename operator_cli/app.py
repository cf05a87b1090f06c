"""
The command line: one command for each module of `operator_cli.commands`.
"""

import typer

from operator_cli.commands.health import health
from operator_cli.commands.rotate import rotate
from operator_cli.commands.rotations import rotations
from operator_cli.commands.show import show
from operator_cli.commands.status import status
from operator_cli.commands.verify import verify
from operator_cli.commands.watch import watch
from operator_cli.session import command

app = typer.Typer(
    help="Rotate access keys through a deployed Azure Key Rotator, and see how its secrets stand.",
    epilog=(
        "Exit codes: 0 done; 1 a rotation failed, was refused, was too soon or did not end in time, or a key was not "
        "seen to be live; "
        "2 the command line is wrong; 3 the app cannot be reached, does not let you in or cannot work; 130 interrupted."
    ),
    add_completion=False,
    no_args_is_help=True,
    # An error is a line that can be searched and copied, and no traceback shows a variable that holds the key.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for work in (rotate, status, verify, watch, rotations, show):
    app.command()(command(work))
app.command()(command(health, is_anonymous=True))
