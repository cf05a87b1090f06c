"""
Key Vault secrets as a rotation sees them.
"""

import re
from datetime import datetime

from msgspec import Struct

from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.pasted import secret_address, unwrapped
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.spelling import oddity

# No user info, no path tricks: urlsplit forgives line breaks and backslashes, a pattern does not.
# Compiled when the first one is read, not at a cold start.
_VAULT_URI = r"https://(?P<host>[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?/?"
_ID_URI = r"(?P<vault>https://[^/?#]+)/secrets/(?P<name>[0-9a-z-]{1,127})(?:/(?P<version>[0-9a-f]{32}))?"
_FLAGS = re.IGNORECASE | re.ASCII
_HTTPS_PORT, _LAST_PORT = 443, 65_535


class SecretId(Struct, frozen=True):
    """
    A secret of a vault, or one version of it.

    `vault` is the vault's URI in lower case without a trailing slash; `name` is as given; its case does not matter.
    """

    vault: str
    name: str
    version: str | None = None

    @property
    def unversioned(self) -> str:
        """
        The id without the version.
        """
        return f"{self.vault}/secrets/{self.name}"

    @property
    def identity(self) -> str:
        """
        Equal for every spelling of the same secret, whatever the version.
        """
        return self.unversioned.lower()

    def at(self, version: str) -> "SecretId":
        """
        Return the same secret pinned to a version.
        """
        return SecretId(self.vault, self.name, version)

    def __str__(self) -> str:
        return self.unversioned if self.version is None else f"{self.unversioned}/{self.version}"


class SecretVersion(Struct, frozen=True):
    """
    The current version of a secret; a disabled one has no readable value.

    `is_certificate` says that Key Vault keeps it for a certificate: its value cannot be set.
    """

    id: SecretId
    value: KeyMaterial | None
    enabled: bool
    tags: dict[str, str]
    content_type: str | None
    expires_on: datetime | None
    created_on: datetime
    is_certificate: bool = False

    @property
    def version(self) -> str:
        """
        The version's 32 hexadecimal digits.
        """
        return self.id.version or ""


class ListedSecret(Struct, frozen=True):
    """
    The current version of a secret as the listing of a vault shows it: without its value, and `id` without version.
    """

    id: SecretId
    tags: dict[str, str]
    enabled: bool
    expires_on: datetime | None
    is_certificate: bool = False
    created_on: datetime | None = None


def parse_vault_uri(uri: str) -> str:
    """
    Return a vault's URI in its one spelling: `https://host[:port]` in lower case. What surrounds it is forgiven.

    Raises `Malformed`.
    """
    return _vault_in(unwrapped(uri))


def _vault_in(text: str) -> str:
    found = re.fullmatch(_VAULT_URI, text, _FLAGS)
    if found is None:
        raise Malformed(
            f"{quoted(text)} is not a vault's URI; it must look like https://my-vault.vault.azure.net{oddity(text)}"
        )
    host, port = found["host"].lower(), int(found["port"] or _HTTPS_PORT)
    if port > _LAST_PORT:
        raise Malformed(f"{quoted(text)} is not a vault's URI: its port must be {_LAST_PORT} at most")
    return f"https://{host}" if port == _HTTPS_PORT else f"https://{host}:{port}"


def parse_secret_id(uri: str) -> SecretId:
    """
    Return the secret, with its version if the id has one. It is read as people copy it (`pasted.py`).

    Raises `Malformed`.
    """
    text = secret_address(uri)
    found = re.fullmatch(_ID_URI, text, _FLAGS)
    if found is None:
        raise Malformed(
            f"{quoted(unwrapped(uri))} is not the id of a secret; it must look like "
            f"https://my-vault.vault.azure.net/secrets/my-secret{oddity(text)}"
        )
    return SecretId(_vault_in(found["vault"]), found["name"], found["version"] and found["version"].lower())
