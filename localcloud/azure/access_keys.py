"""
The pair of access keys that an Azure resource has.

It rests on assumptions 23 and 24 of docs/fidelity.md.
"""

import base64
import secrets
from collections.abc import Callable
from typing import Literal, TypeAlias

from localcloud.azure.instant import Instant
from localcloud.azure.key_history import KeyHistory

KeyName: TypeAlias = Literal["Primary", "Secondary"]
KEY_NAMES: tuple[KeyName, KeyName] = ("Primary", "Secondary")


class AccessKeys:
    """
    Two random values that work side by side, each replaced on its own, every one remembered in the history.

    The first two work at once. `settling` is asked at each regeneration after how many seconds the new value works:
    `math.inf` means never.
    """

    def __init__(
        self, owner: str, history: KeyHistory, make: Callable[[], str], settling: Callable[[], float] = lambda: 0.0
    ) -> None:
        self.settling = settling
        self._owner = owner
        self._history = history
        self._make = make
        self._lives = {name: history.begin(owner, name, make()) for name in KEY_NAMES}

    def __getitem__(self, name: KeyName) -> str:
        return self._lives[name].value

    def accepted(self) -> tuple[str, ...]:
        """
        Return the values that open the data plane now.
        """
        return tuple(life.value for life in self._lives.values() if life.works)

    def regenerate(self, name: KeyName) -> None:
        """
        Replace one key at once: its former value is dead when this returns. The new one works once it has settled.
        """
        self._lives[name] = self._history.begin(self._owner, name, self._make(), settling=self.settling())

    def settle(self) -> None:
        """
        Let both values work from now on, if they do not yet.
        """
        for life in self._lives.values():
            if not life.works:
                life.works_since = Instant.now()


def make_key() -> str:
    """
    Return 64 random bytes in base64, as most kinds of account have them.
    """
    return base64.b64encode(secrets.token_bytes(64)).decode()
