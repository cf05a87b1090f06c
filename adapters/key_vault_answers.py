"""
What Key Vault's answers mean where that is not plain: its codes are too coarse, and a list shows less than a read.

It rests on assumptions 40, 46 and 52 of docs/fidelity.md.
"""

from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import HttpResponseError

from adapters.answers import meaning_of
from rotation.vocabulary.errors import DeletedName, DependencyError, Unavailable


def is_of_certificate(properties: Any) -> bool:
    """
    Return whether a secret belongs to a certificate: a list says that it is managed and does not name the key.
    """
    return bool(properties.managed or properties.key_id)


def is_disabled(error: HttpResponseError) -> bool:
    """
    Return whether a 403 is about a disabled version: it says so in `innererror` only.
    """
    return error.status_code == 403 and _inner_code(error) == "SecretDisabled"  # noqa: PLR2004 - an HTTP status


def meaning_of_conflict(error: HttpResponseError, what: str) -> DependencyError | None:
    """
    Return what a 409 means for storing a secret, None for any other error.

    A deleted secret stays until a person acts. All else passes: deleting and recovering take half a minute or so
    (recorded), and operations on one item that meet are to be tried again (Microsoft Learn, "Common error codes for
    Azure Key Vault").
    """
    if error.status_code != 409:  # noqa: PLR2004 - an HTTP status
        return None
    said = meaning_of(error, what)
    if _inner_code(error) == "ObjectIsDeletedButRecoverable":
        return DeletedName(
            f"{said} Recover the deleted secret (az keyvault secret recover) or purge it, then ask again"
        )
    return Unavailable(str(said), retry_after=said.retry_after)


def _inner_code(error: HttpResponseError) -> str | None:
    detail = getattr(error.error, "innererror", None)
    code = detail.get("code") if isinstance(detail, Mapping) else None
    return code if isinstance(code, str) else None
