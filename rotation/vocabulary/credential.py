"""
A credential in the value of a secret: a text in which one key of the secret's target stands.

What a credential looks like, and how it is written in a text, is the affair of its kind.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from rotation.vocabulary.material import KeyMaterial


class Candidate(Struct, frozen=True):
    """
    A part of a text that has the form of a credential: from where to where it goes, and what it says when decoded.

    `hindrance` says why no other credential may be put there, None where one may.
    """

    start: int
    end: int
    credential: KeyMaterial
    hindrance: str | None = None

    @property
    def fingerprint(self) -> str:
        """
        The SHA-256 of the credential.
        """
        return self.credential.fingerprint


class CredentialForm(Protocol):
    """
    What the credential of a kind looks like. No method does I/O, and nothing that they raise shows key material.

    `given` is always what the kind's client returns for a key, and `names` are those in the target's ARM id.
    """

    def credential(self, given: KeyMaterial) -> KeyMaterial:
        """
        Return the part of what the client returns that depends on the key.
        """
        ...

    def candidates(self, names: Mapping[str, str], value: KeyMaterial) -> list[Candidate]:
        """
        Return every part of a value that has the form of a credential, in order.
        """
        ...

    def exchanged(self, value: KeyMaterial, places: Sequence[Candidate], given: KeyMaterial) -> KeyMaterial:
        """
        Return a value with another credential at these places, each written as the one before was.
        """
        ...

    def longest(self, given: KeyMaterial) -> Sequence[KeyMaterial]:
        """
        Return some of which one takes as much room in any value as the next one that the client returns may take.
        """
        ...
