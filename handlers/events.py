"""
Key Vault's events, by way of Event Grid.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, List

import azure.functions as func
import msgspec

from adapters.wiring import wired
from rotation.errors import Malformed
from rotation.quoting import quoted
from rotation.request import Trigger, request_for_event
from rotation.secret import SecretId, parse_secret_id

_log = logging.getLogger(__name__)

blueprint = func.Blueprint()

_TRIGGERS = {
    "Microsoft.KeyVault.SecretNearExpiry": Trigger.SECRET_NEAR_EXPIRY,
    "Microsoft.KeyVault.SecretExpired": Trigger.SECRET_EXPIRED,
}


@blueprint.event_grid_trigger(arg_name="event")
@blueprint.queue_output(arg_name="rotations", queue_name="rotations", connection="AzureWebJobsStorage")
async def on_secret_event(event: func.EventGridEvent, rotations: func.Out[List[str]]) -> None:
    """
    Put a near-expiry or expired event into the queue; Event Grid waits 30 seconds, so nothing else happens here.

    Whatever is not ours is acknowledged, or Event Grid would deliver it again for a day.
    """
    try:
        secret, trigger = _read_event(event)
    except Malformed as error:
        _log.warning("event %s dropped: %s", event.id, error)
        return
    if secret.vault not in wired().settings.vaults:
        _log.warning("event %s dropped: %s is none of the vaults of ROTATION_VAULTS", event.id, secret.vault)
        return
    request = request_for_event(secret, trigger, datetime.now(UTC))
    # As an element of a list: a bare string that is JSON would be parsed and written anew by the host.
    rotations.set([msgspec.json.encode(request).decode()])
    _log.info("rotation %s: accepted (%s)", request.id, request.trigger, extra={"rotation": request.id})
    # Most likely by this process, whose next message it is.
    wired().expect_a_rotation()


def _read_event(event: func.EventGridEvent) -> tuple[SecretId, Trigger]:
    # A payload with `specversion` arrives as func.CloudEvent, whatever the annotation says.
    kind = getattr(event, "event_type", None) or getattr(event, "type", None)
    trigger = _TRIGGERS.get(str(kind))
    if trigger is None:
        raise Malformed(f"its type is {quoted(str(kind))}; SecretNearExpiry and SecretExpired of Key Vault are handled")
    secret = parse_secret_id(_secret_of(event.get_json()))
    if secret.version is None:
        raise Malformed(f"its data.Id {str(secret)!r} has no version")
    return secret, trigger


def _secret_of(data: Any) -> str:
    """
    Return `data.Id`, the best source of vault, name and version: published samples have blanks in keys and values.
    """
    fields = {str(name).strip().lower(): value for name, value in data.items()} if isinstance(data, Mapping) else {}
    secret = fields.get("id")
    if not isinstance(secret, str):
        raise Malformed("its data.Id, the id of a secret version, is missing")
    return "".join(secret.split())
