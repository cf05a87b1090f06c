"""
docs/fidelity.md: the numbered assumptions.
"""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"

_ENTRY = re.compile(
    r"^### (?P<number>\d+)\. (?P<text>.+)(?:\n\n?(?!- \*\*|#).+)*\n\n"
    r"- \*\*From:\*\* (?P<source>.+(?:\n  .+)*)\n"
    r"- \*\*If it is wrong:\*\* (?P<consequence>.+(?:\n  .+)*)\n"
    r"- \*\*Held by:\*\* (?P<held_by>.+(?:\n  .+)*)\n"
    r"- \*\*Live:\*\* (?P<live>.+(?:\n  .+)*)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Assumption:
    """
    One entry of the page: its heading and its four items, each as one line.
    """

    number: int
    text: str
    source: str
    consequence: str
    held_by: tuple[str, ...]
    live: str


def _joined(lines: str) -> str:
    return lines.replace("\n  ", " ")


def read_page() -> list[Assumption]:
    """
    Return the assumptions in the order of the page.
    """
    return [
        Assumption(
            number=int(found["number"]),
            text=found["text"],
            source=_joined(found["source"]),
            consequence=_joined(found["consequence"]),
            held_by=tuple(re.findall(r"`(tests/[^`]+)`", found["held_by"])),
            live=_joined(found["live"]),
        )
        for found in _ENTRY.finditer(PAGE.read_text())
    ]
