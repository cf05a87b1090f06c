"""
What a service can be asked for, and one call of it.

It rests on assumption 16 of docs/fidelity.md.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import web

from localcloud.azure.refusal import Refusal
from localcloud.azure.request_log import LoggedRequest

Body = TypeVar("Body", bound=msgspec.Struct)


@dataclass(frozen=True)
class Operation:
    """
    A named operation: its method, its path with `{names}` for the variable segments, and what it does.
    """

    name: str
    method: str
    path: str
    answer: "Callable[[Call], Awaitable[web.Response]]"
    """Checks the request's content, takes effect and answers; raises `Refusal` before any effect."""
    target: str = ""
    """The resource it is about, with the same names: what the request log shows."""
    api_versions: frozenset[str] = frozenset()
    action: str = ""
    """What a role must allow, where the path does not say it as in Azure Resource Manager."""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """
        Azure ignores the case of paths.
        """
        return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path)), re.IGNORECASE)

    def match(self, path: str) -> dict[str, str] | None:
        """
        Return the decoded names in a raw path, or None if it is not one of this operation. `.` and `..` name nothing.
        """
        found = self._pattern.fullmatch(path)
        if found is None:
            return None
        names = {name: unquote(value) for name, value in found.groupdict().items()}
        return None if {".", ".."} & set(names.values()) else names


@dataclass(frozen=True)
class Call:
    """
    One request to an operation.
    """

    operation: Operation
    names: Mapping[str, str]
    request: web.BaseRequest
    body: bytes
    entry: LoggedRequest

    def query(self, name: str) -> str | None:
        """
        Return a query parameter; None if it is absent or empty.
        """
        return self.request.query.get(name) or None

    def decode(self, shape: type[Body], code: str) -> Body:
        """
        Return the JSON body as `shape`.

        Raises `Refusal`: 415 for another content type, 400 with `code` for another shape or an unknown field.
        """
        if self.request.content_type != "application/json":
            raise Refusal(
                415, "UnsupportedMediaType", f"The content type {self.request.content_type!r} is not supported."
            )
        try:
            return msgspec.json.decode(self.body, type=shape)
        except msgspec.DecodeError as error:
            message = f"The request content was invalid and could not be deserialized: {error}"
            raise Refusal(400, code, message) from error
