"""
`cancel`: a rotation that waits for its time never begins.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from rotator.confirmation import confirm
from rotator.errors import ExitCode
from rotator.options import Yes
from rotator.records import Rotation
from rotator.rotation_view import block
from rotator.session import Session
from rotator.times import time_and_distance
from rotator.wording import plain, subject


def cancel(
    session: Session,
    rotation_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a rotation that is Scheduled.")],
    *,
    yes: Yes = False,
) -> ExitCode:
    """
    Cancel a Scheduled rotation, such as a revocation.
    """
    waiting = session.run("asking for the rotation", session.api.rotation(rotation_id)).rotation
    # Anything else the app refuses by itself, and says why.
    if waiting.state == "Scheduled" and not yes:
        confirm(session.screen, plain(_question(waiting, datetime.now(UTC))), otherwise="nothing was cancelled")
    cancelled = session.run("cancelling the rotation", session.api.cancel(rotation_id))
    if session.screen.as_json:
        session.screen.show_json(cancelled.as_told)
    else:
        session.screen.show(block(cancelled, datetime.now(UTC)))
    return ExitCode.DONE


def _question(waiting: Rotation, now: datetime) -> str:
    when = f", due {time_and_distance(waiting.allowed_on, now)}" if waiting.allowed_on else ""
    if waiting.revokes:
        return f"The leaked key of {subject(waiting)} stays alive for good. Cancel its revocation{when}?"
    return f"Cancel the rotation of {subject(waiting)}{when}?"
