"""
How bodies, queries and paths are read: checked against their types, with an error that says what there could be.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from rotation.vocabulary.errors import Forbidden, Malformed, TooLarge, UnknownSecret
from rotation.vocabulary.limits import LARGEST_BODY, MOST_DIGITS
from rotation.vocabulary.pasted import bare, unwrapped
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.secret import SecretId, parse_vault_uri
from rotation.vocabulary.spelling import oddity

T = TypeVar("T", bound=Struct)

_FLAGS = {"true": True, "false": False}
_NUMBER = re.compile(rf"-?[0-9]{{1,{MOST_DIGITS}}}", re.ASCII)
ROTATION_EXAMPLE = (
    '{"secret": "https://...", "key": "auto" or "Primary" or "Secondary", "force": false, "reason": "..."}'
)
_NAME = re.compile("[0-9A-Za-z-]{1,127}")
_GIVEN = re.compile(r"(?<=Invalid enum value )'(.*)'|(?<=unknown field )`(.*)`(?=$| - at)", re.DOTALL)
_AT_A_CHOICE = re.compile(r"Invalid enum value .* - at `\$\.(\w+)`", re.DOTALL)


def read_body(body: bytes, kind: type[T], example: str) -> T:
    """
    Return the body, checked; what would be ignored is refused.

    Raises `Malformed`, or `TooLarge`.
    """
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"the body has {len(body):,} bytes; it must have at most {LARGEST_BODY:,}, such as {example}")
    try:
        text = _decoded(body)
        if not text:
            raise Malformed(f"the body is empty; it must be JSON such as {example}")
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeError) as error:
        why = _explained(error, kind)
        raise Malformed(f"the body cannot be read ({why}); it must be JSON such as {example}") from None


def _decoded(body: bytes) -> str:
    """
    Return the text of a body, with or without a byte order mark: Windows PowerShell writes files in UTF-16.
    """
    return body.decode(json.detect_encoding(body)).strip("\ufeff\0 \t\r\n")


def read_query(query: dict[str, str], kind: type[T]) -> T:
    """
    Return the parameters of a query, checked; one that is not known is refused.

    Raises `Malformed`.
    """
    try:
        return msgspec.convert({name: _literal(value) for name, value in query.items()}, type=kind)
    except msgspec.ValidationError as error:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
        why = _explained(error, kind)
        raise Malformed(f"the query cannot be read ({why}); its parameters must be of {known}") from None


def is_set(query: Mapping[str, str], name: str) -> bool:
    """
    Return whether a query has a flag, unless it says false: what it says is checked later.
    """
    return name in query and _literal(query[name]) is not False


def read_secret_path(vault: str, name: str) -> SecretId:
    """
    Return the secret that a path names by the authority of its vault's URI and its name, read as people copy them.

    Raises `Forbidden` for what is no vault's, and `UnknownSecret` for what is no secret's: there can be none.
    """
    # Azure's host leaves an encoded slash as it is, and neither part holds a percent sign.
    authority = unwrapped(unquote(vault)).rstrip("/")
    try:
        uri = parse_vault_uri(authority if "://" in authority else f"https://{authority}")
    except Malformed:
        raise Forbidden(
            f"{quoted(authority)} is none of the vaults of ROTATION_VAULTS; in a path a vault is the host of its URI, "
            f"with its port where it has one, such as my-vault.vault.azure.net{oddity(authority)}"
        ) from None
    found = unwrapped(unquote(name)).strip("/")
    if not _NAME.fullmatch(found):
        raise UnknownSecret(
            f"there is no secret {quoted(found)}; a name has 1 to 127 letters of ASCII, digits and hyphens, such as "
            f"my-secret{oddity(found)}"
        )
    return SecretId(uri, found)


def require_no_query(query: dict[str, str]) -> None:
    """
    Raise `Malformed` for a query where there is none to be: nothing that a caller asks for is left out.
    """
    if query:
        raise Malformed(
            f"the query has {quoted(next(iter(query)))}, and this call has no parameters; it must end with its path, "
            "such as /api/secrets/my-vault.vault.azure.net/my-secret"
        )


def require_nothing_else(query: dict[str, str], body: bytes) -> None:
    """
    Raise `Malformed` for a query or a body where the path says all.
    """
    require_no_query(query)
    try:
        text = _decoded(body)
    except UnicodeError:
        text = "?"
    if text not in {"", "{}"}:
        raise Malformed("this call has no body; it must be empty, or {}: what is asked for stands in the path")


def _literal(text: str) -> str | int | bool:
    """
    Return the number or the flag that a parameter spells.

    Lax conversion would do more than that: take `null` for nothing, and a number for a time.
    """
    text = bare(text)
    if text in _FLAGS:
        return _FLAGS[text]
    return int(text) if _NUMBER.fullmatch(text) else text


def _explained(error: Exception, kind: type[Struct]) -> str:
    """
    Return what is wrong, and, for a word that is none of those which a member can be, what it must be one of.

    What stands there is shown as far as it can be no key: a member called `key` invites pasting one.
    """
    shown = _GIVEN.sub(lambda found: quoted(found[1] or found[2] or ""), str(error))
    if not (found := _AT_A_CHOICE.search(str(error))):
        return shown
    choices = ", ".join(_choices(kind, found[1]))
    return f"{shown}, which must be one of {choices}"


def _choices(kind: type[Struct], member: str) -> Iterator[str]:
    described = msgspec.inspect.type_info(kind)
    fields = described.fields if isinstance(described, msgspec.inspect.StructType) else ()
    for field in fields:
        if field.encode_name == member:
            yield from _words(field.type)


def _words(type_: msgspec.inspect.Type) -> Iterator[str]:
    match type_:
        case msgspec.inspect.Metadata(type=inner):
            yield from _words(inner)
        case msgspec.inspect.UnionType(types=types):
            for inner in types:
                yield from _words(inner)
        case msgspec.inspect.EnumType(cls=words):
            yield from (str(word.value) for word in words)
        case msgspec.inspect.LiteralType(values=values):
            yield from map(str, values)
