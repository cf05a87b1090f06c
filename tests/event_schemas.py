"""
Events held against the files that describe them, as a subscriber would do it.
"""

import json
import re
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from tools.schemas import FOLDER

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(_RFC_3339.fullmatch(value) and datetime.fromisoformat(value))


def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or (_is_reference(value) and bool(urlsplit(value).scheme))


def _is_reference(value: object) -> bool:
    return not isinstance(value, str) or (value.isascii() and not re.search(r"[\s<>\"{}|\\^`]", value))


def schema_of(event_type: str) -> dict[str, Any]:
    """
    Return the schema that describes the events of a type.
    """
    return dict(json.loads((FOLDER / f"{event_type}.json").read_text(encoding="utf-8")))


def problems_of(event: dict[str, Any]) -> list[str]:
    """
    Return where an event is not as its schema says.
    """
    found = _validator(event["type"]).iter_errors(event)
    return [f"{event['type']} {error.json_path}: {error.message}" for error in found]


_FORMATS = FormatChecker(formats=["uuid"])
_FORMATS.checks("date-time", raises=ValueError)(_is_time)
_FORMATS.checks("uri")(_is_uri)
_FORMATS.checks("uri-reference")(_is_reference)


@cache
def _validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(event_type), format_checker=_FORMATS)
