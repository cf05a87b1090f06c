"""
Storage accounts. An account key stands in a secret's value, most often in a connection string.

A connection string is a list of `name=value` with semicolons between them, in any order, its names in any case
(Microsoft Learn, "Configure Azure Storage connection strings").

It rests on assumption 116 of docs/fidelity.md.
"""

import re
from collections.abc import Mapping

from providers.account_key import BASE64_KEY, AccountKey
from providers.kind import Kind, Name
from rotation.vocabulary.credential import Candidate
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.quoting import quoted

# None of them stands in a connection string: it is part of a longer text.
_AROUND = r"\"'`<>{}\r\n"
_FLAGS = re.IGNORECASE | re.ASCII


class ConnectionStringKey(AccountKey, frozen=True, dict=True):
    """
    The `CredentialForm` of a key that may stand in a connection string.

    No key can be put into the connection string of another account, nor into one that has a SharedAccessSignature or
    something else in its place.
    """

    def candidates(self, names: Mapping[str, str], value: KeyMaterial) -> list[Candidate]:
        return super().candidates(names, value) or _in_place_of_a_key(value)

    def hindrance(self, names: Mapping[str, str], text: str, start: int) -> str | None:
        before, after = re.split(f"[{_AROUND}]", text[:start])[-1], re.split(f"[{_AROUND}]", text[start:])[0]
        found = re.findall(r"\bAccountName\s*=([^;,]*)", before + after, _FLAGS)
        accounts = [account.strip() for account in found]
        if not accounts or names["account"].casefold() in map(str.casefold, accounts):
            return None
        return (
            f"its value has the connection string of the account {quoted(accounts[0])}, and its tag ProviderAddress "
            f"names {names['account']}"
        )


def _in_place_of_a_key(value: KeyMaterial) -> list[Candidate]:
    """
    Return what stands in a connection string where a key should, to be refused.
    """
    text = value.reveal()
    if "accountkey" in text.lower():
        why = (
            "its value has AccountKey, and no key there; it must be a connection string with AccountKey=<a key>, or "
            "the key alone"
        )
    elif "sharedaccesssignature" in text.lower():
        why = (
            "its value is a connection string with a SharedAccessSignature, which a new key does not renew; it must "
            "hold AccountKey, or be the key alone"
        )
    else:
        return []
    return [Candidate(0, len(text), value, why)]


STORAGE_ACCOUNT = Kind(
    provider="Microsoft.Storage/storageAccounts",
    title="a Storage account",
    form="/providers/Microsoft.Storage/storageAccounts/{account}",
    names={"account": Name("[a-z0-9]{3,24}")},
    package=__name__,
    example={"account": "mystorage"},
    credential=ConnectionStringKey(BASE64_KEY.pattern, BASE64_KEY.part, BASE64_KEY.length),
)
