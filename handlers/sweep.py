"""
The daily sweep through the vaults.
"""

from datetime import timedelta
from typing import List

import azure.functions as func
import msgspec

from adapters.wiring import wired
from rotation.overview.sweep import sweep

blueprint = func.Blueprint()

_WITHIN = timedelta(minutes=8)  # Of the ten that host.json gives a function.


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
        within=_WITHIN,
    )
    if due:
        rotations.set(due)
