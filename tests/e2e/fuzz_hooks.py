"""
Hooks of the API's fuzz test (`SCHEMATHESIS_HOOKS`): now and then what is made up is about something that exists.

A made-up URI is hardly ever a secret of ours, so without this nearly every answer would be a 403 or a 404. Only what is
valid by its shape is exchanged: what was made to be refused stays as it is.
"""

import itertools
import os
import re
from typing import Any
from urllib.parse import urlencode

import schemathesis

SUBJECTS = os.environ.get("FUZZ_SECRETS", "").split()
TARGETS = os.environ.get("FUZZ_TARGETS", "").split()

_SECRET = re.compile(r"https://[^/?#]+/secrets/[0-9A-Za-z-]{1,127}(/[0-9A-Fa-f]{32})?")
_TARGET = re.compile(r"/subscriptions/[0-9a-f-]{36}/.+", re.IGNORECASE)
_LONGEST_QUERY = 7_000
_turn = itertools.count()


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """
    Let two of three bodies be about a secret or a target that exists.
    """
    return _about_what_exists(body) if isinstance(body, dict) else body


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """
    Let two of three lists be about a secret or a target that exists.
    """
    return _about_what_exists(query) if isinstance(query, dict) else query


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """
    Let two of three paths be about a secret that exists.
    """
    return _named_after_what_exists(path_parameters) if isinstance(path_parameters, dict) else path_parameters


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """
    Leave out what no web server takes: a request line of more than 8 kB never reaches the app.
    """
    return len(urlencode(query, errors="replace")) < _LONGEST_QUERY if isinstance(query, dict) else True


def _about_what_exists(asked: dict[str, Any]) -> dict[str, Any]:
    turn = next(_turn)
    if turn % 3 == 0:
        return asked
    exchanged = dict(asked)
    for field, pattern, known in (("secret", _SECRET, SUBJECTS), ("target", _TARGET, TARGETS)):
        value = asked.get(field)
        if known and isinstance(value, str) and pattern.fullmatch(value):
            exchanged[field] = known[turn % len(known)]
    return exchanged


def _named_after_what_exists(named: dict[str, Any]) -> dict[str, Any]:
    turn = next(_turn)
    vault, name = (str(named.get(part, "")) for part in ("vault", "name"))
    if turn % 3 == 0 or not SUBJECTS or not _SECRET.fullmatch(f"https://{vault}/secrets/{name}"):
        return named
    host, _, known = SUBJECTS[turn % len(SUBJECTS)].removeprefix("https://").partition("/secrets/")
    return named | {"vault": host, "name": known}
