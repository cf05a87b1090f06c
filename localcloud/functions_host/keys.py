"""
Access keys: which of them opens what, as with `func start --enableAuth`.

It rests on assumption 67 of docs/fidelity.md.
"""

import hmac
import os
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Self

from aiohttp import web

_SETTINGS = {
    "function": "LOCAL_FUNCTION_KEY",
    "master": "LOCAL_MASTER_KEY",
    "eventgrid": "LOCAL_EVENTGRID_KEY",
}


class AuthLevel(Enum):
    """
    What a request has to show.
    """

    ANONYMOUS = "ANONYMOUS"
    FUNCTION = "FUNCTION"
    ADMIN = "ADMIN"
    EVENT_GRID = "EVENT_GRID"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """
    The keys of one host.
    """

    function: str
    master: str
    eventgrid: str
    """The system key `eventgrid_extension`."""

    @classmethod
    def made_up(cls) -> Self:
        """
        Return keys that nobody has had before.
        """
        return cls(**{name: secrets.token_urlsafe(32) for name in _SETTINGS})

    @classmethod
    def from_environment(cls, otherwise: Self | None = None) -> Self:
        """
        Take each key from its setting; one that has none is as in `otherwise`, or made up.
        """
        others = otherwise or cls.made_up()
        return cls(**{name: os.environ.get(setting) or getattr(others, name) for name, setting in _SETTINGS.items()})

    def as_settings(self) -> dict[str, str]:
        """
        Return the settings from which another host takes the same keys.
        """
        return {setting: getattr(self, name) for name, setting in _SETTINGS.items()}

    def admit(self, request: web.Request, level: AuthLevel) -> bool:
        """
        Whether the key that the request shows suffices. A header outdoes the query, also when it is the wrong one.
        """
        accepted = {
            AuthLevel.FUNCTION: [self.function, self.master],
            AuthLevel.ADMIN: [self.master],
            AuthLevel.EVENT_GRID: [self.eventgrid, self.master],
        }
        if level is AuthLevel.ANONYMOUS:
            return True
        shown = request.headers.get("x-functions-key", request.query.get("code", ""))
        return any(hmac.compare_digest(shown.encode(), key.encode()) for key in accepted[level])
