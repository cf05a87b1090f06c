"""
Key Vault's events, by way of Event Grid.
"""

import logging
from datetime import UTC, datetime
from typing import List

import azure.functions as func
import msgspec

from adapters.decoding import require_cloud_events
from handlers.key_vault_events import read_secret, read_trigger
from rotation.vocabulary.errors import Malformed, SettingsError
from rotation.vocabulary.log_lines import report_dropped_event
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.request import Trigger, request_for_event
from wiring import wired

_log = logging.getLogger(__name__)

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
@blueprint.queue_output(arg_name="rotations", queue_name="rotations", connection="AzureWebJobsStorage")
async def on_secret_event(event: func.EventGridEvent, rotations: func.Out[List[str]]) -> None:
    """
    Put a near-expiry or expired event into the queue; Event Grid waits 30 seconds, so nothing else happens here.

    What cannot be read, or is about another vault, is acknowledged: Event Grid would deliver the same again for a day.
    Whatever is this app's own fault raises, so that Event Grid does deliver it again: a setting that is missing, a
    library that is too old, and a queue that cannot be reached.
    """
    app = wired()
    try:
        trigger = _trigger_of(event)
        secret = read_secret(event.get_json(), app.settings.vaults)
    except Malformed as error:
        report_dropped_event(event.id, "unreadable", str(error))
        return
    except SettingsError as error:
        _log.error("event %s is refused, and will be delivered again: %s", event.id, error)
        raise
    if secret.vault not in app.settings.vaults:
        report_dropped_event(event.id, "other_vault", f"{secret.vault} is none of the vaults of ROTATION_VAULTS")
        return
    request = request_for_event(secret, trigger, datetime.now(UTC), event_id=event.id)
    # As an element of a list: a bare string that is JSON would be parsed and written again by the host.
    rotations.set([msgspec.json.encode(request).decode()])
    _log.info("rotation %s: accepted (%s)", request.id, request.trigger, extra={"rotation": request.id})


def _trigger_of(event: func.EventGridEvent) -> Trigger:
    """
    Return what the event starts.

    Raises `Malformed` for another type, `SettingsError` where the type of a CloudEvent was lost in decoding.
    """
    # A payload with `specversion` arrives as func.CloudEvent, whatever the annotation says.
    kind = getattr(event, "event_type", None) or getattr(event, "type", None)
    if kind is None:
        require_cloud_events()
    trigger = read_trigger(kind)
    if trigger is None:
        raise Malformed(f"its type is {quoted(str(kind))}; SecretNearExpiry and SecretExpired of Key Vault are handled")
    return trigger
