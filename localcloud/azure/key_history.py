"""
Every key and callback-URL signature that ever existed, and when it worked.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

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
    until: Instant | None = None


class KeyHistory:
    """
    The lives of all key material, whatever has it.
    """

    def __init__(self) -> None:
        self._lives: list[KeyLife] = []
        self._by_owner: dict[str, list[KeyLife]] = defaultdict(list)

    def __iter__(self) -> Iterator[KeyLife]:
        return iter(self._lives)

    def begin(self, owner: str, key: str, value: str) -> None:
        """
        Record that `value` works from now on in place of the key's former value. The same value again changes nothing.
        """
        life = KeyLife(owner, key, value)
        for former in self.of(owner, key):
            if former.until is None:
                if former.value == value:
                    return
                former.until = life.since
        self._lives.append(life)
        self._by_owner[owner.casefold()].append(life)

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
        Whether a value works now.
        """
        return any(life.value == value and life.until is None for life in self._lives)
