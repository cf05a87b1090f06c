"""
Secrets as Key Vault shows them, alone and in pages.

It rests on assumptions 42, 44, 46 and 47 of docs/fidelity.md.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, TypeVar

from localcloud.azure.key_vault import RETENTION, DeletedSecret, SecretVersion
from localcloud.azure.operation import Call
from localcloud.azure.refusal import Refusal

T = TypeVar("T")

PAGE = 25


def bundle(secret: SecretVersion, id_: str) -> dict[str, Any]:
    """
    Return a secret without its value, in the recorded order. What is not set is absent.
    """
    attributes = {
        "enabled": secret.enabled,
        "nbf": _seconds(secret.not_before),
        "exp": _seconds(secret.expires_on),
        "created": _seconds(secret.created_on),
        "updated": _seconds(secret.updated_on),
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": RETENTION.days,
    }
    bundle = {
        "contentType": secret.content_type,
        "id": id_,
        "managed": secret.is_certificate or None,
        "attributes": {name: value for name, value in attributes.items() if value is not None},
        "tags": secret.tags or None,
    }
    return {name: value for name, value in bundle.items() if value is not None}


def deleted_bundle(vault: str, deleted: DeletedSecret) -> dict[str, Any]:
    """
    Return a deleted secret of a vault, as its deletion and the deleted secrets show it.
    """
    return {
        "recoveryId": f"{vault}/deletedsecrets/{deleted.current.name}",
        "deletedDate": _seconds(deleted.deleted_on),
        "scheduledPurgeDate": _seconds(deleted.purged_on),
        **bundle(deleted.current, deleted.current.id),
    }


def page_of(call: Call, url: str, items: list[T]) -> tuple[list[T], str | None]:
    """
    Return the items of the page that a call asks for, and the link to the next one, which names the port.
    """
    size, start = _page_size(call), _page_start(call)
    following = start + size
    link = None
    if following < len(items):
        token = base64.urlsafe_b64encode(str(following).encode()).decode().rstrip("=")
        version = call.query("api-version")
        link = f"{url}?api-version={version}&$skiptoken={token}&maxresults={size}"
    return items[start:following], link


def moment(seconds: int | None) -> datetime | None:
    """
    Return the time that a number of seconds since 1970 stands for.
    """
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def bad_parameter(message: str) -> Refusal:
    """
    Return the refusal of a malformed request.
    """
    return Refusal(400, "BadParameter", message)


def _page_size(call: Call) -> int:
    asked = call.query("maxresults") or str(PAGE)
    if not asked.isdecimal() or not 1 <= int(asked) <= PAGE:
        raise bad_parameter(f"maxresults must be 1 to {PAGE}.")
    return int(asked)


def _page_start(call: Call) -> int:
    token = call.query("$skiptoken")
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError) as error:
        raise bad_parameter("The $skiptoken is malformed.") from error


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
