"""
Route templates of HTTP triggers, such as `things/{id:int}/parts/{part?}`.

It rests on assumption 68 of docs/fidelity.md.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from localcloud.functions_host.errors import StartupError

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?::(?P<constraint>[^?}]+))?(?P<optional>\??)\}")

# https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints: those without arguments.
_CONSTRAINTS: Mapping[str, str] = {
    "alpha": r"[a-z]*",
    "bool": r"true|false",
    "guid": r"\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?",
    "int": r"-?\d{1,10}",
    "long": r"-?\d{1,19}",
    "required": r".+",
}


@dataclass(frozen=True)
class RouteTemplate:
    """
    A route as ASP.NET reads it: without regard to case, and the most specific template first.
    """

    text: str
    precedence: tuple[int, ...]
    """Sorts templates: a smaller one is more specific."""
    _match: Callable[[str], re.Match[str] | None]

    @classmethod
    def parse(cls, text: str, *, where: str) -> Self:
        """
        Read a template; `where` says whose it is, should it be wrong.
        """
        pattern = ""
        precedence = []
        for segment in filter(None, text.split("/")):
            parameter = _PARAMETER.fullmatch(segment)
            if parameter is None and ("{" in segment or "}" in segment):
                raise StartupError(f"{where}: route {text!r}: {segment!r} is not a parameter that this host can read")
            if parameter is None:
                pattern += "/" + re.escape(segment)
                precedence.append(1)
                continue
            constraint = parameter["constraint"]
            if constraint and constraint not in _CONSTRAINTS:
                known = ", ".join(_CONSTRAINTS)
                raise StartupError(f"{where}: route {text!r}: constraint {constraint!r} is none of {known}")
            values = _CONSTRAINTS.get(constraint, r".*" if parameter["rest"] else r"[^/]+")
            part = f"/(?P<{parameter['name']}>{values})"
            pattern += f"(?:{part})?" if parameter["optional"] or parameter["rest"] else part
            precedence.append((4 if parameter["rest"] else 2) + (0 if constraint else 1))
        return cls(text, tuple(precedence), re.compile(pattern + "/?", re.IGNORECASE).fullmatch)

    def match(self, raw_path: str) -> dict[str, str] | None:
        """
        Give the route values of a path that is still percent-encoded, or None if it is another route's.
        """
        found = self._match(raw_path)
        if found is None:
            return None
        return {name: unquote(value) for name, value in found.groupdict().items() if value is not None}
