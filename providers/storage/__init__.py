"""
Storage accounts. A secret holds an account key itself, or a connection string with one.

A connection string is a list of `name=value` with semicolons between them, in any order, its names in any case
(Microsoft Learn, "Configure Azure Storage connection strings").

It rests on assumption 116 of docs/fidelity.md.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from providers.kind import Kind, Name
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.quoting import quoted

_KEY, _ACCOUNT, _SIGNATURE = "accountkey", "accountname", "sharedaccesssignature"


class _Part(Struct, frozen=True):
    """
    A `name=value` of a connection string, and where its value stands in the text, both without blanks around.
    """

    name: str
    value: str
    start: int


def account_key(value: KeyMaterial) -> KeyMaterial:
    """
    Return the key in a connection string, the last one as Microsoft's clients do; the whole of any other text.
    """
    keys = [part.value for part in _parts(value.reveal()) if part.name == _KEY]
    return KeyMaterial(keys[-1]) if keys else value


def with_account_key(names: Mapping[str, str], value: KeyMaterial, key: KeyMaterial) -> KeyMaterial:
    """
    Return a connection string with another key in it, and the key alone in place of any other text.

    Raises `Misconfigured` for the connection string of another account, and for one without exactly one key.
    """
    text = value.reveal()
    parts = list(_parts(text))
    found = [part for part in parts if part.name == _KEY]
    if not found and _SIGNATURE in text.lower() and _KEY not in text.lower():
        raise Misconfigured(
            "its value is a connection string with a SharedAccessSignature, which a new key does not renew; it must "
            "hold AccountKey, or be the key alone"
        )
    if len(found) > 1:
        raise Misconfigured(f"its value is a connection string with {len(found)} AccountKeys; it must hold one")
    if not found and _KEY not in text.lower():
        return key
    if not found or not re.fullmatch("[A-Za-z0-9+/]+={0,2}", found[0].value):
        raise Misconfigured(
            "its value has AccountKey, and more or less than a key in it; it must be a connection string with "
            "AccountKey=<the key>, or the key alone, with nothing around it such as quotes"
        )
    account = next((part.value for part in parts if part.name == _ACCOUNT), None)
    if account is not None and account.casefold() != names["account"].casefold():
        raise Misconfigured(
            f"its value is the connection string of the account {quoted(account)}, and its tag ProviderAddress "
            f"names {names['account']}"
        )
    end = found[0].start + len(found[0].value)
    return KeyMaterial(text[: found[0].start] + key.reveal() + text[end:])


def _parts(text: str) -> Iterator[_Part]:
    begin = 0
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            blanks = len(value) - len(value.lstrip())
            yield _Part(name.strip().lower(), value.strip(), begin + len(name) + 1 + blanks)
        begin += len(part) + 1


STORAGE_ACCOUNT = Kind(
    provider="Microsoft.Storage/storageAccounts",
    title="a Storage account",
    form="/providers/Microsoft.Storage/storageAccounts/{account}",
    names={"account": Name("[a-z0-9]{3,24}")},
    package=__name__,
    example={"account": "mystorage"},
    credential=account_key,
    exchange=with_account_key,
)
