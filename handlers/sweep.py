"""
The daily sweep through the vaults.
"""

from datetime import timedelta
from typing import List

import azure.functions as func
import msgspec

from rotation.overview.review import due_before, review
from rotation.overview.sweep import sweep
from rotation.vocabulary.limits import SWEEP_WITHIN, VERIFY_WITHIN
from wiring import wired

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="%ROTATION_SWEEP_SCHEDULE%")
@blueprint.queue_output(arg_name="rotations", queue_name="rotations", connection="AzureWebJobsStorage")
async def sweep_vaults(timer: func.TimerRequest, rotations: func.Out[List[str]]) -> None:  # noqa: ARG001 - it has to arrive
    """
    Look through all vaults, keep what is found, and put what is due into the queue although its event never came.

    Then compare secrets with their targets, as long as there is time, and tell people which ones need them. What is due
    is put into the queue when the function ends, so that this takes a few minutes at most.
    """
    world, settings = wired().world, wired().settings
    begun, due = world.clock.monotonic(), list[str]()
    looks = await sweep(
        world,
        settings.lead,
        lambda request: due.append(msgspec.json.encode(request).decode()),
        within=SWEEP_WITHIN,
    )
    left = SWEEP_WITHIN - timedelta(seconds=world.clock.monotonic() - begun)
    before = due_before(settings.verify_every, world.clock.now())
    await review(world, settings.lead, looks, before=before, within=min(left, VERIFY_WITHIN))
    if due:
        rotations.set(due)
