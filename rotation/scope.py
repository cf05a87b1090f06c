"""
What may be regenerated, whatever a tag or a request says.
"""

import re

from rotation.errors import OutOfScope
from rotation.target import Target

_SCOPE = r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/[-\w.()]+)*"
_DESIGNER_DETOUR = "/hostruntime/runtime/webhooks/workflow/api/management"


class Scopes:
    """
    ARM id prefixes in whole segments: `/resourceGroups/rg` allows nothing in `rg2`. An empty list allows nothing.

    Raises `ValueError` for a prefix that is no ARM id.
    """

    def __init__(self, prefixes: list[str]) -> None:
        self._prefixes = [_segments(prefix) for prefix in prefixes]

    def require(self, target: Target) -> None:
        """
        Raise `OutOfScope` unless the target lies below one of the prefixes.
        """
        segments = _segments(target.arm_id)
        if not any(segments[: len(prefix)] == prefix for prefix in self._prefixes):
            raise OutOfScope(
                f"{target.arm_id} is outside ROTATION_ALLOWED_SCOPES; add it there, or correct the tag ProviderAddress"
            )


def _segments(arm_id: str) -> list[str]:
    path = arm_id.removesuffix("/")
    if not re.fullmatch(_SCOPE, path, re.IGNORECASE | re.ASCII):
        raise ValueError(arm_id)
    return f"{path.lower()}/".replace(f"{_DESIGNER_DETOUR}/", "/").split("/")[1:-1]
