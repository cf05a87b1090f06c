"""
What may be regenerated, whatever a tag or a request says.
"""

import re
from collections.abc import Collection

from rotation.vocabulary.endings import OutOfScope
from rotation.vocabulary.pasted import arm_path
from rotation.vocabulary.spelling import caseless, is_name
from rotation.vocabulary.target import Target

_SCOPE = r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?P<rest>(?:/[^/]+)*)"
_OTHER_CHARACTERS = "-_.()"  # in a segment, besides letters and digits


class Scopes:
    """
    ARM id prefixes in whole segments: `/resourceGroups/rg` allows nothing in `rg2`. An empty list allows nothing.

    `detours` are left out of a prefix, as they are left out of the ids of targets. Raises `ValueError` for a prefix
    that is not an ARM id.
    """

    def __init__(self, prefixes: list[str], detours: Collection[str] = ()) -> None:
        self._prefixes = [_segments(prefix, detours) for prefix in prefixes]

    def require(self, target: Target) -> None:
        """
        Raise `OutOfScope` unless the target lies below one of the prefixes.
        """
        segments = _segments(target.arm_id, ())
        if not any(segments[: len(prefix)] == prefix for prefix in self._prefixes):
            raise OutOfScope(
                f"{target.arm_id} is outside ROTATION_ALLOWED_SCOPES; add it there, or correct the tag ProviderAddress"
            )


def _segments(arm_id: str, detours: Collection[str]) -> list[str]:
    path = arm_path(arm_id)
    found = re.fullmatch(_SCOPE, path, re.IGNORECASE | re.ASCII)
    if not found or not all(map(_is_segment, found["rest"].split("/")[1:])):
        raise ValueError(arm_id)
    plain = f"{caseless(path)}/"
    for detour in detours:
        plain = plain.replace(f"{caseless(detour)}/", "/")
    return plain.split("/")[1:-1]


def _is_segment(name: str) -> bool:
    return is_name(name, _OTHER_CHARACTERS, marks=True)
