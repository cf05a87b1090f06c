"""
Asks a person before anything that can hurt.
"""

import sys

from rotator.errors import Misuse
from rotator.screen import Screen


def confirm(screen: Screen, question: str, *, otherwise: str) -> None:
    """
    Return once somebody has said yes.

    Raises `Misuse` for anything else, also where nobody is there to answer: then `otherwise`, "nothing was rotated",
    holds. Ctrl-C is no answer but an interruption.
    """
    while True:
        screen.ask(f"{question} [y/N]: ")
        line = sys.stdin.readline()
        if not line:
            screen.say("")
            raise Misuse(f"nobody answered, and {otherwise}", "--yes does not ask")
        answer = line.strip().lower()
        if answer in {"y", "yes"}:
            return
        if answer in {"", "n", "no"}:
            raise Misuse(otherwise)
        screen.say("answer y or n")
