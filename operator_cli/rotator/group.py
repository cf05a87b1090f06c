"""
The commands together: what is wrong with a command line is told as JSON too, where that is asked for.
"""

import itertools
import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup

from rotator.errors import Misuse
from rotator.screen import Screen


class Group(TyperGroup):
    """
    The group of all commands.
    """

    def main(  # type: ignore[override]  # the other parameters are passed on as they are
        self, args: Sequence[str] | None = None, **settings: Any
    ) -> Any:
        """
        Run the command that the arguments name, and exit.
        """
        written = list(sys.argv[1:] if args is None else args)
        if not _asks_for_json(written):
            return super().main(args, **settings)
        try:
            code = super().main(args, **{**settings, "standalone_mode": False})
        except Exception as error:
            # What typer raises for a wrong command line; the class has no public name.
            if not (tell := getattr(error, "format_message", None)):
                raise
            misuse = Misuse(tell(), "rotator COMMAND --help lists what there is")
            Screen(as_json=True).fail(misuse)
            code = misuse.exit_code
        sys.exit(code or 0)


def _asks_for_json(written: list[str]) -> bool:
    pairs = itertools.pairwise(written)
    return bool({"--json", "--output=json"} & set(written)) or ("--output", "json") in pairs
