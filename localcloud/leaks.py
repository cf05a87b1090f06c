"""
The search for key material where it must never be: in logs, rows, messages, events and answers.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from localcloud.azure.key_history import KeyHistory
from localcloud.cloud import LocalCloud

_GRAM = 12  # Characters of a key that are looked up at once: 72 bits of chance.


class Place(NamedTuple):
    """
    Something that somebody could read: where it was, and what it says.
    """

    source: str
    content: str | bytes


@dataclass(frozen=True)
class Leak:
    """
    Key material that was found. Tells whose it is, never what it is.
    """

    source: str
    owner: str
    """ARM id of what has the key or, for a signature, of the trigger."""
    key: str
    form: str
    count: int

    def __str__(self) -> str:
        return f"{self.source}: {self.key} of {self.owner}, {self.form}, {self.count} times"


@dataclass(frozen=True)
class LeakReport:
    """
    What a search went through, and what it found.
    """

    values: int
    places: int
    size: int
    """Bytes of all places."""
    leaks: Sequence[Leak]

    @property
    def count(self) -> int:
        """
        How often key material was found.
        """
        return sum(leak.count for leak in self.leaks)


def find_leaks(history: KeyHistory, places: Iterable[Place]) -> LeakReport:
    """
    Look for every key and signature that ever existed, in the forms that programs write text in.

    Those are: as it is, URL-encoded, JSON-escaped, and in base64 or base64url, also as a part of something encoded.
    """
    needles = _Needles(history)
    looked_at = size = 0
    found: defaultdict[tuple[str, _Meaning], int] = defaultdict(int)
    for source, content in places:
        text = content.encode() if isinstance(content, str) else content
        looked_at += 1
        size += len(text)
        for meaning, count in needles.count_in(text):
            found[source, meaning] += count
    leaks = [Leak(source, *meaning, count) for (source, meaning), count in found.items()]
    return LeakReport(len(history.values()), looked_at, size, leaks)


def places_of(cloud: LocalCloud) -> Iterator[Place]:
    """
    Give everything that the app has written: its log and output, rows and messages, and the events it published.

    What clients and subscribers were told is theirs to add.
    """
    yield Place("output and log of the Functions host", cloud.log.read_bytes())
    for body in cloud.storage.bodies:
        yield Place("ledger and queues", body)
    for event in cloud.azure.events:
        yield Place("events at the topic", json.dumps(event.content))


class _Meaning(NamedTuple):
    owner: str
    key: str
    form: str


class _Needles:
    """
    Every form of every value, and an index that tells quickly where none of them is.

    The index holds all runs of some characters of all needles. A needle anywhere in a text covers one of the runs that
    begin at every so-many-th character of it: only those are looked up, whatever the number of needles.
    """

    def __init__(self, history: KeyHistory) -> None:
        self._meanings: dict[bytes, _Meaning] = {}
        for life in history:
            for form, needle in _forms(life.value.rstrip("=")):
                self._meanings.setdefault(needle, _Meaning(life.owner, life.key, form))
        shortest = min(map(len, self._meanings), default=_GRAM)
        self._gram = min(_GRAM, shortest)
        self._stride = shortest - self._gram + 1
        self._owners: defaultdict[bytes, set[bytes]] = defaultdict(set)
        for needle in self._meanings:
            for start in range(len(needle) - self._gram + 1):
                self._owners[needle[start : start + self._gram]].add(needle)

    def count_in(self, text: bytes) -> Iterator[tuple[_Meaning, int]]:
        grams = (text[start : start + self._gram] for start in range(0, len(text), self._stride))
        suspects: set[bytes] = set()
        for hit in self._owners.keys() & set(grams):
            suspects |= self._owners[hit]
        for needle in suspects:
            if count := text.count(needle):
                yield self._meanings[needle], count


def _forms(value: str) -> Iterator[tuple[str, bytes]]:
    yield "as it is", value.encode()
    for encoded in (quote(value, safe=""), quote(value), quote(quote(value, safe=""), safe="")):
        yield "URL-encoded", encoded.encode()
        yield "URL-encoded", _lower_case_escapes(encoded).encode()
    slashes = value.replace("/", r"\/")
    for escaped in (slashes, value.replace("+", r"\u002B"), slashes.replace("+", r"\u002B")):
        for nested in (escaped, escaped.replace("\\", r"\\")):
            yield "JSON-escaped", nested.encode()
            yield "JSON-escaped", nested.replace("002B", "002b").encode()
    for needle in _in_base64(value.encode()):
        yield "in base64", needle
        yield "in base64url", needle.translate(bytes.maketrans(b"+/", b"-_"))


def _lower_case_escapes(encoded: str) -> str:
    for upper in ("%2B", "%2F", "%3D", "%252B", "%252F", "%253D"):
        encoded = encoded.replace(upper, upper.lower())
    return encoded


def _in_base64(value: bytes) -> Iterator[bytes]:
    """
    Give what base64 makes of a value, whatever stands before and after it: three texts, one for each alignment.
    """
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value)
        # The characters at both ends depend on the neighbours too.
        first = (0, 2, 3)[before]
        last = (0, 3, 2)[(before + len(value)) % 3]
        yield encoded[first : len(encoded) - last]
