"""
docs/limits.md: the numbers that limit something, as a table. `python -m tools.limits` writes it.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotation.vocabulary import limits

DOCUMENT = Path(__file__).parents[1] / "docs/limits.md"
_HEAD = """# Limits

This page lists every limit of the app, with its reason.
The source is [limits.py](../rotation/vocabulary/limits.py); `python -m tools.limits` writes this page.
These limits are fixed; [configuration.md](configuration.md) lists the settings."""
_SECTION = re.compile(r"# (?P<title>.+)")
_LINE = re.compile(r"(?P<name>[A-Z_]+) = .*?  # (?P<why>.+)")
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def document() -> str:
    """
    Return the page as it should be.

    Raises `ValueError` for a line of limits.py that has no reason.
    """
    lines = [_HEAD]
    for line in Path(limits.__file__).read_text(encoding="utf-8").partition("import timedelta\n")[2].splitlines():
        if section := _SECTION.fullmatch(line):
            lines += [f"\n## {section['title']}\n", "| limit | value | what for |", "|---|---|---|"]
        elif found := _LINE.fullmatch(line):
            lines.append(f"| `{found['name']}` | {shown(getattr(limits, found['name']))} | {found['why']} |")
        elif line:
            raise ValueError(f"a limit without a reason: {line}")
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    """
    Return a value as people write it: a time in the largest unit that it is a whole number of.
    """
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    if not isinstance(value, timedelta):
        return f"{value:,g}" if isinstance(value, float) else f"{value:,}"
    seconds = round(value.total_seconds())
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0 and seconds >= size)
    return f"{seconds // size:,} {unit}{'' if seconds == size else 's'}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
