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
# Patterns are compiled when the first value is read, not at a cold start.
_URL = r"(?i:https?)://[^\s\"<>`\\]+"
# What a signed parameter consists of: anything else ends the URL. Names of triggers may hold some characters more.
_SIGNED_VALUE = r"[A-Za-z0-9_.~%+/=:-]*"
_PERMISSION = r"[A-Za-z0-9_.~%+/=:()!*@,-]*"
_ESCAPED_AGAIN = r"\\+u"


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
        signed = [url for url in _urls(text.text) if any(each.name == "sig" for each in url.signed)]
        return [
            Candidate(
                *text.place(url.start, url.end),
                KeyMaterial(next(unquote(each.value) for each in url.signed if each.name == "sig")),
                _hindrance(len(signed), url, text.text),
            )
            for url in signed
        ]

    def exchanged(self, value: KeyMaterial, places: Sequence[Candidate], given: KeyMaterial) -> KeyMaterial:
        text, parts, end = value.reveal(), [], 0
        fresh = {each.name: each.value for url in _urls(given.reveal()) for each in url.signed}
        for place in places:
            parts += [text[end : place.start], _signed_with(text[place.start : place.end], fresh)]
            end = place.end
        return KeyMaterial("".join([*parts, text[end:]]))

    def longest(self, given: KeyMaterial) -> list[KeyMaterial]:
        text = given.reveal()
        for signature in [each for url in _urls(text) for each in url.signed if each.name == "sig"]:
            longest = "%2B" * len(unquote(signature.value))
            text = text[: signature.value_start] + longest + text[signature.end :]
        return [KeyMaterial(text)]


class _Url(Struct, frozen=True):
    """
    A URL in a text, as far as it goes, and the parameters of it that a key signs.
    """

    start: int
    end: int
    signed: list[_Parameter]


def _urls(text: str) -> Iterator[_Url]:
    end, pattern = 0, re.compile(_URL)
    while found := pattern.search(text, end):
        url = _read(found[0], found.start())
        yield url
        end = url.end


def _read(url: str, start: int) -> _Url:
    path, _, query = url.partition("#")[0].partition("?")
    signed: list[_Parameter] = []
    at = start + len(path) + 1
    parts = query.split("&")
    for number, part in enumerate(parts, start=1):
        name, equals, value = part.partition("=")
        if name in SIGNED:
            form = _PERMISSION if name == "sp" and number < len(parts) else _SIGNED_VALUE
            kept = next(re.finditer(form, value))[0].rstrip(".")
            value_start = at + len(name) + len(equals)
            signed.append(_Parameter(name, kept, at, value_start, value_start + len(kept)))
            if kept != value:
                return _Url(start, value_start + len(kept), signed)
        at += len(part) + 1
    return _Url(start, start + len(url), signed)


def _hindrance(urls: int, url: _Url, text: str) -> str | None:
    if urls > 1:
        return f"its value has {urls} URLs with a signature; it must have one"
    twice = [name for name, count in Counter(each.name for each in url.signed).items() if count > 1]
    if twice:
        return f"the URL in its value has the parameter {twice[0]!r} more than once"
    if "&amp;" in text[url.start : url.end] or re.compile(_ESCAPED_AGAIN).match(text, url.end):
        return "the URL in its value is escaped in a way that cannot be kept: twice for JSON, or for HTML"
    return None


def _signed_with(written: str, fresh: Mapping[str, str]) -> str:
    """
    Return a URL with the signed parameters of a fresh one, in place of those that it has.
    """
    url = Unescaped(written, JSON)
    present = [each for found in _urls(url.text) for each in found.signed]
    separator = _separator(url, written)
    missing = [name for name in SIGNED if name in fresh and name not in {each.name for each in present}]
    parts, end, lost_first = [], 0, False
    for each in present:
        if each.name in fresh:
            start, after = url.place(each.value_start, each.end)
            is_same = unquote(each.value) == unquote(fresh[each.name])
            equals = "" if url.text[each.value_start - 1] == "=" else "="
            parts += [written[end:start], written[start:after] if is_same else equals + fresh[each.name]]
        else:
            # With the separator before it.
            start, after = url.place(each.start - (url.text[each.start - 1] == "&"), each.end)
            parts.append(written[end:start])
            lost_first |= url.text[each.start - 1] == "?"
        if each.name == "sig":
            parts += [f"{separator}{name}={fresh[name]}" for name in missing]
        end = after
    made = "".join([*parts, written[end:]])
    return re.sub(r"\?(?:&|\\u0026)", "?", made, count=1) if lost_first else made


def _separator(url: Unescaped, written: str) -> str:
    """
    Return how a URL separates its parameters: as it does for the first time.
    """
    found = url.text.find("&", url.text.index("?"))
    return "&" if found < 0 else written[slice(*url.place(found, found + 1))]
