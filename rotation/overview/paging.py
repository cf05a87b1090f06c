"""
Continuation tokens: where a page ended, for the next one to go on from.
"""

import base64
import binascii

import msgspec

from rotation.vocabulary.errors import Malformed


def continuation_of(*place: str) -> str:
    """
    Return a token that says where a page has ended; callers pass it back and read nothing into it.
    """
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_continuation(token: str, parts: int) -> list[str]:
    """
    Return the place that a token holds.

    Raises `Malformed`.
    """
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        place = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str])
    except (UnicodeError, binascii.Error, ValueError) as error:
        raise not_ours() from error
    if len(place) != parts:
        raise not_ours()
    return place


def not_ours() -> Malformed:
    """
    Return what is wrong with a token that no page came with.
    """
    return Malformed("continuation is none of this list's; it must be the one that came with the page before")
