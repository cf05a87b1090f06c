"""
The entry point of `rotator`, and of `python -m rotator`.
"""

import signal
import sys


def main() -> None:
    """
    Run the command line.
    """
    # A shell gives its background jobs an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        from rotator.app import app  # noqa: PLC0415 - takes a while, in which Ctrl-C ends the command too

        app(prog_name="rotator")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
