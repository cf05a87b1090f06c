"""
Microsoft's tutorial "Automate the rotation of a secret for resources that have two sets of authentication credentials".

Its function is PowerShell and rotates storage keys (Azure-Samples/KeyVault-Rotation-StorageAccountKey-PowerShell); this
does the same steps in the same order with the synchronous SDKs: read the secret, take the key that its tag does not
name, regenerate it, list the keys to learn its value, store that with the three tags. One thing at a time, with clients
made in every invocation.
"""

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import azure.functions as func
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

_log = logging.getLogger(__name__)

_ALTERNATES = {"Primary": "Secondary", "Secondary": "Primary"}

Regenerate = Callable[[DefaultAzureCredential, str, str], str]
"""Regenerates a key of a resource and returns its new value."""


def rotate(event: func.EventGridEvent, regenerate: Regenerate) -> None:
    """
    Rotate the secret that an event is about.
    """
    name = event.subject
    _log.info("Rotation of secret %s started", name)
    credential = DefaultAzureCredential()
    secrets = SecretClient(_vault_url(event), credential, verify_challenge_resource=False)

    secret = secrets.get_secret(name)
    tags = secret.properties.tags or {}
    validity, resource, current = tags["ValidityPeriodDays"], tags["ProviderAddress"], tags["CredentialId"]
    if current not in _ALTERNATES:
        raise ValueError(f"invalid credential id: {current}")
    alternate = _ALTERNATES[current]
    _log.info("Secret read: credential id %s, provider address %s", current, resource)

    value = regenerate(credential, resource, alternate)
    _log.info("Key regenerated: %s of %s", alternate, resource)

    secrets.set_secret(
        name,
        value,
        expires_on=datetime.now(UTC) + timedelta(days=int(validity)),
        tags={"ValidityPeriodDays": validity, "CredentialId": alternate, "ProviderAddress": resource},
    )
    _log.info("New key stored in secret %s", name)


def _vault_url(event: func.EventGridEvent) -> str:
    # The tutorial makes it of the vault's name; a local vault has another domain.
    return os.environ.get("VAULT_URL") or f"https://{event.get_json()['VaultName']}.vault.azure.net"
