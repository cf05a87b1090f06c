"""
The pair of access keys that an Azure resource has.

It rests on assumptions 23 and 24 of docs/fidelity.md.
"""

import base64
import secrets
from collections.abc import Callable
from typing import Literal, TypeAlias

from localcloud.azure.key_history import KeyHistory

KeyName: TypeAlias = Literal["Primary", "Secondary"]
KEY_NAMES: tuple[KeyName, KeyName] = ("Primary", "Secondary")


class AccessKeys:
    """
    Two random values that work side by side, each replaced on its own, every one remembered in the history.
    """

    def __init__(self, owner: str, history: KeyHistory, make: Callable[[], str]) -> None:
        self._owner = owner
        self._history = history
        self._make = make
        self._values: dict[KeyName, str] = {}
        for name in KEY_NAMES:
            self.regenerate(name)

    def __getitem__(self, name: KeyName) -> str:
        return self._values[name]

    def regenerate(self, name: KeyName) -> None:
        """
        Replace one key at once: its former value is dead when this returns.
        """
        self._values[name] = self._make()
        self._history.begin(self._owner, name, self._values[name])


def make_key() -> str:
    """
    Return 64 random bytes in base64, as most kinds of account have them.
    """
    return base64.b64encode(secrets.token_bytes(64)).decode()
