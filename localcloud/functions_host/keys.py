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
    def from_environment(cls) -> Self:
        """
        Take each key from its setting; make up those that have none.
        """

        def key(setting: str) -> str:
            return os.environ.get(setting) or secrets.token_urlsafe(32)

        return cls(
            function=key("LOCAL_FUNCTION_KEY"),
            master=key("LOCAL_MASTER_KEY"),
            eventgrid=key("LOCAL_EVENTGRID_KEY"),
        )

    def as_settings(self) -> dict[str, str]:
        """
        Return the settings from which another host takes the same keys.
        """
        return {
            "LOCAL_FUNCTION_KEY": self.function,
            "LOCAL_MASTER_KEY": self.master,
            "LOCAL_EVENTGRID_KEY": self.eventgrid,
        }

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
