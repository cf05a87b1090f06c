"""
The leak scan, in portions: an index of some thousand keys in all their forms would not fit into memory.
"""

from collections.abc import Iterable
from itertools import islice

from localcloud.azure.key_history import KeyHistory
from localcloud.cloud import LocalCloud
from localcloud.leaks import Leak, Place, find_leaks, places_of

_PORTION = 400  # keys


def leaks_of(cloud: LocalCloud, more_places: Iterable[Place]) -> list[Leak]:
    """
    Return the key material found in what the app has written, and in more places.
    """
    # One text for each source: there are many thousand bodies, and most are short.
    texts: dict[str, list[bytes]] = {}
    for source, content in (*places_of(cloud), *more_places):
        texts.setdefault(source, []).append(content.encode() if isinstance(content, str) else content)
    places = [Place(source, b"\n".join(content)) for source, content in texts.items()]
    lives = iter(cloud.azure.key_history)
    leaks: list[Leak] = []
    while portion := list(islice(lives, _PORTION)):
        history = KeyHistory()
        for life in portion:
            history.begin(life.owner, life.key, life.value)
        leaks += find_leaks(history, places).leaks
    return leaks
