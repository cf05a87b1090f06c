"""
The letters of names: which Azure allows, which nobody sees, and which spellings mean the same.
"""

import re
import unicodedata

from rotation.vocabulary.limits import SEARCHED_FOR_ODDITIES

# Format characters, such as the byte order mark, the zero width space and the soft hyphen.
_FORMAT = "Cf"
# What Unicode counts among the letters and the accents though it shows nothing: fillers, joiners, variation selectors.
_BLANK_LETTERS = r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"


def caseless(text: str) -> str:
    """
    Return the one spelling of all texts that Azure takes for the same: equal but for the case of single letters.

    Azure Resource Manager compares ids ordinally and ignores case, as .NET's OrdinalIgnoreCase does: letter by letter,
    by the simple upper case of Unicode. No letter outside ASCII equals one of ASCII (the Kelvin sign is no k, the
    dotless i no i), no letter equals two (ß is not ss), and an accent that is a character of its own stays one.
    """
    return text.lower() if text.isascii() else "".join(map(_lower, text))


def is_name(text: str, others: str, *, marks: bool) -> bool:
    """
    Return whether a text consists of letters and digits of any script and of the characters in `others`.

    `marks` are the accents and vowel signs that are characters of their own.
    """
    rest = text.translate(dict.fromkeys(map(ord, others)))
    if rest.isascii():
        return rest.isalnum() if rest else bool(text)
    if re.search(_BLANK_LETTERS, rest):
        return False
    return all(_is_letter(character) or (marks and unicodedata.category(character)[0] == "M") for character in rest)


def is_unseen(character: str) -> bool:
    """
    Return whether a person does not see a character: a blank, a line end, a mark of zero width.
    """
    return character.isspace() or unicodedata.category(character) == _FORMAT


def oddity(text: str) -> str:
    """
    Return words about the first character that a person may have overlooked, none where there is none.

    They never name a visible character of ASCII, which may be a key's.
    """
    for character in text[:SEARCHED_FOR_ODDITIES]:
        if not character.isprintable() or re.match(_BLANK_LETTERS, character):
            return f"; it holds {_called(character)}, which must be taken out"
        if not character.isascii() and not is_name(character, "", marks=True):
            return f"; it holds {_called(character)}, which no id has"
    return ""


def _called(character: str) -> str:
    return f"{unicodedata.name(character, 'a control character')} (U+{ord(character):04X})"


def _is_letter(character: str) -> bool:
    return character.isalpha() or character.isdecimal()


def _upper(letter: str) -> str:
    """
    Return the simple upper case. Where Python's is several letters, the simple one is the title case, if any.
    """
    upper = next((mapped for mapped in (letter.upper(), letter.title()) if len(mapped) == 1), letter)
    return letter if upper.isascii() and not letter.isascii() else upper


def _lower(letter: str) -> str:
    upper = _upper(letter)
    lower = upper.lower()
    # Only where it leads back: then letters have the same lower case exactly if they have the same upper case.
    return lower if len(lower) == 1 and _upper(lower) == upper else upper
