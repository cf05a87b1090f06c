"""
How errors show what they were given, without showing a key that was pasted into the wrong place.
"""

import re

from rotation.vocabulary.limits import LONGEST_QUOTE, LONGEST_WORD, SHORTEST_KEY

_WORD = rf"[-\w. ]{{0,{LONGEST_WORD}}}"
_KEY = rf"[A-Za-z0-9]{{{SHORTEST_KEY}}}"
_ADDRESS = r"(?:https?://(?![^@]*@)|/subscriptions/)[-\w./():]*"  # With a user comes a password.


def quoted(text: str) -> str:
    """
    Return a short word as it is, an address up to where a signature could begin, else only the length.
    """
    if re.fullmatch(_WORD, text, re.ASCII) and not re.search(_KEY, text):
        return repr(text)
    if address := re.match(_ADDRESS, text, re.ASCII | re.IGNORECASE):
        shown = address[0][:LONGEST_QUOTE]
        # The version of a secret looks like a key, and a name in an ARM id may.
        if not re.search("/secrets/|/subscriptions/", shown, re.IGNORECASE):
            shown = re.split(_KEY, shown, maxsplit=1)[0]
        return repr(shown) if shown == text else f"{shown + '...'!r}"
    return f"a text of {len(text)} characters (not shown: it may be a key)"
