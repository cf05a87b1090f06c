"""
Key Vault's events, read as people's systems send them.

Published samples and relays have blanks in names and values, an `Id` without a version or none at all, members in
lower case, and data as a text. What the id of a secret looks like is known to `rotation/vocabulary/secret.py` alone.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.limits import EVENT_UNWRAPPED_AT_MOST
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.secret import SecretId, parse_secret_id, parse_vault_uri

TYPES = {
    "Microsoft.KeyVault.SecretNearExpiry": Trigger.SECRET_NEAR_EXPIRY,
    "Microsoft.KeyVault.SecretExpired": Trigger.SECRET_EXPIRED,
}
_BY_TYPE = {name.lower(): trigger for name, trigger in TYPES.items()}  # Event Grid ignores their case.
_BLANKS = re.compile(r"[\s\ufeff\u200b-\u200d\u2060]+")  # Also a byte order mark, and what has no width.


def read_trigger(kind: object) -> Trigger | None:
    """
    Return what an event of this type starts, None for one that is not handled.
    """
    return _BY_TYPE.get(_without_blanks(kind).lower())


def read_secret(data: object, vaults: Sequence[str]) -> SecretId:
    """
    Return the secret that an event's data is about, with the version if it names one.

    The best source is `Id`; without it VaultName, ObjectName and Version count. `vaults` are the URIs that a VaultName
    without a domain can mean. Raises `Malformed`.
    """
    members = _members(data)
    version = members.get("version")
    if written := members.get("id"):
        secret = parse_secret_id(_address(written))
        if secret.version or not version:
            return secret
        return parse_secret_id(f"{secret.unversioned}/{version}")
    if not (members.get("vaultname") and members.get("objectname")):
        raise Malformed("its data.Id, the id of a secret, is missing, and so are data.VaultName and data.ObjectName")
    vault = _vault(members["vaultname"], vaults)
    secret = parse_secret_id(f"{vault}/secrets/{members['objectname']}")
    if secret.version:
        raise Malformed(f"its data.ObjectName is {quoted(members['objectname'])}, which is not the name of a secret")
    return parse_secret_id(f"{secret}/{version}") if version else secret


def _members(data: Any) -> dict[str, str]:
    """
    Return the members of data that are texts and not blank, by their names in lower case, without blanks.
    """
    for _ in range(EVENT_UNWRAPPED_AT_MOST):
        if isinstance(data, list) and len(data) == 1:
            (data,) = data
        elif isinstance(data, str):
            try:
                data = msgspec.json.decode(data.strip("\ufeff \t\r\n"))
            except msgspec.DecodeError:
                break
    if not isinstance(data, Mapping):
        return {}
    texts = ((_without_blanks(name).lower(), _without_blanks(value)) for name, value in data.items())
    return {name: value for name, value in texts if value}


def _without_blanks(value: object) -> str:
    return _BLANKS.sub("", value) if isinstance(value, str) else ""


def _address(written: str) -> str:
    """
    Return an id as an address: without what a browser or a link adds to it.
    """
    address = re.split(r"[?#]", unquote(written), maxsplit=1)[0].rstrip("/")
    return _without_blanks(address if "://" in address else f"https://{address}")


def _vault(written: str, vaults: Sequence[str]) -> str:
    """
    Return the URI of the vault that a VaultName means: a URI, a host, or the first label of one of `vaults`.
    """
    name = unquote(written).rstrip("/")
    if re.search(r"[.:/]", name):
        return parse_vault_uri(name if "://" in name else f"https://{name}")
    named = [uri for uri in vaults if re.split(r"[.:]", uri.removeprefix("https://"), maxsplit=1)[0] == name.lower()]
    if len(named) > 1:
        raise Malformed(
            f"its data.VaultName {quoted(name)} means several of ROTATION_VAULTS: {', '.join(named)}. Send data.Id"
        )
    # Another vault's: under this name it is in no list of vaults.
    return named[0] if named else parse_vault_uri(f"https://{name}")
