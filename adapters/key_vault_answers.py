"""
What Key Vault's answers mean where that is not plain: its codes are too coarse, and a list shows less than a read.

It rests on assumptions 40, 46 and 52 of docs/fidelity.md.
"""

from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import HttpResponseError

from adapters.answers import meaning_of
from rotation.vocabulary.errors import Declined, DependencyError, Unavailable

_PASSING = {"ObjectIsBeingDeleted", "ObjectIsBeingRecovered"}


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


def meaning_of_deletion(error: HttpResponseError, what: str) -> DependencyError | None:
    """
    Return what a 409 means that is about the deletion of the secret, None for any other error.

    Deleting and recovering pass after half a minute or so (recorded). The deleted secret stays until a person acts.
    """
    code = _inner_code(error) if error.status_code == 409 else None  # noqa: PLR2004 - an HTTP status
    said = meaning_of(error, what)
    if code in _PASSING:
        return Unavailable(str(said), retry_after=said.retry_after)
    if code == "ObjectIsDeletedButRecoverable":
        return Declined(
            f"{said} Recover the deleted secret (az keyvault secret recover) or purge it, then rotate again"
        )
    return None


def _inner_code(error: HttpResponseError) -> str | None:
    detail = getattr(error.error, "innererror", None)
    code = detail.get("code") if isinstance(detail, Mapping) else None
    return code if isinstance(code, str) else None
