"""
Storage accounts. An account key stands in a secret's value, most often in a connection string.

A connection string is a list of `name=value` with semicolons between them, in any order, its names in any case
(Microsoft Learn, "Configure Azure Storage connection strings").

It rests on assumption 116 of docs/fidelity.md.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping

from providers.account_key import BASE64_KEY, AccountKey
from providers.kind import Kind, Name
from rotation.vocabulary.credential import Candidate
from rotation.vocabulary.material import KeyMaterial

# None of them stands in a connection string: it is part of a longer text.
_AROUND = r"\"'`<>{}\r\n"
_FLAGS = re.IGNORECASE | re.ASCII


class ConnectionStringKey(AccountKey, frozen=True, dict=True):
    """
    The `CredentialForm` of a key that may stand in a connection string.

    No key can be put into the connection string of another account or service, nor into one that has a
    SharedAccessSignature or something else in its place.
    """

    def candidates(self, names: Mapping[str, str], value: KeyMaterial) -> list[Candidate]:
        found = super().candidates(names, value)
        is_usable = any(candidate.hindrance is None for candidate in found)
        return found if is_usable else found + _in_place_of_a_key(value)

    def hindrances(self, names: Mapping[str, str], text: str) -> Callable[[int], str | None]:
        strings = list(re.finditer(f"[^{_AROUND}]+", text))
        ends = [string.end() for string in strings]
        return lambda start: _hindrance(names["account"], strings[bisect_right(ends, start)][0])


def _hindrance(account: str, connection_string: str) -> str | None:
    if re.search(r"\b(AccountEndpoint|SharedAccessKeyName)\s*=", connection_string, _FLAGS):
        return f"the key in its value is in the connection string of another service than the account {account}"
    accounts = re.findall(r"\bAccountName\s*=\s*([a-z0-9]*)", connection_string, _FLAGS)
    if not accounts or account.casefold() in map(str.casefold, accounts):
        return None
    # Not named: what stands there may be anything, a key included.
    return f"its value has the connection string of another account than {account}, which its tag ProviderAddress names"


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
    data_plane={
        "AzurePublicCloud": (
            *("blob.core.windows.net", "file.core.windows.net"),
            *("blob.storage.azure.net", "file.storage.azure.net"),
        ),
        "AzureUSGovernment": ("blob.core.usgovcloudapi.net", "file.core.usgovcloudapi.net"),
        "AzureChinaCloud": ("blob.core.chinacloudapi.cn", "file.core.chinacloudapi.cn"),
    },
    credential=ConnectionStringKey(BASE64_KEY.pattern, BASE64_KEY.part, BASE64_KEY.length),
)
