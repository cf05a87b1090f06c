"""
The daily sweep through the vaults.
"""

from typing import List

import azure.functions as func
import msgspec

from rotation.overview.sweep import sweep
from rotation.vocabulary.limits import SWEEP_WITHIN
from wiring import wired

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="%ROTATION_SWEEP_SCHEDULE%")
@blueprint.queue_output(arg_name="rotations", queue_name="rotations", connection="AzureWebJobsStorage")
async def sweep_vaults(timer: func.TimerRequest, rotations: func.Out[List[str]]) -> None:  # noqa: ARG001 - it has to arrive
    """
    Look through all vaults, keep what is found, and put what is due into the queue although its event never came.
    """
    due: list[str] = []
    await sweep(
        wired().world,
        wired().settings.lead,
        lambda request: due.append(msgspec.json.encode(request).decode()),
        within=SWEEP_WITHIN,
    )
    if due:
        rotations.set(due)
