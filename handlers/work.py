"""
The queue `rotations`, its poison queue, and what puts unfinished work back into it.
"""

import logging
from typing import List

import azure.functions as func
import msgspec

from handlers.messages import messages
from rotation.run.resumption import list_unfinished
from rotation.vocabulary.errors import Forbidden, Malformed
from rotation.vocabulary.log_lines import report_poisoned
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.request import RotationRequest
from wiring import wired

_log = logging.getLogger(__name__)

blueprint = func.Blueprint()

_QUEUE = "rotations"
_STORAGE = "AzureWebJobsStorage"


@blueprint.queue_trigger(arg_name="message", queue_name=_QUEUE, connection=_STORAGE)
@blueprint.queue_output(arg_name="rotations", queue_name=_QUEUE, connection=_STORAGE)
async def run_rotation(message: func.QueueMessage, rotations: func.Out[List[str]]) -> None:
    """
    Run one rotation as far as it gets. An exception makes the host try again, up to `maxDequeueCount` times.

    A busy target is such an exception: its other secret may have expired in the same minute, and waits for its turn.
    Secrets that hold a leaked key are moved before that is revoked.
    """
    request = _read(message)
    if request.revokes and (moves := await wired().rotator.moves(request)):
        rotations.set(messages(moves))
        return
    try:
        _tell(await wired().rotator.rotate(request))
    except Forbidden as error:
        _log.warning("rotation %s dropped: %s", request.id, error)


@blueprint.queue_trigger(arg_name="message", queue_name=f"{_QUEUE}-poison", connection=_STORAGE)
async def on_poisoned_rotation(message: func.QueueMessage) -> None:
    """
    End a rotation whose message kept failing.

    An exception makes the host try again every ten minutes until the message is seven days old. It is an exception only
    where nothing else can end the rotation: the ledger does not answer, a setting is wrong, or its target is taken. A
    message is reported as poisoned once, at its first delivery.
    """
    is_first = (message.dequeue_count or 1) == 1
    try:
        request = _read(message)
    except Malformed as error:
        report_poisoned(message.id, None)
        _log.error("poisoned message %s dropped: %s", message.id, error)
        return
    if is_first:
        report_poisoned(message.id, request.id)
    try:
        _tell(await wired().rotator.give_up(request))
    except Forbidden as error:
        _log.error("poisoned message %s dropped: %s", message.id, error)


@blueprint.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@blueprint.queue_output(arg_name="rotations", queue_name=_QUEUE, connection=_STORAGE)
async def resume_rotations(timer: func.TimerRequest, rotations: func.Out[List[str]]) -> None:
    """
    Put rotations whose worker died, and outcomes that nobody was told, back into the queue.
    """
    requests = await list_unfinished(wired().world)
    if requests:
        rotations.set(messages(requests))
        _log.info("%d rotations resumed%s", len(requests), " (the timer is late)" if timer.past_due else "")


def _read(message: func.QueueMessage) -> RotationRequest:
    try:
        return msgspec.json.decode(message.get_body(), type=RotationRequest)
    except msgspec.MsgspecError as error:
        raise Malformed(f"message {message.id} is no rotation request: {error}") from None


def _tell(rotation: Rotation) -> None:
    _log.info("rotation %s: %s", rotation.id, rotation.state, extra={"rotation": rotation.id})
