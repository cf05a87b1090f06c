"""
What goes into the queue `rotations`.
"""

from collections.abc import Iterable

import msgspec

from rotation.vocabulary.request import RotationRequest


def messages(requests: Iterable[RotationRequest]) -> list[str]:
    """
    Return the messages to be put into the queue.

    They are a list even where there is one: the host would parse a bare string that is JSON, and write it again.
    """
    return [msgspec.json.encode(request).decode() for request in requests]
