"""
Callback URLs: where a signature stands in the value of a secret, and another one in its place.

A signature covers the trigger's path, `sp`, `sv` and `se`, and neither the host nor other parameters (Microsoft Learn,
"Secure access and data in Azure Logic Apps"; not tried for Standard). So these stay as they are in the value.

It rests on assumption 121 of docs/fidelity.md.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from msgspec import Struct

from providers.unescaped import JSON, Unescaped
from rotation.vocabulary.credential import Candidate
from rotation.vocabulary.material import KeyMaterial

#: The parameters that a key signs, the signature first.
SIGNED = ("sig", "sp", "sv", "se")
_URL = re.compile(r"https?://[^\s\"<>`\\]+", re.IGNORECASE)
# What people put around a URL; a parameter may hold it too, but hardly at the end of the last one.
_AFTER = re.compile(r"[;,')\]}|]")


class _Parameter(Struct, frozen=True):
    """
    A parameter of a URL, and where it and its value stand in the text.
    """

    name: str
    value: str
    start: int
    value_start: int
    end: int


class CallbackUrl(Struct, frozen=True):
    """
    The `CredentialForm` of a kind whose client returns a URL for each key: the credential is its signature.
    """

    def credential(self, given: KeyMaterial) -> KeyMaterial:
        found = self.candidates({}, given)
        # What is not signed equals nothing that is.
        return found[0].credential if found else KeyMaterial(f"unsigned {given.reveal()}")

    def candidates(self, _names: Mapping[str, str], value: KeyMaterial) -> list[Candidate]:
        text = Unescaped(value.reveal(), JSON)
        urls = [(url, _signed_parameters(url)) for url in _URL.finditer(text.text)]
        signed = [(url, parameters) for url, parameters in urls if any(each.name == "sig" for each in parameters)]
        return [
            Candidate(
                *text.place(*url.span()),
                KeyMaterial(next(unquote(each.value) for each in parameters if each.name == "sig")),
                _hindrance(len(signed), parameters),
            )
            for url, parameters in signed
        ]

    def exchanged(self, value: KeyMaterial, places: Sequence[Candidate], given: KeyMaterial) -> KeyMaterial:
        text, parts, end = value.reveal(), [], 0
        fresh = {each.name: each.value for url in _URL.finditer(given.reveal()) for each in _signed_parameters(url)}
        for place in places:
            parts += [text[end : place.start], _signed_with(text[place.start : place.end], fresh)]
            end = place.end
        return KeyMaterial("".join([*parts, text[end:]]))

    def longest(self, given: KeyMaterial) -> list[KeyMaterial]:
        # The last parameter need not be the signature: that it becomes too long by as much makes no difference.
        return [KeyMaterial(given.reveal() + "%2B" * len(self.credential(given).reveal()))]


def _signed_parameters(url: re.Match[str]) -> list[_Parameter]:
    """
    Return the parameters of a URL that a key signs, as they stand in the text that it was found in.
    """
    return [each for each in _parameters(url[0], url.start()) if each.name in SIGNED]


def _parameters(url: str, start: int) -> Iterator[_Parameter]:
    path, _, query = url.partition("#")[0].partition("?")
    parts = query.split("&")
    at = start + len(path) + 1
    for number, part in enumerate(parts, start=1):
        name, equals, value = part.partition("=")
        if number == len(parts):
            value = _AFTER.split(value, maxsplit=1)[0]
        value_start = at + len(name) + len(equals)
        yield _Parameter(name, value, at, value_start, value_start + len(value))
        at += len(part) + 1


def _hindrance(urls: int, parameters: list[_Parameter]) -> str | None:
    if urls > 1:
        return f"its value has {urls} URLs with a signature; it must have one"
    twice = [name for name, count in Counter(each.name for each in parameters).items() if count > 1]
    return f"the URL in its value has the parameter {twice[0]!r} more than once" if twice else None


def _signed_with(written: str, fresh: Mapping[str, str]) -> str:
    """
    Return a URL with the signed parameters of a fresh one, in place of those that it has.
    """
    url = Unescaped(written, JSON)
    present = {each.name: each for found in _URL.finditer(url.text) for each in _signed_parameters(found)}
    edits: list[tuple[int, int, str]] = []
    for name, each in present.items():
        if name not in fresh:
            edits.append((*url.place(*_with_separator(url.text, each)), ""))
        elif unquote(each.value) != unquote(fresh[name]):
            equals = "" if url.text[each.value_start - 1] == "=" else "="
            edits.append((*url.place(each.value_start, each.end), equals + fresh[name]))
    _, end = url.place(present["sig"].start, present["sig"].end)
    separator = _separator(url, written)
    missing = (name for name in SIGNED if name in fresh and name not in present)
    edits.append((end, end, "".join(f"{separator}{name}={fresh[name]}" for name in missing)))
    for start, end, text in sorted(edits, reverse=True):
        written = written[:start] + text + written[end:]
    return written


def _with_separator(text: str, parameter: _Parameter) -> tuple[int, int]:
    if text[parameter.start - 1] == "&":
        return parameter.start - 1, parameter.end
    return parameter.start, parameter.end + (text[parameter.end : parameter.end + 1] == "&")


def _separator(url: Unescaped, written: str) -> str:
    """
    Return how a URL separates its parameters: as it does for the first time.
    """
    found = url.text.find("&", url.text.index("?"))
    return "&" if found < 0 else written[slice(*url.place(found, found + 1))]
