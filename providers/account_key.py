"""
Access keys of accounts, and where one stands in the value of a secret.

A key is found as it is, percent-encoded, and as JSON escapes it.

It rests on assumption 120 of docs/fidelity.md.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from providers.unescaped import JSON, PERCENT, Unescaped, plain
from rotation.vocabulary.credential import Candidate
from rotation.vocabulary.material import KeyMaterial

_ESCAPES = f"{PERCENT}|{JSON}"
_END = "=="


class AccountKey(Struct, frozen=True, dict=True):
    """
    The `CredentialForm` of a kind whose client returns keys as they are.

    - `pattern`: what a key looks like.
    - `part`: a character that would be part of the key if it stood beside one.
    - `length`: how many characters the longest has.
    """

    pattern: str
    part: str
    length: int

    def credential(self, given: KeyMaterial) -> KeyMaterial:
        return given

    def candidates(self, names: Mapping[str, str], value: KeyMaterial) -> list[Candidate]:
        text = Unescaped(value.reveal(), _ESCAPES)
        hindrance = self.hindrances(names, text.text)
        return [
            Candidate(*text.place(*found.span()), KeyMaterial(found[0]), hindrance(found.start()))
            for found in self._pattern.finditer(text.text)
        ]

    def hindrances(self, _names: Mapping[str, str], _text: str) -> Callable[[int], str | None]:
        """
        Return what says why no other key may be put where one begins in a text, None where one may.
        """
        return lambda _: None

    def exchanged(self, value: KeyMaterial, places: Sequence[Candidate], given: KeyMaterial) -> KeyMaterial:
        text, parts, end = value.reveal(), [], 0
        for place in places:
            parts += [text[end : place.start], *_spelled(given.reveal(), text[place.start : place.end])]
            end = place.end
        return KeyMaterial("".join([*parts, text[end:]]))

    def longest(self, given: KeyMaterial) -> list[KeyMaterial]:
        # In each spelling one of these two is the longest character, but for those at the end.
        body = max(len(given.reveal()), self.length) - len(_END)
        return [KeyMaterial(character * body + _END) for character in "+/"]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Compiled when the first value is read, not at a cold start.
        return re.compile(f"(?<!{self.part})(?:{self.pattern})(?!{self.part})(?!=)", re.ASCII)


def _spelled(key: str, like: str) -> Iterator[str]:
    """
    Return a key in the spelling of another one, character by character.

    What the other one lacks is percent-encoded where it is, and else as it is: so it may stand in JSON, too.
    """
    seen = {plain(spelling): spelling for spelling in reversed(re.findall(f"{_ESCAPES}|.", like, re.DOTALL))}
    escapes = [spelling for spelling in seen.values() if spelling.startswith("%")]
    has_lower_case = any(escape != escape.upper() for escape in escapes)
    for character in key:
        unseen = character
        if escapes and not character.isalnum():
            unseen = f"%{ord(character):02x}" if has_lower_case else f"%{ord(character):02X}"
        yield seen.get(character, unseen)


#: 64 bytes in base64: 88 characters, as most kinds of account have them.
BASE64_KEY = AccountKey("[A-Za-z0-9+/]{86}(?:==|[A-Za-z0-9+/](?:=|[A-Za-z0-9+/]))", "[A-Za-z0-9+/]", 88)
