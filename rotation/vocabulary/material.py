"""
Key material: the one type in which a key's value travels.
"""

import hashlib
import hmac
from typing import NoReturn


class KeyMaterial:
    """
    A key or a callback URL that cannot be printed, logged, pickled or serialised by accident.

    Two of them are equal if their values are; the comparison takes the same time wherever they differ.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """
        Return the value itself, for the one call that needs it.
        """
        return self._value

    @property
    def encoded(self) -> bytes:
        """
        The value as bytes; JSON can carry text that plain UTF-8 cannot.
        """
        return self._value.encode(errors="surrogatepass")

    @property
    def fingerprint(self) -> str:
        """
        The SHA-256 of the value.
        """
        return hashlib.sha256(self.encoded).hexdigest()

    def __repr__(self) -> str:
        return "KeyMaterial(hidden)"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyMaterial) and hmac.compare_digest(self.encoded, other.encoded)

    # Hashing invites use as a key of something that is printed.
    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("key material is neither pickled nor copied")
