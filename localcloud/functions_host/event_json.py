"""
The body of a delivery as Azure's host reads it, with Newtonsoft.Json, and hands it on.

Measured on Microsoft.Azure.WebJobs.Extensions.EventGrid 3.3.0: comments and trailing commas pass, of two members with
one name the last counts, and every text that looks like a time is read as one and written again.

It rests on assumption 66 of docs/fidelity.md.
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any

_TEXT = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"({_TEXT})|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"({_TEXT})|,(?=\s*[\]}}])", re.DOTALL)
_TIME = re.compile(
    r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)?", re.ASCII
)
_DIGITS = 7  # of a second, as many as a .NET DateTime has


def read_events(body: bytes) -> list[Any]:
    """
    Return the events of a delivery, one or several. Raises `ValueError` for anything but an array or an object.
    """
    content = read_json(body)
    if isinstance(content, list):
        return content
    if isinstance(content, dict):
        return [content]
    raise ValueError("the body is neither an array nor an object")


def read_json(body: bytes) -> Any:
    """
    Return what the body says, times written as the host writes them. Raises `ValueError`.
    """
    text = body.decode("utf-8-sig")
    for pattern in (_COMMENT, _TRAILING_COMMA):
        text = pattern.sub(lambda found: found[1] or "", text)
    return _with_times(json.loads(text))


def _with_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _with_times(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_with_times(value) for value in content]
    return _written_again(content) if isinstance(content, str) else content


def _written_again(text: str) -> str:
    """
    Return a time without trailing zeros, and in UTC where it had an offset; any other text as it is.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    fraction = (found["fraction"] or "")[:_DIGITS].rstrip("0")
    second, zone = found["second"], found["zone"] or ""
    try:
        moment = datetime.fromisoformat(second)
        if zone not in {"", "Z"}:
            offset = datetime.fromisoformat(second + zone).utcoffset() or timedelta()
            moment, zone = moment - offset, "+00:00"
    except (ValueError, OverflowError):
        return text  # Such as a 13th month.
    return f"{moment.isoformat()}{'.' if fraction else ''}{fraction}{zone}"
