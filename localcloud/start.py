"""
The app in a local cloud until Ctrl-C: `python -m localcloud.start`.
"""

import sys

from localcloud import command


def _load() -> command.Work:
    from localcloud.playground import serve  # noqa: PLC0415 - takes a while, in which Ctrl-C ends the command too

    return serve


if __name__ == "__main__":
    sys.exit(command.run("start", _load, interrupted=0))  # There is no other way to end it.
