"""
Run one of the hooks: `python -m tools.azd preprovision | prepackage | postdeploy`.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - azd takes the Python that it finds
    sys.exit(f"Python 3.11 or later is needed, and this is {sys.version.split()[0]}: put a newer one first on PATH.")

import os
from collections.abc import Callable

from tools.azd.clis import Azd, AzureCli, HookError
from tools.azd.postdeploy import postdeploy
from tools.azd.prepackage import prepackage
from tools.azd.preprovision import preprovision


def main(arguments: list[str]) -> None:
    """
    Run the hook that is named; say what is wrong, and what to do, in one line.
    """
    hooks: dict[str, Callable[[], None]] = {
        "preprovision": lambda: preprovision(os.environ, AzureCli(), Azd()),
        "prepackage": prepackage,
        "postdeploy": lambda: postdeploy(os.environ, AzureCli()),
    }
    if len(arguments) != 1 or arguments[0] not in hooks:
        sys.exit(f"usage: python -m tools.azd {' | '.join(hooks)}")
    try:
        hooks[arguments[0]]()
    except HookError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
