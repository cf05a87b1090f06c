"""
The demo: `python -m localcloud.demo`. It exits with 0 only if everything that it counted is as it should be.
"""

import sys

from localcloud import command


def _load() -> command.Work:
    from localcloud.performance import show  # noqa: PLC0415 - takes a while, in which Ctrl-C ends the command too

    return show


if __name__ == "__main__":
    sys.exit(command.run("demo", _load, interrupted=130))
