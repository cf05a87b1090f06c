"""
Every key and callback-URL signature that ever existed, and when it lived and worked.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from localcloud.azure.instant import Instant


@dataclass(slots=True)
class KeyLife:
    """
    One value of one key, from the instant it was made until the instant another replaced it.
    """

    owner: str
    """ARM id of what has the key or, for a signature, of the trigger."""
    key: str
    """`Primary` or `Secondary`."""
    value: str = field(repr=False)
    since: Instant = field(default_factory=Instant.now)
    works_since: Instant | None = None
    """From when on the data plane accepts it; None if it never does."""
    until: Instant | None = None

    @property
    def works(self) -> bool:
        """
        Whether the data plane accepts this value now.
        """
        is_live = self.until is None
        return is_live and self.works_since is not None and self.works_since.monotonic <= time.monotonic()

    def is_live_at(self, moment: datetime) -> bool:
        """
        Whether a resource had this value at a moment, also if it did not work yet.
        """
        return self.since.wall <= moment and (self.until is None or moment < self.until.wall)

    def works_at(self, moment: datetime) -> bool:
        """
        Whether the data plane accepts this value at a moment, as far as is known now.
        """
        return self.is_live_at(moment) and self.works_since is not None and self.works_since.wall <= moment


class KeyHistory:
    """
    The lives of all key material, whatever has it.
    """

    def __init__(self) -> None:
        self._lives: list[KeyLife] = []
        self._by_owner: dict[str, list[KeyLife]] = defaultdict(list)

    def __iter__(self) -> Iterator[KeyLife]:
        return iter(self._lives)

    def begin(self, owner: str, key: str, value: str, *, settling: float = 0.0) -> KeyLife:
        """
        Record that `value` takes the place of the key's former value now, and works after `settling` seconds.

        Returns the value's life: the one that it has where it is the same value again, which changes nothing.
        """
        life = KeyLife(owner, key, value)
        life.works_since = life.since.after(settling)
        for former in self.of(owner, key):
            if former.until is None:
                if former.value == value:
                    return former
                former.until = life.since
        self._lives.append(life)
        self._by_owner[owner.casefold()].append(life)
        return life

    def of(self, owner: str, key: str | None = None) -> list[KeyLife]:
        """
        Return the lives of one owner's keys, oldest first. ARM ids ignore case.
        """
        return [life for life in self._by_owner.get(owner.casefold(), ()) if key in (None, life.key)]

    def values(self) -> frozenset[str]:
        """
        Every string that must never leave Key Vault, the provider and memory: all keys and signatures, living and dead.
        """
        return frozenset(life.value for life in self._lives)

    def is_live(self, value: str) -> bool:
        """
        Whether a key has this value now, also if it does not work yet.
        """
        return any(life.value == value and life.until is None for life in self._lives)
