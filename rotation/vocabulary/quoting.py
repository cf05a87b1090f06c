"""
How errors show what they were given, without showing a key that was pasted into the wrong place.
"""

import re

from rotation.vocabulary.limits import LONGEST_QUOTE, LONGEST_WORD, SHORTEST_KEY

_WORD = rf"(?!.*[A-Za-z0-9]{{{SHORTEST_KEY}}})[-\w. ]{{0,{LONGEST_WORD}}}"
_ADDRESS = r"(?:https?://(?![^@]*@)|/subscriptions/)[-\w./():]*"  # With a user comes a password.


def quoted(text: str) -> str:
    """
    Return a short word as it is, an address up to where a signature could begin, else only the length.
    """
    if re.fullmatch(_WORD, text, re.ASCII):
        return repr(text)
    if address := re.match(_ADDRESS, text, re.ASCII | re.IGNORECASE):
        shown = address[0][:LONGEST_QUOTE]
        return repr(shown) if shown == text else f"{shown + '...'!r}"
    return f"a text of {len(text)} characters (not shown: it may be a key)"
