"""
Storage accounts. A secret holds an account key itself, or a connection string with one.

Names and order of its parts are free (Microsoft Learn, "Configure Azure Storage connection strings").

It rests on assumption 116 of docs/fidelity.md.
"""

import re
from collections.abc import Mapping

from providers.kind import Kind, Name
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.quoting import quoted


def _part(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|;)\s*{name}\s*=\s*([^;\s]+)", re.IGNORECASE | re.ASCII)


_KEY = _part("AccountKey")
_ACCOUNT = _part("AccountName")
_SIGNATURE = _part("SharedAccessSignature")


def account_key(value: KeyMaterial) -> KeyMaterial:
    """
    Return the key in a connection string; the whole of any other text.
    """
    found = _KEY.search(value.reveal())
    return KeyMaterial(found[1]) if found else value


def with_account_key(names: Mapping[str, str], value: KeyMaterial, key: KeyMaterial) -> KeyMaterial:
    """
    Return a connection string with another key in it, and the key alone in place of any other text.

    Raises `Misconfigured` for the connection string of another account, or with several keys or none.
    """
    text = value.reveal()
    found = list(_KEY.finditer(text))
    if not found and _SIGNATURE.search(text):
        raise Misconfigured(
            "its value is a connection string with a SharedAccessSignature, which a new key does not renew; it must "
            "hold AccountKey, or be the key alone"
        )
    if not found:
        return key
    if len(found) > 1:
        raise Misconfigured(f"its value is a connection string with {len(found)} AccountKeys; it must hold one")
    account = _ACCOUNT.search(text)
    if account and account[1].casefold() != names["account"].casefold():
        raise Misconfigured(
            f"its value is the connection string of the account {quoted(account[1])}, and its tag ProviderAddress "
            f"names {names['account']}"
        )
    return KeyMaterial(text[: found[0].start(1)] + key.reveal() + text[found[0].end(1) :])


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
